"""A document as syft writes it about a root with many rpm packages that need each other."""

from __future__ import annotations

import random

NEEDED = 4.4
"""Packages that a package needs, on average: measured on the images of this project."""


HEAD = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "serialNumber": "urn:uuid:7b7d2a37-1e5b-4f4e-9c4f-7d7a9f0a6d11",
    "version": 1,
    "metadata": {
        "timestamp": "2026-11-23T22:20:09Z",
        "tools": {
            "components": [
                {"type": "application", "author": "anchore", "name": "syft", "version": "1"}
            ]
        },
        "component": {"bom-ref": "x", "type": "file", "name": "/tmp/root"},
    },
}
"""What syft writes before the packages."""


def _component(number: int) -> dict:
    name, version, arch = (
        f"lib-of-number-{number}",
        f"{number % 40}.{number}-{number % 7}.el10",
        "x86_64",
    )
    source = f"{name}-{version}.src.rpm"
    purl = f"pkg:rpm/centos/{name}@{version}?arch={arch}&distro=centos-10&upstream={source}"
    reference = purl.replace("&upstream=", f"&package-id={number:016x}&upstream=")
    guesses = [
        {"name": "syft:cpe23", "value": f"cpe:2.3:a:{guess}:{name}:{version}:*:*:*:*:*:*:*"}
        for guess in ("centos", "lib", name)
    ]
    return {
        "bom-ref": reference,
        "type": "library",
        "publisher": "CentOS",
        "name": name,
        "version": version,
        "licenses": [{"license": {"id": "LGPL-2.1-or-later"}}, {"license": {"name": "BSD and MIT"}}],
        "cpe": f"cpe:2.3:a:{name}:{name}:{version}:*:*:*:*:*:*:*",
        "purl": purl,
        "properties": [
            {"name": "syft:package:foundBy", "value": "rpm-db-cataloger"},
            {"name": "syft:package:type", "value": "rpm"},
            {"name": "syft:package:metadataType", "value": "rpm-db-entry"},
            *guesses,
            {"name": "syft:location:0:path", "value": "/usr/share/rpm/rpmdb.sqlite"},
            {"name": "syft:metadata:release", "value": version.partition("-")[2]},
            {"name": "syft:metadata:size", "value": str(number * 1000)},
            {"name": "syft:metadata:sourceRpm", "value": source},
        ],
    }  # fmt: skip


def many_packages(count: int) -> dict:
    """Return the document; each of its packages but a few needs some of the others."""
    chance = random.Random(count)
    components = [_component(number) for number in range(count)]
    references = [item["bom-ref"] for item in components]
    return {
        **HEAD,
        "components": components,
        "dependencies": [
            {
                "ref": reference,
                "dependsOn": chance.sample(
                    references, min(count, round(chance.uniform(1, 2 * NEEDED - 1)))
                ),
            }
            for reference in references[: count * 9 // 10]
        ],
    }

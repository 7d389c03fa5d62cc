"""The lab changes URLs, keys and references of the product's configuration, and nothing else."""

import fnmatch
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

from immutable_base.config.schema import Settings
from immutable_base_lab.configuration import (
    available_branches,
    lab_configuration,
    write_lab_configuration,
)
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.lab import merged_settings, port_names
from immutable_base_lab.services.service import Surroundings
from support import paths
from support.lab_configuration import flat, replacements

PRODUCT = paths.PRODUCT.read_text()
PORTS = {name: 8001 + number for number, name in enumerate(port_names())}
AT = Surroundings(paths=LabPaths(root=Path("/lab")), ports=PORTS)
LAB = replace(replacements(AT, merged_settings(AT)), branches={"nvidia": "550"})
MAY_DIFFER = (
    "streams.*.base",
    "repositories.*.url",
    "repositories.*.archive",
    "keys.*.places",
    "keys.*.fingerprint",
    "keys.*.witness_*",  # what is said of the real one
    "modules.nvidia.branch",  # Debian's archive has 550: a reference to what is there
    "registry.destination",
    "registry.ca_bundle",
    "module_signing.*",
    "signing.certificate_oidc_issuer",
    "signing.fulcio_url",
    "signing.rekor_url",
    "signing.fulcio_root",
    "signing.rekor_key",
    "signing.ct_log_key",
)


def test_only_urls_keys_and_references_differ():
    outside = flat(tomllib.loads(PRODUCT))
    inside = flat(tomllib.loads(lab_configuration(PRODUCT, LAB)))
    differing = {
        key for key in outside.keys() | inside.keys() if outside.get(key) != inside.get(key)
    }
    unexpected = {
        key for key in differing if not any(fnmatch.fnmatchcase(key, p) for p in MAY_DIFFER)
    }
    assert unexpected == set()
    assert "streams.centos-stream-10.base" in differing


def test_lab_configuration_is_valid_and_leaves_nothing_outside():
    text = lab_configuration(PRODUCT, LAB)
    settings = Settings.model_validate(tomllib.loads(text))
    places = [
        place for r in settings.repositories.values() for place in (r.url, r.archive) if place
    ]
    assert all(place.startswith(f"{AT.url('files')}/") for place in places)
    composed = {name for name, r in settings.repositories.items() if "{compose}" in r.url}
    assert composed == {"compose-baseos", "compose-appstream"}
    assert {k.fingerprint for k in settings.keys.values()} == {"A" * 40}
    assert {s.base.split("/")[0] for s in settings.streams.values()} == {AT.address("registry")}


def test_every_key_is_the_labs_and_is_at_its_last_place_alone():
    """Outside, addresses are wrong or move: a key that has several places has lost the others."""
    inside = tomllib.loads(lab_configuration(PRODUCT, LAB))["keys"]
    outside = tomllib.loads(PRODUCT)["keys"]
    assert {name: len(key["places"]) for name, key in inside.items()} == {
        name: len(key["places"]) for name, key in outside.items()
    }
    for key in inside.values():
        assert key["places"][-1] == LAB.key_url
        assert all(
            place.startswith(f"{AT.url('files')}/moved-away/") for place in key["places"][:-1]
        )
    assert max(len(key["places"]) for key in inside.values()) > 1


def test_signing_and_trust_are_those_of_the_labs_services():
    settings = Settings.model_validate(tomllib.loads(lab_configuration(PRODUCT, LAB)))
    signing = settings.signing
    assert settings.registry.ca_bundle == "/lab/trust/ca.pem"
    assert settings.registry.destination == f"{AT.address('registry')}/immutable-base"
    assert (signing.fulcio_url, signing.fulcio_root) == (AT.url("fulcio"), "/lab/trust/fulcio.pem")
    assert (signing.rekor_url, signing.rekor_key) == (AT.url("rekor"), "/lab/trust/rekor.pub")
    assert signing.ct_log_key == "/lab/trust/ctlog.pub"
    assert signing.certificate_oidc_issuer == AT.url("issuer")


def test_metadata_is_signed_in_the_lab_where_upstream_signs_it_and_nowhere_else():
    """What the lab leaves unsigned is what most of a real run reads: packages alone are signed."""
    outside, inside = (
        {
            name: repository.get("metadata_key")
            for name, repository in tomllib.loads(text)["repositories"].items()
        }
        for text in (PRODUCT, lab_configuration(PRODUCT, LAB))
    )
    assert inside == outside
    assert {name for name, key in inside.items() if key} == {"cuda", "container-toolkit"}


def test_a_branch_changes_only_where_the_lab_has_another(tmp_path):
    for folder, file in (
        ("openzfs", "zfs-dkms-2.3.9-0.noarch.rpm"),
        ("cuda", "kmod-nvidia-open-dkms-550.163.01-2.noarch.rpm"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).touch()
    assert available_branches(PRODUCT, tmp_path) == {"nvidia": "550"}


def test_a_cache_key_is_the_same_in_every_process():
    """Sets have another order in every process: `lab up` made the bases again each time."""
    code = (
        "from immutable_base_lab.core import cache; from immutable_base_lab.debian import catalogue; "
        "print(cache.key_of(2, catalogue.load().model_dump()))"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(keys) == 1


def test_layers_of_one_folder_are_not_filled_with_those_of_another(tmp_path):
    for name in ("own", "other"):
        (tmp_path / name / f"layer-of-{name}").mkdir(parents=True)
    own, other = tmp_path / "own", tmp_path / "other"
    file = tmp_path / "lab/immutable-base.toml"
    for folders in ([own], [own, other], [other], [own, other], [own]):
        write_lab_configuration(file, "text", folders)
        found = {path.name for path in (tmp_path / "lab/layers").iterdir()}
        assert found == {f"layer-of-{folder.name}" for folder in folders}
        assert [path.name for path in own.iterdir()] == ["layer-of-own"]

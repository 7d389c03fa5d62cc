"""A package with an advisory: an old version with a hole, and a new one without it."""

from __future__ import annotations

from pathlib import Path

from immutable_base_lab.core.signing_key import SigningKey
from immutable_base_lab.rpms import package
from immutable_base_lab.rpms.jobs import Job, Workshop
from immutable_base_lab.rpms.package import Recipe
from immutable_base_lab.scenarios.tiny_content import REPOSITORY

NAME = "escapement"
OLD, FIXED = "1.0", "1.1"
"""Versions; the repository has both."""
ADVISORY, CVE = "LAB-2026-0001", "CVE-2026-99999"
MTIME = 1_700_000_000
UPDATEINFO = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<updates>
  <update from="lab@example.invalid" status="final" type="security" version="1">
    <id>{ADVISORY}</id>
    <title>{NAME}-{FIXED}-1</title>
    <issued date="2026-11-01 00:00:00"/>
    <severity>Important</severity>
    <description>The escapement lets go too early.</description>
    <references>
      <reference href="https://cve.example.invalid/{CVE}" id="{CVE}" type="cve" title="{CVE}"/>
    </references>
    <pkglist>
      <collection short="tiny">
        <name>Tiny Stream</name>
        <package name="{NAME}" epoch="0" version="{FIXED}" release="1" arch="noarch">
          <filename>{NAME}-{FIXED}-1.noarch.rpm</filename>
        </package>
      </collection>
    </pkglist>
  </update>
</updates>
"""


def inputs() -> list[str]:
    """Return everything that the packages and their advisory are made of."""
    return [NAME, OLD, FIXED, UPDATEINFO]


def job(workshop: Workshop) -> Job:
    """Return the making of both versions."""

    def make_folder(folder: Path) -> None:
        for version in (OLD, FIXED):
            _build(folder, workshop.key, version)

    def make() -> list[Path]:
        return workshop.cached(NAME, [NAME, OLD, FIXED], make_folder)

    return Job(name=f"{NAME} {OLD}, {FIXED}", place=lambda _rpm: (REPOSITORY,), make=make)


def _build(folder: Path, key: SigningKey, version: str) -> Path:
    tree = folder / f"{version}.tree"
    file = tree / "usr/share" / NAME / "version"
    file.parent.mkdir(parents=True)
    file.write_text(f"{version}\n")
    recipe = Recipe(
        name=NAME,
        version=version,
        release="1",
        arch="noarch",
        summary="Lets the wheel of the metronome go on, one tooth at a time",
        license="Apache-2.0",
        mtime=MTIME,
    )
    return package.build(recipe, tree, folder, key)

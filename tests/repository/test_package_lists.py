"""Debian packages stand in three lists for three readers: each has all that the programs are from."""

import re

import pytest

from immutable_base import doctor
from immutable_base_lab.requirements import PROGRAMS
from support.paths import ROOT

ALWAYS_THERE = {"apt", "dpkg"}
"""Debian is not installed without them."""
PRODUCT = {package for _, package, _ in (*doctor.PROGRAMS, *doctor.BOOT_PROGRAMS)}


def installed_by_setup():
    text = (ROOT / "scripts/install-debian-packages").read_text()
    [(listed, _)] = re.findall(r"<<'END'\n(.*?\n)(END)\n", text, re.DOTALL)
    return [line.split(maxsplit=1) for line in listed.splitlines()]


def installed_in_the_image_of_jobs():
    text = (ROOT / "ci/Containerfile").read_text()
    *_, last = re.findall(r"--no-install-recommends \\\n(.*?) && \\\n", text, re.DOTALL)
    return last.replace("\\\n", " ").split()


@pytest.mark.parametrize(
    "needed", [PRODUCT, set(PROGRAMS.values()) - ALWAYS_THERE], ids=["the product", "the lab"]
)
def test_a_checkout_is_set_up_with_every_package_whose_programs_are_asked_for(needed):
    assert needed
    assert needed <= {name for name, _ in installed_by_setup()}


def test_the_image_of_jobs_has_every_package_whose_programs_doctor_asks_for():
    assert set(installed_in_the_image_of_jobs()) >= PRODUCT


def test_what_the_jobs_have_a_checkout_has_too():
    # A checkout has Python already: `make` runs it to make the environment.
    listed = {name for name, _ in installed_by_setup()} | {"python3"}
    assert set(installed_in_the_image_of_jobs()) <= listed


@pytest.mark.parametrize(
    "names",
    [[name for name, _ in installed_by_setup()], installed_in_the_image_of_jobs()],
    ids=["install-debian-packages", "ci/Containerfile"],
)
def test_each_package_is_listed_once(names):
    assert len(names) == len(set(names)) > 10


def test_each_package_is_listed_with_its_reason():
    assert all(len(row) == 2 and row[1].strip() for row in installed_by_setup())

"""The lab's catalogue has what the product asks for."""

import subprocess
from types import SimpleNamespace

from immutable_base_lab.debian import catalogue
from immutable_base_lab.rpms import package
from immutable_base_lab.rpms.package import Recipe
from support.product import requested_sets

UNSIGNED = SimpleNamespace(sign_rpms=lambda _rpm: None)


def test_every_utility_and_every_compiler_of_the_product_is_in_the_catalogue():
    """A package that is added to a layer has to be added to the catalogue as well.

    Kernels and module families are not looked up there: they are chosen from what Debian has.
    """
    known = catalogue.load()
    debian = {name for names in known.repositories.values() for name in names} | set(known.base)
    offered = {known.rpm_name(name) for name in debian}
    offered |= {name.split()[0] for change in known.changes.values() for name in change.provides}
    wanted = {
        name: packages
        for name, packages in requested_sets().items()
        if name == "layer base" or name.startswith("toolchain")
    }
    assert len(wanted) == 3
    missing = {name: set(packages) - offered for name, packages in wanted.items()}
    assert missing == {name: set() for name in wanted}


def test_dkms_wants_the_headers_of_the_kernel_that_is_installed_as_epels_does(tmp_path):
    """A rich dependency, as rpm writes it down and as libsolv has to read it."""
    (tmp_path / "tree").mkdir()
    recipe = Recipe(
        name="dkms", version="1", release="1", arch="noarch", summary="x", license="x", mtime=0,
        url="https://h.invalid", requires=catalogue.load().change("dkms").requires,
    )  # fmt: skip
    rpm = package.build(recipe, tmp_path / "tree", tmp_path, UNSIGNED)
    asked = subprocess.run(
        ["rpm", "-qp", "--requires", rpm], check=True, capture_output=True, text=True
    )
    assert "(kernel-devel-matched if kernel-core)" in asked.stdout.splitlines()

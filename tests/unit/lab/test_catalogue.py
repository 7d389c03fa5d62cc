"""The lab's catalogue has what the product asks for."""

from immutable_base_lab.debian import catalogue
from support.product import requested_sets


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

"""The packages of module families, as their vendors' repositories have them."""

from immutable_base.model.evr import Evr
from immutable_base_lab.rpms.merge import Merged
from immutable_base_lab.rpms.module_families import branches_of


def test_a_part_of_the_driver_exists_in_its_version_and_in_later_branches():
    evr = Evr(3, "550.163.01", "2")
    debian = Merged(
        name="nvidia-modprobe", repository="cuda", debs=(), evr=Evr(3, "570.133.07", "1"),
        license="GPL-2.0-or-later",
    )  # fmt: skip
    found = branches_of(debian, evr)
    assert [str(item.evr) for item in found] == ["3:550.163.01-2", "3:590.48.01-1", "3:595.71.05-1"]
    assert {(item.name, item.repository, item.license) for item in found} == {
        ("nvidia-modprobe", "cuda", "GPL-2.0-or-later")
    }

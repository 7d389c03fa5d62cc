"""Tag names are a pure function of the plan."""

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.publish.tag_names import tag_names, tags_of
from support.clock import in_zone


def test_fields_are_filled_in():
    names = tag_names(["latest", "{date}", "{kernel}"], epoch=0, kernel="6.12.0-55.el10.x86_64")
    assert names == ("latest", "19700101", "6.12.0-55.el10.x86_64")


def test_date_is_the_day_in_utc():
    assert tag_names(["{date}"], epoch=86_399, kernel="k") == ("19700101",)
    assert tag_names(["{date}"], epoch=86_400, kernel="k") == ("19700102",)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Tokyo"])
def test_date_does_not_depend_on_the_zone_of_the_machine(zone):
    with in_zone(zone):
        for epoch, day in ((86_399, "19700101"), (86_400, "19700102"), (1_764_028_799, "20251124")):
            assert tag_names(["{date}"], epoch=epoch, kernel="k") == (day,)


def test_what_a_tag_cannot_have_becomes_an_underscore():
    assert tag_names(["{kernel}"], epoch=0, kernel="6.12.107+deb13-amd64") == (
        "6.12.107_deb13-amd64",
    )
    assert tag_names(["a/b:c d"], epoch=0, kernel="k") == ("a_b_c_d",)


def test_the_same_name_counts_once():
    assert tag_names(["latest", "latest", "x"], epoch=0, kernel="k") == ("latest", "x")


@pytest.mark.parametrize("template", ["", ".hidden", "-x", "x" * 129])
def test_what_is_still_no_tag_is_refused(template):
    with pytest.raises(ConfigurationError, match="cannot be a tag"):
        tag_names([template], epoch=0, kernel="k")


def test_tags_of_a_plan(settings, variant):
    assert tags_of(settings, variant) == ("latest", "20251124", "6.12.107_deb13-amd64")

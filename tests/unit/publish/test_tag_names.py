"""Tag names are a pure function of the plan."""

import pytest

from immutable_base.config.instance import InstancePublish
from immutable_base.errors import ConfigurationError
from immutable_base.publish.tag_names import tag_names, tags_of
from support.clock import in_zone

DIGEST = "sha256:" + "0123456789abcdef" * 4


def test_fields_are_filled_in():
    names = tag_names(
        ["latest", "{date}", "{kernel}"], epoch=0, kernel="6.12.0-55.el10.x86_64", digest=DIGEST
    )
    assert names == ("latest", "19700101", "6.12.0-55.el10.x86_64")


def test_date_is_the_day_in_utc():
    assert tag_names(["{date}"], epoch=86_399, kernel="k", digest=DIGEST) == ("19700101",)
    assert tag_names(["{date}"], epoch=86_400, kernel="k", digest=DIGEST) == ("19700102",)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Tokyo"])
def test_date_does_not_depend_on_the_zone_of_the_machine(zone):
    with in_zone(zone):
        for epoch, day in ((86_399, "19700101"), (86_400, "19700102"), (1_764_028_799, "20251124")):
            assert tag_names(["{date}"], epoch=epoch, kernel="k", digest=DIGEST) == (day,)


def test_what_a_tag_cannot_have_becomes_an_underscore():
    assert tag_names(["{kernel}"], epoch=0, kernel="6.12.107+deb13-amd64", digest=DIGEST) == (
        "6.12.107_deb13-amd64",
    )
    assert tag_names(["a/b:c d"], epoch=0, kernel="k", digest=DIGEST) == ("a_b_c_d",)


def test_the_same_name_counts_once():
    assert tag_names(["latest", "latest", "x"], epoch=0, kernel="k", digest=DIGEST) == (
        "latest",
        "x",
    )


@pytest.mark.parametrize("template", ["", ".hidden", "-x", "x" * 129])
def test_what_is_still_no_tag_is_refused(template):
    with pytest.raises(ConfigurationError, match="cannot be a tag"):
        tag_names([template], epoch=0, kernel="k", digest=DIGEST)


def test_tags_of_a_plan(settings, variant):
    assert tags_of(settings, variant, DIGEST) == (
        "latest", "20251124", "6.12.107_deb13-amd64", "20251124-0123456789ab",
    )  # fmt: skip


def test_two_images_of_one_day_and_kernel_have_a_tag_each_that_the_other_never_takes(
    settings, variant
):
    other = "sha256:" + "f" * 64
    both = set(tags_of(settings, variant, DIGEST)) & set(tags_of(settings, variant, other))
    assert both == {"latest", "20251124", "6.12.107_deb13-amd64"}


def test_instances_get_a_tag_of_their_own_too():
    names = tag_names(InstancePublish().tags, epoch=0, kernel="k", digest=DIGEST)
    assert names == ("latest", "19700101", "19700101-0123456789ab")

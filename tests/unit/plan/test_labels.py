"""Labels are what the plan promises, wherever they are written."""

import pytest

from immutable_base.config.load import load_settings
from immutable_base.model.plan import KernelPlan
from immutable_base.plan.labels import correct, names_kernel, variant_labels
from support.clock import in_zone
from support.paths import PRODUCT
from support.plans import layer, package, variant


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_times_in_labels_are_utc_whatever_the_zone_of_the_machine(zone):
    planned = variant("base", "6.12.0", layer("base", package("htop"), epoch=86_399))
    with in_zone(zone):
        labels = variant_labels(load_settings(PRODUCT), planned)
    assert labels["org.opencontainers.image.version"] == "19700101"
    assert labels["org.opencontainers.image.created"] == "1970-01-01T23:59:59Z"


def test_what_hosts_take_next_is_a_label_where_they_demand_anything():
    planned, settings = variant("base", "6.12.0", layer("base")), load_settings(PRODUCT)
    demanding = planned.model_copy(update={"hosts_accept": "key sha256:0"})
    assert variant_labels(settings, demanding)["io.immutable-base.hosts-accept"] == "key sha256:0"
    assert "io.immutable-base.hosts-accept" not in variant_labels(settings, planned)


OLD, NEW = "6.12.0-24.el10.x86_64", "6.12.0-248.el10.x86_64"


def kernel(image=OLD, chosen=NEW):
    return KernelPlan(
        image=image, image_evr=image.removesuffix(".x86_64"), chosen=chosen, action=None, source=None,
        chosen_evr=chosen.removesuffix(".x86_64"), ceiling=None, rejected=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "true"),
    [
        ("ostree.linux", OLD, NEW),
        ("ostree.linux", "6.12.0-1.el10.x86_64", NEW),
        ("kernel", OLD, NEW),
        ("kernel-evr", "6.12.0-24.el10", "6.12.0-248.el10"),
        ("description", f"linux {OLD}, and more", f"linux {NEW}, and more"),
        ("bundle", "linux-6.12.0-24.el10", "linux-6.12.0-248.el10"),
        ("vcs-ref", "c0ffee", None),
        ("org.opencontainers.image.revision", "c0ffee", None),
        ("rpmostree.inputhash", "c0ffee", None),
        ("io.immutable-base.hosts-accept", "key sha256:0", None),
    ],
)
def test_what_the_base_says_and_is_not_true_of_the_image_is_corrected_or_removed(key, value, true):
    assert correct({key: value}, kernel()) == {key: true}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ostree.linux", NEW),
        ("kernel", NEW),
        ("kernel", "16.12.0-24.el10"),
        ("kernel", "6.12.0-24.el10_1"),
        ("redhat.compose-id", "CentOS-Stream-10-20250427.0"),
        ("ostree.final-diffid", "sha256:0"),
        ("containers.bootc", "1"),
    ],
)
def test_what_is_true_stays(key, value):
    assert correct({key: value}, kernel()) == {}


def test_a_kernel_that_is_kept_leaves_labels_as_they_are_unless_they_were_wrong_before():
    labels = {"ostree.linux": OLD, "x": f"linux {OLD}"}
    assert correct(labels, kernel(chosen=OLD)) == {}
    assert correct({"ostree.linux": NEW}, kernel(chosen=OLD)) == {"ostree.linux": OLD}


def test_a_kernel_is_named_by_its_whole_release_only():
    assert names_kernel(f"linux-{OLD}", OLD)
    assert names_kernel(OLD, OLD.removesuffix(".x86_64"))
    assert not names_kernel("6.12.0-240.el10", "6.12.0-24")
    assert not names_kernel("6.12.107+deb13-amd64", "6.12.107")

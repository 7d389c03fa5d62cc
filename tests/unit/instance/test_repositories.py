"""Which repositories an instance has, by the labels of its base."""

import pytest

from immutable_base.config.schema import Settings
from immutable_base.instance.repositories import instance_sources
from support.plan_world import configuration

OCI = "org.opencontainers.image"


def ids(labels, **changes):
    found = instance_sources(Settings.model_validate({**configuration(), **changes}), labels)
    return found and [source.id for source in found.sources]


def test_a_variant_has_those_of_its_stream_layers_and_modules():
    assert ids({f"{OCI}.title": "base"}) == ["baseos"]
    assert ids({f"{OCI}.title": "base-zfs"}) == ["baseos", "openzfs"]
    assert ids({f"{OCI}.title": "fedora-base"}) == ["fedora"]


def test_an_instance_on_an_instance_has_those_of_the_variant_below():
    assert ids({f"{OCI}.title": "nas", "io.immutable-base.variant": "base-zfs"}) == [
        "baseos",
        "openzfs",
    ]


def test_of_another_image_on_a_stream_s_base_those_of_the_stream_are_known():
    assert ids({f"{OCI}.title": "theirs", f"{OCI}.base.name": "registry.invalid/fc:43"}) == [
        "fedora"
    ]


@pytest.mark.parametrize(
    "labels", [{}, {f"{OCI}.title": "theirs"}, {f"{OCI}.base.name": "registry.invalid/el:9"}]
)
def test_of_a_base_that_the_configuration_does_not_know_none_are_known(labels):
    assert ids(labels) is None


def test_release_and_compose_are_those_of_the_base():
    document = configuration()
    document["repositories"]["baseos"]["url"] = "http://mirror.invalid/{release}/"
    document["repositories"]["openzfs"] |= {"url": "http://mirror.invalid/{compose}/", "optional": True}  # fmt: skip
    settings = Settings.model_validate(document)
    labels = {f"{OCI}.title": "base-zfs"}
    without = instance_sources(settings, labels)
    assert [source.url for source in without.sources] == ["http://mirror.invalid/10/"]
    assert without.skipped == ("openzfs (the base image has no label redhat.compose-id)",)
    known = instance_sources(settings, {**labels, "redhat.compose-id": "Stream-10-1"})
    assert known.sources[1].url == "http://mirror.invalid/Stream-10-1/"
    assert known.skipped == ()

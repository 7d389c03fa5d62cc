"""What a user's word means."""

import pytest

from immutable_base.config.load import load_settings
from immutable_base.config.names import selected_variants
from immutable_base.config.references import find_reference
from immutable_base.errors import ConfigurationError
from support.paths import PRODUCT

SETTINGS = load_settings(PRODUCT)


def test_a_variant_is_its_latest_image():
    full = f"{SETTINGS.registry.destination}/base-zfs"
    assert str(find_reference("base-zfs", SETTINGS)) == f"{full}:latest"
    assert str(find_reference("base-zfs:20261123", SETTINGS)) == f"{full}:20261123"


def test_unknown_variant_says_did_you_mean():
    with pytest.raises(ConfigurationError, match="did you mean 'base-zfs'"):
        find_reference("base-zsf", SETTINGS)


def test_a_full_reference_needs_no_configuration():
    assert find_reference("quay.io/a/b:c", None).repository == "quay.io/a/b"
    with pytest.raises(ConfigurationError, match="no configuration"):
        find_reference("base", None)


def test_variants_are_in_the_configurations_order_and_all_when_none_is_named():
    assert selected_variants(SETTINGS, ()) == tuple(SETTINGS.variants)
    assert selected_variants(SETTINGS, ("base-zfs", "base")) == ("base", "base-zfs")


def test_a_variant_that_is_not_configured_is_no_empty_choice():
    with pytest.raises(ConfigurationError, match="did you mean 'base-zfs'"):
        selected_variants(SETTINGS, ("base", "base-zsf"))

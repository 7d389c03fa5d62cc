"""Labels are what the plan promises, wherever they are written."""

import pytest

from immutable_base.config.load import load_settings
from immutable_base.plan.labels import variant_labels
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

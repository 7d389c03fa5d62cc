"""Whether hosts demand signatures: never of those that have no means to check them."""

import json

import pytest

from immutable_base.check.host_policy import only_signed_images
from immutable_base.check.interface import Subject
from immutable_base.config.load import load_settings
from immutable_base.policy.demands import NOT_DEMANDED, refuses_by_default, variant_demands
from immutable_base.policy.render import POLICY, SHARED_POLICY
from support.paths import PRODUCT
from support.sound_image import FACTS, PLAN

SETTINGS = load_settings(PRODUCT)
ACCEPTING = {"default": [{"type": "insecureAcceptAnything"}]}
REFUSING = {"default": [{"type": "reject"}]}


def with_admission(settings, variant):
    found = settings.variants[variant]
    changed = found.model_copy(update={"layers": (*found.layers, "admission")})
    return settings.model_copy(update={"variants": {**settings.variants, variant: changed}})


def test_our_own_configuration_demands_nothing_that_nobody_could_check():
    """It names no key: a policy that demands one would refuse every update for ever."""
    assert SETTINGS.signing.keys is None
    assert not any(variant_demands(SETTINGS, variant) for variant in SETTINGS.variants)


def test_hosts_with_the_admission_program_demand_it():
    changed = with_admission(SETTINGS, "base")
    assert variant_demands(changed, "base")
    assert not variant_demands(changed, "fedora-base")


def test_that_nothing_is_demanded_is_a_note_and_never_a_pass():
    subject = Subject(facts=FACTS, plan=PLAN, settings=SETTINGS)
    objection = only_signed_images(subject)
    assert (objection.message, objection.is_note) == (NOT_DEMANDED, True)


@pytest.mark.parametrize(
    ("files", "refuses"),
    [
        ({POLICY: json.dumps(REFUSING)}, True),
        ({POLICY: json.dumps(ACCEPTING)}, False),
        ({SHARED_POLICY: json.dumps(REFUSING)}, True),
        ({POLICY: json.dumps(ACCEPTING), SHARED_POLICY: json.dumps(REFUSING)}, False),
        ({}, False),
        ({POLICY: "no json"}, False),
        ({POLICY: '{"default": 7}'}, False),
        ({POLICY: '{"default": ["reject"]}'}, False),
    ],
)
def test_what_counts_is_the_default_of_the_policy_that_is_read(files, refuses):
    assert refuses_by_default(files) == refuses

"""Whether hosts demand signatures: those do that have the means to check them."""

import json

import pytest

from immutable_base.check.host_policy import BY_FLEET, only_signed_images
from immutable_base.check.interface import Subject
from immutable_base.config.fleet import Fleet
from immutable_base.config.load import load_settings
from immutable_base.policy.accepted import variants_accept
from immutable_base.policy.demands import (
    ADMISSION_LAYER,
    BY_CHOICE,
    NOT_DEMANDED,
    refuses_by_default,
    variant_demands,
)
from immutable_base.policy.host_trust import variants_trust
from immutable_base.policy.public_key import fingerprint
from immutable_base.policy.render import POLICY, SHARED_POLICY, render_files
from immutable_base.verification.policy import Signer
from support.paths import PRODUCT
from support.sound_image import FACTS, PEM, PLAN, with_fleet, with_keys

SETTINGS = load_settings(PRODUCT)
FLEET = Fleet(lookaside="https://admission.example", key_paths=("host.pub",))
ACCEPTING = {"default": [{"type": "insecureAcceptAnything"}]}
REFUSING = {"default": [{"type": "reject"}]}


def without_admission(settings, variant):
    found = settings.variants[variant]
    layers = tuple(name for name in found.layers if name != ADMISSION_LAYER)
    changed = found.model_copy(update={"layers": layers})
    return settings.model_copy(update={"variants": {**settings.variants, variant: changed}})


def test_hosts_of_each_shipped_variant_take_nothing_unsigned():
    """By the admission program: there is no key, and a policy that demands one would refuse all."""
    assert SETTINGS.signing.keys is None
    assert all(variant_demands(SETTINGS, variant) for variant in SETTINGS.variants)


def test_hosts_that_could_check_nothing_demand_nothing():
    changed = without_admission(SETTINGS, "base")
    assert not variant_demands(changed, "base")
    assert variant_demands(changed, "fedora-base")


@pytest.mark.parametrize("keyed", [False, True])
def test_a_label_names_who_must_sign_for_the_admission_program_where_it_is(keyed):
    settings = without_admission(with_keys(SETTINGS) if keyed else SETTINGS, "base")
    signer = Signer(identity="https://gitlab.example/x", issuer="https://gitlab.example")
    found = variants_accept(settings, variants_trust(settings, [PEM] if keyed else None), signer)
    program = "signer https://gitlab.example/x of https://gitlab.example"
    assert found["fedora-base"] == (
        f"key sha256:{fingerprint(PEM)}; {program}" if keyed else program
    )
    assert found.get("base") == (f"key sha256:{fingerprint(PEM)}" if keyed else None)


def accepting_everything(settings):
    signing = settings.signing.model_copy(update={"accept_everything": True})
    return settings.model_copy(update={"signing": signing})


def asked(settings, files):
    """Return what the check objects to, of an image with these files."""
    policy = FACTS.host_policy.model_copy(update={"files": files})
    facts = FACTS.model_copy(update={"host_policy": policy})
    return only_signed_images(Subject(facts=facts, plan=PLAN, settings=settings))


def test_that_nothing_is_demanded_is_an_error_unless_the_configuration_says_that_it_is_meant():
    settings = without_admission(SETTINGS, FACTS.variant)
    objection = asked(settings, {POLICY: json.dumps(ACCEPTING)})
    assert (objection.evidence, objection.is_note) == (
        (f"nothing-demanded: {NOT_DEMANDED}",),
        False,
    )
    objection = asked(accepting_everything(settings), {POLICY: json.dumps(ACCEPTING)})
    assert (objection.message, objection.is_note) == (BY_CHOICE, True)


def test_who_accepts_everything_changes_nothing_for_hosts_that_can_check():
    settings = accepting_everything(SETTINGS)
    assert variant_demands(settings, FACTS.variant)
    assert variants_trust(settings) == variants_trust(SETTINGS)
    objection = asked(settings, {POLICY: json.dumps(ACCEPTING)})
    assert not objection.is_note
    assert any(line.startswith("default-accepts") for line in objection.evidence)


def test_an_open_policy_that_bootc_is_told_to_enforce_is_an_error_where_nothing_is_demanded():
    settings = accepting_everything(without_admission(SETTINGS, FACTS.variant))
    objection = asked(settings, {**FACTS.host_policy.files, POLICY: json.dumps(ACCEPTING)})
    assert not objection.is_note
    (line,) = objection.evidence
    assert line.startswith("enforced-and-open: ")


def test_a_shipped_image_whose_policy_takes_anything_is_an_error():
    objection = asked(SETTINGS, {POLICY: json.dumps(ACCEPTING)})
    assert not objection.is_note
    assert any(line.startswith("default-accepts") for line in objection.evidence)


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


def test_hosts_of_a_fleet_demand_what_its_machine_admits_and_need_no_layer():
    settings = without_admission(with_fleet(SETTINGS, FLEET), FACTS.variant)
    assert variant_demands(settings, FACTS.variant)
    trust = variants_trust(settings, [PEM])
    policy = FACTS.host_policy.model_copy(update={"files": render_files(trust, None)})
    facts = FACTS.model_copy(update={"host_policy": policy})
    objection = only_signed_images(Subject(facts=facts, plan=PLAN, settings=settings))
    assert (objection.message, objection.is_note) == (BY_FLEET, True)
    # By the policy of hosts that admit by themselves, which it is not.
    objection = only_signed_images(Subject(facts=FACTS, plan=PLAN, settings=settings))
    assert not objection.is_note

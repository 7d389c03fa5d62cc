"""A host that demands its own admission has the program, started, and believing whom it should."""

import pytest

from immutable_base.check.host_policy import only_signed_images
from immutable_base.check.interface import Subject
from immutable_base.model.facts import ProgramOutput
from immutable_base.policy.host_trust import variants_trust
from immutable_base.policy.lint import lint
from immutable_base.policy.lint_admission import OWN_SETTINGS, SETTINGS, UNIT, UNIT_FILE
from support.sound_image import (
    ADMISSION,
    FACTS,
    FINE,
    PLAN,
    host_policy,
    with_keys,
)
from support.sound_image import SETTINGS as KEYED

KEYLESS = with_keys(KEYED, None)
TRUST = variants_trust(KEYLESS)
BEFORE = next(name for name in ADMISSION if "fetch-apply" in name)
MASK = "etc/systemd/system/" + UNIT


def rules(changes, admission=FINE, settings=KEYLESS):
    """The rules that object to an image with the layer, changed; None takes a file away."""
    trust = variants_trust(settings, ["PEM"] if settings.signing.keys else None)
    sound = host_policy(trust)
    files = {name: text for name, text in {**sound.files, **changes}.items() if text is not None}
    facts = sound.model_copy(update={"files": files, "admission": admission})
    return {it.rule for it in lint(facts, trust, settings.signing.table())}


WITHOUT = dict.fromkeys(ADMISSION)
BROKEN = ProgramOutput(status=1, text="ModuleNotFoundError: No module named 'cryptography'")
CHANGED = {
    "the program is gone": ({}, None, "admission-missing"),
    "the program cannot be started": ({}, BROKEN, "admission-missing"),
    "nobody says whom to believe": ({SETTINGS: None}, FINE, "admission-missing"),
    "all the trust is replaced": ({OWN_SETTINGS: ""}, FINE, "admission-overridden"),
    "the unit is gone": ({UNIT_FILE: None}, FINE, "admission-not-started"),
    "the unit is masked": ({MASK: ""}, FINE, "admission-not-started"),
    "the unit is replaced": ({MASK: "[Service]\nExecStart=/bin/true\n"}, FINE, "admission-not-started"),
    "the unit does something else": ({f"{MASK}.d/x.conf": "[Service]\nExecStart=\n"}, FINE, "admission-not-started"),
    "an image's own drop-in does something else": ({f"{UNIT_FILE}.d/x.conf": "[Service]\nExecStart=\n"}, FINE, "admission-not-started"),
    "upgrades do not wait for it by /usr/local": ({BEFORE.replace("usr/lib", "usr/local/lib"): ""}, FINE, "admission-not-started"),
    "the unit is masked where an administrator installs": ({MASK.replace("etc/", "usr/local/lib/", 1): ""}, FINE, "admission-not-started"),
    "the unit is not started everywhere": ({f"{MASK}.d/x.conf": "[Unit]\nConditionHost=other\n"}, FINE, "admission-not-started"),
    "the unit is masked where it lies": ({UNIT_FILE: ""}, FINE, "admission-not-started"),
    "upgrades do not wait for it": ({BEFORE: None}, FINE, "admission-not-started"),
    "upgrades do not wait for it any more": ({BEFORE.replace("usr/lib", "etc"): ""}, FINE, "admission-not-started"),
    "somebody else is believed": ({SETTINGS: ADMISSION[SETTINGS].replace("gitlab.com", "x.example")}, FINE, "admission-settings"),
    "any ref is believed": ({SETTINGS: "\n".join(line for line in ADMISSION[SETTINGS].splitlines() if "identity" not in line)}, FINE, "admission-settings"),
    "the settings are no TOML": ({SETTINGS: "["}, FINE, "admission-settings"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "said", "rule"), CHANGED.values(), ids=CHANGED.keys())
def test_what_keeps_a_host_from_admitting_what_it_should_is_found(changes, said, rule):
    assert rules(changes, said) == {rule}


@pytest.mark.parametrize(
    "demanded",
    [
        {"certificate_oidc_issuer": "https://other.example"},
        {"fulcio_url": "https://other.example"},
        {"project_id": "7"},
        {"runner_environment": "self-hosted"},
        {"source_ref": "refs/heads/other"},
        {"build_triggers": ("schedule",)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_program_that_demands_less_than_the_configuration_is_found(demanded):
    signing = KEYLESS.signing.model_copy(update=demanded)
    settings = KEYLESS.model_copy(update={"signing": signing})
    assert rules({}, settings=settings) == {"admission-settings"}


def test_the_layer_as_it_is_has_no_finding():
    assert rules({}) == set()
    proxy = "[Service]\nEnvironment=https_proxy=x\n"
    assert rules({f"{MASK}.d/proxy.conf": proxy, f"{UNIT_FILE}.d/proxy.conf": proxy}) == set()


def test_where_a_key_signs_nobody_needs_the_program():
    assert "admission-missing" not in rules(WITHOUT, None, KEYED)


def test_with_a_key_the_program_that_is_there_must_do_what_it_says():
    assert "admission-overridden" in rules({OWN_SETTINGS: ""}, FINE, KEYED)


def test_a_policy_that_demands_what_nobody_makes_is_an_error_and_no_note():
    sound = host_policy(TRUST)
    files = {name: text for name, text in sound.files.items() if name not in ADMISSION}
    broken = sound.model_copy(update={"files": files, "admission": None})
    facts = FACTS.model_copy(update={"host_policy": broken})
    objection = only_signed_images(Subject(facts=facts, plan=PLAN, settings=KEYLESS))
    assert not objection.is_note
    assert any("policy.json demands /var/lib/" in line for line in objection.evidence)


def test_the_check_finds_a_program_that_believes_somebody_else():
    signing = KEYLESS.signing.model_copy(update={"project_id": "7"})
    settings = KEYLESS.model_copy(update={"signing": signing})
    facts = FACTS.model_copy(update={"host_policy": host_policy(TRUST)})
    objection = only_signed_images(Subject(facts=facts, plan=PLAN, settings=settings))
    assert not objection.is_note
    assert [line.partition(":")[0] for line in objection.evidence] == ["admission-settings"]

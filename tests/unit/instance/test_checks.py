"""The base's promises: a sound instance keeps them, and each one that is broken is objected to."""

import dataclasses

import pytest

from immutable_base.check.run_checks import ALL_CHECKS
from immutable_base.instance.checks import (
    CHECKS,
    SHARED,
    InstanceSubject,
    check_instance,
    require_sound_instance,
)
from immutable_base.instance.inspect import read_policies
from immutable_base.model.check import Level
from immutable_base.model.facts import ProgramOutput
from immutable_base.model.instance import BasePromises, InstanceFacts, PolicyFact
from immutable_base.policy.demands import NOT_DEMANDED
from immutable_base.policy.host_trust import instance_trust
from support.sound_image import ADMISSION, FACTS, KMOD, OLD, PEM, SETTINGS, K, host_policy, module

LABELS = {"org.opencontainers.image.revision": "c" * 40, "io.immutable-base.kernel": K}
STRICT, LOOSE = (
    '{"default": [{"type": "reject"}]}',
    '{"default": [{"type": "insecureAcceptAnything"}]}',
)
POLICY = PolicyFact(path="etc/containers/policy.json", text=STRICT)
TRUST = instance_trust("fileserver", "registry.example/hosts/fileserver", SETTINGS.signing, [PEM])
SOUND = InstanceSubject(
    facts=FACTS.model_copy(update={"host_policy": host_policy(TRUST, STRICT), "labels": {**LABELS, "ostree.linux": K}, "kmod_requires": {KMOD.name: (f"kernel-uname-r = {K}",)}}),
    settings=SETTINGS, promises=BasePromises(kernels=(K,), modules=FACTS.modules, policies=(POLICY,)), policies=(POLICY,),
    labels=LABELS, trust=TRUST,
)  # fmt: skip


def objections(subject):
    found = [check.run(subject) for check in (*SHARED, *CHECKS)]
    return {finding.id: finding for finding in found if finding.level is Level.ERROR}


def facts(**changes):
    return dataclasses.replace(SOUND, facts=SOUND.facts.model_copy(update=changes))


def promising(**changes):
    return dataclasses.replace(SOUND, promises=SOUND.promises.model_copy(update=changes))


def test_a_sound_instance_passes_every_check():
    assert objections(SOUND) == {}


def test_an_instance_that_demands_a_program_which_its_base_lacks_is_refused():
    """Its base refuses by default, by a key; the instance has none: nothing would ever be taken."""
    keyless = instance_trust(
        "fileserver", "registry.example/hosts/fileserver", SETTINGS.signing, []
    )
    sound = host_policy(keyless, STRICT)
    own = {path: text for path, text in sound.files.items() if path not in ADMISSION}
    alone = sound.model_copy(update={"files": own, "admission": None})
    subject = dataclasses.replace(facts(host_policy=alone), trust=keyless)
    assert set(objections(subject)) == {"own-images-signed"}
    assert objections(dataclasses.replace(facts(host_policy=sound), trust=keyless)) == {}


def test_an_instance_whose_hosts_can_check_nothing_is_refused_unless_that_is_meant():
    keyless = instance_trust(
        "fileserver", "registry.example/hosts/fileserver", SETTINGS.signing, []
    )
    loose = (POLICY.model_copy(update={"text": LOOSE}),)
    none = SOUND.facts.host_policy.model_copy(update={"files": {}})
    subject = dataclasses.replace(
        facts(host_policy=none), promises=SOUND.promises.model_copy(update={"policies": loose}), policies=loose, trust=keyless
    )  # fmt: skip
    found = objections(subject)["own-images-signed"]
    assert found.evidence == (f"nothing-demanded: {NOT_DEMANDED}",)
    assert objections(dataclasses.replace(subject, accepts_everything=True)) == {}


def test_an_instance_that_replaces_all_the_trust_of_its_hosts_is_refused():
    found = SOUND.facts.host_policy
    changed = {**found.files, "etc/immutable-base/admission.toml": ""}
    subject = facts(host_policy=found.model_copy(update={"files": changed}))
    assert set(objections(subject)) == {"own-images-signed"}


def test_an_instance_on_a_base_without_modules_may_have_another_kernel():
    subject = dataclasses.replace(
        facts(modules=(), verify={}, kmod_requires={}), promises=BasePromises(kernels=(OLD,), modules=(), policies=(POLICY,))
    )  # fmt: skip
    assert objections(subject) == {}


BROKEN = {
    "two kernels": (facts(kernels=(OLD, K)), "one-kernel"),
    "a second folder of modules": (facts(module_trees=(OLD, K)), "one-kernel"),
    "a second kernel in the rpmdb": (facts(kernel_packages=(OLD, K)), "one-kernel"),
    "no kernel in the rpmdb": (facts(kernel_packages=()), "one-kernel"),
    "another kernel than the base's modules": (promising(kernels=(OLD,)), "one-kernel"),
    "a module that is gone": (facts(modules=(module("zfs"),)), "modules-kept"),
    "a module of another version": (facts(modules=(module("spl"), module("zfs", version="2.4.0"))), "modules-kept"),
    "a module of another package": (facts(modules=(module("spl"), module("zfs", owner="other"))), "modules-kept"),
    "a module for another kernel": (facts(modules=(*FACTS.modules, module("x", vermagic=f"{OLD} SMP"))), "modules-fit"),
    "a module elsewhere": (facts(modules=(*FACTS.modules, module("x", path=f"usr/lib/modules/{OLD}/extra/x.ko"))), "modules-fit"),
    "a module of no package": (facts(modules=(*FACTS.modules, module("x", owner=""))), "modules-fit"),
    "a package that requires no kernel": (facts(kmod_requires={KMOD.name: ()}), "modules-fit"),
    "a package that requires another": (facts(kmod_requires={KMOD.name: (f"kernel-uname-r = {OLD}",)}), "modules-fit"),
    "a module that does not load": (facts(modules=(module("spl"), module("zfs", listed=False))), "modules-loadable"),
    "a module that was changed": (facts(verify={KMOD.name: ProgramOutput(status=1, text="S.5 zfs.ko")}), "modules-as-packed"),
    "a compiler": (facts(packages=(*FACTS.packages, FACTS.packages[0].model_copy(update={"name": "gcc"}))), "no-build-tools"),
    "a cache": (facts(leftovers=("var/cache/dnf",)), "no-build-tools"),
    "a folder in /var that nobody makes": (facts(var=(FACTS.var[0].model_copy(update={"declared": None}),)), "var-declared"),
    "an account that nobody makes": (facts(accounts=(FACTS.accounts[0].model_copy(update={"declared_in": ""}),)), "accounts-declared"),
    "a broken dependency": (facts(dnf_check=ProgramOutput(status=1, text="x has missing requires\n")), "dnf-check"),
    "what bootc refuses": (facts(bootc_lint=ProgramOutput(status=1, text="Failed lint: x: y\n")), "bootc-lint"),
    "a label that was changed": (facts(labels={**SOUND.facts.labels, "org.opencontainers.image.revision": "d"}), "labels-true"),
    "a label of another kernel": (facts(labels={**SOUND.facts.labels, "ostree.linux": OLD}), "labels-true"),
    "a policy that is gone": (dataclasses.replace(SOUND, policies=()), "policy-kept"),
    "a looser policy": (dataclasses.replace(SOUND, policies=(POLICY.model_copy(update={"text": LOOSE}),)), "policy-kept"),
    "own images that nobody need sign": (facts(host_policy=host_policy(TRUST, STRICT).model_copy(update={"files": {}})), "own-images-signed"),
    "a policy in another place too": (
        dataclasses.replace(SOUND, policies=(POLICY, PolicyFact(path="usr/share/containers/policy.json", text=LOOSE))), "policy-kept",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("subject", "check"), BROKEN.values(), ids=BROKEN.keys())
def test_a_promise_that_is_broken_is_objected_to(subject, check):
    assert check in objections(subject)


def test_every_check_of_our_own_has_objected():
    objected = {check for _, check in BROKEN.values()}
    assert {check.id for check in CHECKS} <= objected


def test_a_base_without_a_policy_promises_none():
    subject = dataclasses.replace(
        promising(policies=()), policies=(POLICY.model_copy(update={"text": LOOSE}),)
    )
    assert objections(subject) == {}


def test_what_the_base_says_too_is_a_note():
    lint = ProgramOutput(status=1, text="Failed lint: x: y\n")
    base = FACTS.base.model_copy(update={"bootc_lint": lint, "leftovers": ("var/log/x",)})
    subject = facts(bootc_lint=lint, leftovers=("var/log/x",), base=base)
    notes = {c.id for c in SHARED if c.run(subject).level is Level.NOTE}
    assert (objections(subject), notes) == ({}, {"bootc-lint", "no-build-tools"})


def test_checks_of_variants_that_need_no_plan_are_the_same_ones():
    assert set(SHARED) < set(ALL_CHECKS)
    assert not {check.id for check in CHECKS} & {check.id for check in ALL_CHECKS}


def test_the_document_names_image_and_base():
    found = InstanceFacts(
        rests_on={}, variant="fileserver", image_id="f" * 64, facts=facts(kernels=()).facts,
        policies=SOUND.policies, promises=SOUND.promises,
    )  # fmt: skip
    report = check_instance(found, SETTINGS, LABELS, TRUST, rests_on={"build.json": "0" * 64})
    assert (report.variant, report.image_id, report.rests_on) == (
        "fileserver",
        "f" * 64,
        {"build.json": "0" * 64},
    )
    with pytest.raises(Exception, match="image of fileserver is not what its base promised"):
        require_sound_instance(report, hint="x")


def test_a_policy_is_read_inside_the_image(tmp_path):
    root = tmp_path / "root"
    (root / "etc/containers").mkdir(parents=True)
    (root / "usr/share/containers").mkdir(parents=True)
    (tmp_path / "outside.json").write_text("outside")
    (root / "usr/share/containers/policy.json").write_text(STRICT)
    link = root / "etc/containers/policy.json"
    link.symlink_to("/usr/share/containers/policy.json")
    assert {policy.text for policy in read_policies(root)} == {STRICT}
    assert len(read_policies(root)) == 2
    link.unlink()
    link.symlink_to("../../../outside.json")
    assert [policy.path for policy in read_policies(root)] == ["usr/share/containers/policy.json"]

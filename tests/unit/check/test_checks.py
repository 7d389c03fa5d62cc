"""Each check once on facts that pass and once on facts that must not."""

from pathlib import Path

import pytest

from immutable_base.check.interface import Check
from immutable_base.check.run_checks import ALL_CHECKS, require_sound, run_checks
from immutable_base.config.load import load_settings
from immutable_base.errors import CheckError
from immutable_base.model.check import Level
from immutable_base.model.facts import (
    ImageFacts,
    InitramfsFact,
    InstalledPackage,
    ModuleFact,
    ProgramOutput,
    UnitFact,
)
from immutable_base.model.plan import (
    BasePlan,
    KernelAction,
    KernelPlan,
    LayerPlan,
    ModulePlan,
    Package,
    PlannedPackage,
    VariantPlan,
    Verdict,
)
from immutable_base.plan.labels import variant_labels

SETTINGS = load_settings(Path(__file__).parents[3] / "immutable-base.toml")
K = "6.12.117-1.el10.x86_64"
OLD = "6.12.107-1.el10.x86_64"
FINE = ProgramOutput(status=0, text="")


def package(name, version, *, repository="baseos", release="1"):
    return Package(
        name=name, epoch=0, version=version, release=release, arch="x86_64", repository=repository,
        url="https://repo.example/x.rpm", sha256="0" * 64, size=1, build_time=1,
    )  # fmt: skip


KMOD = package("kmod-zfs-prebuilt", "2.3.9", repository="local")
PLAN = VariantPlan(
    name="base-zfs", stream="centos-stream-10", verdict=Verdict.BUILD,
    base=BasePlan(reference="registry.example/b:stream10", digest="sha256:" + "a" * 64, created=1),
    kernel=KernelPlan(
        image=OLD, image_evr="6.12.107-1", chosen=K, chosen_evr="6.12.117-1", action=KernelAction.UP,
        source="repository", ceiling="7.2", rejected=(),
    ),
    modules=(
        ModulePlan(
            name="zfs", version="2.3.9", maximum="7.2", source=package("zfs-dkms", "2.3.9"), kmod=KMOD,
            builder=(), builder_request=(), source_date_epoch=3,
        ),
    ),
    layers=(
        LayerPlan(name="base", request=(), install=(package("htop", "3"), package("bash", "5.3")), source_date_epoch=2),
        LayerPlan(name="kernel", request=(), install=(package("kernel-core", "6.12.117"),), erase=("kernel-core", "kernel-modules-extra"), source_date_epoch=2),
        LayerPlan(name="zfs", request=(), install=(package("zfs", "2.3.9"), KMOD), source_date_epoch=3),
    ),
    packages=(
        PlannedPackage(name="htop", evr="3-1", arch="x86_64", repository="baseos", layer="base"),
        PlannedPackage(name="zfs", evr="2.3.9-1", arch="x86_64", repository="openzfs", layer="zfs"),
    ),
    reasons=(),
)  # fmt: skip


def installed(name, evr):
    return InstalledPackage(name=name, evr=evr, arch="x86_64")


def module(name, **changes):
    path = f"usr/lib/modules/{K}/extra/{name}.ko.xz"
    values = {
        "name": name, "path": path, "owner": KMOD.name, "version": "2.3.9-1", "vermagic": f"{K} SMP mod_unload",
        "load": ProgramOutput(status=0, text=f"insmod /{path}"), "listed": True,
    }  # fmt: skip
    return ModuleFact(**{**values, **changes})


FACTS = ImageFacts(
    image="localhost/immutable-base/base-zfs:tonight", image_id="f" * 64,
    labels={**variant_labels(SETTINGS, PLAN), "inherited": "too"},
    kernels=(K,), module_trees=(K,), kernel_packages=(K,),
    packages=tuple(
        installed(*row)
        for row in (
            ("bash", "5.3-1"), ("htop", "3-1"), ("kernel-core", "6.12.117-1"), ("kmod-zfs-prebuilt", "2.3.9-1"),
            ("systemd", "257-1"), ("zfs", "2.3.9-1"),
        )
    ),
    base_packages=(installed("bash", "5.2-1"), installed("kernel-core", "6.12.107-1"), installed("kernel-modules-extra", "6.12.107-1"), installed("systemd", "257-1")),
    public_keys=(), kmod_requires={KMOD.name: ("/bin/sh", f"kernel-uname-r = {K}")}, modules=(module("spl"), module("zfs")),
    initramfs=InitramfsFact(
        path=f"usr/lib/modules/{K}/initramfs.img", mode=0o600, size=1,
        listing=ProgramOutput(status=0, text="usr/lib/ostree/ostree-prepare-root"),
    ),
    leftovers=(), firmware=(), kargs={"10.toml": 'kargs = ["quiet"]\nmatch-architectures = ["x86_64"]\n'},
    units=(
        UnitFact(name="sshd.service", preset="enable", state="enabled"),
        UnitFact(name="zfs-import-scan.service", preset="disable", state="disabled"),
    ),
    verify={KMOD.name: FINE}, dnf_check=FINE, bootc_lint=FINE,
)  # fmt: skip


def with_changed(name, **changes):
    return {
        "modules": tuple(module(m.name, **changes) if m.name == name else m for m in FACTS.modules)
    }


def finding(identifier, **changes):
    facts = FACTS.model_copy(update=changes)
    return {f.id: f for f in run_checks(facts, PLAN, SETTINGS)}[identifier]


def test_a_sound_image_passes_every_check():
    findings = run_checks(FACTS, PLAN, SETTINGS)
    assert [f for f in findings if f.level is not Level.PASS] == []
    assert len({f.id for f in findings}) == len(ALL_CHECKS) == len(findings)


WRONG = [
    ("kernel-single", {"kernels": (OLD, K)}),
    ("kernel-single", {"module_trees": (OLD, K)}),
    ("kernel-single", {"kernel_packages": ()}),
    ("modules-for-kernel", {"modules": (module("zfs"),)}),
    ("modules-for-kernel", {"modules": (*FACTS.modules, module("zfs", path=f"usr/lib/modules/{K}/updates/zfs.ko"))}),
    ("modules-for-kernel", {"modules": (*FACTS.modules, module("wireguard"))}),
    ("modules-for-kernel", with_changed("zfs", vermagic=f"{OLD} SMP")),
    ("modules-for-kernel", with_changed("zfs", owner="")),
    ("modules-require-kernel", {"kmod_requires": {}}),
    ("modules-require-kernel", {"kmod_requires": {KMOD.name: ()}}),
    ("modules-require-kernel", {"kmod_requires": {KMOD.name: ("kernel-uname-r",)}}),
    ("modules-require-kernel", {"kmod_requires": {KMOD.name: (f"kernel-uname-r = {OLD}",)}}),
    ("modules-require-kernel", {"kmod_requires": {KMOD.name: (f"kernel-uname-r >= {K}",)}}),
    ("modules-require-kernel", {"kmod_requires": {KMOD.name: (f"kernel-uname-r = {K}", f"kernel-uname-r = {OLD}")}}),
    ("modules-require-kernel", {"kmod_requires": {"kmod-other": (f"kernel-uname-r = {K}",)}}),
    ("modules-loadable", with_changed("zfs", listed=False)),
    ("modules-loadable", with_changed("zfs", load=ProgramOutput(status=1, text="FATAL: Module zfs not found"))),
    ("modules-loadable", with_changed("zfs", load=FINE)),
    ("no-build-tools", {"packages": (*FACTS.packages, installed("gcc", "14-1"))}),
    ("no-build-tools", {"packages": (*FACTS.packages, installed("zfs-dkms", "2.3.9-1"))}),
    ("no-build-tools", {"leftovers": ("usr/src/zfs-2.3.9",)}),
    ("versions-equal", with_changed("zfs", version="2.3.90-1")),
    ("versions-equal", {"packages": tuple(p for p in FACTS.packages if p.name != "zfs")}),
    ("versions-equal", {"packages": tuple(p if p.name != "zfs" else installed("zfs", "2.3.8-1") for p in FACTS.packages)}),
    ("initramfs", {"initramfs": None}),
    ("initramfs", {"initramfs": FACTS.initramfs.model_copy(update={"mode": 0o644})}),
    ("initramfs", {"initramfs": FACTS.initramfs.model_copy(update={"listing": ProgramOutput(status=0, text="init")})}),
    ("initramfs", {"initramfs": FACTS.initramfs.model_copy(update={"listing": ProgramOutput(status=1, text="no such file")})}),
    ("kargs", {"kargs": {"a.toml": "kargs = [", "b.toml": "karg = []", "c.conf": "kargs = []"}}),
    ("labels", {"labels": {**FACTS.labels, "io.immutable-base.kernel": OLD}}),
    ("labels", {"labels": {}}),
    ("packages-match-plan", {"packages": FACTS.packages[1:]}),
    ("packages-match-plan", {"packages": tuple(p for p in FACTS.packages if p.name != "systemd")}),
    ("packages-match-plan", {"packages": (*FACTS.packages, installed("kernel-core", "6.12.107-1"))}),
    ("packages-match-plan", {"packages": tuple(p if p.name != "htop" else installed("htop", "3-2") for p in FACTS.packages)}),
    ("rpm-verify", {"verify": {}}),
    ("rpm-verify", {"verify": {KMOD.name: ProgramOutput(status=1, text="S.5......  /usr/lib/modules/zfs.ko.xz")}}),
    ("dnf-check", {"dnf_check": ProgramOutput(status=1, text="zfs has missing requires of zfs-kmod")}),
    ("units-preset", {"units": (FACTS.units[0].model_copy(update={"state": "disabled"}),)}),
    ("units-preset", {"units": (FACTS.units[0].model_copy(update={"state": "absent"}),)}),
    ("units-preset", {"units": (FACTS.units[1].model_copy(update={"state": "enabled"}),)}),
    ("units-preset", {"units": (FACTS.units[1].model_copy(update={"state": "unknown: no such program"}),)}),
    ("bootc-lint", {"bootc_lint": ProgramOutput(status=1, text="Lint warning: var-log")}),
]  # fmt: skip


@pytest.mark.parametrize(("identifier", "changes"), WRONG)
def test_a_fault_is_found(identifier, changes):
    found = finding(identifier, **changes)
    assert found.level is Level.ERROR
    assert found.message


def test_what_a_planned_package_obsoletes_may_go():
    old = installed("net-tools", "2-1")
    base = (*FACTS.base_packages, old)
    assert finding("packages-match-plan", base_packages=base).level is Level.ERROR
    layers = (PLAN.layers[0].model_copy(update={"obsoleted": ("net-tools",)}), *PLAN.layers[1:])
    facts = FACTS.model_copy(update={"base_packages": base})
    found = run_checks(facts, PLAN.model_copy(update={"layers": layers}), SETTINGS)
    assert {f.id: f.level for f in found}["packages-match-plan"] is Level.PASS


def test_every_check_has_been_seen_to_object():
    assert {check.id for check in ALL_CHECKS} == {identifier for identifier, _ in WRONG}


def test_what_was_not_run_is_said_and_is_no_pass():
    found = finding("bootc-lint", bootc_lint=None)
    assert (found.level, found.message) == (Level.NOTE, "not run: no bootc in this image")


def test_tools_of_the_base_image_itself_are_its_own_business():
    gcc = installed("gcc", "14-1")
    found = finding(
        "no-build-tools", packages=(*FACTS.packages, gcc), base_packages=(*FACTS.base_packages, gcc)
    )
    assert found.level is Level.PASS


def test_a_check_that_breaks_is_an_error(monkeypatch):
    broken = Check(id="x", title="x", reason="x", function=lambda subject: 1 // 0)
    monkeypatch.setattr("immutable_base.check.run_checks.ALL_CHECKS", (broken,))
    (found,) = run_checks(FACTS, PLAN, SETTINGS)
    assert found.level is Level.ERROR
    assert "the check itself broke: ZeroDivisionError" in found.message


def test_an_image_with_faults_is_refused_by_name_and_the_findings_are_kept(tmp_path):
    facts = FACTS.model_copy(update={"kernels": (OLD, K), "labels": {}})
    with pytest.raises(CheckError) as caught:
        require_sound(facts, PLAN, SETTINGS, document=tmp_path / "base-zfs.json")
    assert "base-zfs" in caught.value.message
    assert "one kernel, the planned one" in caught.value.details
    assert "the promised labels" in caught.value.details
    assert '"level": "error"' in (tmp_path / "base-zfs.json").read_text()
    assert ImageFacts.model_validate_json((tmp_path / "base-zfs.facts.json").read_text()) == facts


def test_an_image_without_modules_needs_no_package_that_requires_a_kernel():
    plan = PLAN.model_copy(update={"modules": ()})
    facts = FACTS.model_copy(update={"kmod_requires": {}})
    found = {f.id: f.level for f in run_checks(facts, plan, SETTINGS)}
    assert found["modules-require-kernel"] is Level.PASS

"""Each check once on facts that pass and once on facts that must not."""

import pytest

from immutable_base.check.interface import Check, Subject
from immutable_base.check.run_checks import ALL_CHECKS, check_image, require_sound, run_checks
from immutable_base.config.module_signing import ModuleSigning
from immutable_base.errors import CheckError
from immutable_base.model.check import Level
from immutable_base.model.facts import (
    InstalledPackage,
    ProgramOutput,
)
from immutable_base.model.plan import (
    LayerPlan,
    ModulePlan,
)
from support.check_rules import rules_of
from support.sound_image import (
    CERTIFICATES,
    FACTS,
    FINE,
    KMOD,
    LINK,
    OLD,
    PLAN,
    SETTINGS,
    VAR,
    K,
    account,
    installed,
    module,
    package,
)


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


def with_base(**changes):
    return {"base": FACTS.base.model_copy(update=changes)}


def with_initramfs(**changes):
    return {"initramfs": FACTS.initramfs.model_copy(update=changes)}


def with_unit(number, state):
    return {"units": (FACTS.units[number].model_copy(update={"state": state}),)}


def with_package(name, evr):
    return {
        "packages": tuple(installed(name, evr) if p.name == name else p for p in FACTS.packages)
    }


def without_package(name):
    return {"packages": tuple(p for p in FACTS.packages if p.name != name)}


def with_label(key, value):
    return {"labels": {**FACTS.labels, key: value}}


def with_card_service(**changes):
    return {"card_services": (FACTS.card_services[0].model_copy(update=changes),)}


def with_var(**changes):
    return {"var": (VAR.model_copy(update=changes), LINK)}


def with_line(**changes):
    return with_var(declared=VAR.declared.model_copy(update=changes))


EXTRA = f"usr/lib/modules/{K}/extra"
UNAME = "kernel-uname-r"
SIGNED = "signed by Example modules (key 3A:7C:01, sha256)"
UNSIGNED = {"signer": "", "key_id": "", "hash_algorithm": ""}
WRONG = [
    ("kernel-single", {"kernels": (OLD, K)}, f"with a vmlinuz: {OLD}, {K}"),
    ("kernel-single", {"kernels": ()}, "with a vmlinuz: none"),
    ("kernel-single", {"module_trees": (OLD, K)}, f"folders of /usr/lib/modules: {OLD}, {K}"),
    ("kernel-single", {"kernel_packages": ()}, "in the rpmdb: none"),
    ("kernel-single", {"kernel_packages": (OLD,)}, f"in the rpmdb: {OLD}"),
    ("modules-for-kernel", {"modules": (module("zfs"),)}, "spl.ko: 0 files"),
    ("modules-for-kernel", {"modules": (*FACTS.modules, module("zfs", path=f"usr/lib/modules/{K}/updates/zfs.ko"))}, "zfs.ko: 2 files"),
    ("modules-for-kernel", {"modules": (*FACTS.modules, module("wireguard"))}, "wireguard.ko: not promised"),
    ("modules-for-kernel", with_changed("zfs", vermagic=f"{OLD} SMP"), f"{EXTRA}/zfs.ko.xz: built for '{OLD} SMP'"),
    ("modules-for-kernel", with_changed("zfs", vermagic=f"{K}+debug SMP"), f"{EXTRA}/zfs.ko.xz: built for '{K}+debug SMP'"),
    ("modules-for-kernel", with_changed("zfs", path=f"usr/lib/modules/{OLD}/extra/zfs.ko.xz"), f"usr/lib/modules/{OLD}/extra/zfs.ko.xz: not in the kernel's folder"),
    ("modules-for-kernel", with_changed("zfs", path=f"usr/lib/modules/{K}.old/zfs.ko"), f"usr/lib/modules/{K}.old/zfs.ko: not in the kernel's folder"),
    ("modules-for-kernel", with_changed("zfs", owner=""), f"{EXTRA}/zfs.ko.xz: owned by no package"),
    ("modules-for-kernel", with_changed("zfs", owner="kernel-modules-extra"), f"{EXTRA}/zfs.ko.xz: owned by kernel-modules-extra"),
    ("modules-signed", with_changed("spl", **UNSIGNED), f"spl: unsigned, not {SIGNED}"),
    ("modules-signed", with_changed("zfs", signer="DKMS module signing key"), f"zfs: signed by DKMS module signing key (key 3A:7C:01, sha256), not {SIGNED}"),
    ("modules-signed", with_changed("zfs", key_id="3A:7C:02"), f"zfs: signed by Example modules (key 3A:7C:02, sha256), not {SIGNED}"),
    ("modules-signed", with_changed("zfs", hash_algorithm="sha1"), f"zfs: signed by Example modules (key 3A:7C:01, sha1), not {SIGNED}"),
    ("modules-signed", {"certificates": {}}, "/usr/share/immutable-base/secure-boot/module-signing-next.der: not as planned"),
    ("modules-signed", {"certificates": {**CERTIFICATES, "module-signing.der": "0" * 64}}, "/usr/share/immutable-base/secure-boot/module-signing.der: not as planned"),
    ("modules-signed", {"certificates": {**CERTIFICATES, "old.der": "0" * 64}}, "/usr/share/immutable-base/secure-boot/old.der: not as planned"),
    ("modules-require-kernel", {"kmod_requires": {}}, KMOD.name),
    ("modules-require-kernel", {"kmod_requires": {KMOD.name: ()}}, KMOD.name),
    ("modules-require-kernel", {"kmod_requires": {KMOD.name: (UNAME,)}}, KMOD.name),
    ("modules-require-kernel", {"kmod_requires": {KMOD.name: (f"{UNAME} = {OLD}",)}}, KMOD.name),
    ("modules-require-kernel", {"kmod_requires": {KMOD.name: (f"{UNAME} >= {K}",)}}, KMOD.name),
    ("modules-require-kernel", {"kmod_requires": {KMOD.name: (f"{UNAME} = {K}", f"{UNAME} = {OLD}")}}, KMOD.name),
    ("modules-require-kernel", {"kmod_requires": {"kmod-other": (f"{UNAME} = {K}",)}}, KMOD.name),
    ("modules-loadable", with_changed("zfs", listed=False), "zfs: not in modules.dep"),
    ("modules-loadable", with_changed("zfs", load=ProgramOutput(status=1, text="FATAL: Module zfs not found")), "zfs: modprobe: FATAL: Module zfs not found"),
    ("modules-loadable", with_changed("zfs", load=ProgramOutput(status=1, text=f"insmod /{EXTRA}/zfs.ko.xz")), f"zfs: modprobe: insmod /{EXTRA}/zfs.ko.xz"),
    ("modules-loadable", with_changed("zfs", load=FINE), "zfs: modprobe: no output"),
    ("modules-loadable", with_changed("zfs", load=ProgramOutput(status=0, text=f"insmod /{EXTRA}/zfs-other.ko")), f"zfs: modprobe: insmod /{EXTRA}/zfs-other.ko"),
    ("modules-loadable", with_changed("zfs", load=ProgramOutput(status=0, text=f"insmod /{EXTRA}/spl.ko.xz")), f"zfs: modprobe: insmod /{EXTRA}/spl.ko.xz"),
    ("no-build-tools", {"packages": (*FACTS.packages, installed("gcc", "14-1"))}, "gcc-14-1.x86_64"),
    ("no-build-tools", {"packages": (*FACTS.packages, installed("kernel-devel", "6.12-1"))}, "kernel-devel-6.12-1.x86_64"),
    ("no-build-tools", {"packages": (*FACTS.packages, installed("zfs-dkms", "2.3.9-1"))}, "zfs-dkms-2.3.9-1.x86_64"),
    ("no-build-tools", {"leftovers": ("usr/src/zfs-2.3.9",)}, "/usr/src/zfs-2.3.9"),
    ("versions-equal", with_changed("zfs", version="2.3.90-1"), "zfs.ko: 2.3.90-1, planned 2.3.9"),
    ("versions-equal", with_changed("zfs", version=""), "zfs.ko: no version, planned 2.3.9"),
    ("versions-equal", without_package("zfs"), "zfs: not installed, module 2.3.9"),
    ("versions-equal", with_package("zfs", "2.3.8-1"), "zfs: 2.3.8-1, module 2.3.9"),
    ("versions-equal", with_package("zfs", "2.3.90-1"), "zfs: 2.3.90-1, module 2.3.9"),
    ("versions-equal", without_package(KMOD.name), f"{KMOD.name}: not installed, planned 2.3.9-1"),
    ("versions-equal", with_package(KMOD.name, "2.3.9-2"), f"{KMOD.name}: 2.3.9-2, planned 2.3.9-1"),
    ("initramfs", {"initramfs": None}, None),
    ("initramfs", with_initramfs(size=0), "it is empty"),
    ("initramfs", with_initramfs(mode=0o644), "mode 0644, not 0600"),
    ("initramfs", with_initramfs(mode=0o400), "mode 0400, not 0600"),
    ("initramfs", with_initramfs(listing=ProgramOutput(status=0, text="init")), "no ostree-prepare-root in it"),
    ("initramfs", with_initramfs(listing=ProgramOutput(status=0, text="usr/lib/ostree/ostree-prepare-root\nusr/lib/modules/6.12.0-1.el10.x86_64/kernel/fs/x.ko")),
     "it has modules of 6.12.0-1.el10.x86_64, and its kernel is "),
    ("initramfs", with_initramfs(listing=ProgramOutput(status=1, text="ostree-prepare-root: no such file")), "lsinitrd cannot read it: ostree-prepare-root: no such file"),
    ("kargs", {"kargs": {"a.toml": "kargs = ["}}, "a.toml: "),
    ("kargs", {"kargs": {"b.toml": "karg = []"}}, "b.toml: unknown key 'karg'"),
    ("kargs", {"kargs": {"c.conf": "kargs = []"}}, "c.conf: not named *.toml"),
    ("kargs", {"kargs": {**FACTS.kargs, "z.toml": "= broken"}}, "z.toml: "),
    ("labels", {"labels": {**FACTS.labels, "io.immutable-base.kernel": OLD}}, f"io.immutable-base.kernel: '{OLD}', promised '{K}'"),
    ("labels", {"labels": {k: v for k, v in FACTS.labels.items() if k != "containers.bootc"}}, "containers.bootc: 'missing', promised '1'"),
    ("packages-match-plan", {"packages": FACTS.packages[1:]}, "missing: bash-5.3-1.x86_64"),
    ("packages-match-plan", without_package("systemd"), "missing: systemd-257-1.x86_64"),
    ("packages-match-plan", {"packages": (*FACTS.packages, installed("kernel-core", "6.12.107-1"))}, "not planned: kernel-core-6.12.107-1.x86_64"),
    ("packages-match-plan", {"packages": (*FACTS.packages, installed("bash", "5.3-1"))}, "not planned: bash-5.3-1.x86_64"),
    ("packages-match-plan", with_package("htop", "3-2"), "not planned: htop-3-2.x86_64"),
    ("rpm-verify", {"verify": {}}, f"{KMOD.name}: not verified"),
    ("rpm-verify", {"verify": {KMOD.name: ProgramOutput(status=1, text="S.5......  /usr/lib/modules/zfs.ko.xz")}}, f"{KMOD.name}: S.5......  /usr/lib/modules/zfs.ko.xz"),
    ("rpm-verify", {"verify": {KMOD.name: ProgramOutput(status=0, text="..5......  /usr/lib/modules/zfs.ko.xz")}}, f"{KMOD.name}: ..5......  /usr/lib/modules/zfs.ko.xz"),
    ("rpm-verify", {"verify": {KMOD.name: ProgramOutput(status=1, text="")}}, f"{KMOD.name}: failed"),
    ("dnf-check", {"dnf_check": ProgramOutput(status=1, text="zfs has missing requires of zfs-kmod")}, "zfs has missing requires of zfs-kmod"),
    ("units-preset", with_unit(0, "disabled"), "sshd.service: disabled, to be enabled"),
    ("units-preset", with_unit(0, "absent"), "sshd.service: absent, to be enabled"),
    ("units-preset", with_unit(0, "enabled-runtime"), "sshd.service: enabled-runtime, to be enabled"),
    ("units-preset", with_unit(0, "static"), "sshd.service: static, to be enabled"),
    ("units-preset", with_unit(1, "enabled"), "zfs-import-scan.service: enabled, to be disabled"),
    ("units-preset", with_unit(1, "enabled-runtime"), "zfs-import-scan.service: enabled-runtime, to be disabled"),
    ("units-preset", with_unit(1, "unknown: no such program"), "zfs-import-scan.service: unknown: no such program, to be disabled"),
    ("bootc-lint", {"bootc_lint": ProgramOutput(status=1, text="Unexpected runtime error")}, "Unexpected runtime error"),
    ("bootc-lint", {"bootc_lint": ProgramOutput(status=1, text="Failed lint: kernel: two of them")}, "kernel: two of them"),
    ("dnf-check", {"dnf_check": ProgramOutput(status=1, text="Error: no rpmdb")}, "Error: no rpmdb"),
    ("dnf-check", {"dnf_check": ProgramOutput(status=1, text="Check discovered 1 problem(s)")}, "Check discovered 1 problem(s)"),
    ("labels-kernel", with_label("ostree.linux", OLD), f"label ostree.linux: '{OLD}', the image's kernel is {K}"),
    ("labels-kernel", with_label("ostree.linux", "6.12.1-1.el10.x86_64"), "label ostree.linux: '6.12.1-1.el10.x86_64'"),
    ("labels-kernel", with_label("description", f"with {OLD}."), "label description: "),
    ("labels-kernel", with_label("bundle", "linux-6.12.107-1"), "label bundle: 'linux-6.12.107-1'"),
    ("labels-kernel", {"annotations": {"x": OLD}}, f"annotation x: '{OLD}'"),
    ("services-need-card", with_card_service(conditions=()), "nvidia-persistenced.service: no ExecCondition="),
    ("services-need-card", with_card_service(conditions=("/bin/true",)), "nvidia-persistenced.service: no ExecCondition="),
    ("services-need-card", with_card_service(conditions=(), state="enabled-runtime"), "nvidia-persistenced.service: no ExecCondition="),
    ("services-need-card", {**with_card_service(name="sshd.service", conditions=(), state="disabled")}, "sshd.service: no ExecCondition="),
    ("var-declared", with_var(declared=None), "/var/lib/tcpdump of tcpdump: made by nobody"),
    ("var-declared", with_line(mode="0755"), "/var/lib/tcpdump of tcpdump: not as the package has it"),
    ("var-declared", with_line(user="root"), "/var/lib/tcpdump of tcpdump: not as the package has it"),
    ("var-declared", with_line(group="nobodys"), "/var/lib/tcpdump of tcpdump: not as the package has it"),
    ("var-declared", with_line(kind="L"), "/var/lib/tcpdump of tcpdump: not as the package has it"),
    ("var-declared", {"var": (LINK.model_copy(update={"target": "mail"}),)}, "/var/mail of setup: not as the package has it"),
    ("accounts-declared", {"accounts": (account("user", "x", ""),)}, "user x: in no sysusers.d"),
    ("accounts-declared", {"accounts": (*FACTS.accounts, account("member", "x mail", ""))}, "member x mail: in no sysusers.d"),
    ("only-signed-images", {"host_policy": FACTS.host_policy.model_copy(update={"files": {}})}, "no-policy: there is no /etc/containers/policy.json: hosts take nothing, or anything"),
]  # fmt: skip
"""A check, facts that it must object to, and the evidence that it must name."""


@pytest.mark.parametrize(("identifier", "changes", "evidence"), WRONG)
def test_a_fault_is_found(identifier, changes, evidence):
    found = finding(identifier, **changes)
    assert found.level is Level.ERROR
    assert found.message
    if evidence is None:
        assert found.evidence == ()
    else:
        assert [line for line in found.evidence if line.startswith(evidence)], found.evidence


NVIDIA = PLAN.model_copy(
    update={
        "modules": (
            ModulePlan(
                name="nvidia", version="580.1", maximum=None, source=package("kmod-nvidia-open-dkms", "580.1"),
                kmod=package("kmod-nvidia-open-prebuilt", "580.1", repository="local"), builder=(), builder_request=(),
                source_date_epoch=3,
            ),
        )
    }
)  # fmt: skip
NVIDIA_PACKAGES = (installed("kmod-nvidia-open-prebuilt", "580.1-1"), installed("nvidia-driver-cuda", "3:580.1-1"))  # fmt: skip


def versions_of_nvidia(**changes):
    facts = FACTS.model_copy(
        update={"modules": (), "packages": NVIDIA_PACKAGES, "firmware": ("580.1",), **changes}
    )
    return {f.id: f for f in run_checks(facts, NVIDIA, SETTINGS)}["versions-equal"]


def test_firmware_of_nvidia_has_the_modules_version():
    assert versions_of_nvidia().level is Level.PASS
    assert versions_of_nvidia(firmware=()).level is Level.PASS, "not every release has some"
    assert versions_of_nvidia(firmware=("580.2",)).evidence == (
        "GSP firmware: 580.2, module 580.1",
    )
    assert versions_of_nvidia(firmware=("580.1", "580.2")).evidence == (
        "GSP firmware: 580.1, 580.2, module 580.1",
    )


def test_userspace_of_nvidia_has_the_modules_version_whatever_its_epoch():
    other = (NVIDIA_PACKAGES[0], installed("nvidia-driver-cuda", "3:580.2-1"))
    assert versions_of_nvidia(packages=other).evidence == (
        "nvidia-driver-cuda: 3:580.2-1, module 580.1",
    )


def test_firmware_is_no_concern_of_an_image_without_nvidia():
    assert finding("versions-equal", firmware=("1",)).level is Level.PASS


def test_a_unit_that_is_not_there_or_static_does_not_start_by_itself():
    for state in ("absent", "static", "masked", "disabled", "indirect"):
        assert finding("units-preset", **with_unit(1, state)).level is Level.PASS, state


RULES = rules_of(ALL_CHECKS)


def rule_label(rule):
    return f"{rule.function}:{rule.line}"


@pytest.mark.parametrize("rule", RULES, ids=rule_label)
def test_every_rule_of_every_check_has_been_seen_to_object(rule):
    """Without the rule some case of the table must end differently: else nobody would miss it."""
    checks = [check for check in ALL_CHECKS if check.function.__module__ == rule.module]
    cases = [(PLAN, {}), *((PLAN, changes) for _, changes, _ in WRONG)]
    cases.append((NVIDIA, {"modules": (), "packages": NVIDIA_PACKAGES, "firmware": ("580.2",)}))
    for plan, changes in cases:
        subject = Subject(facts=FACTS.model_copy(update=changes), plan=plan, settings=SETTINGS)
        for check in checks:
            if rule.without(check.function)(subject) != check.function(subject):
                return
    raise AssertionError(f"no case objects by {rule.text}")


def test_rules_are_found_where_they_are():
    functions = {rule.function for rule in RULES}
    assert {check.function.__name__ for check in ALL_CHECKS} <= functions
    assert "_userspace" in functions


def test_packages_of_two_architectures_are_two_packages():
    """An update of one of them leaves the other where it was."""
    i686 = InstalledPackage(name="bash", evr="5.2-1", arch="i686")
    base = (*FACTS.base.packages, i686)
    kept = finding(
        "packages-match-plan", packages=(*FACTS.packages, i686), **with_base(packages=base)
    )
    assert kept.level is Level.PASS
    gone = finding("packages-match-plan", **with_base(packages=base))
    assert gone.evidence == ("missing: bash-5.2-1.i686",)


def test_a_package_that_the_base_has_twice_is_there_twice():
    twice = with_base(packages=(*FACTS.base.packages, installed("systemd", "257-1")))
    packages = (*FACTS.packages, installed("systemd", "257-1"))
    assert finding("packages-match-plan", packages=packages, **twice).level is Level.PASS
    found = finding("packages-match-plan", **twice)
    assert found.evidence == ("missing: systemd-257-1.x86_64",)


def test_what_a_later_layer_updates_is_of_its_version_only():
    later = LayerPlan(
        name="later", request=(), install=(package("htop", "4"),), source_date_epoch=3
    )
    plan = PLAN.model_copy(update={"layers": (*PLAN.layers, later)})
    facts = FACTS.model_copy(update=with_package("htop", "4-1"))
    found = {f.id: f for f in run_checks(facts, plan, SETTINGS)}["packages-match-plan"]
    assert found.level is Level.PASS


def test_what_a_planned_package_obsoletes_may_go():
    old = installed("net-tools", "2-1")
    base = (*FACTS.base.packages, old)
    assert finding("packages-match-plan", **with_base(packages=base)).level is Level.ERROR
    layers = (PLAN.layers[0].model_copy(update={"obsoleted": ("net-tools",)}), *PLAN.layers[1:])
    facts = FACTS.model_copy(update=with_base(packages=base))
    found = run_checks(facts, PLAN.model_copy(update={"layers": layers}), SETTINGS)
    assert {f.id: f.level for f in found}["packages-match-plan"] is Level.PASS


def test_what_was_not_run_is_said_and_is_no_pass():
    found = finding("bootc-lint", bootc_lint=None)
    assert (found.level, found.message) == (Level.NOTE, "not run: no bootc in this image")


def test_tools_of_the_base_image_itself_are_its_own_business():
    gcc = installed("gcc", "14-1")
    found = finding(
        "no-build-tools",
        packages=(*FACTS.packages, gcc),
        **with_base(packages=(*FACTS.base.packages, gcc)),
    )
    assert found.level is Level.PASS


def test_build_tools_are_those_of_the_configuration_too():
    """Another stream may call its headers and its sources otherwise."""
    kernel = SETTINGS.kernel.model_copy(update={"devel_package": "kernel-headers-all"})
    zfs = SETTINGS.modules["zfs"].model_copy(update={"source_package": "zfs-source"})
    settings = SETTINGS.model_copy(
        update={"kernel": kernel, "modules": {**SETTINGS.modules, "zfs": zfs}}
    )
    for name in ("kernel-headers-all", "zfs-source", "gcc"):
        facts = FACTS.model_copy(update={"packages": (*FACTS.packages, installed(name, "1-1"))})
        found = {f.id: f for f in run_checks(facts, PLAN, settings)}["no-build-tools"]
        assert found.evidence == (f"{name}-1-1.x86_64",)


def test_a_check_that_breaks_is_an_error(monkeypatch):
    broken = Check(id="x", title="x", reason="x", function=lambda subject: 1 // 0)
    monkeypatch.setattr("immutable_base.check.run_checks.ALL_CHECKS", (broken,))
    (found,) = run_checks(FACTS, PLAN, SETTINGS)
    assert found.level is Level.ERROR
    assert "the check itself broke: ZeroDivisionError" in found.message


def test_an_image_with_faults_is_refused_by_name_and_the_findings_are_kept():
    facts = FACTS.model_copy(update={"kernels": (OLD, K), "labels": {}})
    report = check_image(facts, PLAN, SETTINGS, rests_on={})
    with pytest.raises(CheckError) as caught:
        require_sound(report, hint="all findings: check/base-zfs.json")
    assert "base-zfs" in caught.value.message
    assert caught.value.hint == "all findings: check/base-zfs.json"
    assert "one kernel, the planned one" in caught.value.details
    assert "the promised labels" in caught.value.details
    assert (report.variant, report.image_id) == ("base-zfs", facts.image_id)
    assert {finding.level for finding in report.errors} == {Level.ERROR}


def test_an_image_without_modules_needs_no_package_that_requires_a_kernel():
    plan = PLAN.model_copy(update={"modules": ()})
    facts = FACTS.model_copy(update={"kmod_requires": {}})
    found = {f.id: f.level for f in run_checks(facts, plan, SETTINGS)}
    assert found["modules-require-kernel"] is Level.PASS


def test_a_note_is_no_reason_to_refuse_an_image():
    """The lab's bases have no bootc: what was not run is said, and nothing more."""
    facts = FACTS.model_copy(update={"bootc_lint": None})
    report = check_image(facts, PLAN, SETTINGS, rests_on={})
    require_sound(report, hint="")
    assert [f.id for f in report.findings if f.level is Level.NOTE] == ["bootc-lint"]


def test_an_error_names_ten_pieces_of_evidence_and_counts_the_rest():
    leftovers = tuple(f"usr/src/{number:02}" for number in range(13))
    facts = FACTS.model_copy(update={"leftovers": leftovers})
    with pytest.raises(CheckError) as caught:
        require_sound(check_image(facts, PLAN, SETTINGS, rests_on={}), hint="")
    lines = caught.value.details.splitlines()
    assert lines[0].startswith(
        "no compiler, DKMS, kernel-devel or sources: left over from a build ("
    )
    assert lines[1:] == [*(f"    /usr/src/{number:02}" for number in range(10)), "    and 3 more"]


def test_labels_may_name_the_kernel_that_is_kept():
    kept = PLAN.kernel.model_copy(update={"image": K, "image_evr": PLAN.kernel.chosen_evr})
    base = FACTS.base.model_copy(update={"kernel_packages": (K,)})
    facts = FACTS.model_copy(update={"base": base, "labels": {**FACTS.labels, "x": f"linux-{K}"}})
    plan = PLAN.model_copy(update={"kernel": kept})
    found = {f.id: f for f in run_checks(facts, plan, SETTINGS)}["labels-kernel"]
    assert found.level is Level.PASS


def test_a_folder_of_an_unknown_owner_is_roots_as_rpm_has_it():
    stranger = VAR.model_copy(
        update={"user": "nobodys", "user_known": False, "declared": VAR.declared.model_copy(update={"user": "root"})}
    )  # fmt: skip
    assert finding("var-declared", var=(stranger,)).level is Level.PASS
    known = stranger.model_copy(update={"user_known": True})
    assert finding("var-declared", var=(known,)).level is Level.ERROR


def test_another_files_line_may_differ_from_the_package():
    """A package's own tmpfiles.d knows best: some lines are there to change a mode."""
    line = VAR.declared.model_copy(
        update={"file": "usr/lib/tmpfiles.d/tcpdump.conf", "mode": "0700"}
    )
    assert finding("var-declared", var=(VAR.model_copy(update={"declared": line}),)).level is (
        Level.PASS
    )


def test_a_service_that_never_starts_by_itself_needs_no_condition():
    service = FACTS.card_services[0].model_copy(update={"conditions": (), "state": "static"})
    assert finding("services-need-card", card_services=(service,)).level is Level.PASS


def modules_signed(settings=SETTINGS, **changes):
    plan = PLAN.model_copy(update={"module_signer": None})
    facts = FACTS.model_copy(update=changes)
    return {f.id: f for f in run_checks(facts, plan, settings)}["modules-signed"]


def test_a_signature_that_no_plan_promised_is_an_error_too():
    """Older DKMS signs with a key that it makes up."""
    found = modules_signed(certificates={})
    assert found.level is Level.ERROR
    assert f"zfs: {SIGNED}, not unsigned" in found.evidence


def test_unsigned_modules_pass_without_a_certificate_and_are_noted_where_one_is_configured():
    unsigned = {"modules": tuple(module(m.name, **UNSIGNED) for m in FACTS.modules)}
    assert modules_signed(**unsigned, certificates={}).level is Level.PASS
    table = ModuleSigning(certificate="module.pem")
    configured = SETTINGS.model_copy(update={"module_signing": table})
    found = modules_signed(configured, **unsigned, certificates={})
    assert (found.level, found.message) == (
        Level.NOTE,
        "modules are unsigned: the plan was asked for that",
    )
    assert modules_signed(configured, **unsigned).level is Level.ERROR, "certificates of nobody"

"""A whole image, from its files and its programs' answers to facts."""

import os
import tomllib

import pytest

from immutable_base.errors import CheckError
from immutable_base.inspect.collect import inspect_image
from immutable_base.model.facts import ProgramOutput
from support.built_image import IMAGE_ID, NO_FILES, BuiltImage
from support.plan_world import installed_text
from support.plans import K2, layer, module, package, variant
from support.rpmmd import Rpm

TREE, BASE_TREE = f"usr/lib/modules/{K2}", "usr/lib/modules/6.12.105"
KMOD = "kmod-zfs-prebuilt"
RPMS = [
    Rpm("kernel-core", "6.12.117-1.el10", provides=(f"kernel-uname-r = {K2}",)),
    Rpm(
        KMOD, "2.3.9-1", requires=(f"kernel-uname-r = {K2}", "kmod"),
        files=(f"/lib/modules/{K2}/extra/zfs.ko.xz", f"/{TREE}/updates/spl.ko"),
    ),
]  # fmt: skip
MODINFO = "filename: x\nversion:        2.3.9-1\nvermagic:       {} SMP mod_unload\n"


@pytest.fixture
def image(tmp_path):
    found = BuiltImage(
        tmp_path,
        base=installed_text([Rpm("kernel-core", "6.12.105-1.el10"), Rpm("bash", "5.2-1")]),
        answers={
            "rpm": (0, installed_text(RPMS)),
            f"rpm --verify {KMOD}": (1, f"S.5......    /{TREE}/extra/zfs.ko.xz\n"),
            "modinfo": (0, MODINFO.format(K2)),
            f"modprobe --set-version {K2} --show-depends zfs": (0, f"insmod /{TREE}/extra/zfs.ko.xz\n"),
            f"modprobe --set-version {K2} --show-depends spl": (1, "FATAL: Module spl not found.\n"),
            f"lsinitrd /{TREE}/initramfs.img": (0, "usr/lib/ostree/ostree-prepare-root\n"),
            "systemctl --root=/ is-enabled zfs.target": (0, "enabled\n"),
            "dnf --quiet check": (1, "zfs has missing requires\n"),
            "bootc container lint": (0, "Checks passed: 11\n"),
        },
    )  # fmt: skip
    found.file(f"{TREE}/vmlinuz")
    found.file(f"{TREE}/initramfs.img", "x" * 7, mode=0o600)
    found.file(f"{TREE}/modules.dep", "extra/zfs.ko.xz: updates/spl.ko\n")
    found.file(f"{TREE}/kernel/fs/ext4.ko")
    found.file(f"{TREE}/extra/zfs.ko.xz")
    found.file(f"{TREE}/updates/spl.ko")
    found.file("usr/lib/systemd/system-preset/40-immutable-base-zfs.preset", "enable zfs.target\n")
    found.file("usr/lib/systemd/system/zfs.target")
    found.file("usr/lib/bootc/kargs.d/10-quiet.toml", 'kargs = ["quiet"]\n')
    found.file("usr/lib/firmware/nvidia/580.1/gsp_ga10x.bin.xz")
    found.file("usr/bin/bootc")
    found.file(f"{BASE_TREE}/vmlinuz", base=True)
    return found


PLANNED = variant(
    "base-zfs", K2, layer("base", package("htop")), modules=[module(K2)]
)  # fmt: skip


def facts_of(image):
    return inspect_image(
        image.storage, IMAGE_ID, PLANNED,
        destination="registry.example/os", rests_on={"build/base-zfs.json": "0" * 64},
    )  # fmt: skip


def test_kernel_and_packages_are_the_images_and_the_bases_are_its_own(image):
    facts = facts_of(image)
    assert (facts.image_id, facts.labels) == (IMAGE_ID, {"containers.bootc": "1"})
    assert facts.kernels == facts.module_trees == facts.kernel_packages == (K2,)
    assert [str(p) for p in facts.packages] == [
        "kernel-core-6.12.117-1.el10.x86_64", f"{KMOD}-2.3.9-1.x86_64",
    ]  # fmt: skip
    assert {str(p) for p in facts.base.packages} == {
        "kernel-core-6.12.105-1.el10.x86_64", "bash-5.2-1.x86_64",
    }  # fmt: skip
    assert facts.annotations == {"base.name": "b"}
    assert facts.kmod_requires == {KMOD: (f"kernel-uname-r = {K2}", "kmod")}


def test_modules_are_those_from_outside_the_kernels_tree_wherever_they_lie(image):
    spl, zfs = sorted(facts_of(image).modules, key=lambda it: it.name)
    assert (zfs.name, zfs.path, zfs.owner) == ("zfs", f"{TREE}/extra/zfs.ko.xz", KMOD)
    assert (zfs.version, zfs.vermagic) == ("2.3.9-1", f"{K2} SMP mod_unload")
    assert (zfs.listed, zfs.load) == (True, ProgramOutput(status=0, text=f"insmod /{TREE}/extra/zfs.ko.xz"))  # fmt: skip
    assert (spl.name, spl.path, spl.owner) == ("spl", f"{TREE}/updates/spl.ko", KMOD)
    assert (spl.listed, spl.load.status) == (False, 1)


def test_a_module_whose_folder_is_weak_updates_is_seen(image):
    image.file(f"{TREE}/weak-updates/other/wl.ko")
    image.answers["modprobe"] = (1, "FATAL")
    [found] = [it for it in facts_of(image).modules if it.name == "wl"]
    assert (found.path, found.owner) == (f"{TREE}/weak-updates/other/wl.ko", "")


def test_a_second_kernel_is_seen_with_and_without_an_image(image):
    image.file("usr/lib/modules/6.12.0/vmlinuz")
    image.file("usr/lib/modules/5.0/modules.dep")
    facts = facts_of(image)
    assert facts.kernels == ("6.12.0", K2)
    assert facts.module_trees == ("5.0", "6.12.0", K2)
    assert (facts.modules, facts.initramfs) == ((), None), "of which kernel? the check refuses it"


def test_an_image_without_a_kernel_has_no_modules_and_no_initramfs(image):
    (image.root / TREE / "vmlinuz").unlink()
    facts = facts_of(image)
    assert (facts.kernels, facts.modules, facts.initramfs) == ((), (), None)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o4755])
def test_the_initramfs_is_read_with_its_whole_mode(image, mode):
    (image.root / TREE / "initramfs.img").chmod(mode)
    found = facts_of(image).initramfs
    assert (found.path, found.mode, found.size) == (f"{TREE}/initramfs.img", mode, 7)
    assert found.listing == ProgramOutput(status=0, text="usr/lib/ostree/ostree-prepare-root")


def test_an_initramfs_that_is_not_there_is_none(image):
    (image.root / TREE / "initramfs.img").unlink()
    assert facts_of(image).initramfs is None
    assert not any(line.startswith("lsinitrd") for line in image.asked)


def test_programs_answers_are_kept_with_their_status(image):
    facts = facts_of(image)
    assert facts.verify == {KMOD: ProgramOutput(status=1, text=f"S.5......    /{TREE}/extra/zfs.ko.xz")}  # fmt: skip
    assert facts.dnf_check == ProgramOutput(status=1, text="zfs has missing requires")
    assert facts.bootc_lint == ProgramOutput(status=0, text="Checks passed: 11")
    assert [(u.name, u.preset, u.state) for u in facts.units] == [("zfs.target", "enable", "enabled")]  # fmt: skip
    assert facts.firmware == ("580.1",)
    assert tomllib.loads(facts.kargs["10-quiet.toml"]) == {"kargs": ["quiet"]}


def test_the_lint_is_the_first_program_and_not_run_without_bootc(image):
    facts_of(image)
    assert image.asked[0] == "bootc container lint", "it judges /var, where others leave files"
    (image.root / "usr/bin/bootc").unlink()
    image.asked.clear()
    assert facts_of(image).bootc_lint is None
    assert not any(line.startswith("bootc") for line in image.asked)


def test_leftovers_are_looked_for_before_any_program_runs_in_the_image(image):
    """Programs of the image write to /var/log, which would be taken for what the build left."""
    assert facts_of(image).leftovers == ()
    assert (image.root / "var/log/written-by-a-program").exists()


def test_what_a_build_left_is_named_whatever_it_is(image):
    image.file("usr/src/zfs-2.3.9/META")
    image.file("var/log/dnf.log")
    image.file("boot/vmlinuz-6.12")
    (image.root / "run").mkdir()
    os.mkfifo(image.root / "run/pipe")
    (image.root / "tmp/empty").mkdir(parents=True)
    (image.root / "etc").mkdir()
    (image.root / "etc/dkms").symlink_to("../tmp/empty")
    assert facts_of(image).leftovers == (
        "boot/vmlinuz-6.12", "etc/dkms", "run/pipe", "usr/src/zfs-2.3.9", "var/log/dnf.log",
    )  # fmt: skip


@pytest.mark.parametrize("program", ["rpm", "modinfo", "systemctl --root=/ is-enabled zfs.target"])
def test_an_image_whose_programs_cannot_answer_is_refused(image, program):
    image.answers[program] = (127, "no such program")
    with pytest.raises(CheckError):
        facts_of(image)


def test_the_base_is_asked_the_same_of_itself(image):
    image.base_answers |= {
        "dnf --quiet check": (1, "bash has missing requires\n"),
        "bootc container lint": (1, "Failed lint: x: y\n"),
    }
    image.file("usr/src/annobin/x", base=True)
    image.file("usr/lib/bootc/kargs.d/b.toml", "kargs = []", base=True)
    image.file("usr/bin/bootc", base=True)
    base = facts_of(image).base
    assert base.dnf_check == ProgramOutput(status=1, text="bash has missing requires")
    assert base.bootc_lint == ProgramOutput(status=1, text="Failed lint: x: y")
    assert (base.leftovers, base.kargs) == (("usr/src/annobin",), {"b.toml": "kargs = []"})
    assert base.kernel_packages == ()
    assert image.asked_of_base[0] == "bootc container lint"


def test_the_base_is_not_asked_what_could_excuse_nothing(image):
    """`dnf check` and the list of an initramfs take seconds each."""
    image.answers["dnf --quiet check"] = (0, "")
    image.file(f"{BASE_TREE}/initramfs.img", "x", mode=0o644, base=True)
    base = facts_of(image).base
    assert base.dnf_check is None
    assert base.initramfs is None, "of another kernel, whose initramfs is not of our making"
    assert not any(line.startswith(("dnf", "lsinitrd")) for line in image.asked_of_base)


@pytest.fixture
def same_kernel(image):
    (image.base_root / BASE_TREE / "vmlinuz").unlink()
    image.file(f"{TREE}/vmlinuz", base=True)
    return image


def test_another_initramfs_of_the_same_size_and_second_is_listed_itself(same_kernel):
    """In images every file may be of one moment: only the bytes tell."""
    line = f"lsinitrd /{TREE}/initramfs.img"
    same_kernel.base_answers[line] = (0, "the base's own\n")
    same_kernel.file(f"{TREE}/initramfs.img", "y" * 7, mode=0o600, base=True)
    for root in (same_kernel.root, same_kernel.base_root):
        os.utime(root / TREE / "initramfs.img", (1, 1))
    assert facts_of(same_kernel).base.initramfs.listing.text == "the base's own"


@pytest.mark.parametrize("other", ["9", None])
def test_of_a_base_without_exactly_this_kernel_no_initramfs_excuses_ours(image, other):
    """A file that is left at its place is none that the base boots."""
    image.file(f"{TREE}/initramfs.img", "x" * 7, base=True)
    if other:
        (image.base_root / BASE_TREE / "vmlinuz").unlink()
        image.file(f"{TREE}/vmlinuz", base=True)
        image.file(f"usr/lib/modules/{other}/vmlinuz", base=True)
    assert facts_of(image).base.initramfs is None


def test_each_module_package_is_verified(image):
    nvidia = "kmod-nvidia-prebuilt"
    image.answers[f"rpm --verify {nvidia}"] = (1, "missing /x\n")
    planned = variant(
        "base-zfs", K2, layer("base"), modules=[module(K2), module(K2, "nvidia", "580.1")]
    )
    found = inspect_image(
        image.storage, IMAGE_ID, planned, destination="x.example/os", rests_on={"x.json": "0" * 64}
    )
    assert {name: output.status for name, output in found.verify.items()} == {KMOD: 1, nvidia: 1}


def test_the_same_initramfs_is_listed_once_and_has_its_own_mode(same_kernel):
    same_kernel.file(f"{TREE}/initramfs.img", "x" * 7, mode=0o644, base=True)
    facts = facts_of(same_kernel)
    assert (facts.initramfs.mode, facts.base.initramfs.mode) == (0o600, 0o644)
    assert facts.base.initramfs.listing == facts.initramfs.listing
    assert not any(line.startswith("lsinitrd") for line in same_kernel.asked_of_base)


def test_another_initramfs_of_the_same_kernel_is_listed_too(same_kernel):
    same_kernel.base_answers[f"lsinitrd /{TREE}/initramfs.img"] = (0, "init\n")
    same_kernel.file(f"{TREE}/initramfs.img", "y" * 7, mode=0o644, base=True)
    found = facts_of(same_kernel).base.initramfs
    assert (found.mode, found.listing.text) == (0o644, "init")


def test_a_base_without_an_initramfs_of_the_kernel_has_none(same_kernel):
    assert facts_of(same_kernel).base.initramfs is None


def test_a_base_without_bootc_and_initramfs_is_asked_for_neither(image):
    base = facts_of(image).base
    assert (base.bootc_lint, base.initramfs) == (None, None)
    assert not any(line.startswith(("bootc", "lsinitrd")) for line in image.asked_of_base)


def test_what_packages_have_in_var_is_read_with_what_declares_it(image):
    image.answers[NO_FILES] = (0, "40750\t0\ttcpdump\ttcpdump\troot\t/var/lib/tcpdump\t\n")
    image.file("etc/passwd", "tcpdump:x:72:72::/:/sbin/nologin\n")
    image.file(
        "usr/lib/tmpfiles.d/zz-immutable-base-var.conf",
        "d /var/lib/tcpdump 0750 tcpdump root - -\n",
    )
    [found] = facts_of(image).var
    assert (found.path, found.package, found.mode, found.user) == (
        "/var/lib/tcpdump", "tcpdump", "0750", "tcpdump",
    )  # fmt: skip
    assert (found.user_known, found.group_known) == (True, False)
    assert found.declared.file == "usr/lib/tmpfiles.d/zz-immutable-base-var.conf"
    [account] = facts_of(image).accounts
    assert (account.kind, account.name, account.declared_in) == ("user", "tcpdump", "")


def test_services_of_nvidias_are_read_with_the_conditions_of_all_drop_ins(image):
    folder = "usr/lib/systemd/system"
    image.file(f"{folder}/nvidia-persistenced.service", "[Service]\nExecCondition=/bin/false\n")
    image.file(
        f"{folder}/nvidia-persistenced.service.d/05.conf",
        "[Service]\nExecCondition=\nExecCondition=/bin/a\n",
    )
    image.file("etc/systemd/system/nvidia-persistenced.service.d/10.conf", "ExecCondition=/bin/b\n")
    image.file(f"{folder}/nvidia-persistenced.service.d/10.conf", "ExecCondition=/bin/replaced\n")
    image.file("etc/systemd/system/nvidia-cdi-refresh.service", "[Service]\n")
    image.file(f"{folder}/nvidia-at@.service", "[Service]\n")
    (image.root / folder / "nvidia-alias.service").symlink_to("nvidia-persistenced.service")
    image.answers["systemctl --root=/ is-enabled nvidia-cdi-refresh.service nvidia-persistenced.service"] = (
        0, "enabled\ndisabled\n"
    )  # fmt: skip
    assert [(it.name, it.state, it.conditions) for it in facts_of(image).card_services] == [
        ("nvidia-cdi-refresh.service", "enabled", ()),
        ("nvidia-persistenced.service", "disabled", ("/bin/a", "/bin/b")),
    ]

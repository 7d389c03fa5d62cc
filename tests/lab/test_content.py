"""The lab's packages and bases, asked by real rpm, dnf, gpg and skopeo."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.debian import catalogue, root
from support.product import requested_sets

pytestmark = pytest.mark.apart

REPOSITORIES = (
    "appstream", "baseos", "container-toolkit", "cuda", "epel", "fedora", "fedora-updates",
    "openzfs",
)  # fmt: skip
EL = ("appstream", "baseos", "cuda", "epel", "openzfs")


def output(*argv, **kw) -> str:
    return subprocess.run(
        [str(part) for part in argv], check=True, capture_output=True, text=True, **kw
    ).stdout


@pytest.fixture(scope="module")
def made(lab) -> dict:
    return json.loads((LabPaths(root=lab.state).package_record / "made.json").read_text())


@pytest.fixture(scope="module")
def system(lab, tmp_path_factory) -> Path:
    """The EL base as a machine would run it: its layers unpacked, links into /var resolved."""
    layout = lab.state / "bases" / "el10" / "oci"
    tree = lab.state / "test-scratch" / "system"
    output("rm", "-rf", tree)
    tree.mkdir(parents=True)
    index = json.loads((layout / "index.json").read_text())

    def blob(digest):
        return layout / "blobs" / digest.replace(":", "/")

    manifest = json.loads(blob(index["manifests"][0]["digest"]).read_text())
    for layer in manifest["layers"]:
        # The ostree repository beside the root: hard links to the same files, not needed here.
        output("tar", "-xf", blob(layer["digest"]), "-C", tree)
    for link in ("home", "mnt", "opt", "root", "srv"):
        (tree / link).unlink()
        (tree / link).mkdir()
    for folder in ("cache", "lib", "log", "tmp"):
        (tree / "var" / folder).mkdir(parents=True, exist_ok=True)
    yield tree
    output("rm", "-rf", tree)


def dnf(lab, system, *arguments) -> str:
    port = json.loads((lab.state / "state.json").read_text())["ports"]["files"]
    more = [
        f"--repofrompath={name},http://127.0.0.1:{port}/{name}/"
        for name in ("epel", "openzfs", "cuda", "container-toolkit")
    ]
    key = "--setopt=*.gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-lab"
    checks = ("--setopt=*.gpgcheck=1", "--setopt=*.repo_gpgcheck=1")
    options = ("--assumeyes", "--setopt=install_weak_deps=False", "--setopt=tsflags=test")
    return root.enter(system, "dnf", *more, key, *checks, *options, *arguments)


@pytest.mark.parametrize("name", REPOSITORIES)
def test_every_repository_is_signed_by_the_labs_key(lab, tmp_path, name):
    keyring = tmp_path / "key.gpg"
    output("gpg", "--dearmor", "--output", keyring, lab.state / "trust" / "lab-rpm-key.asc")
    metadata = lab.state / "rpms" / name / "repodata" / "repomd.xml"
    output("gpgv", "--keyring", keyring, f"{metadata}.asc", metadata)
    assert list(metadata.parents[1].glob("*.rpm"))


def test_every_rpm_is_signed_by_the_labs_key(lab, tmp_path):
    database = tmp_path / "rpmdb"
    output("rpm", "--dbpath", database, "--import", lab.state / "trust" / "lab-rpm-key.asc")
    for name in REPOSITORIES:
        rpms = sorted((lab.state / "rpms" / name).glob("*.rpm"))
        lines = output("rpmkeys", "--dbpath", database, "--checksig", *rpms).splitlines()
        assert [line for line in lines if not line.endswith("digests signatures OK")] == []


def test_headers_of_the_bases_kernel_are_nowhere(lab, made):
    assert made["kernels"]["image"].startswith(made["el_kernel"].split("-")[0])
    devel = [rpm.name for name in EL for rpm in (lab.state / "rpms" / name).glob("kernel-devel-*")]
    assert devel
    assert not [name for name in devel if made["el_kernel"] in name]


def test_the_base_has_one_kernel_and_everything_in_its_rpmdb(system, made):
    assert root.enter(system, "rpm", "-q", "kernel-core").strip() == (
        f"kernel-core-{made['el_kernel']}.x86_64"
    )
    assert len(list(system.glob("usr/lib/modules/*/vmlinuz"))) == 1
    assert len(root.enter(system, "rpm", "-qa").splitlines()) > len(made["base_packages"])
    files = root.enter(system, "rpm", "-qf", "/usr/bin/bash", "/usr/bin/dnf", "/usr/bin/dracut")
    assert [name.split("-")[0] for name in files.splitlines()] == ["bash", "dnf", "dracut"]


def test_the_initramfs_is_private_and_can_mount_a_deployment(system):
    (image,) = system.glob("usr/lib/modules/*/initramfs.img")
    assert image.stat().st_mode & 0o777 == 0o600
    listed = root.enter(system, "lsinitrd", f"/{image.relative_to(system)}", timeout=300)
    assert "ostree-prepare-root" in listed


def test_dnf_finds_nothing_broken_in_the_base(lab, system):
    root.enter(system, "dnf", "check")


@pytest.mark.parametrize("name", requested_sets())
def test_every_set_that_the_product_asks_for_can_be_installed(lab, system, name):
    dnf(lab, system, "install", *requested_sets()[name])


def test_what_builds_modules_by_hand_on_el_can_be_installed(lab, system):
    dnf(lab, system, "install", "dkms", "kernel-devel-matched")


@pytest.mark.parametrize(
    ("name", "provides"), [("zfs-dkms", "zfs-kmod"), ("kmod-nvidia-open-dkms", "nvidia-kmod")]
)
def test_dkms_scriptlets_build_for_the_running_kernel_and_never_fail(lab, name, provides):
    (rpm,) = (rpm for repo in EL for rpm in (lab.state / "rpms" / repo).glob(f"{name}-*.rpm"))
    query = ("rpm", "--nosignature", "-qp")
    lines = [it for it in output(*query, "--scripts", rpm).splitlines() if it.startswith("dkms ")]
    assert lines
    assert all(line.endswith("|| :") for line in lines)
    assert not any(" -k " in line for line in lines)
    assert provides in output(*query, "--provides", rpm)


def test_bases_look_like_bootc_bases(lab):
    for name, stream in catalogue.load().streams.items():
        config = json.loads(
            output("skopeo", "inspect", "--config", f"oci:{lab.state}/bases/{name}/oci")
        )["config"]
        assert config["Labels"]["containers.bootc"] == "1"
        assert f"-{stream.version_id}-" in config["Labels"]["redhat.compose-id"]
        assert config["Labels"]["ostree.linux"]
        assert "ostree.final-diffid" in config["Labels"]
        assert config["Cmd"] == ["/sbin/init"]
        version = config["Labels"]["org.opencontainers.image.version"]
        assert version.startswith(f"{stream.version_id}.")


def test_the_rpm_database_is_where_ostree_bases_have_it(system):
    assert root.enter(system, "rpm", "--eval", "%_dbpath").strip() == "/usr/share/rpm"
    assert (system / "usr/share/rpm/rpmdb.sqlite").is_file()
    assert (system / "usr/lib/sysimage/rpm").is_symlink()


def test_composefs_is_demanded_only_where_the_bases_ostree_has_it(system):
    demanded = "composefs" in (system / "usr/lib/ostree/prepare-root.conf").read_text()
    assert demanded is ("- composefs" in root.enter(system, "ostree", "--version"))

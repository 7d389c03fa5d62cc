"""`plan` on the lab: real repositories, signatures, registry and base images."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import ROOT

pytestmark = pytest.mark.apart


def plan(lab, *arguments, **kw):
    done = lab.product("plan", "--format", "json", *arguments, **kw)
    return done, {v["name"]: v for v in json.loads(done.stdout)["variants"]} if done.stdout else {}


@pytest.fixture(scope="module")
def planned(lab):
    done, variants = plan(lab)
    assert done.returncode == 0, done.stderr + done.stdout
    return done, variants


def test_the_document_passes_its_schema(planned, tmp_path):
    (tmp_path / "plan.json").write_text(planned[0].stdout)
    schema = ROOT / "schema" / "plan.schema.json"
    check = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--schemafile",
        str(schema),
        str(tmp_path / "plan.json"),
    ]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_direction(planned):
    kernels = {name: variant["kernel"] for name, variant in planned[1].items()}
    assert {name: v["verdict"] for name, v in planned[1].items()} == dict.fromkeys(kernels, "build")
    assert kernels["base-zfs"]["action"] == "up"
    assert kernels["base-zfs-nvidia"]["chosen"] != kernels["base-zfs"]["chosen"]
    assert kernels["base-zfs-nvidia"]["action"] == "down"
    assert kernels["base"]["action"] == kernels["fedora-base"]["action"] == "keep"
    assert all(item["reason"] for kernel in kernels.values() for item in kernel["rejected"])
    rejected = kernels["base-zfs-nvidia"]["rejected"]
    assert len(rejected) >= 2
    assert any("pci_resize_resource" in item["reason"] for item in rejected)


def test_twice_the_same_bytes(lab, planned):
    again, _ = plan(lab)
    assert again.stdout == planned[0].stdout


def test_the_transactions_hold_one_kernel_and_no_compiler(planned):
    for variant in planned[1].values():
        names = [package["name"] for package in variant["packages"]]
        assert not {"gcc", "dkms", "kernel-devel", "zfs-dkms", "kmod-nvidia-open-dkms"} & set(names)
        assert names.count("kernel-core") == (variant["kernel"]["action"] != "keep")


def test_what_a_driver_requires_without_a_version_is_of_its_own(planned):
    """The repository has later branches of it as well."""
    packages = {p["name"]: p for p in planned[1]["base-zfs-nvidia"]["packages"]}
    driver, part = (packages[name]["evr"] for name in ("nvidia-driver-cuda", "nvidia-modprobe"))
    assert part.partition("-")[0] == driver.partition("-")[0]


def test_a_compose_that_is_not_there_is_skipped_and_said(planned):
    skipped = json.loads(planned[0].stdout)["skipped"]
    assert {item["id"] for item in skipped} == {"compose-baseos", "compose-appstream"}
    assert all("404" in item["reason"] for item in skipped)


def test_a_repository_that_is_down_spares_the_others(lab, tmp_path):
    config = lab.config_with(tmp_path, ("/openzfs/", "/no-such-folder/"))
    done, variants = plan(lab, "--config", str(config))
    assert done.returncode == 6, done.stderr
    verdicts = {name: variant["verdict"] for name, variant in variants.items()}
    assert verdicts == {
        "base": "build",
        "base-zfs": "fail",
        "base-zfs-nvidia": "fail",
        "fedora-base": "build",
    }
    assert "repository 'openzfs'" in variants["base-zfs"]["reasons"][0]
    assert "Traceback" not in done.stderr


def test_a_key_that_is_not_the_pinned_one_is_refused_by_name(lab, tmp_path):
    text = (lab.state / "immutable-base.toml").read_text()
    fingerprint = text.partition('fingerprint = "')[2][:40]
    config = lab.config_with(tmp_path, (fingerprint, "A" * 40))
    # Also where nobody signs the metadata, and keys are for packages alone.
    done, variants = plan(lab, "--config", str(config), "--variant", "base")
    assert done.returncode == 12, done.stderr
    assert "A" * 40 in "\n".join(variants["base"]["reasons"])
    assert "Traceback" not in done.stderr


def test_a_base_image_that_is_not_there(lab, tmp_path):
    config = lab.config_with(tmp_path, ("fedora-bootc:44", "fedora-bootc:no-such-tag"))
    done, variants = plan(lab, "--config", str(config), "--variant", "fedora-base")
    assert done.returncode == 6, done.stderr
    assert "no-such-tag" in variants["fedora-base"]["reasons"][0]


def test_seventy_thousand_packages(tmp_path):
    """Time grows no quicker than the metadata, 300 MB beyond it suffice, and XML is read once."""
    script = Path(__file__).with_name("plan_seventy_thousand.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    print(done.stdout)
    figures = json.loads(done.stdout)
    assert figures["packages"] == 70_000
    # Processor time against that of 7,000 packages on the same machine, in the same process.
    assert figures["times_a_tenth"] < 30
    assert figures["mebibytes"] < 300
    assert figures["warm_packages"] == 70_000, "the second time libsolv's own cache is read"

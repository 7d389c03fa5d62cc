"""The built images of a real night, and how their modules came to be."""

import json
import re

import pytest

pytestmark = pytest.mark.large


@pytest.fixture
def facts(night):
    folder = night.workspace / "tonight" / "inspect"
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


@pytest.fixture
def plan(night):
    document = json.loads((night.workspace / "tonight" / "plan.json").read_text())
    return {variant["name"]: variant for variant in document["variants"]}


@pytest.mark.parametrize("name", ["base-zfs", "base-zfs-nvidia"])
def test_modules_are_compiled_for_the_planned_kernel_and_owned_by_packages(facts, plan, name):
    kernel = plan[name]["kernel"]["chosen"]
    found = {module["name"]: module for module in facts[name]["modules"]}
    wanted = {"spl", "zfs"}
    if name == "base-zfs-nvidia":
        wanted |= {"nvidia", "nvidia-drm", "nvidia-modeset", "nvidia-peermem", "nvidia-uvm"}
    assert found.keys() == wanted
    assert {module["vermagic"].split()[0] for module in found.values()} == {kernel}
    assert {module["owner"] for module in found.values()} <= {
        "kmod-zfs-prebuilt",
        "kmod-nvidia-open-prebuilt",
    }


def test_no_image_holds_a_compiler_or_a_second_kernel(facts, plan):
    tools = re.compile(
        r"gcc|make|dkms|kernel-devel|kernel-headers|zfs-dkms|kmod-nvidia-open-dkms|akmods"
    )
    for name, found in facts.items():
        assert [p["name"] for p in found["packages"] if tools.fullmatch(p["name"])] == []
        assert found["kernels"] == [plan[name]["kernel"]["chosen"]]


def test_a_module_is_compiled_once_for_all_variants_on_its_kernel(night, plan):
    documents = night.workspace.glob("tonight/modules/*/build.json")
    built = [json.loads(path.read_text()) for path in documents]
    pairs = [(module["name"], module["kernel"]) for module in built]
    wanted = {(m["name"], v["kernel"]["chosen"]) for v in plan.values() for m in v["modules"]}
    assert sorted(pairs) == sorted(wanted)


def test_no_scriptlet_of_a_dkms_package_ran_in_a_builder(night):
    """It would compile for the kernel of the build machine, and call it a success."""
    logs = [
        log
        for log in night.workspace.glob("tonight/log/module_*.log")
        if not log.name.endswith(".pack.log")
    ]
    assert len(logs) == len(list(night.workspace.glob("tonight/modules/*/build.json"))) > 1
    for log in logs:
        text = log.read_text()
        assert "dkms build" in text or "Building module" in text, "nothing was compiled"
        assert not [x for x in text.splitlines() if "Running scriptlet:" in x and "-dkms" in x]

"""The image with most in it, started twice: OpenZFS whose pool comes back, NVIDIA's modules without a card.

`make demo` and `make soak` boot all four; the tiny stream's machines are in test_boot.py.
"""

import json
import os
import shutil

import pytest

from support.changed_configuration import NO_BOOTS, ONE_KERNEL

pytestmark = pytest.mark.large
NAME = "base-zfs-nvidia"


@pytest.fixture(scope="module")
def report(lab, large_lab, night, tmp_path_factory):
    """The document of `boot`, with the run's configuration but for one word: a boot is required."""
    configuration = large_lab.configuration
    if NO_BOOTS[1] in configuration.read_text():
        configuration = lab.config_with(tmp_path_factory.mktemp("boots"), ONE_KERNEL)
    env = {"IMMUTABLE_BASE_CONFIG": str(configuration)}
    workspace = lab.scratch / "boot-large"
    shutil.rmtree(workspace, ignore_errors=True)
    shutil.copytree(night.workspace / "tonight", workspace / "tonight", copy_function=os.link)
    done = lab.product("boot", "--variant", NAME, env=env, workspace=workspace, timeout=1800)
    path = workspace / f"tonight/boot/{NAME}.json"
    assert path.exists(), done.stderr
    yield json.loads(path.read_text())
    shutil.rmtree(workspace, ignore_errors=True)


def test_it_boots_twice_and_keeps_every_promise(report):
    wrong = [(it["id"], it["message"]) for it in report["findings"] if it["level"] == "error"]
    assert (report["verdict"], wrong) == ("booted", [])
    assert len(report["boots"]) == 2


@pytest.mark.parametrize("number", [1, 2])
def test_it_is_reached_by_ssh_and_keeps_the_time(report, number):
    """Only what an image enables is asked; the layer `base` enables both."""
    levels = {it["id"]: it["level"] for it in report["findings"]}
    for question in ("ssh", "service-sshd.service", "service-chronyd.service"):
        assert levels[f"boot-{number}-{question}"] == "pass"


def test_its_pool_comes_back_by_itself_with_what_was_written(report):
    answers = {it["question"]: it for it in report["boots"][1]["answers"]}
    assert answers["zfs imported"]["text"].split() == ["boottest", "ONLINE"]
    assert answers["zfs read"]["status"] == 0


def test_what_it_does_not_have_here_is_a_note_and_nothing_else(report):
    notes = {it["id"] for it in report["findings"] if it["level"] == "note"}
    modules = {it for it in notes if "module" in it}
    names = ("nvidia", "nvidia-drm", "nvidia-modeset", "nvidia-peermem", "nvidia-uvm")
    assert modules == {f"boot-{n}-module-{name}" for n in (1, 2) for name in names}
    cards = {f"boot-{number}-card" for number in (1, 2)}
    # Whether KVM works here is no matter of the image's.
    assert notes - modules - {"boot-accelerator"} == cards

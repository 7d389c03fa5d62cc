"""Machines that the lab keeps: made, started, looked at, upgraded, rolled back, stopped, removed.

As a person does it, by the command line. The machine is real, without KVM where this host's does not
work.
"""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path

import pytest

from immutable_base import process
from immutable_base.tools import skopeo
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.hosts.folder import MARK, find_host
from immutable_base_lab.services.daemons import find_marked, is_alive
from support.small_images import write_layout

NAME, IMAGE = "test-host", "tiny-metronome"


@pytest.fixture(scope="module")
def host(tiny_lab):
    """Runs an action of `lab host` on one host, which is gone afterwards."""
    paths = LabPaths(root=tiny_lab.state)

    def run(action, *arguments, status=0, name=NAME, **kw):
        words = ("lab", "host", action, "--state", tiny_lab.state, *([name] if name else []))
        done = tiny_lab.product(*words, *arguments, timeout=900, **kw)
        assert done.returncode == status, f"{done.returncode}: {done.stderr}"
        return done.stdout.strip() if status == 0 else done.stderr

    run.paths = paths
    run.folder = paths.hosts / NAME

    def away():
        for words in (("stop",), ("remove",)):
            tiny_lab.product("lab", "host", *words, "--state", tiny_lab.state, NAME)

    away()
    yield run
    away()
    assert not run.folder.exists()
    assert find_marked(MARK, str(run.folder)) == []


@pytest.fixture(scope="module")
def created(host, tiny_night):
    """A host with the image of the night, which was never started."""
    return host("create", "--image", IMAGE)


def test_it_is_made_of_what_the_registry_has(host, created, tiny_night):
    digest = tiny_night.variants[IMAGE]["reference"].partition("@")[2]
    assert created.endswith(f"/{IMAGE}:latest ({digest})")
    (described,) = json.loads(host("list", "--format", "json", name=None))["hosts"]
    assert (described["name"], described["digest"], described["pid"]) == (NAME, digest, None)
    kept = {path.name for path in host.folder.iterdir()}
    assert kept == {"host.json", "key", "key.pub", "root.raw"}
    assert host.folder.joinpath("key").stat().st_mode & 0o077 == 0


def test_what_cannot_be_is_refused_each_with_its_code(host, created):
    assert "there is a host" in host("create", "--image", IMAGE, status=2)
    assert "cannot be the name" in host("create", "--image", IMAGE, name="No", status=2)
    assert "has no image" in host("create", "--image", "tiny-nothing", name="other", status=16)
    gone = f"tiny@sha256:{'0' * 64}"
    assert "0" * 64 in host("create", "--image", gone, name="other", status=16)
    assert "no host `tst-host`" in host("start", name="tst-host", status=2)
    for action in ("stop", "ssh", "console", "upgrade", "rollback"):
        assert "is not running" in host(action, status=4)
    half = [path.name for path in host.paths.hosts.iterdir() if path.name.startswith(".")]
    assert half == []


def test_an_image_that_is_no_host_is_refused(host, tiny_lab, tmp_path):
    digest = write_layout(tmp_path / "layout", "no host")
    repository = f"{tiny_lab.env['IMMUTABLE_BASE_REGISTRY']}/no-host"
    skopeo.push(
        process.run, tmp_path / "layout", f"{repository}@{digest}",
        {"SSL_CERT_FILE": str(host.paths.ca_bundle)},
    )  # fmt: skip
    stderr = host("create", "--image", f"{repository}@{digest}", name="other", status=10)
    assert "no host could be installed" in stderr
    assert not (host.paths.hosts / "other").exists()
    assert "test-scratch" not in stderr


@pytest.fixture(scope="module")
def started(host, created):
    host("start")
    return find_host(host.paths, NAME).running


def test_without_qemu_it_is_told_and_nothing_is_left(host, created, tiny_lab, tmp_path):
    programs = [Path(folder) for folder in tiny_lab.env["PATH"].split(":")]
    for folder in [*programs, Path("/usr/sbin"), Path("/sbin")]:
        for program in folder.glob("*") if folder.is_dir() else ():
            if not program.name.startswith("qemu") and not (tmp_path / program.name).exists():
                (tmp_path / program.name).symlink_to(program)
    stderr = host("start", status=4, env={"PATH": str(tmp_path)})
    assert "qemu-system-x86_64` is not installed" in stderr
    assert find_host(host.paths, NAME).pid is None


def test_it_goes_on_after_the_command_and_is_reached_by_ssh(host, started, tiny_night):
    assert f"running, process {started.daemon.pid}" in host("list", name=None)
    assert "running already" in host("start", status=4)
    assert "is running already" in host("remove", status=4)
    status = host("ssh", "ostree admin status")
    assert re.search(r"^\* default [0-9a-f]{64}\.0$", status, re.MULTILINE), status
    assert host("ssh", "hostname") == NAME
    assert host("ssh", "systemctl is-system-running --wait") == "running"
    assert host("ssh", "exit 7", status=7) == ""
    (known,) = (host.folder / "known_hosts").read_text().splitlines()
    assert known.startswith("machine ssh-")


def test_its_console_is_a_shell(host, started):
    with socket.socket(socket.AF_UNIX) as console:
        console.connect(str(host.folder / "console"))
        console.settimeout(60)
        console.sendall(b"\recho $((6*7))-$(tty)\r")
        shown = b""
        end = time.monotonic() + 60
        while b"42-/dev/ttyS0" not in shown and time.monotonic() < end:
            shown += console.recv(65536)
    assert b"42-/dev/ttyS0" in shown
    log = (host.folder / "console.log").read_text(errors="replace")
    assert "Linux version" in log, "what was shown before anybody sat there is kept"


@pytest.mark.long
def test_it_is_upgraded_and_rolled_back_and_keeps_what_is_its_own(
    host, started, tiny_lab, tiny_night
):
    """To the other variant: the host fetches it from the registry, under its own policy."""
    before = tiny_night.variants[IMAGE]["reference"].partition("@")[2]
    after = tiny_night.variants["tiny"]["reference"].partition("@")[2]
    host("ssh", "echo mine > /etc/of-the-host; echo kept > /var/of-the-host; sync")
    assert "no earlier image" in host("rollback", status=4)
    assert host("upgrade", "--image", "tiny") == f"{NAME} runs {after}"
    assert host("ssh", "cat /etc/of-the-host /var/of-the-host") == "mine\nkept"
    assert host("rollback") == f"{NAME} runs {before}"
    assert host("ssh", "cat /etc/of-the-host /var/of-the-host") == "mine\nkept"
    assert len((host.folder / "known_hosts").read_text().splitlines()) == 1


def test_it_is_stopped_and_known_to_be(host, started):
    assert host("stop") == f"{NAME} is off"
    assert not is_alive(started.daemon)
    assert re.search(rf"^{NAME} +off ", host("list", name=None), re.MULTILINE)


def test_removed_nothing_is_left(host, created):
    assert host("remove") == f"{NAME} is removed"
    assert not host.folder.exists()
    assert NAME not in host("list", name=None)

"""Starting and ending a host's machine, with a QEMU that does what a test says."""

import json
import os
import signal
import stat

import pytest

from immutable_base.errors import CommandError, HostError, ToolMissingError
from immutable_base.tools.qemu import BootFiles
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.hosts import power
from immutable_base_lab.hosts.folder import MARK, HostFolder, HostRecord, all_hosts, find_host
from immutable_base_lab.services.daemons import find_marked, start_daemon
from support.processes import has_ended, wait_until

REGISTRY = "127.0.0.1:5000"
QEMU = """#!/bin/bash
# Console and port as the command line names them; runs until it is told to power off.
for word in "$@"; do
  case $word in
    *logfile=*) console=${word##*logfile=} ;;
    file,id=answers*) answers=${word##*path=} ;;
    kvm) accelerator=kvm ;;
  esac
done
folder=${answers%/*}
echo started >> "$folder/starts"
WHAT
while [ ! -e "$folder/off" ]; do sleep 0.05; done
rm -f "$folder/off"
"""
UP = 'echo "Linux version 6.12" > "$console"; echo up > "$answers"'
SSH = """#!/bin/bash
for word in "$@"; do case $word in */key) touch "${word%/*}/off" ;; esac; done
"""


def program(path, text):
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def paths(tmp_path):
    paths = LabPaths(root=tmp_path / "lab")
    paths.trust.mkdir(parents=True)
    (paths.trust / "ca.pem").write_text("CA\n")
    return paths


@pytest.fixture
def host(paths, tmp_path, monkeypatch):
    """A host that was made; its machine is a script."""
    host = HostFolder(path=paths.hosts / "web")
    host.path.mkdir(parents=True)
    host.write(
        HostRecord(image="r/x:latest", digest="sha256:" + "a" * 64, memory_mib=512, cores=1, accelerator="tcg")
    )  # fmt: skip
    (host.path / "key.pub").write_text("ssh-ed25519 AAAA\n")
    files = BootFiles(image=tmp_path / "k", initramfs=tmp_path / "i", arguments="ro")
    monkeypatch.setattr(power, "_boot_files", lambda _host: files)
    monkeypatch.setattr(power, "PAUSE", 0.05)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin/ssh", SSH)
    yield host
    host.end_machines(grace=1)


@pytest.fixture
def qemu(tmp_path, host):
    def make(what=UP):
        program(tmp_path / "bin/qemu-system-x86_64", QEMU.replace("WHAT", what))

    make()
    return make


def start(paths, host):
    return power.start(paths, host, REGISTRY, print)


def starts(host):
    return (host.path / "starts").read_text().count("started")


def test_a_machine_outlives_the_command_and_is_known_by_process_and_start(paths, host, qemu):
    running = start(paths, host)
    assert find_host(paths, "web").running == running
    assert not has_ended(running.daemon.pid)
    document = json.loads((host.path / "running.json").read_text())
    document["daemon"]["start_ticks"] += 1
    (host.path / "running.json").write_text(json.dumps(document))
    assert host.running is None, "a process that only has the same number is another"


def test_what_runs_is_not_started_again(paths, host, qemu):
    pid = start(paths, host).daemon.pid
    with pytest.raises(HostError, match=f"running already .process {pid}"):
        start(paths, host)
    assert starts(host) == 1


def test_it_is_switched_off_as_one_does_and_then_is_off(paths, host, qemu):
    pid = start(paths, host).daemon.pid
    assert power.stop(host, print) is True
    assert has_ended(pid)
    assert host.pid is None
    with pytest.raises(HostError, match="is not running"):
        power.stop(host, print)


def test_one_that_does_not_switch_off_loses_its_power_and_that_is_told(
    paths, host, qemu, tmp_path, monkeypatch
):
    program(tmp_path / "bin/ssh", "#!/bin/bash\nexit 255\n")
    monkeypatch.setattr(power, "GOES_DOWN", 0.2)
    pid = start(paths, host).daemon.pid
    assert power.stop(host, print) is False
    assert has_ended(pid)
    start(paths, host)
    with pytest.raises(HostError, match="did not switch off by itself"):
        power.restart(paths, host, REGISTRY, print)


def test_a_restart_is_another_machine(paths, host, qemu):
    first = start(paths, host)
    second = power.restart(paths, host, REGISTRY, print)
    assert first.daemon != second.daemon
    assert starts(host) == 2


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ('echo "Kernel panic - not syncing: no init" > "$console"', "the kernel panicked"),
        ('sleep 0.3; echo "qemu: no such disk" >&2; exit 1', "QEMU ended"),
    ],
)
def test_a_machine_that_does_not_come_up_is_told_and_ended(paths, host, qemu, what, words):
    qemu(what)
    with pytest.raises(CommandError, match=words) as caught:
        start(paths, host)
    assert "no init" in str(caught.value) or "no such disk" in str(caught.value)
    assert find_marked(MARK, str(host.path)) == []
    assert host.pid is None


def test_a_killed_start_leaves_nothing_that_the_next_one_does_not_end(paths, host, qemu):
    """Killed between starting the machine and recording it."""
    stray = start_daemon(
        ["sleep", "60"], log_file=host.path / "log", env={MARK: str(host.path)}
    )  # fmt: skip
    running = start(paths, host)
    assert has_ended(stray.pid)
    assert [it.pid for it in find_marked(MARK, str(host.path))] == [running.daemon.pid]


def test_an_interrupted_start_ends_its_machine(paths, host, qemu, monkeypatch):
    qemu('echo "Linux version" > "$console"')

    def interrupt(_watch):
        raise KeyboardInterrupt

    monkeypatch.setattr(power.Watch, "stop", interrupt)
    with pytest.raises(KeyboardInterrupt):
        start(paths, host)
    assert find_marked(MARK, str(host.path)) == []


def test_a_machine_whose_process_was_killed_is_off_and_starts_again(paths, host, qemu):
    os.kill(start(paths, host).daemon.pid, signal.SIGKILL)
    wait_until(lambda: host.pid is None)
    assert start(paths, host)


def test_kvm_that_says_nothing_is_given_up_once_for_this_host(paths, host, qemu, monkeypatch):
    host.write(power.replace(host.record, accelerator="kvm"))
    monkeypatch.setitem(power.SILENCE, "kvm", 0.2)
    qemu(f'[ "$accelerator" = kvm ] || {{ {UP}; }}')
    assert start(paths, host).accelerator == "tcg"
    assert host.record.accelerator == "tcg"
    assert starts(host) == 2
    power.stop(host, print)
    start(paths, host)
    assert starts(host) == 3


def test_without_qemu_it_says_what_is_missing(paths, host, monkeypatch, tmp_path):
    monkeypatch.setattr(power.qemu, "PROGRAM", "qemu-that-is-not-there")
    with pytest.raises(ToolMissingError, match="qemu-that-is-not-there"):
        start(paths, host)


def test_the_lab_goes_down_with_its_hosts(paths, host, qemu):
    pid = start(paths, host).daemon.pid
    power.stop_all(paths, print)
    assert has_ended(pid)
    assert [it.pid for it in all_hosts(paths).values()] == [None]


def test_a_record_of_another_version_is_told(host):
    document = json.loads((host.path / "host.json").read_text())
    (host.path / "host.json").write_text(json.dumps({**document, "schema_version": 2}))
    with pytest.raises(HostError, match="another version"):
        _ = host.record
    (host.path / "host.json").write_text("{")
    with pytest.raises(HostError, match="does not describe a host"):
        _ = host.record

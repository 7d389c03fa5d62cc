"""The lab as a whole, as far as that needs neither root nor built programs."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from immutable_base.cli.main import main
from immutable_base.errors import CommandError, HostError
from immutable_base_lab.core.nodes import make_node, run_steps
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.signing_key import signing_key
from immutable_base_lab.lab import SERVICES, Lab, port_names
from immutable_base_lab.rpms.repositories import publish_key
from immutable_base_lab.scenarios.configuration import write_configuration
from immutable_base_lab.scenarios.scenario import FULL, find_scenario
from immutable_base_lab.services import issuer
from immutable_base_lab.services.state import StateStore
from support import paths
from support.observers import Recorder


@pytest.fixture
def new_lab(tmp_path):
    """A lab of which nothing was ever made."""
    return Lab(LabPaths(root=tmp_path / "lab"))


@pytest.fixture
def lab(new_lab, with_keys):
    """A lab that has its keys, and nothing else yet."""
    with_keys(new_lab.paths)
    return new_lab


def test_ports_belong_to_one_service_each_and_are_never_renamed():
    """state.json of a lab that exists names them; images and signatures hold their numbers."""
    names = port_names()
    assert len(names) == len(set(names))
    assert {
        "files", "registry", "issuer", "database", "trillian-log-server",
        "trillian-log-server-http", "trillian-log-signer", "trillian-log-signer-http", "rekor",
        "ctlog", "fulcio", "fulcio-grpc", "fulcio-metrics",
    } <= set(names)  # fmt: skip


def test_what_clients_trust_is_published_and_private_keys_are_not(lab):
    lab.prepare()
    published = {path.name for path in lab.paths.trust.iterdir()}
    assert published == {"ca.pem", "fulcio.pem", "rekor.pub", "ctlog.pub", "ca-bundle.pem"}
    texts = [path.read_text() for path in lab.paths.trust.iterdir()]
    assert not any("PRIVATE KEY" in text for text in texts)
    assert (lab.paths.trust / "ca.pem").read_text() in lab.paths.ca_bundle.read_text()


def test_what_clients_read_is_whole_at_every_moment_while_the_lab_comes_up_again(lab):
    """A file that is written in place is empty for a moment, and a night that reads it fails."""
    with signing_key(lab.paths.rpm_key) as key:

        def come_up():
            lab.prepare()
            publish_key(lab.paths, key)
            for scenario in (find_scenario("tiny"), FULL):
                write_configuration(lab.paths, scenario, "text", paths.ROOT / "layers")

        come_up()
        open_files = [path.open() for path in lab.paths.trust.iterdir()]
        open_files.append((lab.paths.rpms / key.public.name).open())
        before = [os.fstat(file.fileno()).st_mtime_ns for file in open_files]
        with seen_all_the_time(
            lab.paths.scenario("tiny") / "layers/tiny", lab.paths.root / "layers"
        ):
            for _ in range(20):
                come_up()
    after = [os.fstat(file.fileno()).st_mtime_ns for file in open_files]
    written_to = [open_files[i].name for i in range(len(before)) if before[i] != after[i]]
    for file in open_files:
        file.close()
    assert written_to == []


@contextmanager
def seen_all_the_time(*watched):
    """Fail if one of these is missing at any moment of the block."""
    missing, over = set(), threading.Event()

    def watch():
        while not over.is_set():
            missing.update(path for path in watched if not path.exists())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    assert not missing


def test_the_bundle_of_a_shell_in_the_lab_is_not_put_into_itself(lab, monkeypatch, tmp_path):
    system = tmp_path / "system.pem"
    system.write_text("the machine's authorities\n")
    monkeypatch.setattr("immutable_base.tls.SYSTEM_BUNDLES", (str(system),))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    lab.prepare()
    authority = (lab.paths.trust / "ca.pem").read_text()
    assert lab.paths.ca_bundle.read_text() == f"the machine's authorities\n\n{authority}"
    monkeypatch.setenv("SSL_CERT_FILE", str(lab.paths.ca_bundle))
    lab.prepare()
    assert lab.paths.ca_bundle.read_text() == f"the machine's authorities\n\n{authority}"


def test_preparing_again_changes_neither_ports_nor_keys(new_lab):
    new_lab.prepare()
    ports = StateStore(new_lab.paths.state_file).state.ports
    keys = {path.name: path.read_bytes() for path in new_lab.paths.keys.iterdir()}
    new_lab.prepare()
    assert StateStore(new_lab.paths.state_file).state.ports == ports
    assert {path.name: path.read_bytes() for path in new_lab.paths.keys.iterdir()} == keys


def test_every_service_is_prepared_with_the_programs_of_this_lab_on_loopback_only(lab):
    """Except for the logs, which need a tree in a database that runs."""
    at = lab.prepare().surroundings
    lab.paths.database.mkdir()
    for log in ("rekor", "ctlog"):
        (lab.paths.database / f"tree-{log}").write_text("7")
    for service in SERVICES:
        if service.name == "database":
            continue
        launch = service.prepare(at)
        line = " ".join(launch.argv)
        assert launch.argv[0].startswith((str(lab.paths.tools), sys.executable)), service.name
        assert "0.0.0.0" not in line
        for name in service.ports:
            written = line + "".join(path.read_text() for path in lab.paths.services.iterdir())
            assert str(at.ports[name]) in written, name
    private = [path for path in lab.paths.services.iterdir() if path.name != "registry.yml"]
    assert {path.name for path in private if path.stat().st_mode & 0o077} <= {"fulcio.yaml"}
    assert (lab.paths.services.stat().st_mode & 0o077) == 0


def test_status_before_the_first_up(new_lab, capsys):
    assert main(["lab", "status", "--format", "json", "--state", str(new_lab.paths.root)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [service["name"] for service in document["services"]] == [s.name for s in SERVICES]
    assert not any(service["alive"] for service in document["services"])
    assert "build cosign" in document["missing"]
    assert "package repositories" in document["missing"]
    assert not new_lab.paths.root.exists(), "looking leaves nothing behind"


def test_a_lab_that_was_never_up_has_no_environment(new_lab, capsys):
    code = main(["lab", "env", "--state", str(new_lab.paths.root)])
    assert code == HostError("x").exit_code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "there is no lab in" in captured.err
    assert "lab up" in captured.err


@pytest.fixture
def issuing(lab):
    """A lab of which only the token issuer runs."""
    lab.paths.configuration.touch()
    supervisor = lab.prepare()
    supervisor.ensure(issuer.SERVICE)
    yield lab
    supervisor.end_all(SERVICES)


def test_a_shell_gets_what_works_in_the_lab(issuing, capsys):
    state = ["--state", str(issuing.paths.root)]
    assert main(["lab", "env", "--ref", "v1", "--ref-type", "tag", *state]) == 0
    text = capsys.readouterr().out
    script = text + "env -0"
    environment = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    variables = dict(line.split("=", 1) for line in environment.stdout.split("\0") if line)
    trust = issuing.paths.trust
    assert variables["PATH"].split(":")[0] == str(issuing.paths.programs.bin)
    assert variables["PATH"].endswith(os.environ["PATH"].rpartition(":")[2])
    assert variables["IMMUTABLE_BASE_CONFIG"] == str(issuing.paths.configuration)
    assert variables["IMMUTABLE_BASE_ISSUER"] == issuing.surroundings().url("issuer")
    assert variables["IMMUTABLE_BASE_IDENTITY"].endswith("@refs/tags/v1")
    assert variables["SSL_CERT_FILE"] == str(issuing.paths.ca_bundle)
    assert variables["SIGSTORE_ROOT_FILE"] == str(trust / "fulcio.pem")
    assert variables["SIGSTORE_REKOR_PUBLIC_KEY"] == str(trust / "rekor.pub")
    assert variables["SIGSTORE_CT_LOG_PUBLIC_KEY_FILE"] == str(trust / "ctlog.pub")
    assert variables["SIGSTORE_ID_TOKEN"].count(".") == 2


def test_down_ends_what_runs_and_status_shows_it(issuing):
    alive = {service.name for service in issuing.status() if service.alive}
    assert alive == {"issuer"}
    recorder = Recorder()
    issuing.down(recorder)
    assert ("done", "ending services", "") in recorder.events
    assert not any(service.alive for service in issuing.status())
    with pytest.raises(HostError, match="issuer does not answer"):
        issuing.token()


def test_two_commands_do_not_work_on_one_lab(lab):
    lab.prepare()
    with lab._locked(), pytest.raises(HostError, match="another command") as caught:
        lab.down(Recorder())
    assert "--state" in str(caught.value)


def test_down_of_no_lab_leaves_nothing(new_lab):
    new_lab.down(Recorder())
    assert not new_lab.paths.root.exists()


def test_a_product_that_is_not_there_is_named_before_anything_is_made(
    new_lab, monkeypatch, tmp_path
):
    monkeypatch.setattr("immutable_base_lab.lab.require_ready", lambda state, needed_gib: None)
    with pytest.raises(HostError, match=r"there is no .*nowhere\.toml"):
        new_lab.up(tmp_path / "nowhere.toml")
    assert not new_lab.paths.root.exists()


def test_an_unknown_program_is_refused(new_lab, capsys):
    code = main(["lab", "tools", "cosgin", "--state", str(new_lab.paths.root)])
    assert code == HostError("x").exit_code
    assert "cosign" in capsys.readouterr().err
    assert not new_lab.paths.root.exists()


def test_steps_run_after_what_they_need_and_what_is_no_step_is_done_already():
    done = []
    nodes = [
        make_node("c", lambda _: done.append("c"), lane="pack", needs=("b", "made before")),
        make_node("b", lambda _: done.append("b"), lane="compile", needs=("a",)),
        make_node("a", lambda _: done.append("a"), lane="download"),
    ]
    run_steps(nodes, Recorder())
    assert done == ["a", "b", "c"]


def test_lanes_run_side_by_side():
    meeting = threading.Barrier(4, timeout=10)
    lanes = ("compile", "pack", "download", "download")
    nodes = [
        make_node(f"{lane} {number}", lambda _: meeting.wait() and None, lane=lane)
        for number, lane in enumerate(lanes)
    ]
    run_steps(nodes, Recorder())


def test_one_compiler_at_a_time():
    """Each uses every core by itself."""
    events, lock = [], threading.Lock()

    def compile_(_report):
        with lock:
            events.append("start")
        with lock:
            events.append("end")

    run_steps([make_node(f"{n}", compile_, lane="compile") for n in range(6)], Recorder())
    assert events == ["start", "end"] * 6


def test_nothing_starts_after_a_failure(monkeypatch):
    monkeypatch.setattr("immutable_base.schedule.end_all", lambda: None)
    done = []

    def fail(_report):
        raise CommandError("no compiler")

    nodes = [
        make_node("a", fail, lane="compile"),
        make_node("b", lambda _: done.append("b"), lane="compile"),
        make_node("c", lambda _: done.append("c"), lane="pack", needs=("b",)),
    ]
    with pytest.raises(CommandError, match="no compiler"):
        run_steps(nodes, Recorder())
    assert not done

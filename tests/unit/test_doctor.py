"""What is missing is said in the first second, with the command that mends it."""

import json
import os
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from immutable_base import process
from immutable_base.cli import doctor
from immutable_base.cli.main import main
from immutable_base.doctor import Requirement, examine, require_ready
from immutable_base.errors import CommandError, HostError
from immutable_base.model.online import OnlineFinding, OnlineReport, State
from immutable_base.online import probe
from immutable_base.process import run
from support import fake_programs as fake
from support.paths import ROOT


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """Nothing that this machine's user installed is found."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def host(tmp_path):
    return {"run": run, "workspace": tmp_path, "gib": 0}


def test_missing_programs_are_named_with_their_package(host, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    missing = {f.name: f.fix for f in examine(**host) if not f.ok}
    assert missing["createrepo_c"] == "`apt-get install createrepo-c`"
    assert missing["cosign"].startswith("`immutable-base tools cosign` builds ")
    assert missing["syft"].startswith("`immutable-base tools syft` builds ")
    # On a real runner the lab would lead the night astray.
    assert [fix for fix in missing.values() if " lab " in fix] == []
    with pytest.raises(HostError) as caught:
        require_ready(**host)
    assert "apt-get install buildah" in str(caught.value)
    assert caught.value.exit_code == 4


def test_not_root(host, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "sudo -E" in {f.name: f.fix for f in examine(**host) if not f.ok}["root"]


def test_namespaces_refused(host, monkeypatch):
    def refused(_command):
        raise CommandError("unshare failed", details="unshare failed: Operation not permitted")

    monkeypatch.setattr("os.geteuid", lambda: 0)
    requirements = {f.name: f for f in examine(**{**host, "run": refused})}
    assert not requirements["namespaces"].ok
    assert "Operation not permitted" in requirements["namespaces"].reason
    assert "privileged" in requirements["namespaces"].fix


def test_a_file_system_that_takes_no_overlay(host, monkeypatch):
    """As a container's own: `mount` says so, and nothing of the trial stays."""

    tried = []

    def refused(command):
        if "overlay" in command.argv:
            tried.append(command.argv)
            raise CommandError("mount failed", details="wrong fs type, bad option, bad superblock")

    monkeypatch.setattr("os.geteuid", lambda: 0)
    requirements = {f.name: f for f in examine(**{**host, "run": refused})}
    assert not requirements["overlay"].ok
    assert "bad superblock" in requirements["overlay"].reason
    assert "$CI_PROJECT_DIR" in requirements["overlay"].fix
    [argv] = tried
    options = argv[argv.index("-o") + 1]
    places = [Path(it.partition("=")[2]) for it in options.split(",")] + [Path(argv[-1])]
    assert all(place.is_relative_to(host["workspace"]) for place in places), "there, nowhere else"
    assert [path for path in host["workspace"].iterdir() if path.name.startswith(".")] == []


def test_no_space(host):
    requirements = {f.name: f for f in examine(**{**host, "gib": 1_000_000})}
    assert not requirements["space"].ok
    assert "--workspace" in requirements["space"].fix


def requirements_with(host, folder, monkeypatch, **scripts):
    for name, script in scripts.items():
        fake.write_program(folder / name, script)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return {f.name: f for f in examine(**host)}


@pytest.mark.parametrize(
    ("script", "named"),
    [
        (fake.cosign("v2.6.2"), "2.6.2; not >= 2.6.3, < 3.0 or >= 3.0.6, < 3.2"),
        (fake.cosign("v2.6.2"), "GHSA-w6c6-c85g-mmv6"),
        (fake.cosign("v3.0.5"), "3.0.5; not "),
        (fake.cosign("v3.2.0"), "3.2.0; not "),
        (fake.cosign("v3.2.0"), "newer ones are not tested"),
        (fake.cosign("devel"), "cannot be read"),
        (fake.reporting("GitVersion: v2.6.5"), "cannot be read"),
        ("echo 'no such command' >&2; exit 1", "exited with status 1"),
    ],
)
def test_a_cosign_that_cannot_be_relied_on(host, tmp_path, monkeypatch, script, named):
    found = requirements_with(host, tmp_path / "bin", monkeypatch, cosign=script)["cosign"]
    assert not found.ok
    assert named in found.reason
    assert "`immutable-base tools cosign` builds 2.6.5" in found.fix
    # What `tools` installs comes last on PATH: without this the advice would not help.
    assert f"remove {tmp_path}/bin/cosign" in found.fix


@pytest.mark.parametrize("version", ["1.41.2", "2.0.0", "[not provided]"])
def test_a_syft_that_is_not_tested(host, tmp_path, monkeypatch, version):
    found = requirements_with(host, tmp_path / "bin", monkeypatch, syft=fake.syft(version))["syft"]
    assert not found.ok
    assert "immutable-base tools syft" in found.fix


def test_a_run_is_refused_with_an_old_cosign(host, tmp_path, monkeypatch):
    fake.write_program(tmp_path / "bin/cosign", fake.cosign("v2.6.2"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with pytest.raises(HostError, match=r"cosign: 2\.6\.2; not "):
        require_ready(**host)


def test_versions_that_are_accepted_are_shown(host, tmp_path, monkeypatch):
    found = requirements_with(
        host,
        tmp_path / "bin",
        monkeypatch,
        cosign=fake.cosign("v2.6.3"),
        syft=fake.syft("1.43.0"),
    )
    assert (found["cosign"].ok, found["syft"].ok) == (True, True)
    assert "2.6.3" in found["cosign"].reason
    assert found["cosign"].fix == ""


def test_what_tools_installed_is_found_without_a_path(host, state, monkeypatch, tmp_path):
    ours = state / "immutable-base/tools/bin"
    fake.write_program(ours / "cosign", fake.cosign("v2.6.5"))
    found = requirements_with(host, tmp_path / "bin", monkeypatch, syft=fake.syft("1.42.3"))
    assert found["cosign"].ok
    fake.write_program(ours / "cosign", fake.cosign("v2.6.2"))
    found = requirements_with(host, tmp_path / "bin", monkeypatch)["cosign"]
    assert (found.ok, "remove" in found.fix) == (False, False)
    fake.write_program(ours / "cosign", fake.cosign("v2.6.5"))
    # A user's own program comes first, also where it is the wrong one.
    found = requirements_with(host, tmp_path / "bin", monkeypatch, cosign=fake.cosign("v2.6.2"))
    assert not found["cosign"].ok


def test_command_reports_as_text_and_as_json(tmp_path, monkeypatch, capsys):
    fake.write_program(tmp_path / "bin/cosign", fake.cosign("v2.6.2"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    arguments = [
        "doctor",
        "--config",
        str(ROOT / "immutable-base.toml"),
        "--workspace",
        str(tmp_path),
    ]
    assert main(arguments) == 4
    assert "MISSING cosign (2.6.2; not " in capsys.readouterr().out
    assert main([*arguments, "--format", "json", "--output", str(tmp_path / "doctor.json")]) == 4
    document = json.loads((tmp_path / "doctor.json").read_text())
    assert document["ready"] is False
    rows = {row["name"]: row for row in document["requirements"]}
    assert set(rows["cosign"]) == {"name", "reason", "ok", "fix"}
    assert (rows["cosign"]["ok"], rows["gpg"]["ok"]) == (False, True)
    assert capsys.readouterr().out == ""


def test_command_shows_what_it_starts_if_asked(tmp_path, monkeypatch, capsys):
    fake.write_program(tmp_path / "bin/cosign", fake.cosign("v2.6.5"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    arguments = [
        "doctor",
        "--config",
        str(ROOT / "immutable-base.toml"),
        "--workspace",
        str(tmp_path),
    ]
    main(arguments)
    assert "cosign version" not in capsys.readouterr().err
    main([*arguments, "-v"])
    assert "bin/cosign version --json" in capsys.readouterr().err


def lacking(*names):
    """Return what `examine` says of a host without these."""
    return tuple(
        Requirement(name=name, reason="it is needed", ok=name not in names, fix="get it")
        for name in ("skopeo", "space", "createrepo_c", "cosign", "syft", "ssh", "qemu-system-x86_64")
    )  # fmt: skip


def test_nothing_remote_is_asked_by_a_host_that_lacks_what_asks(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(probe, "probe", lambda *_: pytest.fail("it asked"))
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: lacking("skopeo", "space", "cosign"))
    arguments = ["doctor", "--online", "--config", str(ROOT / "immutable-base.toml")]
    arguments += ["--workspace", str(tmp_path)]
    assert main(arguments) == 4
    out = capsys.readouterr().out
    assert "online: nothing was asked; that needs skopeo, space" in out
    assert main([*arguments, "--format", "json"]) == 4
    assert json.loads(capsys.readouterr().out)["online"] is None


@pytest.mark.parametrize("worst", [0, 6])
def test_who_has_not_yet_what_builds_and_signs_is_told_of_the_first_night_all_the_same(
    tmp_path, monkeypatch, capsys, worst
):
    """It is the first thing that a real user runs: before a compiler has made cosign for an hour."""
    state = State.FAULT if worst else State.OK
    finding = OnlineFinding(
        kind="registry", name="r", state=state, message="it is asked", exit_code=worst
    )
    monkeypatch.setattr(probe, "probe", lambda *_: OnlineReport(findings=(finding,)))
    missing = ("createrepo_c", "cosign", "syft", "ssh", "qemu-system-x86_64")
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: lacking(*missing))
    monkeypatch.setenv("IMMUTABLE_BASE_CONTAINED", "1")
    arguments = ["doctor", "--online", "--config", str(ROOT / "immutable-base.toml")]
    assert main([*arguments, "--workspace", str(tmp_path)]) == max(4, worst)
    out = capsys.readouterr().out
    assert "MISSING cosign" in out
    assert "it is asked" in out


def test_what_is_remote_decides_the_exit_code_of_a_host_that_is_ready(
    tmp_path, monkeypatch, capsys
):
    finding = OnlineFinding(
        kind="registry", name="r", state=State.FAULT, message="\x1b[31mit is down", exit_code=6
    )
    asked = []

    def answer(_inputs, services, names):
        asked.append((services.destination, names))
        return OnlineReport(findings=(finding,))

    monkeypatch.setattr(probe, "probe", answer)
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: ())
    monkeypatch.setenv("IMMUTABLE_BASE_CONTAINED", "1")
    arguments = ["doctor", "--online", "--config", str(ROOT / "immutable-base.toml")]
    arguments += ["--workspace", str(tmp_path)]
    assert main([*arguments, "--variant", "base"]) == 6
    out = capsys.readouterr().out
    assert "fault" in out
    assert "\x1b[31m" not in out, "what a server says is not for the terminal to obey"
    destination = tomllib.loads((ROOT / "immutable-base.toml").read_text())["registry"]
    assert asked == [(destination["destination"], ("base",))]
    assert main([*arguments, "--format", "json"]) == 6
    document = json.loads(capsys.readouterr().out)
    schema = json.loads((ROOT / "schema/online.schema.json").read_text())
    jsonschema.validate(document["online"], schema)
    assert document["online"]["findings"][0]["state"] == "fault"


def test_variants_are_chosen_for_what_is_remote_only(tmp_path, capsys):
    config = ["--config", str(ROOT / "immutable-base.toml"), "--workspace", str(tmp_path)]
    assert main(["doctor", "--variant", "base", *config]) == 2
    assert "--variant is for --online" in capsys.readouterr().err


def test_what_mounts_base_images_runs_where_no_mount_outlives_it(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: ())
    monkeypatch.setattr(probe, "probe", lambda *_: pytest.fail("it asked from where mounts stay"))
    monkeypatch.setattr(process, "run_contained", lambda argv: started.append(argv) or 6)
    monkeypatch.delenv("IMMUTABLE_BASE_CONTAINED", raising=False)
    config = ["--config", str(ROOT / "immutable-base.toml"), "--workspace", str(tmp_path)]
    assert main(["doctor", "--online", *config]) == 6
    assert started == [[sys.executable, "-m", "immutable_base", "doctor", "--online", *config]]
    assert main(["doctor", *config]) == 0
    assert len(started) == 1

"""The command line of `lab host`: what is refused, with which exit code, and what is shown."""

import json

import pytest

from immutable_base.cli.main import main
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.hosts import command
from immutable_base_lab.hosts.folder import HostFolder, HostRecord
from immutable_base_lab.lab import Lab


@pytest.fixture
def paths(tmp_path, with_keys):
    paths = with_keys(LabPaths(root=tmp_path / "lab"))
    Lab(paths).prepare()
    return paths


@pytest.fixture
def host(paths):
    host = HostFolder(path=paths.hosts / "web")
    host.path.mkdir(parents=True)
    host.write(
        HostRecord(
            image="r.example/x@sha256:" + "a" * 64, digest="sha256:" + "a" * 64,
            memory_mib=512, cores=1, accelerator="tcg",
        )
    )  # fmt: skip
    return host


def lab_host(paths, *words):
    action, *rest = words
    return main(["lab", "host", action, "--state", str(paths.root), *rest])


def test_without_a_lab_it_is_told_what_makes_one(tmp_path, capsys):
    assert main(["lab", "host", "list", "--state", str(tmp_path / "none")]) == 4
    assert "lab up` first" in capsys.readouterr().err


def test_hosts_are_listed_for_people_and_programs(paths, host, capsys):
    assert lab_host(paths, "list") == 0
    assert capsys.readouterr().out.split()[:2] == ["web", "off"]
    assert lab_host(paths, "list", "--format", "json") == 0
    (found,) = json.loads(capsys.readouterr().out)["hosts"]
    assert (found["name"], found["pid"], found["ssh_port"]) == ("web", None, None)


def test_no_host_is_no_empty_screen(paths, capsys):
    assert lab_host(paths, "list") == 0
    assert "lab host create" in capsys.readouterr().out


@pytest.mark.parametrize(
    "action", ["start", "console", "ssh", "upgrade", "rollback", "stop", "remove"]
)
def test_an_unknown_host_is_a_wrong_argument(paths, host, capsys, action):
    assert lab_host(paths, action, "wep") == 2
    assert "did you mean 'web'" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["console", "ssh", "upgrade", "rollback", "stop"])
def test_what_needs_a_machine_that_runs_says_how_to_start_it(paths, host, capsys, action):
    if action == "upgrade":
        assert lab_host(paths, action, "web") == 4
        assert "has no newer image" in capsys.readouterr().err
        assert lab_host(paths, action, "web", "--image", "tiny") == 4
    else:
        assert lab_host(paths, action, "web") == 4
    assert "lab host start web" in capsys.readouterr().err


def test_a_host_is_removed_with_all_that_it_has(paths, host, capsys):
    (host.path / "root.raw").write_text("disk")
    assert lab_host(paths, "remove", "web") == 0
    assert list(paths.hosts.glob("web*")) == []


@pytest.mark.parametrize(
    "words", [("--memory", "64"), ("--memory", "much"), ("--cores", "0"), ()]
)  # fmt: skip
def test_a_machine_that_could_not_start_is_not_made(paths, capsys, words):
    image = ("--image", "tiny") if words else ()
    assert lab_host(paths, "create", "web", *image, *words) == 2
    assert not (paths.hosts / "web").exists()


def test_a_command_on_a_host_is_its_own_to_the_last_word(paths, host, monkeypatch):
    """Options after the name are not ours."""
    started = []
    monkeypatch.setattr(command.change, "ssh_command", lambda host: ("ssh", host.name))
    monkeypatch.setattr(command, "become", lambda argv, **_: started.append(argv))
    lab_host(paths, "ssh", "web", "ls", "--state", "-v")
    assert started == [("ssh", "web", "ls", "--state", "-v")]

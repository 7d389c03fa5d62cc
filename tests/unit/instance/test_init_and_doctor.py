"""A repository to begin with is one that the doctor finds nothing in, and every drift is named with its repair."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.instance.containerfile import parse_containerfile
from immutable_base.instance.contract import load_contract, own_ref
from immutable_base.instance.doctor import examine_base, examine_repository
from immutable_base.instance.init import NewInstance, new_base, write_instance
from support.forge import NOW
from support.instance_world import BASE, BASES
from support.scene import command

REF = "v1.1.0"
SEVEN = """\
include:
  - project: immutable-base/immutable-base
    file: instance/.gitlab-ci.yml
    ref: v1.1.0
publish:
  id_tokens:
    SIGSTORE_ID_TOKEN: {aud: sigstore}
"""


def new(**changes):
    values = {
        "base": new_base("base-zfs", BASES),
        "project": "immutable-base/immutable-base",
        "ref": REF,
    }
    return NewInstance(**{**values, **changes})


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "fileserver"
    write_instance(folder, new())
    return folder


def test_the_consumer_s_file_has_exactly_seven_lines(repository):
    assert (repository / ".gitlab-ci.yml").read_text() == SEVEN


def test_four_files_are_written_and_the_doctor_finds_nothing(repository):
    assert {path.name for path in repository.iterdir()} == {
        "Containerfile", ".gitlab-ci.yml", "README.md", "renovate.json",
    }  # fmt: skip
    assert (
        parse_containerfile((repository / "Containerfile").read_text()).root.image
        == f"{BASE}:latest"
    )
    assert [d for d in examine_repository(repository, REF) if d.problem] == []
    rules = json.loads((repository / "renovate.json").read_text())["packageRules"]
    assert rules[-1]["matchPackageNames"] == [BASE], "Renovate leaves the moving base alone"


def test_a_configuration_is_written_only_where_the_default_does_not_do(tmp_path):
    names = write_instance(tmp_path / "x", new(destination="registry.example/other/x"))
    assert "immutable-base-instance.toml" in names
    table = tomllib.loads((tmp_path / "x/immutable-base-instance.toml").read_text())
    assert table == {"schema_version": 1, "registry": {"destination": "registry.example/other/x"}}
    assert [d for d in examine_repository(tmp_path / "x", REF) if d.problem] == []


@pytest.mark.parametrize("name", ["Containerfile", ".gitlab-ci.yml", "README.md", "renovate.json"])
def test_nothing_is_overwritten(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigurationError, match=rf"already has {name}; nothing was written"):
        write_instance(tmp_path, new())
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("place", ["/proc/none", "/dev/null/x"])
def test_a_place_where_no_folder_can_be_is_told(place):
    with pytest.raises(ConfigurationError, match=f"{place} cannot be made"):
        write_instance(Path(place), new())


@pytest.mark.parametrize(
    "changes",
    [
        {"project": "a b/c"}, {"project": "x"}, {"project": "a/b\n  evil: true"}, {"ref": "main: {x}"}, {"ref": ""},
        {"ref": "$(id)"}, {"destination": "registry.example/Acme"}, {"destination": 'x.example/a"'},
    ],
)  # fmt: skip
def test_a_name_that_would_mean_something_else_is_refused(tmp_path, changes):
    with pytest.raises(ConfigurationError, match="cannot be"):
        write_instance(tmp_path / "x", new(**changes))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("base", "registry", "found"),
    [
        ("base-zfs", BASES, f"{BASE}:latest"), ("base-zfs:stable", f"{BASES}/", f"{BASE}:stable"), (f"{BASE}:x", "", f"{BASE}:x"),
        (f"{BASE}@sha256:{'a' * 64}", "", f"{BASE}@sha256:{'a' * 64}"),
    ],
)  # fmt: skip
def test_a_base_is_a_reference_or_a_variant_in_a_registry(base, registry, found):
    assert str(new_base(base, registry)) == found


@pytest.mark.parametrize(
    ("base", "registry"), [("base-zfs", ""), ("Base", BASES), ("acme/base", ""), ("a b", BASES)]
)
def test_another_base_is_refused(base, registry):
    with pytest.raises(ConfigurationError):
        new_base(base, registry)


DRIFTS = {
    "no file": (lambda text: None, ".gitlab-ci.yml", 2),
    "no include": (lambda text: text.split("publish")[1].join(["publish", ""]), "include", 2),
    "another file": (lambda text: text.replace("instance/", "ci/"), "include", 2),
    "no ref": (lambda text: text.replace("    ref: v1.1.0\n", ""), "ref", 2),
    "an earlier ref": (lambda text: text.replace("v1.1.0", "v1.0.0"), "ref", 0),
    "no token": (lambda text: text.replace("SIGSTORE_ID_TOKEN", "OTHER"), "id_tokens", 2),
    "no id_tokens": (lambda text: text.replace("id_tokens", "variables"), "id_tokens", 2),
    "another audience": (lambda text: text.replace("aud: sigstore", "aud: https://gitlab.com"), "id_tokens", 2),
    "the token in another job": (lambda text: text.replace("publish:", "build:"), "id_tokens", 2),
    "an unknown input": (lambda text: text.replace("    ref: v1.1.0\n", "    ref: v1.1.0\n    inputs:\n      stge: x\n"), "inputs", 2),
    "commented out": (lambda text: text.replace("    SIGSTORE", "    # SIGSTORE"), "id_tokens", 2),
}  # fmt: skip


@pytest.mark.parametrize(("change", "name", "code"), DRIFTS.values(), ids=DRIFTS.keys())
def test_each_drift_of_the_ci_file_is_named_with_what_repairs_it(repository, change, name, code):
    path = repository / ".gitlab-ci.yml"
    text = change(path.read_text())
    path.unlink() if text is None else path.write_text(text)
    found = [drift for drift in examine_repository(repository, REF) if drift.problem]
    assert [(drift.name, drift.exit_code, bool(drift.fix)) for drift in found] == [
        (name, code, True)
    ]


DEPRECATED = {
    "runner": "write `machine: TAG`",
    "IMMUTABLE_BASE_FORCE": "start the pipeline by hand",
}
EARLIER = SEVEN.replace("v1.1.0", "v1") + "variables:\n  IMMUTABLE_BASE_FORCE: 'true'\n"
"""A consumer's file of contract 1, as somebody wrote it years ago."""
WITH_INPUTS = EARLIER.replace(
    "    ref: v1\n", "    ref: v1\n    inputs: \n      folder: nas\n      runner: mine\n"
)


@pytest.mark.parametrize("text", [EARLIER, WITH_INPUTS])
def test_an_earlier_consumer_keeps_working_and_is_told_what_to_change(
    repository, monkeypatch, text
):
    (repository / ".gitlab-ci.yml").write_text(text)
    assert [it for it in examine_repository(repository, "v1") if it.problem] == [], "of today"
    later = replace(load_contract(), deprecated=DEPRECATED)
    monkeypatch.setattr("immutable_base.instance.doctor.load_contract", lambda: later)
    found = [it for it in examine_repository(repository, "v1") if it.problem]
    wanted = [name for name in DEPRECATED if f"{name}:" in text]
    assert [(it.name, it.problem, it.fix, it.exit_code) for it in found] == [
        ("deprecated", f"{name} works until contract 2", DEPRECATED[name], 0) for name in wanted
    ]
    done = command(["instance", "doctor", repository])
    assert (done.code, [name for name in wanted if DEPRECATED[name] not in done.out]) == (0, [])


@pytest.mark.parametrize("text", [EARLIER, WITH_INPUTS])
def test_whoever_comes_to_a_later_contract_is_told_exactly_what_to_write_instead(
    repository, monkeypatch, text
):
    """A year later: the number is another one, and what was deprecated has gone."""
    now = load_contract()
    inputs = tuple(name for name in now.inputs if name not in DEPRECATED)
    later = replace(now, version=2, inputs=inputs, removed=DEPRECATED)
    monkeypatch.setattr("immutable_base.instance.doctor.load_contract", lambda: later)
    (repository / ".gitlab-ci.yml").write_text(text)
    found = {it.name: it for it in examine_repository(repository, "v2") if it.problem}
    assert (found.pop("ref").fix, found.pop("variables").fix) == (
        "ref: v2", f"IMMUTABLE_BASE_FORCE: {DEPRECATED['IMMUTABLE_BASE_FORCE']}",
    )  # fmt: skip
    told = {name: (it.fix, it.exit_code) for name, it in found.items()}
    wanted = {"inputs": (f"runner: {DEPRECATED['runner']}", 2)} if "runner:" in text else {}
    assert told == wanted


def test_what_is_not_set_is_not_called_deprecated(repository, monkeypatch):
    """The word `runner` may be in a comment or in another job."""
    (repository / ".gitlab-ci.yml").write_text(f"{SEVEN}# runner\nlint:\n  runner: x\n")
    for later in ({"deprecated": DEPRECATED}, {"removed": DEPRECATED}):
        contract = replace(load_contract(), **later)
        monkeypatch.setattr("immutable_base.instance.doctor.load_contract", lambda it=contract: it)
        assert [it for it in examine_repository(repository, REF) if it.problem] == []


OTHER_FORMS = {
    "quotes and a slash": SEVEN.replace("instance/.gitlab-ci.yml", '"/instance/.gitlab-ci.yml"').replace("v1.1.0", "'v1.1.0'"),
    "a component": "include:\n  - component: gitlab.example/immutable-base/immutable-base/instance@1.1.0\npublish:\n  id_tokens:\n    SIGSTORE_ID_TOKEN:\n      aud: sigstore\n",
    "more jobs": f"{SEVEN}lint:\n  script: [true]\n",
    "comments": f"# ours\n{SEVEN.replace('v1.1.0', 'v1.1.0  # kept by Renovate')}",
}  # fmt: skip


@pytest.mark.parametrize("text", OTHER_FORMS.values(), ids=OTHER_FORMS.keys())
def test_the_same_in_another_form_is_fine(repository, text):
    (repository / ".gitlab-ci.yml").write_text(text)
    assert [drift for drift in examine_repository(repository, REF) if drift.problem] == []


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("Containerfile", None, "there is no Containerfile"), ("Containerfile", "FROM scratch\n", "FROM scratch"),
        ("Containerfile", "FROM $BASE\n", "argument without a value"),
        ("Containerfile", f"FROM x/y:1 AS b\nFROM {BASE}:latest\n", "has no digest"),
        ("immutable-base-instance.toml", "schema_version = 1\nx = 1\n", "unknown key"),
        ("immutable-base-instance.toml", "x", "is not TOML"),
    ],
)  # fmt: skip
def test_the_containerfile_and_the_configuration_are_read_too(repository, name, text, words):
    (repository / name).unlink(missing_ok=True)
    if text is not None:
        (repository / name).write_text(text)
    found = [drift for drift in examine_repository(repository, REF) if drift.problem]
    assert found
    assert all(drift.exit_code == 2 for drift in found)
    assert any(words in drift.problem for drift in found)


def test_online_the_base_is_verified(world):
    assert examine_base(world.context).problem == ""
    world.publish_base(words="unsigned", signed=False, when=NOW + 1)
    drift = examine_base(world.context)
    assert (drift.exit_code, "no signature" in drift.problem) == (13, True)
    (world.repository / "Containerfile").write_text(f"FROM {BASE}@sha256:{'0' * 64}\n")
    drift = examine_base(world.context)
    assert (drift.exit_code, "is gone" in drift.problem, bool(drift.fix)) == (16, True, True)


def test_the_commands_say_what_they_did(tmp_path):
    folder = tmp_path / "x"
    done = command(
        ["instance", "init", folder, "--base", "base-zfs", "--registry", BASES, "--ref", REF]
    )
    assert (done.code, "wrote Containerfile" in done.out) == (0, True)
    fine = command(["instance", "doctor", folder, "--ref", REF])
    assert (fine.code, {line.split()[-1] for line in fine.out.splitlines()}) == (0, {"ok"})
    (folder / "Containerfile").unlink()
    broken = command(["instance", "doctor", folder, "--ref", REF, "--format", "json"])
    assert broken.code == 2
    assert [it["name"] for it in json.loads(broken.out) if it["problem"]] == ["Containerfile"]
    again = command(["instance", "init", folder, "--base", "base-zfs", "--registry", BASES])
    assert (again.code, "nothing was written" in again.err) == (2, True)


def test_the_ref_is_the_contracts_number_and_outlives_releases():
    assert own_ref() == f"v{load_contract().version}" == "v1"

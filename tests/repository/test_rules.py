"""Our own rules about this repository."""

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from immutable_base.cli.main import all_commands, build_parser
from support.paths import ROOT
from support.rules import (
    HIDDEN_FAILURES,
    KERNEL_OF_THE_MACHINE,
    found_in,
    questions_to_the_build_machine,
    shell_lines,
    unquoted_semicolons,
    ways_to_start_programs,
)

SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "lab/src").rglob("*.py")])


def tracked_files():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in listing.stdout.decode().split("\0") if name]


LONGEST = 300
LONGER = {
    "src/immutable_base/solver/pool.py": (330, "one class: everything that touches libsolv's pool"),
}
"""Modules that may have more lines, and why."""


def test_modules_stay_small():
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SOURCES}
    long = {name: number for name, number in lines.items() if number > LONGEST}
    assert {name: n for name, n in long.items() if n > LONGER.get(name, (LONGEST, ""))[0]} == {}
    assert set(LONGER) <= set(long), "an exception that nobody needs any more"


STARTERS = re.compile(
    r"src/immutable_base/process/\w+\.py|lab/src/immutable_base_lab/services/daemons\.py"
    r"|src/immutable_base/admission/host\.py"
)
"""By path: the product's `process`, the one module of the lab that starts its daemons, and the one of
the program on hosts that asks bootc."""


def test_only_process_starts_programs():
    starters = {str(p.relative_to(ROOT)): ways_to_start_programs(p.read_text()) for p in SOURCES}
    assert {n: w for n, w in starters.items() if w and not STARTERS.fullmatch(n)} == {}
    assert [name for name, ways in starters.items() if ways], "the rule finds what is there"


def layer_files():
    """Return what runs while images are built."""
    folders = (ROOT / "layers", ROOT / "lab/src/immutable_base_lab/scenarios/files/layers")
    files = [path for path in tracked_files() for it in folders if path.is_relative_to(it)]
    return [path for path in files if path.suffix != ".md"]


def test_nothing_asks_the_build_machine_for_its_kernel():
    """The kernel comes from the image's rpmdb; order comes from libsolv, never from `sort -V`."""
    found = [item for path in layer_files() for item in found_in(path, KERNEL_OF_THE_MACHINE, ROOT)]
    assert found == []
    asked = {
        str(p.relative_to(ROOT)): questions_to_the_build_machine(p.read_text()) for p in SOURCES
    }
    assert {name: ways for name, ways in asked.items() if ways} == {}


def test_no_failure_is_hidden_in_what_builds_images():
    """`|| true` and its like around something that matters is how broken modules get published."""
    found = [item for path in layer_files() for item in found_in(path, HIDDEN_FAILURES, ROOT)]
    assert found == []


def test_scripts_of_layers_stop_at_the_first_failure():
    scripts = [path for path in layer_files() if path.read_text().startswith("#!")]
    assert len(scripts) >= 3
    for path in scripts:
        first = path.read_text().splitlines()[0]
        code = [line.strip() for _, line in shell_lines(path.read_text())]
        assert first == "#!/bin/bash", path
        assert code[0] == "set -euo pipefail", path


def test_commands_of_a_containerfile_are_joined_by_and():
    files = [path for path in layer_files() if path.name == "Containerfile"]
    assert len(files) >= 5
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        for number, line in shell_lines(path.read_text())
        if line.startswith("RUN") and (unquoted_semicolons(line) or "||" in line)
    ]
    assert found == []


# ------------------------------------------------------------------ what is pinned


def requirements(text):
    """Return the logical lines of a requirements file, without comments."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    return [line.strip() for line in joined.splitlines() if line.strip()]


def test_every_python_requirement_has_a_version_and_hashes_and_no_address():
    locks = [path for path in tracked_files() if path.is_relative_to(ROOT / "requirements")]
    assert locks
    for path in locks:
        lines = requirements(path.read_text())
        assert len(lines) > 20, path
        whole = re.compile(
            r"[A-Za-z0-9._\[\]-]+==[^\s;]+( *;[^-]*)?(\s+--hash=sha256:[0-9a-f]{64})+"
        )
        assert [line for line in lines if not whole.fullmatch(line)] == []
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links", path.read_text())


def locked(name):
    """Return each requirement of a lock, with its hashes."""
    lines = requirements((ROOT / "requirements" / name).read_text())
    return {line.partition(" ")[0]: set(line.split()[1:]) for line in lines}


def test_what_users_install_is_what_is_tested_and_no_tool_of_ours():
    runtime, development = locked("runtime.txt"), locked("development.txt")
    assert {
        name: hashes for name, hashes in runtime.items() if development.get(name) != hashes
    } == {}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def names(lines):
        return {re.match(r"[\w.-]+", line)[0] for line in lines}

    assert names(project["dependencies"]) <= names(runtime)
    assert names(project["optional-dependencies"]["dev"]) & names(runtime) == set()


def test_every_go_module_has_its_sum():
    modules = [path for path in tracked_files() if path.name == "go.mod"]
    assert len(modules) > 3
    for path in modules:
        sums = path.with_name("go.sum").read_text().splitlines()
        assert [
            line for line in sums if not re.fullmatch(r"\S+ \S+ h1:[A-Za-z0-9+/]{43}=", line)
        ] == []
        known = {tuple(line.split()[:2]) for line in sums}
        required = re.findall(r"^(?:require )?\s*(\S+\.\S+) (v\S+)", path.read_text(), re.MULTILINE)
        assert len(required) > 5, path
        # A module of which only go.mod was read has no sum of its content.
        missing = [m for m in required if m not in known and (m[0], f"{m[1]}/go.mod") not in known]
        assert missing == [], path
        assert "replace" not in path.read_text(), path


def test_every_crate_has_its_checksum():
    locks = [path for path in tracked_files() if path.name == "Cargo.lock"]
    assert locks
    for path in locks:
        packages = tomllib.loads(path.read_text())["package"]
        fetched = [package for package in packages if "source" in package]
        assert len(fetched) > 20, path
        assert {package["source"].partition("+")[0] for package in fetched} == {"registry"}
        assert [
            p["name"] for p in fetched if not re.fullmatch("[0-9a-f]{64}", p.get("checksum", ""))
        ] == []


# ------------------------------------------------------------------ the tests themselves


def commands_of_make(target):
    """Return what `make` would start for a target, targets that it makes by itself included."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFL"))
    }
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", target],
        cwd=ROOT, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def parts_of_the_lab(target):
    """Return the expression of `-m`, and the options, with which `make` runs tests of the lab."""
    lines = [line for line in commands_of_make(target) if line.endswith(" tests/lab")]
    parts = [re.search(r"\bpytest (.*) -m (\w+|\".+\") tests/lab$", line) for line in lines]
    return [(part[2].strip('"'), part[1]) for part in parts]


@cache
def collected():
    """Return every test with its marks, as pytest finds them with the options of `make test`.

    Once, for it takes seconds; nobody measures what is covered by that.
    """
    (options,) = {options for _, options in parts_of_the_lab("test")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider",
         "-p", "support.list_tests", *shlex.split(options), "tests"],
        cwd=ROOT, capture_output=True, text=True, env={**kept, "PYTHONPATH": "tests"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))


class Marks(dict):
    """Whether a test has a mark, for an expression of `-m`."""

    def __missing__(self, name):
        return False


def selected_by(expression):
    """Return the tests of the lab that `pytest -m` would run."""
    return [
        test
        for test, marks in collected().items()
        if test.startswith("tests/lab/") and eval(expression, {}, Marks.fromkeys(marks, True))
    ]


@pytest.mark.timeout(300)
def test_make_test_runs_each_test_of_the_lab_once_but_those_of_make_soak():
    parts = [expression for expression, _ in parts_of_the_lab("test")]
    assert len(parts) == 4
    run = [test for part in parts for test in selected_by(part)]
    assert all(selected_by(part) for part in parts), "each has some"
    assert sorted(run) == sorted(selected_by("not long"))
    soaked = {
        test for expression, _ in parts_of_the_lab("soak") for test in selected_by(expression)
    }
    assert set(selected_by("long")) <= soaked
    units = [
        line
        for line in commands_of_make("test")
        if line.endswith(("tests/unit tests/repository", "pytest tests/unit; fi"))
    ]
    assert len(units) == 2, "with this Python, and with the newest"


@pytest.mark.timeout(300)
def test_every_tracked_test_is_collected():
    """pytest skips folders by name; `build` is one of them unless its configuration says otherwise."""
    files = {test.partition("::")[0] for test in collected()}
    tracked = {str(path.relative_to(ROOT)) for path in tracked_files() if path.exists()}
    tests = {name for name in tracked if re.search(r"(^|/)test_[^/]*\.py$", name)}
    assert tests - files == set()
    assert not [name for name in tracked if re.search(r"_test\.py$", name)], "not named test_*.py"


def test_no_test_is_skipped_or_expected_to_fail():
    marks = re.compile(
        r"pytest\.(skip|xfail|importorskip)\b|mark\.(skip|skipif|xfail)\b|unittest\.skip"
    )
    tests = [
        path for path in tracked_files() if path.is_relative_to(ROOT / "tests") and path.exists()
    ]
    own = Path(__file__)
    assert [
        str(p) for p in tests if p.suffix == ".py" and p != own and marks.search(p.read_text())
    ] == []


def test_every_command_has_its_module_and_its_reference():
    reference = (ROOT / "docs/reference/commands.md").read_text()
    known = all_commands()
    for name, (_, path) in known.items():
        module = importlib.import_module(path)
        assert callable(module.add_arguments)
        assert callable(module.run)
        assert f"\n## {name}\n" in reference
    assert build_parser(known, known).format_help()


def test_readme_is_short_and_its_documents_exist():
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 170
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", readme):
        assert (ROOT / target).exists(), target


def test_every_key_of_the_configuration_is_explained():
    rows = [
        line
        for line in (ROOT / "docs/reference/configuration.md").read_text().splitlines()
        if line.startswith("| `")
    ]
    assert len(rows) > 40
    assert [row for row in rows if not row.strip("| ").rpartition("|")[2].strip()] == []


def test_a_key_that_is_not_pinned_yet_is_named_in_the_readme():
    """Its variant is held until somebody pins it: nobody should find that out at night."""
    keys = tomllib.loads((ROOT / "immutable-base.toml").read_text())["keys"]
    unpinned = [name for name, key in keys.items() if not key.keys() & {"fingerprint", "sha256"}]
    readme = (ROOT / "README.md").read_text()
    assert [name for name in unpinned if f"`keys.{name}`" not in readme] == []


def test_no_key_hangs_on_one_place():
    """Addresses move: OpenZFS' was wrong from the start, Fedora's is about to be."""
    keys = tomllib.loads((ROOT / "immutable-base.toml").read_text())["keys"]
    assert [name for name, key in keys.items() if len(set(key["places"])) < 2] == []
    (openzfs, *_) = keys["openzfs"]["places"]
    assert openzfs.endswith("/zfs-release/RPM-GPG-KEY-openzfs-key2"), "as its repository has it"


def test_what_is_trusted_changes_in_two_places_or_not_at_all():
    """A slip of the finger in a pin would fail every night, or trust somebody else."""
    keys = tomllib.loads((ROOT / "immutable-base.toml").read_text())["keys"]
    trusted = {"fingerprint", "sha256", "witness_key_id", "witness_sha256"}
    assert {
        name: found
        for name, key in keys.items()
        if (found := {kind: key[kind] for kind in trusted & key.keys()})
    } == {
        "centos": {"fingerprint": "99DB70FAE1D7CE227FB6488205B555B38483C65D"},
        "epel": {"fingerprint": "7D8D15CBFC4E62688591FB2633D98517E37ED158"},
        "openzfs": {"fingerprint": "7DC7299DCF7C7FD9CD87701BA599FD5E9DB84141"},
        "cuda": {
            "witness_key_id": "CDF6BA43",
            "witness_sha256": "afbea87d3b979b3788ef34223aeeb323ade481128e2c133723ae99b8a51368bb",
        },
        "container-toolkit": {"fingerprint": "C95B321B61E88C1809C4F759DDCAE044F796ECB0"},
        "fedora": {"fingerprint": "36F612DCF27F7D1A48A835E4DBFCF71C6D9F90A6"},
        "fedora-45": {"fingerprint": "4F50A6114CD5C6976A7F1179655A4B02F577861E"},
    }


def test_users_get_the_programs_that_the_tests_use():
    """The lab has module graphs of its own, in which it pins the same sums independently."""
    pins = tomllib.loads((ROOT / "src/immutable_base/tools/pins.toml").read_text())
    assert set(pins) == {"cosign", "syft"}
    for name, pin in pins.items():
        sums = (ROOT / f"lab/src/immutable_base_lab/programs/go/{name}/go.sum").read_text()
        assert f"{pin['module']} {pin['version']} {pin['sum']}" in sums.splitlines()


def test_the_product_holds_no_module_graph():
    graphs = ("go.mod", "go.sum", "Cargo.toml", "Cargo.lock")
    assert [p for p in (ROOT / "src").rglob("*") if p.name in graphs] == []


def test_the_second_python_is_one_that_the_product_supports():
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    script = (ROOT / "scripts/newest_python.py").read_text()
    assert f"OLDEST = ({required.removeprefix('>=').replace('.', ', ')})" in script


def test_product_and_lab_have_one_version():
    versions = {
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]["version"]
        for folder in (".", "lab")
    }
    assert len(versions) == 1


def test_hooks_call_targets_of_the_makefile():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    makefile = (ROOT / "Makefile").read_text()
    entries = re.findall(r"entry: (.+)", hooks)
    assert entries == ["make check", "make unit"]
    for entry in entries:
        assert re.search(rf"^{entry.removeprefix('make ')}:", makefile, re.MULTILINE)
    assert "make test" in (ROOT / ".ci/run").read_text().splitlines()


def test_renovate_finds_every_pin():
    """Its regular expressions are JavaScript's: only named groups are written otherwise."""
    settings = json.loads((ROOT / "renovate.json").read_text())
    (manager,) = settings["customManagers"]
    (file,) = manager["managerFilePatterns"]
    (expression,) = manager["matchStrings"]
    assert re.search(file.strip("/"), "src/immutable_base/tools/pins.toml")
    text = (ROOT / "src/immutable_base/tools/pins.toml").read_text()
    pins = tomllib.loads(text)
    found = re.findall(expression.replace("(?<", "(?P<"), text)
    assert found == [(pin["module"], pin["version"]) for pin in pins.values()]


def test_renovate_knows_every_go_program_of_the_lab():
    """The programs are indirect requirements of a module with a `tool` line: it skips those unless named."""
    rule = json.loads((ROOT / "renovate.json").read_text())["packageRules"][0]["matchPackageNames"]
    for file in sorted((ROOT / "lab").rglob("go.mod")):
        tools = re.findall(r"^(?:tool |\t)(\S+/\S+)$", file.read_text(), re.MULTILINE)
        assert tools, file
        for tool in tools:
            assert any(f"{tool}/".startswith(f"{module}/") for module in rule), tool

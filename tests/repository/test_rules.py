"""Our own rules about this repository."""

import importlib
import re
import subprocess
import tomllib
from pathlib import Path

from immutable_base.cli.main import all_commands, build_parser

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "lab/src").rglob("*.py")])


def tracked_files():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in listing.stdout.decode().split("\0") if name]


def test_modules_stay_small():
    long = {
        str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text().splitlines())) > 400
    }
    assert long == {}


def test_only_process_starts_programs():
    """By path: the product's `process`, and the one module of the lab that starts its daemons."""
    starters = {
        str(p.relative_to(ROOT))
        for p in SOURCES
        if re.search(r"^\s*(import|from) (subprocess|pty)\b", p.read_text(), re.MULTILINE)
    }
    allowed = re.compile(
        r"src/immutable_base/process(\.py|/\w+\.py)|lab/src/immutable_base_lab/services/daemons\.py"
    )
    assert starters, "the pattern finds nothing any more"
    assert {path for path in starters if not allowed.fullmatch(path)} == set()


def test_every_command_has_its_module_and_its_reference():
    reference = (ROOT / "docs/reference/commands.md").read_text()
    known = all_commands()
    for name, (_, path) in known.items():
        module = importlib.import_module(path)
        assert callable(module.add_arguments)
        assert callable(module.run)
        assert f"\n## {name}\n" in reference
    assert build_parser(known, known).format_help()


def test_nothing_asks_the_build_machine_for_its_kernel():
    """The kernel comes from the image's rpmdb; order comes from libsolv, never from `sort -V`."""
    offenders = []
    for path in (ROOT / "layers").rglob("*"):
        if path.is_file():
            lines = [line.split("#")[0] for line in path.read_text(errors="replace").splitlines()]
            if re.search(r"uname -r|sort -V\b", "\n".join(lines)):
                offenders.append(str(path.relative_to(ROOT)))
    asking = re.compile(r"os\.uname|platform\.(release|uname)|natsort")
    offenders += [str(p.relative_to(ROOT)) for p in SOURCES if asking.search(p.read_text())]
    assert offenders == []


def test_locks_hold_hashes_and_no_addresses():
    text = (ROOT / "requirements/development.txt").read_text()
    assert "--hash=sha256:" in text
    assert not re.search(r"https?://|--index-url|--find-links", text)


def test_no_failure_is_hidden_in_what_builds_images():
    """`|| true` and `|| :` around something that matters is how broken modules get published."""
    offenders = []
    for path in (ROOT / "layers").rglob("*"):
        if path.is_file():
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                if re.search(r"\|\|\s*(true|:)\s*(\\|;|$)", line.split("#")[0]):
                    offenders.append(f"{path.relative_to(ROOT)}:{number}")
    assert offenders == []


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
    """Its variant fails every night until somebody pins it: nobody should find that out at night."""
    keys = tomllib.loads((ROOT / "immutable-base.toml").read_text())["keys"]
    unpinned = [name for name, key in keys.items() if set(key["fingerprint"]) == {"0"}]
    readme = (ROOT / "README.md").read_text()
    assert [name for name in unpinned if f"`keys.{name}`" not in readme] == []


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

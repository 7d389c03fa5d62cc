"""What verifies on hosts is small, needs nothing that they lack, and starts no program."""

import ast
import subprocess
import sys

from immutable_base.build.admission_files import program_files
from support.paths import ROOT
from support.rules import names_and_texts

VERIFICATION = ROOT / "src/immutable_base/verification"
ON_HOSTS = {*sys.stdlib_module_names, "cryptography"}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def test_verification_imports_only_what_the_system_python_of_a_host_has():
    """import-linter can forbid by name only; this compares with what is allowed."""
    allowed = ("immutable_base.errors", "immutable_base.verification")
    foreign = {
        (path.name, name)
        for path in [*VERIFICATION.rglob("*.py"), ROOT / "src/immutable_base/errors.py"]
        for name in imports_of(path)
        if name.partition(".")[0] not in ON_HOSTS and not name.startswith(allowed)
    }
    assert foreign == set()
    assert len(list(VERIFICATION.glob("*.py"))) > 10


ADMISSION = ROOT / "src/immutable_base/admission"


def test_admission_imports_only_what_is_shipped_to_hosts():
    allowed = ("immutable_base.errors", "immutable_base.verification", "immutable_base.admission")
    reference = ROOT / "src/immutable_base/model/reference.py"
    foreign = {
        (path.name, name)
        for path in [*ADMISSION.glob("*.py"), reference, reference.with_name("__init__.py")]
        for name in imports_of(path)
        if name.partition(".")[0] not in ON_HOSTS
        and name != "immutable_base.model.reference"
        and not name.startswith(allowed)
    }
    assert foreign == set()
    assert len(list(ADMISSION.glob("*.py"))) > 8


def test_what_is_shipped_to_hosts_needs_nothing_of_what_is_not():
    """`verification/complete` is not: a host asks for no provenance."""
    shipped = [*ADMISSION.glob("*.py"), *VERIFICATION.glob("*.py")]
    names = {(path.name, name) for path in shipped for name in imports_of(path)}
    assert {it for it in names if "verification.complete" in it[1]} == set()
    assert not [path for path in program_files() if "complete" in path]


def test_admission_can_be_read_in_an_evening():
    """With what it is made of: comments and all, three and three quarter thousand lines."""
    files = [*ADMISSION.glob("*.py"), *VERIFICATION.glob("*.py")]
    assert sum(len(path.read_text().splitlines()) for path in files) < 3800


OF_CRYPTOGRAPHY = {"_cffi_backend", "_openssl"}
HEAVY = {"subprocess", "tempfile", "urllib.request", "importlib.metadata"}
"""Of the standard library, what was loaded once and need not be."""
ROOMS = {
    "cli", "config", "errors", "log", "model", "public_trust", "report", "state", "trusted", "verification",
    "verify", "verify_reference",
}  # fmt: skip


def test_the_command_verify_imports_no_more_than_it_needs():
    """Half of its time is Python's imports: pydantic alone would take longer than all the rest."""
    code = (
        "import sys; before = {*sys.modules}; import immutable_base.cli.main, immutable_base.cli.verify, "
        "immutable_base.log; "
        "print(*{*sys.modules} - before)"
    )
    # Without its environment: there Python would measure coverage.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={})  # fmt: skip
    loaded = set(done.stdout.split())
    assert "immutable_base.verification.verify_image" in loaded
    assert loaded & HEAVY == set()
    theirs = {name.partition(".")[0] for name in loaded} - {"immutable_base"}
    assert theirs - ON_HOSTS - OF_CRYPTOGRAPHY == set()
    ours = {name.split(".")[1] for name in loaded if name.startswith("immutable_base.")}
    assert ours == ROOMS


def test_verification_starts_no_program():
    suspect = {"subprocess", "os", "posix", "ctypes", "multiprocessing"}
    found = {
        (path.name, name)
        for path in VERIFICATION.rglob("*.py")
        for name in names_and_texts(path.read_text())[0]
        if name.partition(".")[0] in suspect
    }
    # Of `os` the environment and nothing else.
    assert {name for _, name in found} == {"os", "os.environ"}

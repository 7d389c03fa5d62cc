"""Whether a repository downstream keeps the template's contract, and how to repair what does not.

The CI file is read as lines, not as YAML: what the contract asks for has one usual form. Whoever
writes it otherwise is told which line was not found, and compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from immutable_base.config.instance import load_instance_settings
from immutable_base.errors import ConfigurationError, ImmutableBaseError
from immutable_base.instance.base import base_reference, find_base
from immutable_base.instance.ci_job import CI_FILE
from immutable_base.instance.containerfile import FILE, parse_containerfile
from immutable_base.instance.context import InstanceContext
from immutable_base.instance.contract import Contract, ci_lines, load_contract
from immutable_base.sign import AUDIENCE, TOKEN_VARIABLE

VALUE = r"[ \t]*[\"']?(?P<value>[^\"'#\s,}}]+)"
KEY = r"^[ \t-]*{name}:" + VALUE
TOP = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+):", re.MULTILINE)
INPUT = re.compile(r"^(?P<indent> +)(?P<name>[A-Za-z0-9_-]+):")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One thing that the contract asks for, and whether it is so."""

    name: str
    problem: str = ""
    """Empty: it is as it should be."""
    fix: str = ""
    exit_code: int = 0
    """Of the error that the pipeline would end with; 0 for what is only worth knowing."""


def examine_repository(folder: Path, ref: str) -> tuple[Drift, ...]:
    """Return every part of the contract; nothing remote is asked. `ref` is the template's."""
    contract = load_contract()
    path = folder / CI_FILE
    if not path.is_file():
        whole = "\n".join(ci_lines(contract.project, ref))
        found = [_fault(CI_FILE, f"there is no {CI_FILE}", f"write:\n{whole}")]
    else:
        text = "\n".join(
            line for line in path.read_text("utf-8", "replace").splitlines()
            if not line.lstrip().startswith("#")
        )  # fmt: skip
        found = [
            *_include(text, contract, ref),
            _token(text, contract),
            _inputs(text, contract),
            _variables(text, contract),
            *_deprecated(text, contract),
        ]
    return (
        *found,
        _tried(FILE, lambda: _containerfile(folder)),
        _tried("configuration", lambda: load_instance_settings(folder)),
    )


def examine_base(at: InstanceContext) -> Drift:
    """Return whether the base is there, and signed as it must be."""

    def verify() -> None:
        text = at.folder / FILE
        reference = base_reference(at, parse_containerfile(text.read_text("utf-8", "replace")))
        found = find_base(at, reference)
        if found.evidence is None:
            raise ConfigurationError(found.missing, hint="the instance waits until it has one")

    return _tried("base", verify)


def _fault(name: str, problem: str, fix: str) -> Drift:
    code = ConfigurationError.exit_code
    return Drift(name=name, problem=problem, fix=fix, exit_code=code)


def _tried(name: str, work: Callable[[], object]) -> Drift:
    try:
        work()
    except ImmutableBaseError as error:
        problem = "\n".join(filter(None, (error.message, error.details)))
        return Drift(name=name, problem=problem, fix=error.hint or "", exit_code=error.exit_code)
    return Drift(name=name)


def _containerfile(folder: Path) -> None:
    path = folder / FILE
    if not path.is_file():
        raise ConfigurationError(
            f"there is no {FILE}", hint="write one: FROM registry/path:tag, and what is to be added"
        )
    file = parse_containerfile(path.read_text("utf-8", "replace"))
    root, settings = file.root, load_instance_settings(folder)
    if root.is_open and not settings.base.reference:
        raise ConfigurationError(
            f"`FROM {root.image}` has an argument without a value",
            hint="give the ARG a default, or set [base] reference",
        )
    file.foreign(root.image)


def _values(text: str, name: str) -> list[str]:
    return [found["value"] for found in re.finditer(KEY.format(name=name), text, re.MULTILINE)]


def _include(text: str, contract: Contract, ref: str) -> Iterator[Drift]:
    components = [value for value in _values(text, "component") if "/instance@" in value]
    files = [value.lstrip("/") for value in _values(text, "file")]
    if components:
        yield Drift(name="include")
        found = [value.partition("@")[2] for value in components]
    elif contract.file not in files:
        whole = "\n".join(ci_lines(contract.project, ref)[:4])
        yield _fault("include", f"{contract.file} is not included", f"write:\n{whole}")
        return
    else:
        yield Drift(name="include")
        found = _values(text, "ref")
    if not found:
        yield _fault("ref", "none is named: the template would change unseen", f"ref: {ref}")
    elif ref not in found and ref.removeprefix("v") not in found:
        yield Drift(
            name="ref", problem=f"it is {found[0]}, this release is {ref}", fix=f"ref: {ref}"
        )
    else:
        yield Drift(name="ref")


def _token(text: str, contract: Contract) -> Drift:
    """Demand the token of the one job that signs, in the project's own file."""
    block = _block(text, contract.job)
    fix = "write:\n" + "\n".join(ci_lines(contract.project, "")[4:])
    if "id_tokens:" not in block or f"{TOKEN_VARIABLE}:" not in block:
        return _fault("id_tokens", f"the job `{contract.job}` has no {TOKEN_VARIABLE}", fix)
    audiences = re.findall(r"aud:[ \t]*[\"']?([^\"'#\s,}]+)", block)
    if AUDIENCE not in audiences:
        said = ", ".join(audiences) or "nobody"
        return _fault("id_tokens", f"{TOKEN_VARIABLE} is for {said}, not for {AUDIENCE}", fix)
    return Drift(name="id_tokens")


def _block(text: str, name: str) -> str:
    """Return what belongs to a key at the beginning of a line."""
    starts = [*TOP.finditer(text)]
    for number, found in enumerate(starts):
        if found["name"] == name:
            end = starts[number + 1].start() if number + 1 < len(starts) else len(text)
            return text[found.start() : end]
    return ""


def _inputs(text: str, contract: Contract) -> Drift:
    unknown = sorted(set(_given_inputs(_block(text, "include"))) - set(contract.inputs))
    if not unknown:
        return Drift(name="inputs")
    return _fault(
        "inputs",
        f"the template has no input {', '.join(unknown)}",
        _instead(unknown, contract) or f"it has: {', '.join(contract.inputs) or 'none'}",
    )


def _variables(text: str, contract: Contract) -> Drift:
    gone = [name for name in contract.removed if name.isupper() and _mentions(text, name)]
    if not gone:
        return Drift(name="variables")
    problem = f"contract {contract.version} has no variable {', '.join(gone)}"
    return _fault("variables", problem, _instead(gone, contract))


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None


def _instead(gone: Iterable[str], contract: Contract) -> str:
    return "\n".join(
        f"{name}: {contract.removed[name]}" for name in gone if name in contract.removed
    )


def _deprecated(text: str, contract: Contract) -> Iterator[Drift]:
    """Yield what the file sets and the next contract will not have; until then it works."""
    inputs = set(_given_inputs(_block(text, "include")))
    for name, instead in contract.deprecated.items():
        if name in inputs if name in contract.inputs else _mentions(text, name):
            problem = f"{name} works until contract {contract.version + 1}"
            yield Drift(name="deprecated", problem=problem, fix=instead)


def _given_inputs(block: str) -> Iterator[str]:
    """Yield the names below `inputs:` of an include."""
    inside: int | None = None
    for line in block.splitlines():
        indent = len(line) - len(line.lstrip(" "))
        if inside is not None and line.strip():
            found = INPUT.match(line)
            if indent <= inside or found is None:
                inside = None
            else:
                yield found["name"]
        if line.strip() == "inputs:":
            inside = indent

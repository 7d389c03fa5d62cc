"""The contract of the template: what a repository downstream has, what it sets and what it gets."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from immutable_base.sign import AUDIENCE, TOKEN_VARIABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What the template asks for; a change of it is one for everybody who includes it."""

    version: int
    project: str
    """Project that has the template."""
    file: str
    job: str
    """Job that needs the identity token, which GitLab takes from the project's own file only."""
    configuration: str
    """In the image of the jobs: the product's configuration, unless the project names another."""
    inputs: tuple[str, ...]
    """Names that `include:inputs` may set."""
    variables: tuple[str, ...]
    """That a pipeline or a project may set."""
    outputs: tuple[str, ...]
    """Variables that jobs after detect-changes get."""
    documents: Mapping[str, tuple[str, ...]]
    """Names of the files that each job leaves, by job in the order of the pipeline."""
    deprecated: Mapping[str, str]
    """What to write instead, by name of an input or a variable; it works until the next number."""
    removed: Mapping[str, str]
    """The same of earlier numbers' inputs and variables, which mean nothing any more."""


@cache
def load_contract() -> Contract:
    """Return the contract of this release."""
    found = tomllib.loads((Path(__file__).with_name("contract.toml")).read_text())
    listed = {name: tuple(found[name]) for name in ("inputs", "variables", "outputs")}
    documents = {job: tuple(names) for job, names in found["documents"].items()}
    return Contract(**{**found, **listed, "documents": documents})


def own_ref() -> str:
    """Return the ref of the template: it stays at one contract, whatever release it is of."""
    return f"v{load_contract().version}"


def ci_lines(project: str, ref: str) -> tuple[str, ...]:
    """Return the whole .gitlab-ci.yml of a repository downstream."""
    contract = load_contract()
    return (
        "include:",
        f"  - project: {project}",
        f"    file: {contract.file}",
        f"    ref: {ref}",
        f"{contract.job}:",
        "  id_tokens:",
        f"    {TOKEN_VARIABLE}: {{aud: {AUDIENCE}}}",
    )

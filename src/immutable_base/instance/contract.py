"""The contract of the template: which lines a repository downstream has, and which inputs."""

from __future__ import annotations

import tomllib
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


@cache
def load_contract() -> Contract:
    """Return the contract of this release."""
    found = tomllib.loads((Path(__file__).with_name("contract.toml")).read_text())
    return Contract(**{**found, "inputs": tuple(found["inputs"])})


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

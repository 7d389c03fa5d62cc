"""A repository downstream to begin with: four files, and a fifth where defaults do not do."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from immutable_base.config.instance import FILE_NAME
from immutable_base.config.references import find_reference
from immutable_base.errors import ConfigurationError
from immutable_base.instance.ci_job import CI_FILE
from immutable_base.instance.containerfile import FILE
from immutable_base.instance.contract import ci_lines
from immutable_base.model.reference import LONGEST, REPOSITORY, Reference
from immutable_base.workspace import write_atomically

PROJECT = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*(/[A-Za-z0-9_.][A-Za-z0-9_.-]*)+")
"""Source: GitLab, "Reserved project and group names" and the rules of paths."""
REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
"""Fewer than git allows: no shell and no YAML means anything else by them."""

CONTAINERFILE = """\
# What this host has beyond its base. `immutable-base instance detect-changes` verifies the base and
# pins it by digest; after the last step caches and logs go, and /var is declared for hosts.
FROM {base}

# RUN dnf --assumeyes install samba
# COPY files/ /
"""
README = """\
# {name}

A host built on `{base}` with the template of {project}: built again when its base or a file
changes, and every week; checked, signed with this project's own identity, and published to its
container registry.

```sh
immutable-base instance doctor            # is everything here that the template needs?
immutable-base instance detect-changes    # would anything be built, and why?
```

In GitLab: protect the default branch, and add a daily pipeline schedule. Nothing else is to be set.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInstance:
    """What a new repository is made of."""

    base: Reference
    project: str
    """GitLab project that has the template."""
    ref: str
    """Of the template."""
    destination: str = ""
    """Where it is published, if that is not the project's own registry."""


def new_base(base: str, registry: str) -> Reference:
    """Return the base that is meant: a whole reference, or a variant's name in a registry.

    Raises ConfigurationError if it is neither.
    """
    if "/" in base:
        found = find_reference(base, None)
    elif registry:
        found = find_reference(f"{registry.rstrip('/')}/{base}", None)
    else:
        raise ConfigurationError(
            f"'{base}' does not say which registry",
            hint="name it with --registry, e.g. registry.gitlab.com/group/images, or write --base "
            "registry/path:tag",
        )
    if found.tag is None and found.digest is None:
        found = Reference(repository=found.repository, tag="latest")
    return found


def write_instance(folder: Path, new: NewInstance) -> tuple[str, ...]:
    """Write the files of a new repository and return their names; nothing is overwritten.

    Raises ConfigurationError if one of them exists, the folder is none, or a name cannot be used.
    """
    for what, text, pattern in (("project", new.project, PROJECT), ("ref", new.ref, REF)):
        if pattern.fullmatch(text) is None:
            raise ConfigurationError(f"'{text}' cannot be the template's {what}")
    if new.destination and (
        len(new.destination) > LONGEST or REPOSITORY.fullmatch(new.destination) is None
    ):
        raise ConfigurationError(f"'{new.destination}' cannot be a repository in a registry")
    files = _files(folder.resolve().name, new)
    there = [name for name in files if (folder / name).exists() or (folder / name).is_symlink()]
    if there:
        raise ConfigurationError(
            f"{folder} already has {', '.join(there)}; nothing was written",
            hint="name another folder; `immutable-base instance doctor` says what is missing",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be made: {error.strerror}") from error
    for name, text in files.items():
        write_atomically(folder / name, text)
    return tuple(files)


def _files(name: str, new: NewInstance) -> dict[str, str]:
    files = {
        FILE: CONTAINERFILE.format(base=new.base),
        CI_FILE: "\n".join(ci_lines(new.project, new.ref)) + "\n",
        "README.md": README.format(name=name, base=new.base, project=new.project),
        "renovate.json": json.dumps(_renovate(new), indent=2) + "\n",
    }
    if new.destination:
        text = f'schema_version = 1\n\n[registry]\ndestination = "{new.destination}"\n'
        files[FILE_NAME] = text
    return files


def _renovate(new: NewInstance) -> dict[str, object]:
    return {
        "$schema": "https://docs.renovatebot.com/renovate-schema.json",
        "extends": ["config:recommended"],
        "packageRules": [
            {
                "description": "other images by digest: the next build must get the same ones",
                "matchManagers": ["dockerfile"],
                "pinDigests": True,
            },
            {
                "description": "the base moves by itself: each build verifies and pins it",
                "matchManagers": ["dockerfile"],
                "matchPackageNames": [new.base.repository],
                "enabled": False,
            },
        ],
    }

"""Is what an image says about whose images its hosts take as strict as it looks? Pure.

Stricter than bootc, which looks at `default` alone. Every finding is a way in which hosts elsewhere
took what nobody had signed, or could not be updated any more. Sources: containers-policy.json(5),
containers-registries.d(5), bootc 1.16.9 (crates/ostree-ext/src/container/skopeo.rs).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from immutable_base.config.trust import SigningTable
from immutable_base.model.facts import HostPolicyFacts
from immutable_base.policy.demands import NOT_DEMANDED, refuses_by_default
from immutable_base.policy.host_trust import HostTrust
from immutable_base.policy.lint_admission import lint_admission, lint_signer
from immutable_base.policy.lint_environment import lint_environment
from immutable_base.policy.lint_policy import lint_policy
from immutable_base.policy.lint_registries import lint_registries
from immutable_base.policy.render import POLICY, SHARED_POLICY

REACHED = "pinging container registry"
"""How skopeo begins to say that it could not reach a registry: policy.json, registries.d and the
reference were in order by then. Source: containers/image, docker/docker_client.go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFinding:
    """One thing that is wrong, by the name of its rule."""

    rule: str
    message: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.rule}: {self.message}"


def lint(
    facts: HostPolicyFacts, trust: HostTrust, signing: SigningTable | None = None
) -> tuple[LintFinding, ...]:
    """Return everything that is wrong with an image's files, as compared with `trust`.

    With `signing`, also where the admission program believes somebody else.
    """
    files = facts.files
    found = [
        *lint_policy(files, trust),
        *_elsewhere(files),
        *lint_environment(files),
        *lint_registries(files, trust),
        *_keys(files, trust),
        *(_install(files) if trust.whole else ()),
        *_skopeo(facts),
        *lint_admission(facts, trust),
        *(lint_signer(files, signing) if signing is not None else ()),
    ]
    return tuple(LintFinding(rule=rule, message=message) for rule, message in found)


def _elsewhere(files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Where not every release of containers/image looks."""
    if POLICY not in files and SHARED_POLICY in files:
        yield "not-in-etc", f"only /{SHARED_POLICY} is there: image before v5.40 does not read it"


def _keys(files: Mapping[str, str], trust: HostTrust) -> Iterator[tuple[str, str]]:
    from immutable_base.policy.lint_keys import key_mistake  # noqa: PLC0415  cryptography is slow

    for key in trust.keys:
        text = files.get(key.path)
        if text is None:
            yield "key-missing", f"/{key.path} is not there, and policy.json names it"
        elif (mistake := key_mistake(text)) is not None:
            yield "key-unreadable", f"/{key.path}: {mistake}"
        elif key.pem and text != key.pem:
            yield "key-other", f"/{key.path} is not the key of the configuration"


def _install(files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What bootc writes down for the hosts that are installed from the image."""
    told, unreadable = _told(files)
    for line in unreadable:
        yield "install-unreadable", line
    if told is not True:
        yield (
            "not-enforced-by-bootc",
            "no file of bootc's install configuration ends with enforce-container-sigpolicy = true",
        )


def _told(files: Mapping[str, str]) -> tuple[bool | None, list[str]]:
    """Return what bootc is told last, and which files are none.

    It merges files in the order of their names; those in /etc replace and come after.
    """
    told: dict[str, bool | None] = {}
    unreadable = []
    for folder in ("usr/lib/bootc/install/", "etc/bootc/install/"):
        for path in sorted(path for path in files if path.startswith(folder)):
            try:
                table = tomllib.loads(files[path]).get("install", {})
            except (tomllib.TOMLDecodeError, AttributeError) as error:
                unreadable.append(f"/{path} is not TOML: {error}")
                continue
            told[path.removeprefix(folder)] = (
                table.get("enforce-container-sigpolicy") if isinstance(table, dict) else None
            )
    said = [told[name] for name in sorted(told) if told[name] is not None]
    return (said[-1] if said else None), unreadable


def lint_open(files: Mapping[str, str], *, accepted: bool) -> tuple[LintFinding, ...]:
    """Return what is wrong with an image that demands no signatures; `accepted`: on purpose."""
    found = [] if accepted else [LintFinding(rule="nothing-demanded", message=NOT_DEMANDED)]
    if _told(files)[0] is True and not refuses_by_default(files):
        message = (
            "bootc's install configuration has enforce-container-sigpolicy = true, and policy.json "
            "takes what nobody names: bootc refuses every upgrade"
        )
        found.append(LintFinding(rule="enforced-and-open", message=message))
    return tuple(found)


def _skopeo(facts: HostPolicyFacts) -> Iterator[tuple[str, str]]:
    if facts.skopeo is None:
        yield "no-skopeo", "the image has no skopeo, with which bootc fetches images"
    elif REACHED not in facts.skopeo.text:
        yield (
            "skopeo-refuses",
            f"the image's skopeo cannot use them: {facts.skopeo.text[:500]}",
        )

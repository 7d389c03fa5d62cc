"""What the image of the jobs must be; pure. It runs with the identity that signs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from immutable_base.check.interface import Objection, unless
from immutable_base.ci_image.questions import CiImageFacts
from immutable_base.doctor import PINNED, PROGRAMS
from immutable_base.model.check import Finding, Level
from immutable_base.model.ci_image import CiImageBuild
from immutable_base.plan.labels import OCI

OF_THE_RUNNER = frozenset({"namespaces", "space", "overlay"})
"""Lines of `doctor` that tell of the machine, not of the image: `doctor --ci` asks in the job."""
NEEDED = frozenset({name for name, *_ in (*PROGRAMS, *PINNED)})
ROOT = frozenset({"", "0", "root", "0:0", "root:root"})
SECRET = re.compile(r"TOKEN|PASSWORD|SECRET|CREDENTIAL|PRIVATE|API_?KEY", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CiImageSubject:
    """What the checks look at."""

    facts: CiImageFacts
    built: CiImageBuild


def doctor_content(subject: CiImageSubject) -> Objection | None:
    """`doctor` in the image finds every program, in an accepted version."""
    answer = subject.facts.doctor
    try:
        # What it logs stands behind the document.
        document, _ = json.JSONDecoder().raw_decode(answer.text)
        rows = {row["name"]: row for row in document["requirements"]}
        missing = {
            name: f"{row['reason']}: {row['fix']}" for name, row in rows.items() if not row["ok"]
        }
    except (ValueError, LookupError, TypeError) as error:
        return Objection(
            message=f"doctor gave no answer (status {answer.status}): {error}",
            evidence=tuple(answer.text.splitlines()[-20:]),
        )
    wrong = [f"{name}: doctor does not ask for it" for name in sorted(NEEDED - rows.keys())]
    wrong += [f"{name}: {why}" for name, why in missing.items() if name not in OF_THE_RUNNER]
    return unless(wrong, "doctor objects")


def configuration_there(subject: CiImageSubject) -> Objection | None:
    """The image has the configuration that the template of instances names; doctor has read it."""
    wrong = [f"there is no {name}" for name in subject.facts.missing]
    return unless(wrong, "every job of an instance would end with exit code 2")


def version_true(subject: CiImageSubject) -> Objection | None:
    """The package in the image is the commit's."""
    found, wanted = subject.facts.version.text, f"immutable-base {subject.built.version}"
    return None if found == wanted else Objection(message=f"it says '{found}', not '{wanted}'")


def user_root(subject: CiImageSubject) -> Objection | None:
    """Jobs start as root."""
    user = subject.facts.user
    return None if user in ROOT else Objection(message=f"jobs would run as {user}")


def no_secrets(subject: CiImageSubject) -> Objection | None:
    """No file has a private key or a login, and no variable is named like one."""
    names = [
        name for name, value in subject.facts.environment.items() if value and SECRET.search(name)
    ]
    wrong = [*subject.facts.secrets, *(f"the variable {name}" for name in sorted(names))]
    return unless(wrong, "whoever may pull the image has them")


def labels_true(subject: CiImageSubject) -> Objection | None:
    """The labels name the commit, the version and the base."""
    wanted = {
        f"{OCI}.revision": subject.built.commit,
        f"{OCI}.version": subject.built.version,
        f"{OCI}.base.digest": subject.built.base.partition("@")[2],
    }
    found: Mapping[str, str] = subject.facts.labels
    wrong = [
        f"{key}: {found.get(key, 'missing')!r}, built was {value!r}"
        for key, value in wanted.items()
        if found.get(key) != value
    ]
    return unless(wrong, "labels are not what was built")


CHECKS = (
    ("doctor", "everything that doctor asks for", "a job without it fails in its first second",
     doctor_content),
    ("configuration", "configuration and layers for instances", "their repositories have none",
     configuration_there),
    ("version", "this package, in the commit's version",
     "jobs must run the code that was reviewed", version_true),
    ("user", "root", "to build and to read images takes mounts and namespaces", user_root),
    ("no-secrets", "no key, no login", "whoever may pull the image could use them", no_secrets),
    ("labels", "labels of commit, version and base", "people and Renovate read them", labels_true),
)  # fmt: skip
"""Id, title, reason, and the function that objects."""


def check_ci_image(subject: CiImageSubject) -> tuple[Finding, ...]:
    """Return the finding of each check, passes included."""
    return tuple(
        _finding(name, title, reason, function(subject)) for name, title, reason, function in CHECKS
    )


def _finding(name: str, title: str, reason: str, objection: Objection | None) -> Finding:
    return Finding(
        id=name,
        title=title,
        reason=reason,
        level=Level.ERROR if objection else Level.PASS,
        message=objection.message if objection else "",
        evidence=objection.evidence if objection else (),
    )

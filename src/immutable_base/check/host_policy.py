"""Checks of whose images a host takes."""

from __future__ import annotations

from collections.abc import Mapping

from immutable_base.check.interface import Check, HasFacts, Objection, unless
from immutable_base.policy.demands import BY_CHOICE, variant_demands
from immutable_base.policy.host_trust import HostTrust, variants_trust
from immutable_base.policy.lint import lint, lint_open

KEYLESS = (
    "no key is configured (signing.keys): hosts refuse our images too, until their own admission "
    "program has verified an image's keyless signature"
)
BY_FLEET = (
    "hosts refuse our images too, until the machine that admits for them (signing.fleet) has "
    "verified an image's keyless signature"
)


def only_signed_images(subject: HasFacts) -> Objection | None:
    """policy.json and what goes with it let a host take from us only what is signed by us.

    An error if they let in more; a note if they do what they say, but a host needs a program beside
    it to take anything, or if the configuration says that they take everything.
    """
    if not variant_demands(subject.settings, subject.facts.variant):
        accepted = subject.settings.signing.accept_everything
        return nothing_demanded(subject.facts.host_policy.files, accepted=accepted)
    trust = variants_trust(subject.settings)
    signing = subject.settings.signing.table()
    found = tuple(str(finding) for finding in lint(subject.facts.host_policy, trust, signing))
    if found:
        return Objection(message="hosts would take, or miss, what they should not", evidence=found)
    return needs_admission(trust)


def nothing_demanded(files: Mapping[str, str], *, accepted: bool) -> Objection:
    """Return what is wrong with hosts that cannot check who signed; a note if that is meant."""
    opened = [str(finding) for finding in lint_open(files, accepted=accepted)]
    objection = unless(opened, "hosts would take what nobody has signed, or nothing at all")
    return objection or Objection(message=BY_CHOICE, is_note=True)


def needs_admission(trust: HostTrust) -> Objection | None:
    """Return a note if a host takes an image only after somebody has admitted it."""
    if trust.attached:
        return None
    return Objection(message=BY_FLEET if trust.lookaside else KEYLESS, is_note=True)


CHECKS: tuple[Check[HasFacts], ...] = (
    Check(
        id="only-signed-images",
        title="a host takes only signed images",
        reason="a signature that nobody demands keeps nobody from putting another image on a host",
        function=only_signed_images,
    ),
)

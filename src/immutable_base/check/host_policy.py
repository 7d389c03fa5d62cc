"""Checks of whose images a host takes."""

from __future__ import annotations

from immutable_base.check.interface import Check, HasFacts, Objection, unless
from immutable_base.policy.demands import NOT_DEMANDED, variant_demands
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
    it to take anything.
    """
    if not variant_demands(subject.settings, subject.facts.variant):
        opened = [str(finding) for finding in lint_open(subject.facts.host_policy.files)]
        if opened:
            return unless(opened, "hosts would take nothing at all")
        return Objection(message=NOT_DEMANDED, is_note=True)
    trust = variants_trust(subject.settings)
    signing = subject.settings.signing.table()
    found = tuple(str(finding) for finding in lint(subject.facts.host_policy, trust, signing))
    if found:
        return Objection(message="hosts would take, or miss, what they should not", evidence=found)
    return needs_admission(trust)


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

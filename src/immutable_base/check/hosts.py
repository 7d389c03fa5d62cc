"""Checks of what a host finds in its own /var, and of accounts. The image's /var is empty."""

from __future__ import annotations

from immutable_base.check.interface import Check, HasFacts, Objection, unless
from immutable_base.model.facts import Declared, VarFact

OURS = "usr/lib/tmpfiles.d/zz-immutable-base-var.conf"
"""The file that layers/scripts/declare-var writes."""
ROOT = "root"


def var_declared(subject: HasFacts) -> Objection | None:
    """tmpfiles.d makes what packages have below /var; our own file as the packages have it."""
    wrong = []
    for found in subject.facts.var:
        if found.declared is None:
            wrong.append(f"{found.path} of {found.package}: made by nobody")
        elif found.declared.file == OURS and not _is_as_packed(found, found.declared):
            wrong.append(f"{found.path} of {found.package}: not as the package has it, in {OURS}")
    return unless(wrong, "a service would look for its folder in vain")


def _is_as_packed(found: VarFact, line: Declared) -> bool:
    if found.kind == "link":
        return (line.kind, line.target) == ("L", found.target)
    # rpm gives the files of an owner that is nowhere to root.
    user = found.user if found.user_known else ROOT
    group = found.group if found.group_known else ROOT
    return (line.kind, line.mode, line.user, line.group) == ("d", found.mode, user, group)


def accounts_declared(subject: HasFacts) -> Objection | None:
    """sysusers.d makes every account that is in the image's /etc."""
    wrong = [
        f"{account.kind} {account.name}: in no sysusers.d"
        for account in subject.facts.accounts
        if not account.declared_in
    ]
    return unless(wrong, "accounts would be missing on hosts that changed their own")


CHECKS: tuple[Check[HasFacts], ...] = (
    Check(
        id="var-declared",
        title="what packages have in /var is made on hosts",
        reason="the image's /var is emptied, and an update brings nothing into a host's",
        function=var_declared,
    ),
    Check(
        id="accounts-declared",
        title="accounts are made on hosts, too",
        reason="a host whose administrator changed /etc/passwd does not see the image's any more",
        function=accounts_declared,
    ),
)

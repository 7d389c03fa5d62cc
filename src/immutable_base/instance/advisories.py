"""Which security advisories are open in an instance's image, and which a new one closes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from immutable_base.config.instance import Rebuild
from immutable_base.model.advisory import AdvisedPackage, FixedAdvisory, OpenAdvisory
from immutable_base.plan.diff import Key
from immutable_base.solver.advisories import Advisory, NamedPackage
from immutable_base.solver.order import Order

Versions = Mapping[Key, str]
"""`[epoch:]version-release` by name and architecture."""


def open_advisories(
    repository: str,
    advisories: Iterable[Advisory],
    image: Versions,
    base: Versions,
    offered: Versions,
    order: Order,
) -> tuple[OpenAdvisory, ...]:
    """Return what a repository advises that an image does not have, and that is offered.

    `image` is what the published image has, `base` what the base image has, `offered` the newest
    that any of the repositories has. An advisory whose update nobody offers is none yet.
    """
    found = []
    for advisory in advisories:
        packages = tuple(
            _advised(named, image, base)
            for named in advisory.packages
            if _concerns(named, image, offered, order)
        )
        if packages:
            found.append(
                OpenAdvisory(
                    id=advisory.id,
                    severity=advisory.severity,
                    cves=advisory.cves,
                    repository=repository,
                    packages=packages,
                )
            )
    return tuple(found)


def _concerns(named: NamedPackage, image: Versions, offered: Versions, order: Order) -> bool:
    key = (named.name, named.arch)
    if key not in image or key not in offered:
        return False
    return order(image[key], named.evr) < 0 <= order(offered[key], named.evr)


def _advised(named: NamedPackage, image: Versions, base: Versions) -> AdvisedPackage:
    key = (named.name, named.arch)
    return AdvisedPackage(
        name=named.name,
        arch=named.arch,
        installed=image[key],
        fixed=named.evr,
        in_base=base.get(key) == image[key],
    )


def reasons_to_build(found: Sequence[OpenAdvisory], rebuild: Rebuild) -> tuple[OpenAdvisory, ...]:
    """Return the advisories for which a schedule builds: a new image can be expected to close them.

    Others are noted.
    """
    wanted = [it for it in found if it.id not in rebuild.accepted_advisories]
    if rebuild.security_updates == "all":
        return tuple(wanted)
    return tuple(it for it in wanted if any(not package.in_base for package in it.packages))


def other_notes(found: Sequence[OpenAdvisory], rebuild: Rebuild) -> Iterator[str]:
    """Yield what is to be said of open advisories that are no reason to build."""
    reasons = reasons_to_build(found, rebuild)
    others = [it for it in found if it not in reasons]
    accepted = [it.id for it in others if it.id in rebuild.accepted_advisories]
    waiting = [advisory_line(it) for it in others if it.id not in rebuild.accepted_advisories]
    if accepted:
        yield f"open, and accepted by rebuild.accepted_advisories: {', '.join(accepted)}"
    if waiting:
        yield f"open in the base image, until a new one closes them: {'; '.join(waiting)}"


def advisory_line(advisory: OpenAdvisory) -> str:
    """Return an advisory with its packages and CVEs, in one line."""
    severity = f" ({advisory.severity})" if advisory.severity else ""
    packages = ", ".join(
        f"{it.name}.{it.arch} {it.installed} → {it.fixed}" for it in advisory.packages
    )
    cves = f"; {', '.join(advisory.cves)}" if advisory.cves else ""
    return f"{advisory.id}{severity}: {packages}{cves}"


def fixed_in(
    open_before: Iterable[OpenAdvisory], after: Versions, order: Order
) -> tuple[FixedAdvisory, ...]:
    """Return the advisories that a new image closes: no package of theirs is older there.

    One whose packages are all gone is not among them: nothing was updated.
    """
    found = []
    for advisory in open_before:
        here = [it for it in advisory.packages if (it.name, it.arch) in after]
        if here and all(order(after[it.name, it.arch], it.fixed) >= 0 for it in here):
            found.append(
                FixedAdvisory(
                    id=advisory.id,
                    severity=advisory.severity,
                    cves=advisory.cves,
                    packages=tuple(dict.fromkeys(it.name for it in here)),
                )
            )
    return tuple(found)

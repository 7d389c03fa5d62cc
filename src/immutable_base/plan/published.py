"""The last published image, and whether a plan would go back behind it.

A repository that is signed, or is not, can be kept at or set back to an older state: each of its
packages is genuine, and too old. Our own last image remembers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from immutable_base.config.schema import Settings
from immutable_base.errors import ImmutableBaseError, RemoteError, VerificationError
from immutable_base.plan.labels import MODULE
from immutable_base.plan.modules import ModuleSource
from immutable_base.process import Runner
from immutable_base.solver.order import Order
from immutable_base.tools import skopeo

POOLS = "zfs"
"""The module whose pools a host has to import after a rollback as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a variant's moving tag names."""

    reference: str
    """Empty where no tag of the configuration moves."""
    labels: Mapping[str, str]
    """Empty where nothing was published yet."""
    error: ImmutableBaseError | None = None
    """Why it is not known."""


def read_published(
    run: Runner, settings: Settings, variant: str, env: Mapping[str, str]
) -> Published:
    """Ask the registry for the labels of a variant's last image; `env` says which CAs to trust.

    What goes wrong is in the result: only variants with modules need it.
    """
    moving = [tag for tag in settings.publish.tags if "{" not in tag]
    if not moving:
        return Published(reference="", labels={})
    reference = f"{settings.repository_of(variant)}:{moving[0]}"
    try:
        labels = skopeo.published_labels(run, reference, env)
    except RemoteError as error:
        return Published(reference=reference, labels={}, error=error)
    return Published(reference=reference, labels=labels or {})


def forbid_rollback(
    published: Published, sources: Iterable[ModuleSource], order: Order
) -> tuple[str, ...]:
    """Require that no module is older than in the last image; return what could not be compared.

    Raises VerificationError for a module that is older and not allowed to be by name, and what
    asking the registry raised. That it wants a login is an answer, and no obstacle: nobody between
    us and the registry can give it.
    """
    sources = tuple(sources)
    if not sources:
        return ()
    if isinstance(published.error, skopeo.NotAllowedError):
        return (_unknown(sources, f"{published.reference} cannot be read without a login"),)
    if published.error is not None:
        raise published.error
    if not published.reference:
        return (_unknown(sources, "publish.tags has no tag that moves, such as `latest`"),)
    for source in sources:
        _forbid_one(published, source, order)
    return ()


def new_pool_features(published: Published, sources: Iterable[ModuleSource]) -> tuple[str, ...]:
    """Return a warning if OpenZFS may know pool features that the last image's does not.

    Those come with another second number only. Source: OpenZFS, "Feature Flags",
    https://openzfs.github.io/openzfs-docs/Basic%20Concepts/Feature%20Flags.html
    """
    before = published.labels.get(f"{MODULE}.{POOLS}", "")
    return tuple(
        f"{POOLS} {source.package.version} has other pool features than {before[:100]} in the last "
        "published image: a pool that is made by it, or by `zpool upgrade`, may not be imported "
        "after a rollback"
        for source in sources
        if source.name == POOLS and before and _line(source.package.version) != _line(before)
    )


def _line(version: str) -> tuple[str, ...]:
    return tuple(version.split(".")[:2])


def _unknown(sources: tuple[ModuleSource, ...], why: str) -> str:
    what = " and ".join(f"{source.name} {source.package.version}" for source in sources)
    return f"whether {what} would be a rollback is not known: {why}"


def _forbid_one(published: Published, source: ModuleSource, order: Order) -> None:
    before = published.labels.get(f"{MODULE}.{source.name}", "")
    version = source.package.version
    if not before or order(version, before) >= 0 or version == source.settings.allow_rollback_to:
        return
    raise VerificationError(
        f"{source.name} {version} is older than {before[:100]}, which the last published image has",
        details=f"published: {published.reference}\noffered: {source.package.url}",
        hint="a repository that was set back, or is kept at an old state; if it is right, "
        f'modules.{source.name}.allow_rollback_to = "{version}"',
    )

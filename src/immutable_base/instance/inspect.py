"""Read an instance's image, and ask its base the same questions."""

from __future__ import annotations

from pathlib import Path

from immutable_base.image import rpmdb
from immutable_base.image.layout import MODULES
from immutable_base.image.program import MountedImage, mounted_image
from immutable_base.inspect.collect import Where, read_facts
from immutable_base.inspect.modules import read_modules
from immutable_base.instance.candidate import require_local
from immutable_base.instance.context import InstanceContext
from immutable_base.model.instance import (
    BasePromises,
    InstanceBuild,
    InstanceFacts,
    PolicyFact,
)
from immutable_base.tools import buildah

POLICIES = ("etc/containers/policy.json", "usr/share/containers/policy.json")
"""Where a policy may be. Source: containers-policy.json(5)."""


def inspect_instance(at: InstanceContext, built: InstanceBuild) -> InstanceFacts:
    """Return what was read from the image, and write it down; the image may be another machine's.

    Raises CheckError if image or base does not answer what every image can, VerificationError if
    the layout was changed on its way.
    """
    buildah.pull(at.storage, built.base, at.tls.environment)
    require_local(at, built)
    rests_on = at.documents.rests_on(InstanceFacts)
    where = Where(name=built.variant, base=built.base, repository=at.repository)
    facts = read_facts(at.storage, built.image_id, where, rests_on=rests_on)
    with mounted_image(at.storage, built.image_id) as mounted:
        policies = read_policies(mounted.root)
    with mounted_image(at.storage, built.base) as base:
        promises = _promises(base)
    found = InstanceFacts(
        rests_on=rests_on,
        variant=built.variant,
        image_id=built.image_id,
        facts=facts,
        policies=policies,
        promises=promises,
    )
    at.documents.save(found)
    return found


def _promises(base: MountedImage) -> BasePromises:
    kernels = tuple(sorted(path.parent.name for path in (base.root / MODULES).glob("*/vmlinuz")))
    policies = read_policies(base.root)
    modules = (
        read_modules(base, kernels[0], rpmdb.parse(rpmdb.query_text(base)))
        if len(kernels) == 1
        else ()
    )
    return BasePromises(kernels=kernels, modules=modules, policies=policies)


def read_policies(root: Path) -> tuple[PolicyFact, ...]:
    """Return every policy.json of an image; links are followed inside it."""
    found = []
    for name in POLICIES:
        path = root / name
        if path.is_symlink():
            target = path.readlink()
            path = root / target.relative_to("/") if target.is_absolute() else path.parent / target
        if path.is_file() and path.resolve().is_relative_to(root.resolve()):
            found.append(PolicyFact(path=name, text=path.read_text("utf-8", "replace")))
    return tuple(found)

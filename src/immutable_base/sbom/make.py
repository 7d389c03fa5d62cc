"""The SBOM of one image: syft's list of packages, completed and checked, byte for byte the same."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from cyclonedx.exception import CycloneDxException
from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion

from immutable_base.config.schema import Settings
from immutable_base.config.signing import Signing
from immutable_base.errors import CheckError, CommandError
from immutable_base.model.evr import Evr
from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import VariantPlan
from immutable_base.model.sbom import full_sbom_path
from immutable_base.process import Runner
from immutable_base.sbom.compact import compact_text, package_name, short_references
from immutable_base.sbom.database import copy_database
from immutable_base.sbom.full import reference_to
from immutable_base.sbom.modules import module_components
from immutable_base.sbom.subject import BASE, IMAGE_ID, KERNEL_RELEASE
from immutable_base.tools import syft
from immutable_base.workspace import write_atomically

DROPPED = ("syft:cpe23", "syft:package:", "syft:location:", "syft:metadata:")
"""Prefixes of properties that only the full document has, where they are half of it: guesses of
CPE names, which are wrong for distributions that backport fixes; what is the same for every
package; and release, epoch and source package, which version and purl say, beside the size on disk.
The attestation goes through a log with a limit."""
NO_SERIAL = UUID(int=0)
"""The serial number of a document before it has one, which is made of everything else in it."""
SHOWN = 20
"""Packages of each kind that an error names."""
NOT_UNDERSTOOD = (
    AttributeError, CycloneDxException, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip
"""What reading a document of another shape raises, in our code and in cyclonedx-python-lib."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SbomRequest:
    """What an SBOM says beside the packages."""

    image: Component
    """The document's subject."""
    epoch: int
    """Seconds since 1970: the document's time, that of the newest input."""
    modules: Iterable[Component]
    """What no lister of packages finds: kernel modules from outside the kernel's own tree."""
    signing: Signing
    """Says how large a document may be."""


def make_sbom(
    run: Runner,
    settings: Settings,
    root: Path,
    *,
    variant: VariantPlan,
    facts: ImageFacts,
    document: Path,
) -> None:
    """Write the SBOM of a variant's image whose root is `root`; raises as `write_sbom`."""
    epoch = variant.source_date_epoch
    repository = settings.repository_of(variant.name)
    request = SbomRequest(
        image=image_component(repository, variant, image_id=facts.image_id, epoch=epoch),
        epoch=epoch,
        modules=module_components(settings, root, variant),
        signing=settings.signing,
    )
    write_sbom(run, root, request, facts=facts, document=document)


def write_sbom(
    run: Runner, root: Path, request: SbomRequest, *, facts: ImageFacts, document: Path
) -> None:
    """Write the SBOM of the image whose root is `root` to `document`.

    `facts` were read from the same image: the SBOM must have exactly their packages, public keys
    (gpg-pubkey) included, which rpm and syft both list. Its time is that of
    the newest input.

    Raises CheckError if a package or module is missing or too many or the document is larger than
    the transparency log takes, CommandError if syft fails.
    """
    document.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=document.parent, prefix=".syft-") as folder:
        raw, database = Path(folder) / "syft.json", Path(folder) / "root"
        copy_database(root, database)
        syft.scan_rpms(run, database, raw)
        found = raw.read_bytes()
    compare(rpm_names(read_bom(found)), rpm_lines(facts))
    write_both(found, request, document)


def write_both(found: bytes, request: SbomRequest, document: Path) -> None:
    """Write the full SBOM made of what syft has found, and the one to attest to `document`.

    Raises CheckError if either does not pass the CycloneDX schema, or that one is too large.
    """
    modules = tuple(request.modules)
    write = partial(render, image=request.image, epoch=request.epoch, modules=modules)
    full = write(read_bom(found, full=True), short=False)
    bom = read_bom(found)
    bom.external_references.add(reference_to(full))
    text = write(bom)
    write_atomically(full_sbom_path(document), full)
    # Also one that is too large: whoever is told so may want to know what fills it.
    write_atomically(document, text)
    require_size(len(text.encode()), request.signing, name=document.name.partition(".")[0])


def read_bom(text: bytes, *, full: bool = False) -> Bom:
    """Read syft's document; without `full` the parts that are not attested are left out.

    Raises CommandError if it is not a CycloneDX document of the shape that syft writes.
    """
    try:
        return _bom(json.loads(text), full=full)
    except NOT_UNDERSTOOD as error:
        raise CommandError(
            "the list of packages that syft wrote is not understood",
            details=f"{type(error).__name__}: {error}"[:2000],
            hint="`immutable-base doctor` says which versions of syft are accepted",
        ) from error


def _bom(document: dict[str, Any], *, full: bool) -> Bom:
    for tool in document["metadata"]["tools"]["components"]:
        # `author` is deprecated since CycloneDX 1.6; syft still writes it.
        tool["publisher"] = tool.pop("author", None)
    for component in document.get("components", []):
        if not isinstance(component["name"], str):
            raise TypeError(f"the name of a component is {component['name']!r}")
        if full:
            continue
        component.pop("cpe", None)
        properties = component.get("properties", [])
        component["properties"] = [
            item for item in properties if not item["name"].startswith(DROPPED)
        ]
    bom: Bom = Bom.from_json(document)  # type: ignore[attr-defined]  # made by a decorator
    return bom


def rpm_names(bom: Bom) -> list[str]:
    """Return the packages as `rpm -qa` prints them: name-version-release[.arch]."""
    names = (
        package_name(component, (component.version or "").rpartition(":")[2])
        for component in bom.components
    )
    return [name for name in names if name is not None]


def rpm_lines(facts: ImageFacts) -> list[str]:
    """Return the image's packages and public keys as `rpm -qa` prints them."""
    packages = (f"{p.name}-{Evr.parse(p.evr).without_epoch}.{p.arch}" for p in facts.packages)
    return [*packages, *facts.public_keys]


def compare(found: Iterable[str], installed: Iterable[str]) -> None:
    """Demand the same packages, each as often.

    Raises CheckError naming those that differ.
    """
    ours, theirs = Counter(found), Counter(installed)
    missing, extra = sorted((theirs - ours).elements()), sorted((ours - theirs).elements())
    if missing or extra:
        lines = [f"missing: {name}" for name in missing[:SHOWN]]
        lines += [f"not installed: {name}" for name in extra[:SHOWN]]
        raise CheckError(
            f"the SBOM has {ours.total()} packages, the image's rpm database {theirs.total()}: "
            f"{len(missing)} missing, {len(extra)} too many",
            details="\n".join(lines),
        )


def image_component(
    repository: str, variant: VariantPlan, *, image_id: str, epoch: int
) -> Component:
    """Return the document's subject: the image, before its digest is known."""
    said = {
        BASE: variant.base.pinned,
        KERNEL_RELEASE: variant.kernel.chosen or variant.kernel.image,
        IMAGE_ID: image_id,
        "immutable-base:stream": variant.stream,
    }
    return container_component(repository, said, epoch=epoch)


def container_component(repository: str, said: Mapping[str, str], *, epoch: int) -> Component:
    """Return an image as the subject of its SBOM; `said` are properties by their names."""
    return Component(
        type=ComponentType.CONTAINER,
        name=repository,
        version=datetime.fromtimestamp(epoch, UTC).date().isoformat(),
        bom_ref=f"image:{repository}",
        properties=[Property(name=name, value=value) for name, value in said.items()],
    )


def render(
    bom: Bom,
    *,
    image: Component,
    epoch: int,
    modules: Iterable[Component] = (),
    short: bool = True,
) -> str:
    """Return the document as CycloneDX 1.6 JSON; the same content gives the same bytes.

    `short` leaves out what says nothing. Raises CheckError if it does not pass the CycloneDX
    schema.
    """
    bom.components.update(modules)
    bom.metadata.component = image
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    bom.register_dependency(image, bom.components)
    bom.version = 1
    bom.serial_number = NO_SERIAL
    blank = _text(bom, short=short)
    # A document is written once: to do that takes as long as all the rest of it.
    text = blank.replace(_serial(NO_SERIAL), _serial(uuid5(NAMESPACE_URL, blank)), 1)
    error = _schema_error(text)
    if error is not None:
        raise CheckError("the SBOM does not pass the CycloneDX 1.6 schema", details=error[:2000])
    return text


def _serial(number: UUID) -> str:
    return f'"serialNumber":"{number.urn}"'


def _schema_error(text: str) -> str | None:
    # Not above: only here it is needed, and its import takes a while.
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415  see above

    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return None if error is None else str(error)


def _text(bom: Bom, *, short: bool) -> str:
    document = json.loads(JsonV1Dot6(bom).output_as_string(indent=1))
    if short:
        return compact_text(document, short_references(bom.components))
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def require_size(size: int, signing: Signing, *, name: str) -> None:
    """Refuse an SBOM that the transparency log would.

    `size` is in bytes. Raises CheckError with both numbers.
    """
    limit = signing.sbom_limit_kib
    if size > limit << 10:
        raise CheckError(
            f"the SBOM of {name} has {-(-size // 1024)} KiB, more than the {limit} KiB that "
            "may be sent to the transparency log",
            hint=f"if {signing.rekor_url} takes more, raise signing.sbom_limit_kib; "
            f"otherwise give {name} fewer packages",
        )

"""What lies beside an image: the tags `sha256-….sig` and `sha256-….att`, item by item.

Whoever may write to the registry may add to them. So everything that can be decided from the small
manifest is decided first: certificate, log entry and signer; only what passes is fetched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from immutable_base.errors import TooLargeError
from immutable_base.verification import simple_signing
from immutable_base.verification.certificate import (
    Leaf,
    read_leaf,
    read_pem,
    require_chain,
    require_signer,
)
from immutable_base.verification.log_entry import Entry, read_entry
from immutable_base.verification.policy import Signer
from immutable_base.verification.reader import Reader
from immutable_base.verification.roots import TrustRoots
from immutable_base.verification.sct import require_sct
from immutable_base.verification.skipped import Kind, Skipped, skipping
from immutable_base.verification.strict import (
    DIGEST,
    Object,
    count_of,
    list_of,
    parse_json,
    require_object,
    text_of,
)

SIGNATURE = "dev.cosignproject.cosign/signature"
CERTIFICATE = "dev.sigstore.cosign/certificate"
CHAIN = "dev.sigstore.cosign/chain"
BUNDLE = "dev.sigstore.cosign/bundle"
MOST_ITEMS = 4000
"""Items that are looked at; each costs well under a millisecond until it names the signer.

Of more the first and the last: cosign appends, so junk that was there before hides nothing."""
MOST_FETCHED = 40
"""Items that are fetched: by then each is by the right signer, at a time that Rekor vouches for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A signature or attestation by the right signer, before its content was fetched.

    The log vouches for the digest of the content.
    """

    digest: str
    size: int
    signature: str
    leaf: Leaf
    entry: Entry


def read_layers(raw: bytes, media_type: str) -> tuple[list[Object], int]:
    """Return the descriptors of a kind in a manifest, and how many others lie beside them.

    Raises Skipped if it is not a manifest.
    """
    what = "the manifest beside the image"
    manifest = require_object(parse_json(raw, what), what)
    layers = [
        layer if isinstance(layer, dict) else {}
        for layer in list_of(manifest.get("layers"), f"{what}: its layers")
    ]
    found = [layer for layer in layers if layer.get("mediaType") == media_type]
    if len(found) > MOST_ITEMS:
        found = found[: MOST_ITEMS // 2] + found[-MOST_ITEMS // 2 :]
    return found, len(layers) - len(found)


def read_item(layer: Object, signer: Signer, roots: TrustRoots, largest: int) -> Item:
    """Return an item once certificate, log and signer hold; raises Skipped."""
    with skipping("an item beside the image", Kind.JUNK):
        require_object(layer, "an item beside the image")
        digest = text_of(layer.get("digest"), "an item's digest")
        size = count_of(layer.get("size"), "an item's size")
        if not DIGEST.fullmatch(digest) or size > largest:
            raise Skipped("an item's digest or size is not acceptable")
        notes = require_object(layer.get("annotations"), "an item's annotations")
        if CERTIFICATE not in notes:
            raise Skipped("signed by a key, without a certificate", Kind.BY_KEY)
        leaf = read_leaf(text_of(notes[CERTIFICATE], "the certificate"))
    ours = (leaf.identity, leaf.issuer) == (signer.identity, signer.issuer)
    with skipping("an item beside the image", Kind.BROKEN if ours else Kind.JUNK):
        entry = read_entry(text_of(notes.get(BUNDLE), "the log's bundle"), roots)
        _require_vouched(leaf, entry, notes, roots)
        if f"sha256:{entry.hash}" != digest:
            raise Skipped("the log's entry is of another text")
        signature = text_of(notes.get(SIGNATURE, ""), "the signature")
        # An attestation's stands in its envelope, which was not fetched yet.
        if layer.get("mediaType") == simple_signing.MEDIA_TYPE and entry.signature != signature:
            raise Skipped("the log's entry is of another signature")
    require_signer(leaf, signer)
    return Item(digest=digest, size=size, signature=signature, leaf=leaf, entry=entry)


def _require_vouched(leaf: Leaf, entry: Entry, notes: Object, roots: TrustRoots) -> None:
    given = text_of(notes.get(CHAIN, ""), "the chain")
    chain = read_pem(given, "the certificate's chain") if given else []
    issuer = require_chain(leaf, chain, roots, entry.integrated)
    require_sct(leaf.certificate, issuer, roots)
    if entry.certificate != leaf.pem:
        raise Skipped("the log's entry is by another certificate")


def judge(
    layers: list[Object], read: Callable[[Object], Item], rejected: list[Skipped]
) -> list[Item]:
    """Return the items that hold as far as the manifest tells, each once, the newest first."""
    items = []
    for layer in layers:
        try:
            items.append(read(layer))
        except Skipped as one:
            rejected.append(one)
    return sorted(_distinct(items), key=lambda item: item.entry.integrated, reverse=True)


def _distinct(items: Iterable[Item]) -> Iterable[Item]:
    """Return what the log knows as one thing once: copies are free to make, and may claim any size.

    The largest that is claimed counts: it is a limit, and the content is known by its digest.
    """
    found: dict[tuple[str, Entry], Item] = {}
    for item in items:
        known = found.setdefault((item.digest, item.entry), item)
        if known.size < item.size:
            found[item.digest, item.entry] = item
    return found.values()


def fetch_items(
    reader: Reader, items: list[Item], rejected: list[Skipped]
) -> Iterator[tuple[Item, bytes]]:
    """Yield items with their content, whose digest was compared; see MOST_FETCHED."""
    for item in items[:MOST_FETCHED]:
        try:
            raw = reader.blob(item.digest, item.size)
        except TooLargeError:  # Anybody may claim another size of something that is good.
            raw = None
        if raw is None or f"sha256:{hashlib.sha256(raw).hexdigest()}" != item.digest:
            rejected.append(Skipped("the registry does not have what its manifest names"))
            continue
        yield item, raw
    rejected.extend(Skipped("not looked at: too many") for _ in items[MOST_FETCHED:])

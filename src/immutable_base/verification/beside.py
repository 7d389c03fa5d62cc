"""One of the two tags beside an image, asked for what holds, or for why nothing does."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from immutable_base.errors import (
    BrokenProofError,
    NotSignedError,
    OtherSignerError,
    VerificationError,
)
from immutable_base.verification.attached import (
    Item,
    fetch_items,
    judge,
    read_item,
    read_layers,
)
from immutable_base.verification.policy import Demand
from immutable_base.verification.reader import Reader
from immutable_base.verification.roots import TrustRoots
from immutable_base.verification.simple_signing import expected_text
from immutable_base.verification.skipped import Kind, Skipped, skipping

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One of the two tags beside an image, and what is asked of it."""

    reader: Reader
    pinned: str
    tag: str
    media_type: str
    largest: int
    what: str
    """Begins the sentence of a refusal: `<pinned> has no <what>`."""
    near: Sequence[int] = ()
    """Times of the log: what was logged near one of them is looked at first. Empty: the newest."""


def ask(
    question: Question,
    demand: Demand,
    roots: TrustRoots,
    read: Callable[[Item, bytes], T],
    rejected: list[Skipped],
) -> list[T]:
    """Return what holds of what lies under a tag; raises if nothing does."""
    raw = question.reader.manifest(question.tag)
    if raw is None:
        raise NotSignedError(f"{question.pinned} has no {question.what}")
    here: list[Skipped] = []
    good: list[T] = []
    try:
        layers, others = read_layers(raw, question.media_type)
    except Skipped as one:
        raise refusal(question, demand, [one]) from one
    here += [Skipped("something else", Kind.UNRELATED)] * others
    items = judge(
        layers, lambda layer: read_item(layer, demand.signer, roots, question.largest), here
    )
    items.sort(key=_looks_like_ours(question.pinned, demand), reverse=True)
    items.sort(key=partial(_distance, question.near))
    for item, content in fetch_items(question.reader, items, here):
        try:
            with skipping(f"the {question.what}"):
                good.append(read(item, content))
        except Skipped as one:
            here.append(one)
    if not good:
        raise refusal(question, demand, here)
    rejected += here
    return good


def _looks_like_ours(pinned: str, demand: Demand) -> Callable[[Item], bool]:
    """Return what puts the text that cosign writes for this image first, among many."""
    texts = expected_text(pinned.partition("@")[2], demand.repositories)
    digests = {f"sha256:{hashlib.sha256(text).hexdigest()}" for text in texts}
    return lambda item: item.digest in digests


def _distance(near: Sequence[int], item: Item) -> int:
    """Return how many seconds lie between an item's time and the nearest of these.

    A job attests in the same minute as it signs. What others put beside an image is of other jobs
    of ours: of other nights, but for a handful.
    """
    return min((abs(item.entry.integrated - time) for time in near), default=0)


def refusal(question: Question, demand: Demand, rejected: Sequence[Skipped]) -> VerificationError:
    """Return the one error that says what lies there instead of what was wanted."""
    sentence = f"{question.pinned} has no valid {question.what} by {demand.signer.identity}"
    kinds = {item.kind for item in rejected} - {Kind.UNRELATED}
    details = "\n".join(
        f"{reason} ({number} times)" if number > 1 else reason
        for reason, number in Counter(item.reason[:300] for item in rejected).most_common(10)
    )
    if not kinds:
        return NotSignedError(sentence, details=details or None)
    if kinds & {Kind.OTHERS, Kind.BY_KEY} and Kind.BROKEN not in kinds:
        return OtherSignerError(sentence, details=details)
    return BrokenProofError(sentence, details=details)

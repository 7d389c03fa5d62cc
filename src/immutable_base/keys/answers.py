"""What was answered about one key, and what of it fits together: pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from immutable_base.config.key import Key
from immutable_base.errors import ImmutableBaseError, VerificationError
from immutable_base.repository.keys import require_valid
from immutable_base.tools.gpg import KeyFile, ListedKey

KEY, PLACES, PIN, WITNESS, METADATA, PACKAGE = (
    "key", "places", "pin", "witness", "metadata", "package",
)  # fmt: skip
"""Names of findings. Whoever pins a key may name those that do not fit, all but the first."""
MAY_MISS = (PLACES, PIN, WITNESS, METADATA, PACKAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFinding:
    """One question about a key, and whether its answer speaks for the key."""

    name: str
    ok: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceAnswer:
    """What a place has."""

    place: str
    error: str | None = None
    """Why there is nothing; the other fields are empty then."""
    content: bytes = b""
    sha256: str = ""
    sha256_without_version: str = ""
    """Of the file without its lines that begin with `Version`, which servers rewrite."""
    file: KeyFile = field(default_factory=KeyFile)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureAnswer:
    """Something that the key should have signed."""

    what: str
    error: str | None = None
    """Why it does not count; None if its signature is good."""


def candidate(
    answers: Sequence[PlaceAnswer], fingerprint: str | None
) -> tuple[PlaceAnswer, ListedKey] | None:
    """Return the key that is looked at, and the first place that has it.

    That is the key of this fingerprint, else the only one of the first place that has any.
    """
    for answer in answers:
        keys = [key for key in answer.file.keys if fingerprint in {None, key.fingerprint}]
        if len(keys) == 1:
            return answer, keys[0]
        if keys:
            return None
    return None


def about_the_file(
    key: Key, answers: Sequence[PlaceAnswer], found: tuple[PlaceAnswer, ListedKey] | None
) -> tuple[KeyFinding, ...]:
    """Return what the files of all places say about the key that was found in one of them."""
    if found is None:
        return (KeyFinding(name=KEY, ok=False, message=_none_found(answers)),)
    answer, listed = found
    return (
        _valid(listed),
        _places(answers, listed),
        *_pins(key, answer, listed),
        *_witnesses(key, answer, listed),
    )


def about_signatures(name: str, answers: Sequence[SignatureAnswer]) -> tuple[KeyFinding, ...]:
    """Return what was found out about something that the key should have signed."""
    return tuple(
        KeyFinding(
            name=name,
            ok=answer.error is None,
            message=f"{answer.what}: {answer.error or 'the signature is good'}",
        )
        for answer in answers
    )


def require_fit(findings: Sequence[KeyFinding], despite: Sequence[str]) -> None:
    """Raise VerificationError if anything does not fit that `despite` does not name."""
    bad = [item for item in findings if not item.ok and item.name not in set(despite) & {*MAY_MISS}]
    if bad:
        names = dict.fromkeys(item.name for item in bad)
        ways = " ".join(f"--despite {name}" for name in names if name in MAY_MISS)
        raise VerificationError(
            f"the key is not pinned: {', '.join(names)} did not fit",
            details="\n".join(f"{item.name}: {item.message}" for item in bad),
            hint=f"find out why first; who knows better says so: {ways}"
            if KEY not in names
            else "nothing can make up for that",
        )


def _none_found(answers: Sequence[PlaceAnswer]) -> str:
    several = {it.fingerprint for answer in answers for it in answer.file.keys}
    if several:
        return f"choose one with --fingerprint: {', '.join(sorted(several))}"
    if all(answer.error is not None for answer in answers):
        return f"none of its {len(answers)} places answers"
    return "no place has a key that gpg can read"


def _valid(listed: ListedKey) -> KeyFinding:
    try:
        require_valid(listed)
    except ImmutableBaseError as error:
        return KeyFinding(name=KEY, ok=False, message=error.message)
    return KeyFinding(
        name=KEY, ok=True, message=f"{listed.fingerprint} is neither revoked nor expired"
    )


def _places(answers: Sequence[PlaceAnswer], listed: ListedKey) -> KeyFinding:
    having = [
        answer
        for answer in answers
        if listed.fingerprint in {key.fingerprint for key in answer.file.keys}
    ]
    return KeyFinding(
        name=PLACES,
        ok=len(having) == len(answers),
        message=f"{len(having)} of {len(answers)} have this key",
    )


def _pins(key: Key, answer: PlaceAnswer, listed: ListedKey) -> Iterator[KeyFinding]:
    for pin, found in ((key.fingerprint, listed.fingerprint), (key.sha256, answer.sha256)):
        if pin is not None:
            message = "it is the pinned one" if pin == found else f"the configuration pins {pin}"
            yield KeyFinding(name=PIN, ok=pin == found, message=message)


def _witnesses(key: Key, answer: PlaceAnswer, listed: ListedKey) -> Iterator[KeyFinding]:
    if key.witness_key_id is not None:
        yield _witness(
            f"a fingerprint that ends in {key.witness_key_id}",
            ok=listed.fingerprint.endswith(key.witness_key_id),
        )
    if key.witness_sha256 is not None:
        yield _witness(
            f"{key.witness_sha256} as the sum without Version lines",
            ok=answer.sha256_without_version == key.witness_sha256,
        )


def _witness(what: str, *, ok: bool) -> KeyFinding:
    said = "this key has it: a hint, not a proof" if ok else "this key has another"
    return KeyFinding(name=WITNESS, ok=ok, message=f"public sources name {what}; {said}")

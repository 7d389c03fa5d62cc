"""What hosts make of every case of the verifier's corpus, and why that differs from `verify`. Pure.

tests/lab/test_host_verdicts.py asks real hosts; docs/reference/host-verdicts.md is made from this.
"""

from __future__ import annotations

from dataclasses import dataclass

from support.host_corpus import CASES
from support.scene import OK
from support.signature_cases import CASES as SIGNATURES
from support.signature_cases import TEXTS

KEY_VOUCHES = (
    "a key vouches for digest and tag: nothing else that lies beside the image is looked at"
)
NO_SBOM = "a policy knows no attestation"
NO_JOB = "a policy knows no pipeline, and so no job of one"
NO_TIME = "a policy knows no time"
WHOLE_OR_NOTHING = (
    "one item that cannot be read refuses the image: who may write to the registry can keep hosts "
    "from upgrading, and cannot give them anything"
)
ALWAYS_OPTIONAL = "containers/image demands the key `optional`; cosign always writes it"
HALF_CHARACTERS = "Go reads half a character as another one, in a part that decides nothing"

UNREADABLE = {
    f"signature: {name}"
    for name in (
        "the signature is a number", "a chain that is a number", "a signature tag with other things", "others and junk", "only junk",
        "the registry lacks the signed text", "the registry serves another text", "an item of a weak digest",
        "the signature's manifest is not JSON", "the signature's manifest is empty",
        "the signature's manifest is a list", "the signature's manifest is without layers",
        "the signature's manifest is with layers that are a text",
        "the signature's manifest is with layers twice", "the signature's manifest is with layers in two cases",
        "the signature's manifest is with layers null", "the signature's manifest is nested too deep",
    )
}  # fmt: skip
"""Where nobody can read a signature, so that a good one beside it does not count either."""
STOPPED = {
    "signature: a thousand junk layers before the good one",
    "signature: layers of every wrong form beside the good one",
}
"""What `verify` skips, and skopeo does not."""
TAKEN = {
    "registry: another project of the same path (S9)": NO_JOB,
    "registry: another trigger (S9)": NO_JOB,
    "registry: another runner (S9)": NO_JOB,
    "registry: another ref (S9)": NO_JOB,
    "registry: no project in the certificate (S9)": NO_JOB,
    "registry: no trigger in the certificate (S9)": NO_JOB,
    "registry: no runner in the certificate (S9)": NO_JOB,
    "registry: no ref in the certificate (S9)": NO_JOB,
    "registry: a job that may sign only attested (S9)": NO_JOB,
    "registry: 500 for the attestations only (S11)": NO_SBOM,
    "registry: a mirror that is not declared (S2)": KEY_VOUCHES,
    "registry: too old (J04)": NO_TIME,
    "registry: rolled back": NO_TIME,
}
"""What a host that demands a key takes, though `verify` refuses it."""


@dataclass(frozen=True)
class Verdicts:
    """What is said of one case."""

    verify: int
    """Exit code."""
    admission: int
    """Exit code of the host's program."""
    admitted: bool
    """Whether a host takes the image once its program has been asked."""
    by_key: bool
    """Whether a host that demands a key takes it, where the key has signed image and tag."""
    reason: str
    """Why the last one is not what `verify` says; empty where it is."""


def expected(name: str) -> Verdicts:
    """Return what must be said of a case of the corpus."""
    code, reason = CASES[name][1], difference(name)
    good = code == OK
    return Verdicts(
        verify=code, admission=code, admitted=good, by_key=good != bool(reason), reason=reason
    )


def difference(name: str) -> str:
    """Return why a host that demands a key decides otherwise than `verify`; empty if it does not."""
    corpus = name.partition(":")[0]
    if CASES[name][1] == OK:
        return WHOLE_OR_NOTHING if name in STOPPED else ""
    if corpus == "attestation":
        return NO_SBOM
    if corpus == "signature":
        return "" if name in UNREADABLE else KEY_VOUCHES
    return TAKEN.get(name, "")


@dataclass(frozen=True)
class TextVerdicts:
    """What is said of a text that the right key has signed."""

    verify: bool
    """Whether it counts where the pipeline has signed it, keyless."""
    counted: bool
    """Whether it counts for a publication by key."""
    taken: bool
    """Whether a host that demands the key takes the image."""
    reason: str
    """Why not all say the same; empty if they do."""


TEXT_DIFFERENCES = {
    "without optional": TextVerdicts(True, False, False, ALWAYS_OPTIONAL),
    "half a character": TextVerdicts(False, False, True, HALF_CHARACTERS),
}


def expected_text(name: str) -> TextVerdicts:
    """Return what must be said of a text; where it names no tag here, `latest` is put to it."""
    good = SIGNATURES[name][1] == OK
    return TEXT_DIFFERENCES.get(name) or TextVerdicts(good, good, good, "")


INTRODUCTION = """\
`verify` is tested with a corpus of images that are wrong in one way each: who signed them, what, when, how that is
attached, what the registry answers. This page says what hosts make of the same images. Three are asked:
`immutable-base verify`; the admission program, as an image has it, with that image's own Python; and that image's own skopeo
under the policies that the build writes: the one for images with the layer `admission`, after the program was asked, and the
one for a configured key. `tests/lab/test_host_verdicts.py` asks them, and fails if one says something else than this page.

A number is an [exit code](exit-codes.md): the image is refused, or nothing can be known. What the columns are:

* **verify**, **program**: what the two say. They are the same everywhere.
* **admitted**: whether skopeo takes the image after that. It does exactly where the program has admitted it.
* **by key**: whether skopeo takes it where a key is demanded, and that key has signed the image for its tag beside what is wrong.
  Where no key has signed, it refuses every one of these images, also those that are signed keyless as they should be.
* **why**: the letter of the reason if the last verdict is not that of `verify`.
"""
LEFT_OUT = """
Not on this page: `--signed-as`, a question that only people ask, and what `verify` says of provenance and full SBOM, for which
no host asks.
"""
KEYS = """
## What the key itself has signed

The texts that are signed in the corpus, signed by the key that hosts demand, for this tag unless the case is about that.
**keyless**: whether `verify` takes the text where the pipeline has signed it. **counts**: whether a publication counts it as a
signature by the key, before tags move. **by key**: whether skopeo takes the image. Nothing counts that skopeo would refuse.

| text | keyless | counts | by key | why |
|---|---|---|---|---|
"""


def document() -> str:
    """Return the page below its title."""
    reasons = [
        *dict.fromkeys(filter(None, map(difference, CASES))),
        *(it.reason for it in TEXT_DIFFERENCES.values()),
    ]
    letters = {reason: chr(ord("A") + number) for number, reason in enumerate(reasons)}
    parts = [INTRODUCTION, "\n## Where they differ\n\n", _reasons(letters), LEFT_OUT]
    for corpus, title in TITLES.items():
        parts.append(f"\n## {title}\n\n{HEAD}")
        parts += [
            _row(name.removeprefix(f"{corpus}: "), expected(name), letters)
            for name in CASES
            if name.startswith(f"{corpus}: ")
        ]
    parts += [KEYS, *(_text_row(name, expected_text(name), letters) for name in TEXTS)]
    return "".join(parts)


TITLES = {
    "signature": "Signatures",
    "attestation": "SBOM attestations",
    "registry": "Tags, registries, and what a configuration demands",
}
HEAD = "| case | verify | program | admitted | by key | why |\n|---|--:|--:|---|---|---|\n"


def _reasons(letters: dict[str, str]) -> str:
    head = "| why | cases | by key | because |\n|---|--:|---|---|\n"
    counts = dict.fromkeys(letters, 0)
    verdicts = {}
    for found in (*map(expected, CASES), *map(expected_text, TEXTS)):
        if found.reason:
            counts[found.reason] += 1
            takes = found.by_key if isinstance(found, Verdicts) else found.taken
            verdicts[found.reason] = _word(takes)
    return head + "".join(
        f"| {letter} | {counts[reason]} | {verdicts[reason]} | {reason} |\n"
        for reason, letter in letters.items()
    )


def _row(name: str, found: Verdicts, letters: dict[str, str]) -> str:
    cells = (
        name, _code(found.verify), _code(found.admission), _word(found.admitted),
        _word(found.by_key), letters.get(found.reason, ""),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def _text_row(name: str, found: TextVerdicts, letters: dict[str, str]) -> str:
    words = map(_word, (found.verify, found.counted, found.taken))
    return f"| {name} | {' | '.join(words)} | {letters.get(found.reason, '')} |\n"


def _code(code: int) -> str:
    return "takes" if code == OK else str(code)


def _word(takes: bool) -> str:
    return "takes" if takes else "refuses"

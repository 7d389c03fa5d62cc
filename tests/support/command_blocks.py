"""Blocks of commands in how-tos and tutorials: how a test types them, as a reader of the page would.

In a page a block that no test types has a comment on the line before it:
`<!-- not executed: WHY -->`, or `<!-- executed by TEST FILE -->` (two files with ` and ` between).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from support.paths import ROOT

BLOCK = re.compile(
    r"^ *(?:<!-- (?P<marker>(?:not executed: |executed by )[^\n]*?) -->\n *)?"
    r"```(?P<language>\w*)\n(?P<text>.*?)^ *```",
    re.MULTILINE | re.DOTALL,
)
SHELL = frozenset({"sh", "bash", "shell", "console", ""})
PAGES = ("how-to", "tutorial")


@dataclass(frozen=True)
class Block:
    """A fenced block of commands."""

    text: str
    marker: str
    """Why no test types it as it stands; empty if one does."""


def pages() -> dict[str, list[Block]]:
    """Return the blocks of commands of every how-to and tutorial that has any, by its path in docs/."""
    files = [path for name in PAGES for path in sorted((ROOT / "docs" / name).glob("*.md"))]
    found = {f"{path.parent.name}/{path.name}": blocks_of(path.read_text()) for path in files}
    return {page: blocks for page, blocks in found.items() if blocks}


def blocks_of(text: str) -> list[Block]:
    """Return the blocks of commands of a page; those in other languages are none."""
    return [
        Block(found["text"], found["marker"] or "")
        for found in BLOCK.finditer(text)
        if found["language"] in SHELL
    ]


@dataclass(frozen=True)
class Session:
    """How the blocks of one page are typed, one after the other, in one shell in the tiny lab."""

    names: tuple[tuple[str, str], ...] = ()
    """What only stands for a reader's own, and what the lab has instead; all else is typed as it is."""
    begins: str = ""
    """What the page says in words, or supposes."""
    ends: str = ""
    """Whether what the page promises has come to pass."""
    minutes: int = 15
    """What all of it may take: the page's own word, if it gives one."""
    in_a_night: bool = False
    """In a copy of the workspace of a run that has ended, not in an empty folder."""
    long: bool = False
    """It has a run of its own: `make soak` types it."""


IMAGE = '"$IMMUTABLE_BASE_REGISTRY/tiny:latest"'
OURS = "registry.gitlab.com/immutable-base/immutable-base"
IDENTITY = "https://gitlab.com/immutable-base/immutable-base//.gitlab-ci.yml@refs/heads/main"
ISSUER = ("https://gitlab.com\n", '"$IMMUTABLE_BASE_ISSUER"\n')
OWN_CONFIGURATION = """\
cp -rL "$(dirname "$IMMUTABLE_BASE_CONFIG")/layers" layers
cp "$IMMUTABLE_BASE_CONFIG" immutable-base.toml
export IMMUTABLE_BASE_CONFIG="$PWD/immutable-base.toml"
"""
ANSWERING = 'sed -i \'s|"[^"]*/moved-away/[^"]*", ||\' immutable-base.toml\n'
"""Of the lab's places of keys the first one has moved away, on purpose: `keys check` objects to that."""
NEW_PACKAGE = "escapement"
"""The tiny stream's repository has it, and no layer."""
NO_HOST_STAYS = """\
gone() { for verb in stop remove; do immutable-base lab host $verb --state "$LAB" typed-nas || :; done; }
gone && trap gone EXIT
"""
SESSIONS = {
    "how-to/add-a-check.md": Session((("fedora-base", "tiny"),), long=True),
    "how-to/add-a-layer.md": Session(
        (), OWN_CONFIGURATION + """\
cp -r layers/tiny layers/monitoring
printf '[layers.monitoring]\\npackages = ["tree"]\\n' >> immutable-base.toml
printf '[variants.base-monitoring]\\nstream = "tiny"\\nlayers = ["monitoring"]\\n' >> immutable-base.toml
printf 'description = "base with metrics"\\n' >> immutable-base.toml
"""),
    "how-to/add-a-module.md": Session((("base-acme", "tiny-metronome"), ("acme", "metronome"))),
    "how-to/add-a-package.md": Session(
        (), OWN_CONFIGURATION + f"sed -i 's/^packages = .\"less\", /&\"{NEW_PACKAGE}\", /' immutable-base.toml\n",
        ends=f"""immutable-base plan --format json > plan.json
jq -e '[.variants[] | any(.packages[]; .name == "{NEW_PACKAGE}")] == [true, true]' plan.json
"""),
    "how-to/add-a-variant.md": Session(
        (("NAME", "tiny-own"),), OWN_CONFIGURATION + """\
printf '[variants.tiny-own]\\nstream = "tiny"\\nlayers = ["tiny", "admission", "metronome"]\\n' >> immutable-base.toml
printf 'description = "tiny with another name"\\n' >> immutable-base.toml
"""),
    "how-to/add-an-instance.md": Session(
        (("registry.gitlab.com/GROUP/nas:latest", IMAGE),
         ("https://gitlab.com/GROUP/nas//.gitlab-ci.yml@refs/heads/main", IDENTITY), ISSUER)),
    "how-to/add-or-rotate-a-key.md": Session((("vendor", "tiny"),), OWN_CONFIGURATION + ANSWERING),
    "how-to/admit-for-a-fleet.md": Session((), OWN_CONFIGURATION + """\
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | openssl pkey -pubout -out host.pub
sed -i '/^.signing.keys.$/,/^key_paths/d' immutable-base.toml
printf '\\n[signing.fleet]\\nlookaside = "https://admission.example"\\n' >> immutable-base.toml
printf 'key_paths = ["host.pub", "next.pub"]\\n' >> immutable-base.toml
"""),
    "how-to/debug-a-module-that-does-not-compile.md": Session(
        (("base-zfs", "tiny-metronome"),), long=True),
    "how-to/pin-a-key.md": Session(
        (("cuda", "tiny"), ("nvidia-modprobe", "tree")),
        OWN_CONFIGURATION + ANSWERING + "sed -i '/^.keys.tiny.$/,/^$/{/^fingerprint/d}' immutable-base.toml\n"),
    "how-to/release.md": Session(
        (("verify base", "verify tiny"), ("REGISTRY/base:latest", IMAGE),
         ("identity URI", 'identity "$IMMUTABLE_BASE_IDENTITY"'), ("issuer URL", 'issuer "$IMMUTABLE_BASE_ISSUER"'))),
    "how-to/rotate-the-signing-key.md": Session(
        (), OWN_CONFIGURATION + """\
for name in current next third; do cosign generate-key-pair --output-key-prefix $name; done
sed -i 's|^key_paths = .*|key_paths = ["current.pub"]|' immutable-base.toml
"""),
    "how-to/make-the-image-of-the-jobs.md": Session(
        (("verify registry.gitlab.com/GROUP/PROJECT/ci:latest", f"verify {IMAGE}"),)),
    "how-to/run-on-your-gitlab.md": Session(
        ((f"verify {OURS}/ci:latest", f'verify --config "$TINY" {IMAGE}'), ISSUER),
        'TINY="$IMMUTABLE_BASE_CONFIG"; unset IMMUTABLE_BASE_CONFIG'),
    "how-to/secure-boot.md": Session((("-keyout", "-noenc -keyout"),)),
    "how-to/sign-with-a-key.md": Session(begins='export IMMUTABLE_BASE_WORKSPACE="$NIGHT"'),
    "how-to/use-your-own-runner.md": Session(),
    "how-to/verify-an-image.md": Session(
        ((f"verify {OURS}/base-zfs:latest", f"verify {IMAGE}"), ISSUER,
         (f"{OURS}/base-zfs@sha256:…",
          '"$IMMUTABLE_BASE_REGISTRY/tiny@$(jq -r .digest "$NIGHT/tonight/publish/tiny.json")"'),
         ("https://gitlab.com)", '"$IMMUTABLE_BASE_ISSUER")'))),
    "how-to/when-a-night-fails.md": Session(
        (("base-zfs", "tiny-metronome"), ("--workspace nights", "--workspace .")), in_a_night=True),
    "how-to/when-a-variant-is-held-or-failed.md": Session(
        (("base-zfs", "tiny"),), in_a_night=True, long=True),
    "tutorial/first-image.md": Session(
        ((".venv/bin/", ""), ("lab env", 'lab env --state "$LAB"'),
         ("lab pipeline", 'lab pipeline --state "$LAB"'), ("acme/nas", "acme/typed-nas"),
         *((f"lab host {verb} nas", f'lab host {verb} --state "$LAB" typed-nas')
           for verb in ("create", "start", "ssh", "stop", "remove"))),
        NO_HOST_STAYS, long=True, minutes=10),
    "tutorial/first-night.md": Session(
        (("lab env", 'lab env --scenario tiny --state "$LAB"'), (".venv/bin/", ""),
         ("base-zfs-nvidia:", "tiny-metronome:"), ("base:latest", "tiny:latest"),
         ("somebody-else\n", "somebody-else || test $? = 14\n"))),
}  # fmt: skip
"""Page by its path in docs/, and how its blocks without a marker are typed."""


def script(page: str) -> str:
    """Return what is typed for a page."""
    session = SESSIONS[page]
    typed = "".join(block.text for block in pages()[page] if not block.marker)
    for before, after in session.names:
        typed = typed.replace(before, after)
    return f"{session.begins}\n{typed}\n{session.ends}"


def files_of(marker: str) -> list[Path]:
    """Return the test files that a marker names; none if it says why a block is not executed."""
    head, _, names = marker.partition("executed by ")
    return [] if head else [ROOT / name for name in names.split(" and ") if name]


def marked_block(page: str, test: str) -> str:
    """Return the block of a page that names a test: what that test has to type. ValueError: not one."""
    (found,) = (it.text for it in pages()[page] if it.marker == f"executed by {test}")
    return found

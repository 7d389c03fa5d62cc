"""Blocks of commands in how-tos and tutorials: what a test executes, and what cannot be executed here."""

import re
from dataclasses import dataclass
from pathlib import Path

from support.paths import ROOT

BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SHELL = frozenset({"sh", "bash", "shell", "console", ""})
PAGES = ("how-to", "tutorial")


@dataclass(frozen=True)
class Block:
    """A fenced block of commands."""

    page: str
    """Its document, below docs/."""
    number: int
    """From 1, among the blocks of commands of its page."""
    text: str

    def __str__(self) -> str:
        return f"{self.page} {self.number}"


def command_blocks() -> list[Block]:
    """Return the blocks of commands of every how-to and tutorial, in their order."""
    pages = [path for name in PAGES for path in sorted((ROOT / "docs" / name).glob("*.md"))]
    return [block for path in pages for block in blocks_of(path)]


def blocks_of(path: Path) -> list[Block]:
    found = [text for language, text in BLOCK.findall(path.read_text()) if language in SHELL]
    page = f"{path.parent.name}/{path.name}"
    return [Block(page, number, text) for number, text in enumerate(found, start=1)]


@dataclass(frozen=True)
class Execution:
    """How a block is executed in the tiny lab: other names for what is only a stand-in in a page."""

    names: tuple[tuple[str, str], ...] = ()
    """What is replaced, and by what. Everything else is executed as it stands."""
    begins: str = ""
    """Commands before it: those of the block before, or what its page says in words."""
    status: int = 0
    in_a_night: bool = False
    """In a copy of the workspace of a night that has ended, not in an empty folder."""


IMAGE = '"$IMMUTABLE_BASE_REGISTRY/tiny:latest"'
OURS = "https://gitlab.com/immutable-base/immutable-base//.gitlab-ci.yml@refs/heads/main"
PUBLISHED = "registry.gitlab.com/immutable-base/immutable-base"
ISSUER = ("https://gitlab.com\n", '"$IMMUTABLE_BASE_ISSUER"\n')
WITH_MODULE = ("base-zfs", "tiny-metronome")

EXECUTED = {
    "how-to/add-a-check.md 1": Execution((("fedora-base", "tiny"),), in_a_night=True),
    "how-to/add-a-variant.md 1": Execution((("NAME", "tiny"),)),
    "how-to/add-an-instance.md 1": Execution(),
    "how-to/add-an-instance.md 3": Execution(
        (("registry.gitlab.com/GROUP/nas:latest", IMAGE),
         ("https://gitlab.com/GROUP/nas//.gitlab-ci.yml@refs/heads/main", OURS), ISSUER)),
    "how-to/add-or-rotate-a-key.md 1": Execution((("vendor", "tiny"),)),
    "how-to/prune-the-registry.md 2": Execution(),
    "how-to/run-on-your-gitlab.md 1": Execution(),
    "how-to/run-on-your-gitlab.md 2": Execution(
        begins="immutable-base init .; export IMMUTABLE_BASE_CONFIG=immutable-base.toml"),
    "how-to/run-on-your-gitlab.md 4": Execution(
        (("registry.gitlab.com/GROUP/PROJECT/ci:latest", IMAGE),)),
    "how-to/use-your-own-runner.md 1": Execution(),
    "how-to/verify-an-image.md 1": Execution(((f"{PUBLISHED}/base-zfs:latest", IMAGE), ISSUER)),
    "how-to/verify-an-image.md 3": Execution(
        ((f"{PUBLISHED}/base-zfs@sha256:…",
          '"$IMMUTABLE_BASE_REGISTRY/tiny@$(jq -r .digest "$NIGHT/tonight/publish/tiny.json")"'),
         ("https://gitlab.com)", '"$IMMUTABLE_BASE_ISSUER")'))),
    "how-to/when-a-night-fails.md 1": Execution(
        (WITH_MODULE, ("nights ", ". ")), in_a_night=True),
    "how-to/when-a-variant-is-held-or-failed.md 1": Execution(
        (("base-zfs", "tiny"),), in_a_night=True),
    "tutorial/first-image.md 2": Execution(),
    "tutorial/first-image.md 3": Execution(
        begins='immutable-base instance init ~/nas --base tiny --registry "$IMMUTABLE_BASE_REGISTRY"\n'
        "cd ~/nas; git init --quiet"),
    "tutorial/first-night.md 2": Execution((("lab env", 'lab env --scenario tiny --state "$LAB"'),
                                            (".venv/bin/", ""))),
    "tutorial/first-night.md 3": Execution((("base-zfs-nvidia:", "tiny-metronome:"),)),
    "tutorial/first-night.md 4": Execution((("base:latest", "tiny:latest"),), status=14),
}  # fmt: skip
"""Block by page and number, and how it is executed."""

LARGE = "about the large lab, whose repositories and run take half an hour"
EDITED = "needs what its page has the reader write first: a repository, layer or module that is not there"
LAB = "brings up or takes down the lab that the tests share"
BY_A_TEST = {
    "how-to/prune-the-registry.md 1": "tests/unit/prune/test_prune.py",
    "how-to/run-on-your-gitlab.md 3": "tests/lab/test_ci_image.py",
    "how-to/run-on-your-gitlab.md 5": "tests/lab/test_pipeline.py",
    "how-to/run-stage-by-stage.md 1": "tests/lab/test_stage_by_stage.py",
    "how-to/run-stage-by-stage.md 2": "tests/lab/test_stage_by_stage.py",
    "how-to/run-a-lab-scenario.md 1": "tests/lab/test_tiny_night.py",
    "tutorial/first-image.md 4": "tests/lab/test_instance_pipeline.py",
    "tutorial/first-image.md 6": "tests/lab/test_instance_pipeline.py",
    "tutorial/first-night.md 5": "tests/lab/test_tiny_night.py",
    "tutorial/first-night.md 6": "tests/lab/test_lab_down.py",
}
"""Blocks of which each command takes long and is the subject of a test of its own, by its file."""

NOT_HERE = {
    "how-to/add-a-kernel-rule.md 1": "runs unit tests, which `make unit` runs; `plan` is executed elsewhere",
    "how-to/add-a-lab-service.md 1": LAB,
    "how-to/add-a-layer.md 1": EDITED,
    "how-to/add-a-module.md 1": EDITED,
    "how-to/add-a-package.md 1": LARGE,
    "how-to/add-an-instance.md 2": "switches a host to another image",
    "how-to/debug-a-module-that-does-not-compile.md 1": "shows logs of a compilation that failed, in a pager",
    "how-to/debug-a-module-that-does-not-compile.md 2": "needs a module that does not compile",
    "how-to/pin-a-key.md 1": LARGE,
    "how-to/pin-a-key.md 2": "writes the configuration; tests/lab/test_online.py has the keys of the lab",
    "how-to/prune-the-registry.md 3": "asks GitLab's API",
    "how-to/release.md 1": "publishes a release",
    "how-to/release.md 2": "asks the registry of a release",
    "how-to/verify-an-image.md 2": "asks Sigstore's public instance",
    "tutorial/first-image.md 1": LAB,
    "tutorial/first-image.md 5": "needs the image of block 4; `make demo-instance` executes both",
    "tutorial/first-night.md 1": LARGE,
}
"""Blocks that are not executed, and why not."""

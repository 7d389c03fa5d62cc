"""The Containerfile that is built: images by digest, and our own last step. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from immutable_base.instance.containerfile import BuildStage, Containerfile

# The environment that layers give their steps: rpm and Python then write no times of their own.
ARGUMENTS = ("ARG SOURCE_DATE_EPOCH", "ARG PYTHONDONTWRITEBYTECODE=1")
CLEAN = '["/run/build/input/bin/clean"]'
LAST = f"RUN --mount=type=tmpfs,target=/run/build {CLEAN}"
"""The last step of every layer (layers/scripts/clean): what packages have in /var, and accounts,
are declared for hosts; caches and logs go, with their times."""


def pinned_text(file: Containerfile, replaced: dict[str, str]) -> str:
    """Return the text with each image in `replaced` by what stands for it, and our last step."""
    return f"{with_images(file, replaced, ARGUMENTS).rstrip()}\n{LAST}\n"


def with_images(
    file: Containerfile, replaced: dict[str, str], arguments: Sequence[str] = ()
) -> str:
    """Return the text with each image in `replaced` by what stands for it.

    A FROM becomes one line; COPY and mounts get theirs in place. `arguments` are lines that follow
    the last FROM.
    """
    lines = file.text.replace("\r\n", "\n").split("\n")
    for stage in reversed(file.stages):
        new = [_from(stage, replaced.get(stage.image, stage.image))]
        if stage is file.stages[-1]:
            new += arguments
        lines[stage.first - 1 : stage.last] = new
    text = "\n".join(lines)
    for _, image in file.others:
        if image in replaced:
            text = text.replace(f"from={image}", f"from={replaced[image]}")
    return text


def _from(stage: BuildStage, image: str) -> str:
    alias = f" AS {stage.alias}" if stage.alias else ""
    return " ".join(["FROM", *stage.flags, image]) + alias

"""Which image a Containerfile builds on, and the text with that image pinned."""

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.instance.containerfile import parse_containerfile
from immutable_base.instance.pinned_text import LAST, pinned_text

BASE = "registry.example/images/base-zfs:latest"
PINNED = "registry.example/images/base-zfs@sha256:" + "a" * 64
TOOL = "registry.example/tools/go:1.25@sha256:" + "b" * 64

NAMED = {
    "plain": f"FROM {BASE}\n",
    "small letters, and the stage has a name": f"from {BASE} as host\n",
    "the last of several": f"FROM {TOOL} AS build\nRUN make\nFROM {BASE}\nCOPY --from=build /x /x\n",
    "a stage on the base": f"FROM {BASE} AS below\nRUN x\nFROM below AS above\nFROM above\n",
    "an argument with a default": f"ARG BASE={BASE}\nFROM $BASE\n",
    "an argument made of another": 'ARG TAG=latest\nARG BASE="registry.example/images/base-zfs:${TAG}"\nFROM ${BASE}\n',
    "a default in place": f"FROM ${{BASE:-{BASE}}}\n",
    "comments, blank lines, continued": f"# syntax=docker/dockerfile:1\n\n# FROM x/y:z\nFROM \\\n  # which\n\n  {BASE}\n",
    "another escape character": f"# escape=`\nFROM `\n  {BASE}\nRUN echo \\\nRUN true\n",
    "a platform": f"FROM --platform=linux/amd64 {BASE}\n",
    "FROM in a here-document": f"FROM {BASE}\nRUN <<EOT\nFROM x/y:z\nEOT\nRUN true\n",
    "carriage returns": f"FROM {BASE}\r\nRUN true\r\n",
    "two stages that only differ in which is last": f"FROM {TOOL}\nFROM {BASE}\n",
}  # fmt: skip


@pytest.mark.parametrize("text", NAMED.values(), ids=NAMED.keys())
def test_the_base_is_what_the_last_stage_builds_on(text):
    root = parse_containerfile(text).root
    assert (root.image, root.is_open) == (BASE, False)


OPEN = {
    "no default": "ARG BASE\nFROM $BASE\n",
    "not declared": "FROM ${BASE}\n",
    "declared after the first FROM": f"FROM {TOOL}\nARG BASE={BASE}\nFROM $BASE\n",
    "in the tag": "FROM registry.example/x:${TAG}\n",
    "a form that is not known": f"ARG B={BASE}\nFROM ${{B:+x}}\n",
    "empty": "ARG BASE=\nFROM $BASE\n",
}


@pytest.mark.parametrize("text", OPEN.values(), ids=OPEN.keys())
def test_an_argument_that_nobody_knows_is_not_guessed(text):
    assert parse_containerfile(text).root.is_open


REFUSED = {
    "empty": ("", "has no FROM"),
    "comments only": (f"# FROM {BASE}\n", "has no FROM"),
    "no FROM": ("RUN true\n", "has no FROM"),
    "FROM nothing": ("FROM\n", "line 1: `FROM ` is not understood"),
    "too many words": (f"FROM {BASE} AS a b\n", "line 1: .* is not understood"),
    "a here-document without end": (f"FROM {BASE}\nRUN <<EOT\nx\n", "does not end"),
    "an argument in COPY": (f"FROM {BASE}\nCOPY --from=$X /a /b\n", "line 2: the image \\$X"),
}


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_understood_is_refused_with_its_line(text, words):
    with pytest.raises(ConfigurationError, match=words):
        parse_containerfile(text)


@pytest.mark.parametrize(
    "step", ["cat <<<word", "echo $((1<<n))", 'echo "a<<b"', "cat <<-EOT\n\tx\n\tEOT", "cat 3<<EOT\nEOT"]
)  # fmt: skip
def test_what_only_looks_like_a_here_document_is_none(step):
    file = parse_containerfile(f"FROM {BASE} AS first\nRUN {step}\nFROM first\n")
    assert [stage.image for stage in file.stages] == [BASE, "first"]


def test_a_stage_keeps_the_name_by_which_buildah_finds_it():
    file = parse_containerfile(f"FROM {TOOL} AS Build\nFROM {BASE}\nCOPY --from=Build /a /a\n")
    assert file.foreign(BASE) == (TOOL,)
    assert pinned_text(file, {BASE: PINNED}).startswith(f"FROM {TOOL} AS Build\nFROM {PINNED}\n")


def test_a_stage_in_other_letters_is_another_image_to_buildah():
    assert parse_containerfile(f"FROM {BASE} AS Build\nFROM build\n").root.image == "build"
    with pytest.raises(ConfigurationError, match="the image build has no digest"):
        parse_containerfile(f"FROM {BASE} AS Build\nCOPY --from=build /a /a\n").foreign(BASE)


@pytest.mark.parametrize("end", ["  EOT", "EOT ", "\tEOT"])
def test_a_here_document_ends_where_buildah_ends_it(end):
    """What follows is of the document, and no instruction."""
    text = f"FROM {BASE}\nRUN cat <<EOT\n{end}\nFROM other/x:1\nEOT\n"
    assert [stage.image for stage in parse_containerfile(text).stages] == [BASE]


@pytest.mark.parametrize("text", ["FROM scratch\n", "FROM Scratch AS x\nFROM x\n"])
def test_from_scratch_is_refused(text):
    with pytest.raises(ConfigurationError, match="line 1: FROM scratch"):
        _ = parse_containerfile(text).root


MOVING = {
    "a stage": f"FROM golang/go:1.25 AS build\nFROM {BASE}\n",
    "COPY": f"FROM {BASE}\nCOPY --from=registry.example/x:1 /a /b\n",
    "a mount": f"FROM {BASE}\nRUN --mount=type=bind,from=registry.example/x:1,target=/x true\n",
    "a number that is no stage": f"FROM {BASE}\nCOPY --from=7 /a /b\n",
    "a huge number": f"FROM {BASE}\nCOPY --from={'9' * 5000} /a /b\n",
    "a digit of another script": f"FROM {BASE}\nCOPY --from=\u00b2 /a /b\n",
}


@pytest.mark.parametrize("text", MOVING.values(), ids=MOVING.keys())
def test_another_image_without_a_digest_is_refused(text):
    with pytest.raises(ConfigurationError, match="has no digest"):
        parse_containerfile(text).foreign(BASE)


def test_other_images_are_named_once_and_stages_are_none():
    text = f"FROM {TOOL} AS build\nFROM {TOOL}\nFROM scratch AS s\nFROM {BASE}\nCOPY --from=build /a /b\nCOPY --from=0 /a /b\nCOPY --from={TOOL} /c /c\nCOPY --from={BASE} /d /d\n"  # fmt: skip
    assert parse_containerfile(text).foreign(BASE) == (TOOL,)


def test_every_mention_of_the_base_is_pinned_and_nothing_else_changes():
    text = f"ARG X=1\nFROM {BASE} AS first\nRUN echo {BASE}\nFROM \\\n --platform=linux/amd64 first\nCOPY --from={BASE} /d /d\n"
    assert pinned_text(parse_containerfile(text), {BASE: PINNED}) == (
        f"ARG X=1\nFROM {PINNED} AS first\nRUN echo {BASE}\nFROM --platform=linux/amd64 first\nARG SOURCE_DATE_EPOCH\n"
        f"ARG PYTHONDONTWRITEBYTECODE=1\nCOPY --from={PINNED} /d /d\n{LAST}\n"
    )


def test_an_open_argument_gets_the_base():
    file = parse_containerfile("ARG BASE\nFROM ${BASE}\nRUN true\n")
    text = pinned_text(file, {file.root.image: PINNED})
    assert text.startswith(f"ARG BASE\nFROM {PINNED}\nARG SOURCE_DATE_EPOCH\n")

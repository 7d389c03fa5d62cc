"""buildah: output of another form than expected is an error in words."""

import json

import pytest

from immutable_base.errors import CommandError, ImmutableBaseError
from immutable_base.process import Result
from immutable_base.tools import buildah
from immutable_base.tools.buildah import CommitRequest, Image, Storage

COMMIT = CommitRequest(tag="t", epoch=0, labels={}, annotations={})


def storage_that_prints(output, folder):
    """Return a storage in which buildah prints this, whatever it is asked."""

    def printing(command):
        return Result(status=0, stdout=output.encode(), stderr_tail="")

    return Storage(printing, folder / "storage")


@pytest.mark.parametrize("output", ["", " ", "\n"])
def test_an_image_that_was_fetched_or_made_must_be_named(tmp_path, output):
    storage = storage_that_prints(output, tmp_path)
    with pytest.raises(ImmutableBaseError, match="named no image"):
        buildah.pull(storage, "h/a@sha256:0", {})
    with pytest.raises(ImmutableBaseError, match="named no image"):
        buildah.commit(storage, "container", COMMIT)


def test_the_image_is_what_is_named_last(tmp_path):
    storage = storage_that_prints("WARN something\nabc\n", tmp_path)
    assert buildah.pull(storage, "h/a@sha256:0", {}) == "abc"
    assert buildah.commit(storage, "container", COMMIT) == "abc"


@pytest.mark.parametrize("output", ["", "\n", "null", "[]"])
def test_a_storage_without_images_has_none(tmp_path, output):
    assert buildah.images(storage_that_prints(output, tmp_path)) == ()


def test_images_are_listed_by_id_with_their_names(tmp_path):
    rows = [{"id": "sha256:b", "names": ["h/x:1"]}, {"id": "a", "names": None}, {"id": "c"}]
    assert buildah.images(storage_that_prints(json.dumps(rows), tmp_path)) == (
        Image(id="a", names=()), Image(id="b", names=("h/x:1",)), Image(id="c", names=()),
    )  # fmt: skip


@pytest.mark.parametrize(
    "output",
    ["{", "0", "true", '"x"', "{}x", '["x"]', "[null]", "[{}]", '[{"id": 1}]', '[{"id": "a", "names": 1}]', "[" * 100_000],
)  # fmt: skip
def test_a_list_of_images_in_another_form_is_an_error_in_words(tmp_path, output):
    with pytest.raises(CommandError, match="buildah's list of images cannot be read"):
        buildah.images(storage_that_prints(output, tmp_path))


@pytest.mark.parametrize("labels", [None, {}, {"a": "b"}])
@pytest.mark.parametrize("annotations", [None, {}, {"c": "d"}])
def test_labels_and_annotations_of_an_image(tmp_path, labels, annotations):
    document = {"OCIv1": {"config": {"Labels": labels}}, "ImageAnnotations": annotations}
    storage = storage_that_prints(json.dumps(document), tmp_path)
    assert buildah.image_labels(storage, "x") == (labels or {}, annotations or {})


def test_an_image_without_a_word_about_annotations_has_none(tmp_path):
    document = json.dumps({"OCIv1": {"config": {"Labels": {"a": "b"}}}})
    assert buildah.image_labels(storage_that_prints(document, tmp_path), "x") == ({"a": "b"}, {})


def test_what_is_none_is_taken_away_and_the_rest_is_set(tmp_path):
    commands = []

    def run(command):
        commands.append(command.argv)
        return Result(status=0, stdout=b"abc", stderr_tail="")

    request = CommitRequest(
        tag="t", epoch=0, labels={"b": "1", "a": None}, annotations={"c": None, "d": "x=y"}
    )
    buildah.commit(Storage(run, tmp_path / "storage"), "container", request)
    assert commands[0][commands[0].index("config") + 1 :] == (
        "--label=a-", "--label=b=1", "--annotation=c-", "--annotation=d=x=y", "container",
    )  # fmt: skip


@pytest.mark.parametrize(
    "output",
    ["", "{", "null", "[]", "{}", '{"OCIv1": null}', '{"OCIv1": {}}', '{"OCIv1": {"config": null}}',
     '{"OCIv1": {"config": {}}, "ImageAnnotations": ["a"]}', '{"OCIv1": {"config": {"Labels": ["a"]}}}', '{"OCIv1": {"config": {"Labels": "a"}}}'],
)  # fmt: skip
def test_an_image_described_in_another_form_is_an_error_in_words(tmp_path, output):
    with pytest.raises(CommandError, match="buildah's description of x cannot be read"):
        buildah.image_labels(storage_that_prints(output, tmp_path), "x")


def test_a_layout_is_read_by_its_name_alone(tmp_path):
    """buildah makes a reference of the path, and refuses one with a hidden folder in it."""
    asked = []

    def answer(command):
        asked.append(command)
        return Result(status=0, stdout=b"abc\n", stderr_tail="")

    storage = Storage(answer, tmp_path / "storage")
    assert buildah.pull_layout(storage, tmp_path / ".state" / "oci" / "base-zfs") == "abc"
    assert asked[0].argv[-1] == "oci:base-zfs"
    assert asked[0].cwd == tmp_path / ".state" / "oci"

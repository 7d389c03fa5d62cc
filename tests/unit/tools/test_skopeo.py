"""skopeo: what it is asked, and how its output is read."""

import hashlib
import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from immutable_base.errors import CommandError, RemoteError
from immutable_base.process import Command, Result
from immutable_base.tools import skopeo
from support.clock import in_zone

CA = {"SSL_CERT_FILE": "/ca.pem"}


class Registry:
    """Answers `skopeo inspect` for one reference."""

    def __init__(self, raw: bytes, config: dict | None = None) -> None:
        self.raw, self.config, self.asked = raw, config or {}, []

    def __call__(self, command: Command) -> Result:
        assert command.env == CA
        self.asked.append(command.argv[-1])
        out = json.dumps(self.config).encode() if "--config" in command.argv else self.raw
        return Result(status=0, stdout=out, stderr_tail="")


def test_a_plain_manifest_has_the_digest_of_its_bytes():
    raw = b'{"layers": []}'
    registry = Registry(raw, {"created": "2026-11-20T00:00:00.123456789Z"})
    found = skopeo.resolve(registry, "host:5000/a/b:tag", CA)
    digest = "sha256:" + hashlib.sha256(raw).hexdigest()
    assert (found.digest, found.created) == (digest, 1795132800)
    assert registry.asked[1] == f"docker://host:5000/a/b@{digest}"


def test_an_index_gives_the_manifest_for_amd64():
    platforms = [("arm64", "linux"), ("amd64", "windows"), ("amd64", "linux")]
    entries = [
        {"digest": f"sha256:{n:064}", "platform": {"architecture": a, "os": o}}
        for n, (a, o) in enumerate(platforms)
    ]
    registry = Registry(
        json.dumps({"mediaType": skopeo.INDEX_TYPES[0], "manifests": entries}).encode()
    )
    assert skopeo.resolve(registry, "h/a", CA).digest == f"sha256:{2:064}"
    with pytest.raises(RemoteError, match="no image for linux/amd64"):
        skopeo.resolve(Registry(b'{"manifests": []}'), "h/a", CA)


def test_a_registry_that_is_down_is_a_remote_error_with_skopeos_words():
    def down(command):
        raise CommandError("exited", details="connection refused")

    with pytest.raises(RemoteError, match="connection refused"):
        skopeo.resolve(down, "h/a", CA)


def test_a_program_that_took_too_long_is_named():
    def slow(command):
        raise CommandError("`x` did not end within 120 s")

    with pytest.raises(RemoteError, match="did not end within 120 s"):
        skopeo.resolve(slow, "registry.invalid/x:1", {})


@pytest.mark.parametrize("raw", [b'{"a": 1}', b' {"a": 1}\n\n', b"\xff\x00\n", b""])
def test_the_digest_is_that_of_the_exact_bytes(raw):
    expected = "sha256:" + hashlib.sha256(raw).hexdigest()
    assert skopeo.manifest_digest(Registry(raw), "h/a:t", CA) == expected


def test_of_a_manifest_with_a_line_end_the_digest_includes_it():
    raw = b'{"layers": []}\n'
    registry = Registry(raw)
    expected = "sha256:" + hashlib.sha256(raw).hexdigest()
    assert skopeo.resolve(registry, "h/a:t", CA).digest == expected
    assert registry.asked == ["docker://h/a:t", f"docker://h/a@{expected}"]


@pytest.mark.parametrize("digest", [None, 1, "", "x", "sha256:", "sha256:" + "A" * 64, "sha512:" + "0" * 64])  # fmt: skip
def test_a_manifest_without_a_usable_digest_is_none_of_ours(digest):
    entry = {"platform": {"os": "linux", "architecture": "amd64"}, "digest": digest}
    with pytest.raises(RemoteError, match="no image for linux/amd64"):
        skopeo.resolve(Registry(json.dumps({"manifests": [entry]}).encode()), "h/a", CA)


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>",
        b"[" * 100_000,
        b'{"manifests": 0}',
        b'{"manifests": [{"platform": "x"}]}',
        b"[]",
        b'{"manifests": null}',
        b'{"manifests": ["x"]}',
        b'{"manifests": {"a": 1}}',
    ],
)
def test_an_answer_that_is_no_image(raw):
    with pytest.raises(RemoteError):
        skopeo.resolve(Registry(raw), "h/a", CA)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ("2026-11-20T00:00:00", 1795132800),
        ("2026-11-20T00:00:00Z", 1795132800),
        ("2026-11-20T00:00:00.5Z", 1795132800),
        ("2026-11-20T09:00:00+09:00", 1795132800),
        ("1970-01-01T00:00:00", 0),
        ("0001-01-01T00:00:00Z", 0),
        ("", 0),
    ],
)
def test_when_an_image_was_made_does_not_depend_on_the_zone_of_the_machine(zone, created, expected):
    with in_zone(zone):
        assert skopeo.seconds(created) == expected


@pytest.mark.parametrize("created", ["yesterday", "2026-13-01T00:00:00Z", "1795132800"])
def test_a_time_that_is_none_is_refused(created):
    with pytest.raises(RemoteError, match="which is no time"):
        skopeo.seconds(created)


def published(answer, **config):
    def run(command):
        assert command.argv[-1] == "docker://h/a:latest"
        assert "--config" in command.argv
        if isinstance(answer, str):
            raise CommandError("exited", details=answer)
        return Result(status=0, stdout=json.dumps(config).encode(), stderr_tail="")

    return skopeo.published_labels(run, "h/a:latest", CA)


@pytest.mark.parametrize("words", ["unauthorized: authentication required", "Denied: access forbidden", "StatusCode: 403 Forbidden"])  # fmt: skip
def test_a_registry_that_wants_a_login_says_so(words):
    with pytest.raises(skopeo.NotAllowedError, match="skopeo login"):
        published(words)


@pytest.mark.parametrize("words", ["connection refused", "500 Internal Server Error", ""])
def test_a_registry_that_does_not_answer_has_not_said_that_nothing_is_there(words):
    with pytest.raises(RemoteError) as caught:
        published(words)
    assert not isinstance(caught.value, skopeo.NotAllowedError)


def test_an_image_that_is_not_there_has_no_labels_to_compare():
    assert published("reading manifest latest in h/a: manifest unknown") is None


@pytest.mark.parametrize("config", [{}, {"config": None}, {"config": "x"}, {"config": {"Labels": None}}, {"config": {"Labels": []}}])  # fmt: skip
def test_a_configuration_without_labels(config):
    assert published(0, **config) == {}


def test_what_is_no_text_is_no_label():
    assert published(0, config={"Labels": {"a": "1", "b": 2, "c": None}}) == {"a": "1"}


def test_a_base_is_resolved_with_its_labels():
    registry = Registry(b'{"layers": []}', {"config": {"Labels": {"redhat.compose-id": "C-1"}}})
    assert skopeo.resolve(registry, "h/a", CA).labels == {"redhat.compose-id": "C-1"}


@pytest.mark.parametrize("done", [True, False])
def test_an_image_travels_with_its_digest_and_arrives_whole_or_not_at_all(tmp_path, done):
    """Without --preserve-digests skopeo may write another manifest than the one that was signed."""
    asked = []

    def registry(command):
        asked.append(command)
        target = Path(command.argv[-1].removeprefix("oci:"))
        target.mkdir()
        (target / "index.json").touch()
        assert not layout.exists(), "half an image is in nobody's way"
        if not done:
            raise CommandError("exited", details="connection reset")
        return Result(status=0, stdout=b"", stderr_tail="")

    layout, pinned = tmp_path / "layout", f"h/a@sha256:{'a' * 64}"
    with nullcontext() if done else pytest.raises(RemoteError, match=f"did not give {pinned}"):
        skopeo.fetch(registry, pinned, layout, CA)
    (command,) = asked
    assert "--preserve-digests" in command.argv
    assert (command.argv[-2], command.env) == (f"docker://{pinned}", CA)
    assert [it.name for it in tmp_path.iterdir()] == (["layout"] if done else [])
    assert (layout / "index.json").is_file() is done

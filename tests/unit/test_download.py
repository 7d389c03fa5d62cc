"""Files over HTTP: what is believed, what is tried again, and what is refused in words."""

import gzip
import hashlib
from types import SimpleNamespace

import pytest

from immutable_base import download
from immutable_base.download import SMALL
from immutable_base.errors import (
    CommandError,
    ConfigurationError,
    RemoteError,
    VerificationError,
)
from immutable_base.model.checksum import Checksum
from support.plan_world import configuration
from support.trust import open_client
from support.web import RESET, STALL, Reply, make_certificate


def checksum_of(content, size=None):
    """Return what a repository says of a file: its checksum, and its size."""
    checksum = Checksum.of("sha256", hashlib.sha256(content).hexdigest())
    return checksum, len(content) if size is None else size


def small(folder, url, ca_bundle=""):
    settings = configuration()
    settings["registry"]["ca_bundle"] = str(ca_bundle)
    with open_client(folder, settings) as downloader:
        return downloader.fetch_small(url, "the index")


def to_file(folder, url, described):
    checksum, size = described
    target = folder / "cache" / "file"
    with open_client(folder, configuration()) as downloader:
        return downloader.fetch_file(url, "the package", checksum, target, size=size)


def left_behind(folder):
    return sorted(path.name for path in (folder / "cache").iterdir())


# ------------------------------------------------------------------ whom we talk to


def test_a_server_with_a_certificate_of_the_configured_authority_is_believed(
    tmp_path, secure_site, certificate
):
    url = secure_site.serve("/x", b"content")
    assert small(tmp_path, url, certificate.authority) == b"content"


def test_a_server_whose_authority_nobody_trusts_is_refused(tmp_path, secure_site):
    url = secure_site.serve("/x", b"content")
    with pytest.raises(RemoteError, match="CERTIFICATE_VERIFY_FAILED"):
        small(tmp_path, url)
    assert secure_site.requests == [], "nothing is asked of it"


def test_a_server_with_a_certificate_of_another_authority_is_refused(tmp_path, secure_site):
    url = secure_site.serve("/x", b"content")
    foreign = make_certificate(tmp_path / "foreign")
    with pytest.raises(RemoteError, match="CERTIFICATE_VERIFY_FAILED"):
        small(tmp_path, url, foreign.authority)


def test_a_certificate_for_another_host_is_refused(tmp_path, secure_site, certificate):
    url = secure_site.serve("/x", b"content").replace("127.0.0.1", "localhost")
    with pytest.raises(RemoteError, match="CERTIFICATE_VERIFY_FAILED"):
        small(tmp_path, url, certificate.authority)


def test_a_file_that_holds_no_authority_is_an_error_of_the_configuration(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ConfigurationError, match="holds no certificate"):
        small(tmp_path, "https://127.0.0.1:1/", tmp_path / "ca.pem")


# ------------------------------------------------------------------ what is a file


@pytest.mark.parametrize("status", [201, 204, 206, 304, 401, 404])
def test_only_status_200_is_a_file(tmp_path, site, status):
    content = b"" if status in {204, 304} else b"content"
    url = site.serve("/x", Reply(content, status))
    with pytest.raises(RemoteError, match=f"the server answered {status}"):
        small(tmp_path, url)
    with pytest.raises(RemoteError, match=f"the server answered {status}"):
        to_file(tmp_path, url, checksum_of(content))
    assert left_behind(tmp_path) == []
    assert len(site.requests) == 2, "such an answer does not change by asking again"


def test_an_endless_index_is_refused_before_it_fills_the_memory(tmp_path, site):
    assert small(tmp_path, site.serve("/limit", b"x" * SMALL)) == b"x" * SMALL
    site.sent = 0
    url = site.serve("/endless", Reply(b"x" * (SMALL + 1), length=-1))
    with pytest.raises(RemoteError, match="larger than 4 MiB"):
        small(tmp_path, url)
    assert len(site.requests) == 2, "and not asked for again"


def test_a_file_that_goes_on_after_its_size_is_refused_and_read_no_further(tmp_path, site):
    content = b"x" * 1000
    url = site.serve("/x", content + b"y" * (32 << 20))
    with pytest.raises(VerificationError, match="the package is not the one"):
        to_file(tmp_path, url, checksum_of(content))
    assert site.sent < 32 << 20
    assert left_behind(tmp_path) == []


def test_a_file_without_a_declared_size_has_a_limit(tmp_path, site, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 3 << 20)
    content = b"x" * (3 << 20)
    url = site.serve("/x", content, content + b"y")
    assert to_file(tmp_path, url, checksum_of(content, size=0)).read_bytes() == content
    (tmp_path / "cache" / "file").unlink()
    with pytest.raises(VerificationError, match="the package is larger than"):
        to_file(tmp_path, url, checksum_of(content + b"y", size=0))
    assert left_behind(tmp_path) == []


def test_the_file_that_stays_holds_every_byte_that_was_checked(tmp_path, site):
    content = bytes(range(256)) * 10_000  # more than two of the parts in which it is written
    path = to_file(tmp_path, site.serve("/x", content), checksum_of(content))
    assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_file_that_ends_early_is_no_file_though_its_beginning_has_the_checksum(tmp_path, site):
    beginning = b"x" * 1000
    url = site.serve("/x", Reply(beginning, length=2000))
    with pytest.raises(RemoteError, match="the package cannot be fetched"):
        to_file(tmp_path, url, checksum_of(beginning))
    assert left_behind(tmp_path) == []
    assert len(site.requests) == 3


def test_another_content_is_refused_with_both_checksums(tmp_path, site):
    url = site.serve("/x", b"changed")
    with pytest.raises(VerificationError) as caught:
        to_file(tmp_path, url, checksum_of(b"content"))
    for content in (b"changed", b"content"):
        assert hashlib.sha256(content).hexdigest() in caught.value.details
    assert left_behind(tmp_path) == []


def test_a_mirror_that_declares_an_encoding_does_not_change_the_file(tmp_path, site):
    packed = gzip.compress(b"<metadata/>", mtime=0)
    url = site.serve("/x", Reply(packed, headers={"Content-Encoding": "gzip"}))
    assert to_file(tmp_path, url, checksum_of(packed)).read_bytes() == packed
    assert site.headers[0]["Accept-Encoding"] == "identity"


def test_an_encoding_that_is_a_lie_is_an_error_in_words(tmp_path, site):
    url = site.serve("/x", Reply(b"plain", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(RemoteError, match="the index cannot be fetched"):
        small(tmp_path, url)


def test_a_cached_file_is_asked_for_again_only_if_it_was_changed(tmp_path, site):
    url = site.serve("/x", b"content")
    path = to_file(tmp_path, url, checksum_of(b"content"))
    assert to_file(tmp_path, url, checksum_of(b"content")) == path
    assert len(site.requests) == 1
    path.write_bytes(b"damaged")
    assert to_file(tmp_path, url, checksum_of(b"content")).read_bytes() == b"content"


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_a_file_is_held_to_the_algorithm_of_its_checksum(tmp_path, site, algorithm):
    good, bad = (
        Checksum.of(algorithm, hashlib.new(algorithm, content).hexdigest())
        for content in (b"content", b"another")
    )
    url = site.serve("/x", b"content")
    with pytest.raises(VerificationError, match=f"expected {algorithm} {bad.hex}"):
        to_file(tmp_path, url, (bad, 0))
    assert to_file(tmp_path, url, (good, 0)).read_bytes() == b"content"


# ------------------------------------------------------------------ what is tried again


@pytest.mark.parametrize("failure", [RESET, *(Reply(b"", status) for status in (429, 500, 503))])
def test_a_failure_that_may_pass_is_tried_again(tmp_path, site, failure):
    url = site.serve("/x", failure, failure, b"content")
    assert small(tmp_path, url) == b"content"
    url = site.serve("/y", failure, failure, b"content")
    assert to_file(tmp_path, url, checksum_of(b"content")).read_bytes() == b"content"
    assert site.requests == ["/x"] * 3 + ["/y"] * 3


def test_a_server_that_does_not_answer_in_time_is_asked_again(tmp_path, site, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    assert small(tmp_path, site.serve("/x", STALL, b"content")) == b"content"
    assert len(site.requests) == 2


def test_a_file_that_was_cut_off_is_fetched_again_from_its_beginning(tmp_path, site):
    url = site.serve("/x", Reply(b"con", length=7), b"content")
    assert to_file(tmp_path, url, checksum_of(b"content")).read_bytes() == b"content"


def test_three_attempts_are_all_and_the_reason_of_the_last_is_given(tmp_path, site):
    url = site.serve("/x", Reply(b"", 503))
    with pytest.raises(RemoteError, match="the server answered 503") as caught:
        small(tmp_path, url)
    assert url in caught.value.details
    assert len(site.requests) == 3


# ------------------------------------------------------------------ where a mirror sends us


def test_a_redirect_is_followed(tmp_path, site):
    site.serve("/there", b"content")
    url = site.serve("/here", Reply(b"", 302, {"Location": "/there"}))
    assert small(tmp_path, url) == b"content"


@pytest.mark.parametrize(
    "location",
    ["http://xn--a/", "http://[", "http://a\u2028b/", "ftp://x/y", "file:///etc/passwd", "/here", "http://x:port/"],
)  # fmt: skip
def test_a_redirect_that_leads_nowhere_is_an_error_in_words(tmp_path, site, location):
    header = {"Location": location.encode().decode("latin-1")}
    url = site.serve("/here", Reply(b"", 302, header))
    with pytest.raises(RemoteError, match="the index cannot be fetched") as caught:
        small(tmp_path, url)
    assert url in caught.value.details


def test_a_file_url_that_is_not_there_is_an_error_in_words(tmp_path):
    with pytest.raises(RemoteError, match="the index cannot be read"):
        small(tmp_path, (tmp_path / "none").as_uri())


# ------------------------------------------------------------------ proxies, trickles, interrupts


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "socks5://u:secret@127.0.0.1:1"),
        ("https_proxy", "ftp://u:secret@127.0.0.1:1"),
        ("HTTP_PROXY", "http://u:p@secret:word@127.0.0.1:x"),
        ("no_proxy", "[::1]"),
        ("no_proxy", "fe80::/10,10.0.0.0/8"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_an_error_in_words(tmp_path, site, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="proxies that the environment names") as caught:
        small(tmp_path, site.serve("/x", b"content"))
    assert name in caught.value.message
    assert "secret" not in str(caught.value)


def trickle(chunks, seconds):
    """Yield bytes one by one, on a clock that goes on by `seconds` each time."""
    for _ in range(chunks):
        trickle.now += seconds
        yield b"x"


@pytest.fixture
def clock(monkeypatch):
    trickle.now = 0.0
    monkeypatch.setattr(download, "time", SimpleNamespace(monotonic=lambda: trickle.now))


def test_a_trickle_is_given_up_after_a_while(clock):
    """A byte now and then kept a read from timing out, for days."""
    with pytest.raises(download._TransientError, match="fewer than 1000 bytes"):
        list(download._flowing(trickle(1000, 5.0), "x"))
    assert trickle.now == 35.0


def test_a_slow_line_is_borne_with(clock):
    slow = (chunk * 6000 for chunk in trickle(100, 5.0))
    assert len(list(download._flowing(slow, "x"))) == 100
    stopped = (chunk * (6_000_000 if trickle.now < 20 else 1) for chunk in trickle(100, 5.0))
    with pytest.raises(download._TransientError):
        list(download._flowing(stopped, "x"))


def test_what_is_interrupted_is_not_tried_again(tmp_path, site, monkeypatch):
    url = site.serve("/x", Reply(status=503))
    monkeypatch.setattr(download, "is_interrupted", lambda: len(site.requests) > 0)
    with pytest.raises(CommandError, match="is being interrupted"):
        small(tmp_path, url)
    assert len(site.requests) == 1

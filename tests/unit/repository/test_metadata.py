"""Repository metadata over real HTTP: verified first, then read; a failure is one repository's."""

import hashlib
import threading

import pytest

from immutable_base.errors import ImmutableBaseError, RemoteError, VerificationError
from immutable_base.repository import metadata
from immutable_base.tools import gpg
from support.rpmmd import Rpm, write_repository
from support.trust import context_of, document, fetch_metadata, source_url


@pytest.fixture
def mirror(site, signers, tmp_path):
    """Three repositories: two signed by one key each, one whose metadata nobody signs."""
    site.folder = tmp_path
    site.settings = document(
        site.url,
        signers,
        signed={"key": "ours", "metadata_key": "ours"},
        foreign={"key": "foreign", "metadata_key": "foreign"},
        plain={"key": "ours"},
    )
    for name, signer in (("signed", "ours"), ("foreign", "foreign"), ("plain", None)):
        write_repository(tmp_path / "www" / name, [Rpm("jq")], signers[signer] if signer else None)
    for name, signer in signers.items():
        (tmp_path / "www" / f"{name}.asc").write_bytes(signer.public.read_bytes())
    site.serve_folder(tmp_path / "www")
    return site


def fetch(mirror, *names):
    return fetch_metadata(mirror.folder, mirror.settings, *names)


def refusal(mirror, name):
    """Return why a repository cannot be used; all others can."""
    found = fetch(mirror, *{"signed", "plain", name})
    assert [key for key, value in found.items() if isinstance(value, ImmutableBaseError)] == [name]
    assert f"repository '{name}'" in found[name].message
    return found[name]


def test_signed_metadata_names_its_signer_and_has_its_own_bytes(mirror, signers):
    found = fetch(mirror, "signed", "foreign")
    assert found["signed"].signed_by == signers["ours"].fingerprint
    assert found["foreign"].signed_by == signers["foreign"].fingerprint
    repomd = (mirror.folder / "www/signed/repodata/repomd.xml").read_bytes()
    assert found["signed"].repomd_sha256 == hashlib.sha256(repomd).hexdigest()
    assert found["signed"].revision == "1700000000"
    assert found["signed"].primary.read_bytes() == mirrored(mirror, "signed", "primary")


def mirrored(mirror, name, kind):
    (path,) = (mirror.folder / "www" / name / "repodata").glob(f"*-{kind}.*")
    return path.read_bytes()


def test_without_a_metadata_key_no_signature_is_asked_for_and_no_signer_is_claimed(mirror, signers):
    found = fetch(mirror, "plain")["plain"]
    assert found.signed_by is None
    assert found.primary.read_bytes() == mirrored(mirror, "plain", "primary")
    assert not [path for path in mirror.requests if path.endswith("repomd.xml.asc")]
    assert found.key.fingerprint == signers["ours"].fingerprint, "that of the packages is judged"


def test_a_key_that_signs_packages_alone_is_fetched_with_the_metadata(mirror):
    """It was fetched half an hour later, when the packages were."""
    mirror.serve("/ours.asc", b"<html>")
    assert "the key 'ours' is not the pinned one" in fetch(mirror, "plain")["plain"].message


def test_without_a_metadata_key_checksums_count_all_the_same(mirror):
    (path,) = [path for path in mirror.replies if "plain" in path and "primary" in path]
    mirror.serve(path, mirrored(mirror, "plain", "primary")[:-1] + b"x")
    error = refusal(mirror, "plain")
    assert isinstance(error, VerificationError)
    assert "primary metadata" in error.message


@pytest.mark.parametrize("signature", ["missing", "foreign", "other content", "junk"])
def test_what_has_no_good_signature_never_reaches_the_parser(
    mirror, signers, monkeypatch, signature, tmp_path
):
    """The parser is C code: a file by anybody must not come near it."""
    place = "/foreign/repodata/repomd.xml.asc"
    changed = tmp_path / "changed.xml"
    changed.write_bytes(b"<!-- other -->")
    signers["foreign"].sign(changed)
    match signature:
        case "missing":
            del mirror.replies[place]
        case "foreign":
            repomd = mirror.folder / "www/foreign/repodata/repomd.xml"
            signers["ours"].sign(repomd)
            mirror.serve(place, repomd.with_name("repomd.xml.asc").read_bytes())
        case "other content":
            mirror.serve(place, changed.with_name("changed.xml.asc").read_bytes())
        case _:
            mirror.serve(place, b"junk")
    parsed = []
    read = metadata.libsolv.open_file
    monkeypatch.setattr(metadata.libsolv, "open_file", lambda *a: parsed.append(1) or read(*a))
    error = fetch(mirror, "foreign")["foreign"]
    assert isinstance(error, RemoteError if signature == "missing" else VerificationError)
    assert "repository 'foreign': repomd.xml" in error.message
    assert parsed == []
    assert not [path for path in mirror.requests if "primary" in path], "and nothing it names"


def test_the_parser_is_watched_where_the_test_before_watches_it(mirror, monkeypatch):
    parsed = []
    read = metadata.libsolv.open_file
    monkeypatch.setattr(metadata.libsolv, "open_file", lambda *a: parsed.append(1) or read(*a))
    fetch(mirror, "foreign")
    assert parsed


def test_two_keys_of_one_url_each_have_their_own_pin(mirror, signers):
    """The file at the one URL holds the first key: only what pins that one is satisfied."""
    for table in mirror.settings["keys"].values():
        table["places"] = [f"{mirror.url}/ours.asc"]
    found = fetch(mirror, "signed", "foreign")
    assert found["signed"].signed_by == signers["ours"].fingerprint
    assert isinstance(found["foreign"], VerificationError)
    assert signers["foreign"].fingerprint in found["foreign"].message


def test_a_file_with_both_keys_serves_both_pins(mirror, signers):
    both = b"".join(signer.public.read_bytes() for signer in signers.values())
    mirror.serve("/both.asc", both)
    for table in mirror.settings["keys"].values():
        table["places"] = [f"{mirror.url}/both.asc"]
    found = fetch(mirror, "signed", "foreign")
    assert {name: item.signed_by for name, item in found.items()} == {
        "signed": signers["ours"].fingerprint,
        "foreign": signers["foreign"].fingerprint,
    }


def test_two_names_of_one_key_are_one_download(mirror):
    mirror.settings["keys"]["again"] = dict(mirror.settings["keys"]["ours"])
    mirror.settings["repositories"]["again"] = {
        "url": f"{mirror.url}/signed/", "key": "again", "metadata_key": "again",
    }  # fmt: skip
    found = fetch(mirror, "signed", "again")
    assert found["again"].signed_by == found["signed"].signed_by
    assert mirror.requests.count("/ours.asc") == 1


def test_what_is_known_is_fetched_while_somebody_finds_out_what_else_there_is(mirror):
    """Where a compose is, only the base image tells, and to read that takes longer than all else."""
    context, asked, reply = context_of(mirror.folder, mirror.settings), threading.Event(), mirror.next_reply  # fmt: skip
    mirror.next_reply = lambda path: asked.set() or reply(path)
    known, later = (metadata.source_of(context.settings, n, "10") for n in ("signed", "plain"))

    def more():
        assert asked.wait(5), "nothing was fetched meanwhile"
        return [known, later]

    with context.open_plan_inputs() as inputs:
        found = inputs.metadata.fetch_all([known, known], more)
    assert {source.id: type(it) for source, it in found.items()} == {
        "signed": metadata.Metadata, "plain": metadata.Metadata,
    }  # fmt: skip
    for path in ("/ours.asc", "/signed/repodata/repomd.xml", "/plain/repodata/repomd.xml"):
        assert mirror.requests.count(path) == 1, path


def test_a_repository_of_its_own_release_has_that_in_its_url(mirror):
    table = mirror.settings["repositories"]["plain"]
    table["url"] = f"{mirror.url}/el{{release}}"
    assert source_url(mirror.folder, mirror.settings, "plain", "10") == f"{mirror.url}/el10/"
    table["release"] = "9"
    assert source_url(mirror.folder, mirror.settings, "plain", "10") == f"{mirror.url}/el9/"


# ------------------------------------------------------------------ what is no metadata


def described(mirror, **changes):
    """Serve a repomd.xml of `plain` in which some texts were replaced."""
    place = "/plain/repodata/repomd.xml"
    text = mirror.replies[place][0].body.decode()
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    mirror.serve(place, text.encode())


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, b"<html></html>", b"<repomd>", b"<repomd/>", b"\xff\xfe<repomd/>",
     b'<?xml version="1.0"?><repomd><data type="primary"/></repomd>'],
)  # fmt: skip
def test_what_is_no_repomd_is_one_repositorys_error(mirror, content):
    mirror.serve("/plain/repodata/repomd.xml", content)
    assert isinstance(refusal(mirror, "plain"), VerificationError)


@pytest.mark.parametrize(
    "place", ["http://[/x.xml.gz", "http://xn--a/x.xml.gz", "x\u2028y.xml.gz", "none.xml.gz", "/" + "x" * 300 + ".xml.gz"]
)  # fmt: skip
def test_a_place_where_no_file_can_be_is_one_repositorys_error(mirror, place):
    (path,) = [path for path in mirror.replies if "plain" in path and "primary" in path]
    described(mirror, location=(path.removeprefix("/plain/"), place))
    refusal(mirror, "plain")


@pytest.mark.parametrize("suffix", ["", ".zip", "." + "x" * 300, ".xml.lz4"])
def test_metadata_packed_in_a_way_nobody_reads_is_one_repositorys_error(mirror, suffix):
    (path,) = [path for path in mirror.replies if "plain" in path and "primary" in path]
    renamed = path.removesuffix(".xml.gz") + suffix
    mirror.replies[renamed] = mirror.replies[path]
    described(mirror, location=(path.removeprefix("/plain/"), renamed.removeprefix("/plain/")))
    assert "cannot be read" in refusal(mirror, "plain").message


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha", "crc32", ""])
def test_a_checksum_that_proves_nothing_is_one_repositorys_error(mirror, algorithm):
    described(mirror, checksum=('<checksum type="sha256">', f'<checksum type="{algorithm}">'))
    assert isinstance(refusal(mirror, "plain"), VerificationError)


def test_a_program_that_fails_on_one_key_is_one_repositorys_error(mirror, monkeypatch):
    real = gpg.read_keys

    def broken(run, content, home):
        if content == mirror.replies["/foreign.asc"][0].body:
            raise ImmutableBaseError("`gpg` exited with status 2")
        return real(run, content, home)

    monkeypatch.setattr("immutable_base.tools.gpg.read_keys", broken)
    found = fetch(mirror, "plain", "foreign")
    assert found["plain"].signed_by is None
    assert "repository 'foreign': `gpg` exited" in found["foreign"].message

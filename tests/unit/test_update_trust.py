"""The public instance's trust is updated by TUF, and nothing bad replaces what is there."""

import json
import os
from types import SimpleNamespace

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.public_trust import SHIPPED, public_trust
from immutable_base.state import trust_folder
from immutable_base.verification.verify_image import moment
from support.scene import command
from support.tuf_repository import TufRepository
from support.web import RESET, Reply

OK, CONFIG, HOST, UNKNOWN, REFUSED = 0, 2, 4, 6, 12
DOCUMENT = json.loads(SHIPPED.read_text())


def trusted_root(start: str) -> bytes:
    """Return what is shipped with one more rotation of Rekor's key, at `start`."""
    document = json.loads(SHIPPED.read_text())
    document["tlogs"].append(json.loads(json.dumps(document["tlogs"][0])))
    document["tlogs"][-1]["publicKey"]["validFor"] = {"start": start}
    return json.dumps(document).encode()


NEWER, NEWEST = trusted_root("2027-01-01T00:00:00Z"), trusted_root("2028-01-01T00:00:00Z")


@pytest.fixture
def repository(secure_site, certificate, tmp_path, monkeypatch):
    """A repository whose first root is the pinned one, and a machine without an earlier update."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    monkeypatch.delenv("IMMUTABLE_BASE_CONFIG", raising=False)
    found = TufRepository(secure_site, NEWER)
    pin(found.first, tmp_path, monkeypatch)
    return found


def pin(raw, tmp_path, monkeypatch):
    path = tmp_path / "pinned.json"
    path.write_bytes(raw)
    monkeypatch.setattr("immutable_base.update_trust.PINNED_ROOT", path)


def update(repository):
    return command(["trust", "update", "--mirror", repository.site.url])


def stored():
    path = trust_folder() / "trusted_root.json"
    return path.read_bytes() if path.exists() else None


def test_an_update_is_verified_kept_and_used(repository):
    assert public_trust("x").source == "shipped with this version"
    outcome = update(repository)
    assert (outcome.code, outcome.err) == (OK, "")
    assert outcome.out.startswith("updated\n")
    assert stored() == NEWER
    trust = public_trust("x")
    assert trust.source == str(trust_folder() / "trusted_root.json")
    assert moment(trust.dated) == "2027-01-01T00:00:00Z"


def test_a_second_update_finds_nothing_new(repository):
    update(repository)
    outcome = update(repository)
    assert (outcome.code, outcome.out.splitlines()[0]) == (OK, "up to date already")


def test_a_newer_target_replaces_an_older_one(repository):
    update(repository)
    repository.content = NEWEST
    repository.next()
    assert update(repository).code == OK
    assert stored() == NEWEST


@pytest.mark.parametrize("between", [True, False])
def test_every_rotation_of_root_is_followed(repository, between):
    for _ in range(3):
        repository.rotate()
        if between:
            assert update(repository).code == OK
    repository.content = NEWEST
    repository.next()
    assert update(repository).code == OK
    assert stored() == NEWEST


def spoil_expired(repository):
    repository.expires["timestamp"] = -1
    repository.next()


def spoil_expired_root(repository):
    repository.expires["root"] = -1
    repository.versions["root"] += 1
    repository.publish_root()


def spoil_rolled_back_timestamp(repository):
    repository.versions["timestamp"] -= 1
    repository.publish()


def spoil_rolled_back_snapshot(repository):
    repository.versions["snapshot"] -= 1
    repository.versions["timestamp"] += 1
    repository.publish()


def spoil_rolled_back_targets(repository):
    repository.versions["targets"] -= 1
    repository.versions["snapshot"] += 1
    repository.versions["timestamp"] += 1
    repository.publish()


def spoil_wrong_hash(repository):
    repository.next()
    repository.served = NEWEST[:-1] + b" "
    repository.publish()


def spoil_cut_off_target(repository):
    repository.next()
    repository.served = NEWEST[:-10]
    repository.publish()


def spoil_too_long(repository):
    repository.next()
    repository.served = NEWEST + b" "
    repository.publish()


def spoil_unknown_target(repository):
    repository.name = "something.json"
    repository.next()


def spoil_foreign_key(repository):
    repository.liar = type(repository.online).generate_ecdsa()
    repository.next()


def spoil_root_by_new_keys_alone(repository):
    repository.rotate(signed_by_old=False)


def spoil_root_by_one_key(repository):
    repository.versions["root"] += 1
    repository.publish_root(repository.keys[:1])


def spoil_no_metadata(repository):
    repository.site.serve("/timestamp.json", b"<html>")


def spoil_older_target(repository):
    repository.content = json.dumps(DOCUMENT).encode()
    repository.next()


def spoil_target_that_is_none(repository):
    repository.content = b"{}"
    repository.next()


def spoil_half_a_target(repository):
    repository.content = json.dumps({**DOCUMENT, "ctlogs": []}).encode()
    repository.next()


BAD = {
    spoil_expired: "its metadata has expired",
    spoil_expired_root: "its metadata has expired",
    spoil_rolled_back_timestamp: "another version of its metadata than it must",
    spoil_rolled_back_snapshot: "another version of its metadata than it must",
    spoil_rolled_back_targets: "another version of its metadata than it must",
    spoil_wrong_hash: "something else than its metadata describes",
    spoil_cut_off_target: "something else than its metadata describes",
    spoil_too_long: "more than its metadata allows",
    spoil_unknown_target: "has no trusted_root.json",
    spoil_foreign_key: "too few of the trusted keys",
    spoil_root_by_new_keys_alone: "too few of the trusted keys",
    spoil_root_by_one_key: "too few of the trusted keys",
    spoil_no_metadata: "its metadata cannot be read",
    spoil_older_target: "an older trusted_root.json than the one in use",
    spoil_target_that_is_none: "cannot be used",
    spoil_half_a_target: "cannot be used",
}


def once_good(repository):
    """Let an update succeed, at version 2 of everything."""
    repository.next()
    assert update(repository).code == OK
    repository.content = NEWEST


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_what_is_bad_is_refused_and_replaces_nothing(repository, spoil):
    once_good(repository)
    spoil(repository)
    outcome = update(repository)
    assert outcome.code == REFUSED, outcome.err
    assert BAD[spoil] in outcome.err
    assert "what was trusted before is still there" in outcome.err
    assert stored() == NEWER
    assert public_trust("x").source.endswith("trusted_root.json")


@pytest.mark.parametrize(
    "reply", [Reply(b"no", 500), Reply(b"no", 404), RESET, Reply(b"{}", length=900)]
)
def test_what_cannot_be_reached_is_told_and_changes_nothing(repository, reply):
    once_good(repository)
    repository.site.serve("/timestamp.json", reply)
    outcome = update(repository)
    assert outcome.code == UNKNOWN, outcome.err
    assert "cannot be read: what was trusted before is still there" in outcome.err
    assert stored() == NEWER


@pytest.mark.parametrize("mirror", ["https://127.0.0.1:1", "http://127.0.0.1:1", "https://[", "x"])
def test_a_mirror_that_is_gone_or_is_none(repository, mirror):
    outcome = command(["trust", "update", "--mirror", mirror])
    assert outcome.code == UNKNOWN, outcome.err
    assert stored() is None


def test_another_machines_root_is_not_trusted(repository, secure_site, tmp_path, monkeypatch):
    """Pinned is the first root: a repository with keys of its own is somebody else's."""
    pin(TufRepository(secure_site, NEWER).first, tmp_path, monkeypatch)
    repository.rotate()
    assert update(repository).code == REFUSED
    assert stored() is None


def test_an_old_copy_is_refused_also_if_the_last_metadata_is_lost(repository):
    """TUF compares with the metadata of the last update; the trust itself has a date as well."""
    once_good(repository)
    for path in sorted((trust_folder() / "tuf").rglob("*"), reverse=True):
        path.unlink() if path.is_symlink() or path.is_file() else path.rmdir()
    spoil_older_target(repository)
    outcome = update(repository)
    assert (outcome.code, stored()) == (REFUSED, NEWER)
    assert "older" in outcome.err


def test_what_this_version_ships_wins_over_an_older_update(repository):
    update(repository)
    document = json.loads(NEWER)
    document["tlogs"] = document["tlogs"][:1]
    (trust_folder() / "trusted_root.json").write_text(json.dumps(document))
    assert public_trust("x").source == "shipped with this version"


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", NEWER[:500]])
def test_a_file_that_was_spoilt_is_told_and_mended_by_an_update(repository, content):
    update(repository)
    path = trust_folder() / "trusted_root.json"
    path.write_bytes(content)
    outcome = command(["trust", "show"])
    assert outcome.code == CONFIG
    assert f"{path}, which an update of the trust has left, cannot be used" in outcome.err
    assert "immutable-base trust update" in outcome.err
    assert update(repository).code == OK
    assert stored() == NEWER


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646])
def test_a_file_that_somebody_else_may_write_is_told_and_replaced(repository, mode):
    update(repository)
    path = trust_folder() / "trusted_root.json"
    path.chmod(mode)
    outcome = command(["trust", "show"])
    assert (outcome.code, "somebody else may write to it" in outcome.err) == (CONFIG, True)
    assert update(repository).code == OK
    assert path.stat().st_mode & 0o022 == 0


def test_the_file_of_another_user_is_not_trusted(repository, monkeypatch):
    """Under sudo the folder may be that of the user who called it."""
    update(repository)
    foreign = SimpleNamespace(st_uid=os.geteuid() + 1, st_mode=0o100644)
    seen = SimpleNamespace(fstat=lambda number: foreign, geteuid=os.geteuid)
    monkeypatch.setattr("immutable_base.public_trust.os", seen)
    with pytest.raises(ConfigurationError) as caught:
        public_trust("x")
    assert caught.value.details == "somebody else may write to it"


def test_shown_is_the_instance_its_roots_from_where_and_until_when(repository):
    shipped = command(["trust", "show"])
    assert "source    shipped with this version, of 2025-09-23T00:00:00Z\n" in shipped.out
    assert "until" not in shipped.out
    update(repository)
    updated = command(["trust", "show"])
    assert updated.code == OK
    assert "instance  https://fulcio.sigstore.dev\n" in updated.out
    assert f"source    {trust_folder()}/trusted_root.json, of 2027-01-01T00:00:00Z\n" in updated.out
    assert "\nuntil     20" in updated.out
    for line in public_trust("x").fingerprints:
        assert f"          {line}\n" in updated.out


def test_two_updates_at_once_do_not_disturb_each_other(repository):
    from immutable_base.workspace import exclusive

    with exclusive(trust_folder(), command="trust update"):
        outcome = update(repository)
    assert outcome.code == HOST
    assert "another trust update" in outcome.err

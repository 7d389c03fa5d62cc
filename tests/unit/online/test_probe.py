"""What the first night would meet is said before it: each fault that was foreseen, by its name."""

import threading
from functools import partial

import pytest

from immutable_base.errors import CommandError, RemoteError, ToolMissingError
from immutable_base.model.online import State
from immutable_base.online import probe
from immutable_base.online.findings import fault
from support.key_files import make_old_signer, revoke
from support.plan_world import digest_rpms
from support.rpmmd import Rpm, make_signer

ORDER = ("key", "base", "repository", "variant", "registry", "sigstore")


def states(report):
    return {(item.kind, item.name): item.state for item in report.findings}


# ------------------------------------------------------------------ each fault, planted once


def test_a_key_that_none_of_its_places_has_fails_what_needs_it(online):
    online.world.document["keys"]["k"]["places"] = ["http://mirror.invalid/moved.asc"]
    report = online.ask("base")
    found = states(report)
    assert found["key", "k"] is found["repository", "baseos"] is found["variant", "base"]
    assert found["key", "k"] is State.FAULT
    assert report.exit_code == 6
    key = online.found("key", "k", "base")
    assert "none of its 1 places answers: the key 'k' cannot be fetched" in key.message
    assert key.message.endswith("http://mirror.invalid/moved.asc")


def test_one_of_two_places_that_is_gone_is_a_warning(online):
    online.world.document["keys"]["k"]["places"].append("http://mirror.invalid/moved.asc")
    key = online.found("key", "k", "base")
    assert (key.state, key.exit_code) == (State.WARNING, 0)
    assert "1 of 2 have this key" in key.message
    assert "http://mirror.invalid/moved.asc" in key.message


def test_another_key_than_the_pinned_one_is_a_fault(online, tmp_path):
    other = make_signer(tmp_path / "other")
    online.world.tampered = {"/key.asc": other.public.read_bytes()}
    key = online.found("key", "k", "base")
    assert (key.state, key.exit_code) == (State.FAULT, 12)
    assert f"the configuration pins {online.world.signer.fingerprint}" in key.message


@pytest.mark.parametrize("state", ["revoked", "expired"])
def test_a_pinned_key_that_was_revoked_or_has_expired_is_a_fault(online, tmp_path, state):
    """It is the pinned one and all its places have it: that speaks for nothing any more."""
    signer = make_old_signer(tmp_path / state, expires="1y" if state == "expired" else "never")
    if state == "revoked":
        revoke(signer)
    online.world.document["keys"]["k"]["fingerprint"] = signer.fingerprint
    online.world.tampered = {"/key.asc": signer.public.read_bytes()}
    key = online.found("key", "k", "base")
    assert (key.state, key.exit_code) == (State.FAULT, 12)
    assert state in key.message


def test_a_key_of_metadata_alone_holds_its_repository_too(online):
    world = online.world
    world.document["keys"]["signs-metadata"] = {"places": ["http://mirror.invalid/key.asc"]}
    world.document["repositories"]["cuda"]["metadata_key"] = "signs-metadata"
    found = online.found("repository", "cuda")
    assert found.state is State.HELD
    assert "before the key `signs-metadata` is pinned" in found.message


def test_what_needs_a_key_that_is_not_pinned_is_held_and_its_address_still_tried(online):
    world = online.world
    world.document["keys"]["cuda"] = {"places": ["http://mirror.invalid/key.asc"]}
    world.document["repositories"]["cuda"].update(key="cuda", metadata_key="cuda")
    report = online.ask()
    found = states(report)
    for kind, name in (("key", "cuda"), ("repository", "cuda"), ("variant", "base-zfs-nvidia")):
        assert found[kind, name] is State.HELD, (kind, name)
    key = next(item for item in report.findings if item.name == "cuda" and item.kind == "key")
    assert f"found {world.signer.fingerprint}; the key `cuda` is not pinned" in key.message
    world.answers = {"/cuda/repodata/repomd.xml": 404}
    gone = online.found("repository", "cuda")
    assert (gone.state, gone.exit_code) == (State.FAULT, 6)


def test_metadata_that_the_pinned_key_has_not_signed_is_a_fault(online, tmp_path):
    world = online.world
    world.write()
    make_signer(tmp_path / "other").sign(world.folder / "www/openzfs/repodata/repomd.xml")
    found = online.found("repository", "openzfs", write=False)
    assert (found.state, found.exit_code) == (State.FAULT, 12)
    assert "repomd.xml is not signed by the pinned key" in found.message
    key = online.found("key", "k", write=False)
    assert key.state is State.FAULT
    assert "metadata: repomd.xml of 'openzfs'" in key.message


def test_a_package_that_is_not_signed_is_a_fault_of_its_repository(online):
    online.unsigned = "SIGNATURES NOT OK"
    found = online.found("repository", "baseos", "base")
    assert (found.state, found.exit_code) == (State.FAULT, 12)
    assert "it is not signed by this key: SIGNATURES NOT OK" in found.message


def test_a_repository_that_is_not_there_is_a_fault(online):
    online.world.answers = {"/baseos/repodata/repomd.xml": 404}
    found = online.found("repository", "baseos", "base")
    assert (found.state, found.exit_code) == (State.FAULT, 6)


def test_a_base_image_that_cannot_be_read_is_a_fault_of_its_own(online):
    online.world.kernels = ()
    found = online.found("base", "registry.invalid/el:10", "base")
    assert found.state is State.FAULT
    assert "must have exactly one kernel" in found.message


def test_of_a_base_image_that_cannot_be_read_nobody_says_what_it_lacks(online):
    """Whether it names a compose is not known: the repositories of one are not judged at all."""
    world = online.world
    world.document["repositories"]["cuda"] = {
        **world.document["repositories"]["cuda"],
        "url": "http://mirror.invalid/{compose}/", "optional": True,
    }  # fmt: skip
    world.document["streams"]["el"]["repositories"].append("cuda")
    kernels, world.kernels = world.kernels, ()
    found = online.found("repository", "cuda", "base")
    assert found.state is State.WARNING
    assert found.message == "not used: where it is, the base image says, which could not be read"
    world.kernels = kernels
    assert "has no label" in online.found("repository", "cuda", "base").message


def test_what_cannot_be_fetched_is_named_by_its_address():
    """Its reason alone, "Connection refused", says nothing that anybody could try."""
    error = RemoteError("repomd.xml cannot be fetched", details="http://h.invalid/x\n\nrefused")
    message = fault("repository", "cuda", error).message
    assert message == "repomd.xml cannot be fetched: http://h.invalid/x: refused"
    error = RemoteError("gone", details="http://h.invalid/x")
    assert fault("repository", "cuda", error).message == "gone: http://h.invalid/x"
    many = CommandError("failed", details="a program's first words\nits last")
    assert fault("base", "b", many).message == "failed: its last"


def test_metadata_older_than_its_limit_is_a_fault(online):
    world = online.world
    world.document["repositories"]["baseos"]["maximum_age_days"] = 7
    world.timestamps["baseos"] = int(world.now) - 9 * 86400
    found = online.found("repository", "baseos", "base")
    assert (found.state, found.exit_code) == (State.FAULT, 12)
    assert "may be 7 days old at most" in found.message


def test_a_clock_that_is_behind_the_base_image_makes_nothing_younger(online):
    """The plan refuses it, whatever this machine believes; so nobody looks for another reason."""
    world = online.world
    world.document["repositories"]["baseos"]["maximum_age_days"] = 7
    world.timestamps["baseos"] = int(world.now) - 9 * 86400
    world.now, world.os_release = 0, "SUPPORT_END=2026-11-01\n"
    found = states(online.ask("base"))
    assert found["repository", "baseos"] is State.FAULT
    assert found["base", "registry.invalid/el:10"] is State.HELD


def test_a_program_that_is_missing_is_a_fault_of_this_host_and_of_no_repository(
    online, monkeypatch
):
    ask = online.run

    def without(command):
        if command.argv[0] == "rpmkeys":
            raise ToolMissingError("`rpmkeys` is not installed")
        return ask(command)

    monkeypatch.setattr(online, "run", without)
    with pytest.raises(ToolMissingError):
        online.ask("base")


def test_a_variant_that_would_fail_is_a_fault_though_each_address_answers(online):
    online.world.document["layers"]["base"]["packages"].append("not-there")
    found = online.found("variant", "base", "base")
    assert (found.state, found.exit_code) == (State.FAULT, 5)
    assert "not-there" in found.message


def test_an_optional_repository_that_is_gone_is_a_warning_with_its_reason(online):
    world = online.world
    world.document["repositories"]["cuda"]["optional"] = True
    world.document["streams"]["el"]["repositories"].append("cuda")
    world.answers = {"/cuda/repodata/repomd.xml": 404}
    found = online.found("repository", "cuda", "base")
    assert (found.state, found.exit_code) == (State.WARNING, 0)
    assert found.message.startswith("not used: repomd.xml cannot be fetched")


def test_what_one_stream_does_without_is_still_told_of_another(online):
    world = online.world
    world.document["repositories"]["extra"] = {
        "url": "http://mirror.invalid/extra{release}/", "key": "k", "optional": True,
    }  # fmt: skip
    for stream in world.document["streams"].values():
        stream["repositories"].append("extra")
    world.repositories["extra10"] = [Rpm("more")]
    digest_rpms(world)
    report = online.ask("base", "fedora-base")
    found = {item.state: item.message for item in report.findings if item.name == "extra"}
    assert set(found) == {State.OK, State.WARNING}
    assert "extra43" in found[State.WARNING]


def test_a_checksum_that_proves_nothing_is_named(online):
    world = online.world
    weak = {**world.repositories["baseos"][0].__dict__, "checksum": "a" * 40}
    world.repositories["baseos"][0] = Rpm(**{**weak, "checksum_type": "sha"})
    found = online.found("repository", "baseos", "base")
    assert found.state is State.WARNING
    assert "describes jq by a checksum that proves nothing" in found.message


def test_a_page_in_place_of_metadata_is_a_fault_before_the_key_is_pinned(online):
    world = online.world
    world.document["keys"]["cuda"] = {"places": ["http://mirror.invalid/key.asc"]}
    world.document["repositories"]["cuda"].update(key="cuda", metadata_key="cuda")
    world.tampered = {"/cuda/repodata/repomd.xml": b"<!DOCTYPE html><html><br></html>"}
    found = online.found("repository", "cuda", "base-zfs-nvidia")
    assert (found.state, found.exit_code) == (State.FAULT, 12)
    assert "repomd.xml cannot be read" in found.message


def test_what_one_stream_does_without_is_still_asked_for_another(online):
    world = online.world
    world.document["repositories"]["more"] = {
        "url": "http://mirror.invalid/more-{release}/", "key": "k", "metadata_key": "k",
        "optional": True,
    }  # fmt: skip
    world.repositories["more-43"] = [Rpm("x")]
    for stream in ("el", "fc"):
        world.document["streams"][stream]["repositories"].append("more")
    world.tampered = {"/more-43/repodata/repomd.xml.asc": b"<html>"}
    found = [item for item in online.ask("base", "fedora-base").findings if item.name == "more"]
    assert {item.state for item in found} == {State.FAULT, State.WARNING}
    assert any("http://mirror.invalid/more-10/" in item.message for item in found)


def test_a_package_with_a_name_that_no_file_can_have_is_a_finding_like_others(online):
    name = "a" * 300
    online.world.repositories["baseos"].append(Rpm(name, size=1))
    found = online.found("repository", "baseos", "base")
    assert (found.state, found.exit_code) == (State.FAULT, 12)


def test_a_clock_that_is_behind_is_no_better_here_than_in_the_plan(online):
    world = online.world
    world.document["repositories"]["baseos"]["maximum_age_days"] = 1
    world.now = 1000
    assert online.found("repository", "baseos", "base").state is State.FAULT


@pytest.mark.parametrize(
    ("end", "state"), [("2026-12-02", State.WARNING), ("2026-11-01", State.HELD), ("2030-01-01", State.OK)]
)  # fmt: skip
def test_the_end_of_support_is_told(online, end, state):
    online.world.os_release = f"SUPPORT_END={end}\n"
    found = online.found("base", "registry.invalid/fc:43", "fedora-base")
    assert found.state is state
    assert end in found.message


def test_who_builds_without_support_is_warned_and_not_held(online):
    online.world.os_release = "SUPPORT_END=2026-11-01\n"
    online.world.document["streams"]["fc"]["allow_unsupported"] = True
    found = states(online.ask("fedora-base"))
    assert found["base", "registry.invalid/fc:43"] is State.WARNING
    assert found["variant", "fedora-base"] is State.WARNING


def test_an_archive_is_a_warning(online):
    world = online.world
    world.document["repositories"]["fedora"]["archive"] = "http://archive.invalid/old/"
    world.repositories["old"] = world.repositories["fedora"]
    world.answers = {"/fedora/repodata/repomd.xml": 404}
    found = online.found("repository", "fedora", "fedora-base")
    assert found.state is State.WARNING
    assert "has left http://mirror.invalid/fedora/" in found.message


def test_a_repository_without_packages_is_a_warning(online):
    """A mirror in the middle of a change: its metadata is signed and whole."""
    online.world.repositories["cuda"] = []
    found = online.found("repository", "cuda")
    assert found.state is State.WARNING
    assert found.message.startswith("packages: none")


def test_a_base_image_newer_than_its_repositories_is_held(online):
    world = online.world
    world.base = [*world.base, Rpm("libjq", "2-1")]
    others = [rpm for rpm in world.repositories["baseos"] if rpm.name != "jq"]
    jq = Rpm("jq", "1.7-1", requires=("libjq = 1-1",))
    world.repositories["baseos"] = [*others, jq, Rpm("libjq", "1-1")]
    digest_rpms(world)
    found = online.found("variant", "base", "base")
    assert (found.state, found.exit_code) == (State.HELD, 0)
    assert "libjq 2-1 is installed, baseos offers 1-1" in found.message


# ------------------------------------------------------------------ nothing is wrong


def test_where_all_is_well_each_thing_says_what_it_offers(online):
    report = online.ask()
    found = states(report)
    assert {found[key] for key in found if key[0] in {"key", "base", "repository", "variant"}} == {
        State.OK
    }
    messages = {(item.kind, item.name): item.message for item in report.findings}
    fingerprint = online.world.signer.fingerprint
    assert messages["key", "k"] == f"{fingerprint}; places: 1 of 1 have this key"
    assert "kernel 6.12.105-1.x86_64" in messages["base", "registry.invalid/el:10"]
    assert (
        "packages: 9 by sha256; metadata signed, of 2026-11-18 (1 days old)"
        in (messages["repository", "openzfs"])
    )
    assert "is signed by `k`" in messages["repository", "openzfs"]
    assert (
        "kernel 6.12.117-1.x86_64 (up); zfs 2.3.10~rc1 (for Linux up to 7.2)"
        in (messages["variant", "base-zfs"])
    )


def test_only_what_the_chosen_variants_need_is_asked(online):
    world = online.world
    world.document["keys"]["other"] = {"places": ["http://mirror.invalid/other.asc"]}
    world.document["repositories"]["cuda"]["key"] = "other"
    report = online.ask("fedora-base")
    assert [item.name for item in report.findings if item.kind == "key"] == ["k"]
    assert "/other.asc" not in world.requests
    assert not [path for path in online.world.requests if "baseos" in path or "cuda" in path]


def test_the_plan_decides_on_the_same_answers(online):
    """Asked a second time, a mirror may answer something else."""
    online.ask("base")
    asked = online.world.requests
    assert asked.count("/baseos/repodata/repomd.xml") == 2, "for the key, and for the plan"
    assert sum("primary" in path for path in asked) == 1


def test_what_is_silent_keeps_nothing_else_waiting(online, monkeypatch):
    """Where nothing answers at all, whoever asks knows after a minute, not after six."""
    together = threading.Barrier(3)

    def meeting(asked, *arguments):
        together.wait(30)
        return asked(*arguments)

    for name in ("check_key", "read_remote", "ask_services"):
        monkeypatch.setattr(probe, name, partial(meeting, getattr(probe, name)))
    kinds = [item.kind for item in online.ask("base").findings]
    assert kinds == sorted(kinds, key=ORDER.index), "the table is in the order of a night"


def test_the_registry_and_sigstore_are_asked_as_well(online):
    """Nothing is at the world's registry, and a night could not publish."""
    report = online.ask("base")
    kinds = [item.kind for item in report.findings]
    assert (kinds.count("registry"), kinds.count("sigstore")) == (1, 4)
    assert report.exit_code == 6


def test_an_optional_repository_that_is_gone_and_not_pinned_is_no_fault(online):
    """A night does without it, whoever its key is."""
    world = online.world
    world.document["keys"]["cuda"] = {"places": ["http://mirror.invalid/key.asc"]}
    world.document["repositories"]["cuda"].update(key="cuda", metadata_key="cuda", optional=True)
    world.answers = {"/cuda/repodata/repomd.xml": 404}
    found = online.found("repository", "cuda")
    assert (found.state, found.exit_code) == (State.WARNING, 0)
    assert "answered 404" in found.message

"""What a host says of an image decides whether tags move; what says nothing is no refusal."""

import dataclasses
import json

import pytest

from immutable_base.errors import RemoteError, UnavailableError, VerificationError
from immutable_base.model.publish import PublicationStatus
from immutable_base.policy.host_trust import HostTrust, Scope, key_files
from immutable_base.policy.render import POLICY, render_policy
from immutable_base.process import Result
from immutable_base.publish.as_host import (
    REJECTED,
    AskedHost,
    require_host_agrees,
    require_taken,
    write_twin,
)
from support.publish_world import OLD, SIGNED_AT
from support.small_images import write_layout

REPOSITORY = "registry.example/os/base"
TRUST = HostTrust(name="os", scopes=(Scope(name="registry.example/os"),))
KEYS = key_files("os", ["PEM"])
REFUSED = (1, f"{REJECTED}A signature was required, but no signature exists")
NOT_READ = (
    1,
    f"{REJECTED}reading signatures: received unexpected HTTP status: 503 Service Unavailable",
)
TAKEN, DOWN = (0, ""), (1, "pinging container registry registry.example: connection refused")


class Machine:
    """Runs skopeo inside and outside of the image; `says` answers for each reference in turn."""

    tmpfiles = Result(status=0, stdout=b"", stderr_tail="")

    def __init__(self, tmp_path, *says):
        self.says, self.commands, self.seen = list(says), [], []
        (tmp_path / "root/etc").mkdir(parents=True)
        layout = tmp_path / "layout"
        self.digest = write_layout(layout, "an image")
        self.host = AskedHost(run=self.run, root=tmp_path / "root", layout=layout, environment={})

    def run(self, command):
        self.commands.append(command)
        if command.argv[0] != "bwrap":
            return Result(status=0, stdout=b"", stderr_tail="")
        inside = command.argv[command.argv.index("--") + 1 :]
        if inside[0] == "systemd-tmpfiles":
            return self.tmpfiles
        if inside[0] == "immutable-base-admission":
            self.seen.append(" ".join(inside))
        else:
            self.seen.append(next(a for a in inside if a.startswith("docker://")))
        status, text = self.says.pop(0)
        return Result(status=status, stdout=b"", stderr_tail=text)

    def agree(self, **by):
        require_host_agrees(self.host, REPOSITORY, self.digest, **{"by_key": True, **by})


def test_a_host_that_takes_the_image_and_refuses_its_copy_agrees(tmp_path):
    machine = Machine(tmp_path, REFUSED, TAKEN)
    machine.agree()
    copy, image = machine.seen
    assert image == f"docker://{REPOSITORY}@{machine.digest}"
    assert copy.startswith(f"docker://{REPOSITORY}@sha256:")
    assert copy != image
    pushed = [c.argv[-1] for c in machine.commands if c.argv[0] == "skopeo"]
    assert pushed == [copy], "the copy is pushed by digest, and nothing else is"


@pytest.mark.parametrize(
    ("says", "error", "words"),
    [
        ([REFUSED, REFUSED], VerificationError, "would refuse"),
        ([TAKEN], VerificationError, "would take an unsigned copy"),
        ([DOWN], UnavailableError, "cannot be known"),
        ([REFUSED, DOWN], UnavailableError, "cannot be known"),
        ([REFUSED, NOT_READ], UnavailableError, "cannot be known"),
        ([(127, "bwrap: execvp skopeo: No such file")], RemoteError, "cannot be known"),
    ],
)
def test_anything_else_stops_the_publication(tmp_path, says, error, words):
    with pytest.raises(error, match=words) as caught:
        Machine(tmp_path, *says).agree()
    assert type(caught.value) is error


ADMITTED = (0, "admitted")


def test_without_a_key_a_host_refuses_the_image_admits_it_and_then_takes_it(tmp_path):
    machine = Machine(tmp_path, REFUSED, REFUSED, ADMITTED, TAKEN)
    machine.agree(by_key=False)
    pinned = f"{REPOSITORY}@{machine.digest}"
    assert machine.seen[1:] == [
        f"docker://{pinned}", f"immutable-base-admission admit {pinned}", f"docker://{pinned}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("says", "error", "words"),
    [
        ([TAKEN], VerificationError, "that its host has not admitted"),
        ([REFUSED, (14, "signed by somebody else")], VerificationError, "would not admit"),
        ([REFUSED, (1, "execvp: No such file")], VerificationError, "would not admit"),
        ([REFUSED, (6, "connection refused")], UnavailableError, "cannot be known"),
        ([REFUSED, (6, "a login is needed")], RemoteError, "cannot be known"),
        ([REFUSED, ADMITTED, REFUSED], VerificationError, "would refuse"),
        ([REFUSED, ADMITTED, DOWN], UnavailableError, "cannot be known"),
    ],
)
def test_a_host_that_admits_otherwise_stops_the_publication(tmp_path, says, error, words):
    machine = Machine(tmp_path, REFUSED, *says)
    with pytest.raises(error, match=words) as caught:
        machine.agree(by_key=False)
    assert type(caught.value) is error
    assert machine.says == []


@pytest.mark.parametrize("by", ["by_key", "by_fleet"])
def test_a_program_that_is_there_must_admit_also_where_a_key_is_demanded(tmp_path, by):
    """Automatic upgrades require its unit: docs/explanation/host-admission.md."""
    how = {"by_key": by == "by_key", "by_fleet": by == "by_fleet"}
    taken = [REFUSED, TAKEN] if how["by_key"] else [REFUSED]
    for number, answer in enumerate([ADMITTED, (14, "signed by somebody else")]):
        machine = Machine(tmp_path / str(number), *taken, answer)
        settings = machine.host.root / "usr/lib/immutable-base/admission/admission.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text("")
        if answer is ADMITTED:
            machine.agree(**how)
        else:
            with pytest.raises(VerificationError, match="would not admit"):
                machine.agree(**how)
        assert machine.says == []


def test_an_input_from_the_future_is_named_as_a_reason_not_to_admit(tmp_path):
    """The commit of an instance was made by a clock that was ahead, for instance."""
    machine = Machine(tmp_path, REFUSED, REFUSED, (12, "signed 2026, which is older than 2030"))
    with pytest.raises(VerificationError, match="would not admit") as caught:
        machine.agree(by_key=False)
    assert "still to come" in caught.value.hint


def test_a_host_that_cannot_make_the_folder_for_what_it_admits_stops_the_publication(tmp_path):
    machine = Machine(tmp_path, REFUSED, REFUSED)
    machine.tmpfiles = Result(status=73, stdout=b"", stderr_tail="admission.conf: no such group")
    with pytest.raises(VerificationError, match="would not admit") as caught:
        machine.agree(by_key=False)
    assert "no such group" in caught.value.details


def test_a_policy_that_demands_the_host_s_own_key_says_that_the_host_admits(tmp_path):
    host = Machine(tmp_path).host
    policy = tmp_path / "root" / POLICY
    assert not host.admits, "no policy at all"
    policy.parent.mkdir(parents=True)
    for trust, admits in ((TRUST, True), (dataclasses.replace(TRUST, keys=KEYS), False)):
        policy.write_text(render_policy(trust, None))
        assert host.admits is admits


def test_what_another_machine_admits_is_taken_or_not_and_its_copy_is_refused(tmp_path):
    """It may have admitted this digest before, under another tag: that is no fault of the policy."""
    machine = Machine(tmp_path, REFUSED)
    machine.agree(by_key=False, by_fleet=True)
    (copy,) = machine.seen
    assert machine.digest not in copy
    with pytest.raises(VerificationError, match="would take an unsigned copy"):
        Machine(tmp_path / "other", TAKEN).agree(by_key=False, by_fleet=True)


def test_a_copy_has_every_blob_and_another_manifest(tmp_path):
    layout, twin = tmp_path / "layout", tmp_path / "twin"
    digest = write_layout(layout, "an image")
    found = write_twin(layout, twin)
    assert found != digest
    assert found == write_twin(layout, tmp_path / "again"), "the same image has the same copy"
    manifest = json.loads((twin / "blobs" / found.replace(":", "/")).read_text())
    original = json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())
    assert (manifest["config"], manifest["layers"]) == (original["config"], original["layers"])
    assert json.loads((twin / "index.json").read_text())["manifests"][0]["digest"] == found


def test_a_layout_that_is_none_is_said(tmp_path):
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(VerificationError, match="layout"):
        write_twin(tmp_path, tmp_path / "twin")


def test_the_sandbox_has_the_network_the_ca_and_the_login_and_nothing_else(tmp_path, monkeypatch):
    login, bundle = tmp_path / "login.json", tmp_path / "ca.pem"
    login.write_text("{}")
    bundle.write_text("")
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(login))
    machine = Machine(tmp_path, TAKEN)
    host = dataclasses.replace(machine.host, environment={"SSL_CERT_FILE": str(bundle)})
    require_taken(host, f"{REPOSITORY}:latest")
    argv = machine.commands[-1].argv
    assert "--unshare-net" not in argv
    bound = [argv[n + 1] for n, word in enumerate(argv) if word == "--ro-bind"]
    assert bound == [str(bundle), str(login)]
    assert "--clearenv" in argv


def host_that(monkeypatch, question, asked):
    """Let publications ask a host that answers one of the two questions with an objection."""
    import contextlib

    import support.publish_fixtures as fixtures
    from immutable_base.publish import host_gate, request

    def disagree(host, *about, **by):
        asked.append((host, about, by))
        raise VerificationError("a host objects")

    original = request.PublishRequest
    for name in ("require_unsigned_refused", "require_signed_taken"):
        monkeypatch.setattr(host_gate, name, disagree if name == question else lambda *_a, **_k: 0)
    monkeypatch.setattr(
        fixtures,
        "PublishRequest",
        lambda **fields: original(**fields, open_host=lambda: contextlib.nullcontext("the host")),
    )


def test_nothing_is_signed_if_a_host_takes_an_unsigned_copy(
    world, token, publish, image, monkeypatch
):
    asked = []
    host_that(monkeypatch, "require_unsigned_refused", asked)
    with pytest.raises(VerificationError, match="a host objects"):
        publish()
    assert [item[0] for item in asked] == ["the host"]
    assert world.tags == {}
    assert world.writes() == ["push"]


def test_what_is_published_is_not_signed_anew_either(world, token, publish, image, monkeypatch):
    publish()
    before = len(world.writes())
    host_that(monkeypatch, "require_unsigned_refused", [])
    with pytest.raises(VerificationError, match="a host objects"):
        publish(renew=SIGNED_AT)
    assert world.writes()[before:] == []


def test_no_tag_moves_to_what_is_signed_already_if_a_host_takes_an_unsigned_copy(
    world, token, publish, image, monkeypatch
):
    """Somebody may have pushed and signed it by hand, `sign` and all, with another policy."""
    publish()
    world.yesterday("latest")
    before = len(world.writes())
    asked = []
    host_that(monkeypatch, "require_unsigned_refused", asked)
    with pytest.raises(VerificationError, match="a host objects"):
        publish()
    assert len(asked) == 1
    assert world.tags["latest"] == OLD
    assert world.writes()[before:] == []


def test_a_host_is_asked_nothing_where_nothing_is_new(world, token, publish, image, monkeypatch):
    publish()
    asked = []
    for question in ("require_unsigned_refused", "require_signed_taken"):
        host_that(monkeypatch, question, asked)
        assert publish().status is PublicationStatus.UNCHANGED
    assert asked == []


def test_tags_stay_if_a_host_would_not_take_it(world, token, publish, image, monkeypatch):
    asked = []
    host_that(monkeypatch, "require_signed_taken", asked)
    with pytest.raises(VerificationError, match="a host objects"):
        publish()
    assert [item[0] for item in asked] == ["the host"]
    assert world.tags == {}
    assert world.writes()[-1] == "refer"

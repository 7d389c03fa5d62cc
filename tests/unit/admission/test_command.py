"""The program as a unit or a person calls it: what was admitted is what is pulled, nothing else."""

import fcntl
import json
import socket
import subprocess
import sys
import threading
import time

import pytest

from immutable_base.admission import command
from immutable_base.admission.admit import Admitter
from immutable_base.admission.settings import load_settings
from immutable_base.build.admission_files import FOLDER, PYTHON, program_files
from immutable_base.errors import HostError, ImmutableBaseError, RemoteError
from immutable_base.verification.deadline import Deadline
from support.forge import NOW, attestation, digest_of, signature, simple_signing, statement
from support.scene import OK, PATH, REFUSED, UNKNOWN
from support.web import RESET, STALL, Reply

CONFIGURATION, HOST, FAILED = 2, 4, 5


def sign_another(scene, words="other", when=NOW + 100):
    """Move the tag to another image, signed and attested by the same pipeline."""
    digest = scene.registry.add_image(words, tag="latest")
    leaf = scene.leaf(when=when)
    payload = simple_signing(digest, scene.repository)
    scene.registry.attach(digest, "sig", signature(scene.instance, payload, leaf=leaf, when=when))
    scene.registry.attach(
        digest, "att", attestation(scene.instance, statement(digest), leaf=leaf, when=when)
    )
    return digest


# ------------------------------------------------------------------ check and use


def test_an_image_is_refused_before_and_taken_after_its_admission(host, scene):
    assert not host.pulls()
    outcome = host.admit()
    assert outcome.code == OK, outcome.err
    assert host.pulls()
    assert scene.digest in outcome.out
    assert scene.reference in outcome.out
    assert "2026-11-18T11:06:41Z" in outcome.out
    assert outcome.err == ""


def test_a_neighbour_that_claims_to_be_smaller_than_it_is_keeps_nobody_from_it(host, scene):
    good = scene.sig()
    lying = {**good.descriptor(), "size": 1}
    scene.registry.attach_raw(scene.digest, "sig", [lying, good.descriptor()])
    assert host.admit().code == OK
    assert host.pulls()


def test_a_tag_that_moves_after_its_admission_is_refused(host, scene):
    assert host.admit().code == OK
    scene.registry.add_image("unsigned", tag="latest")
    assert not host.pulls()
    assert host.pulls(f"{scene.repository}@{scene.digest}")


def test_a_tag_that_moves_to_a_good_image_is_refused_until_that_is_admitted(host, scene):
    assert host.admit().code == OK
    sign_another(scene)
    assert not host.pulls()
    assert host.admit().code == OK
    assert host.pulls()


def test_a_tag_that_moves_while_it_is_verified_admits_what_was_verified(host, scene):
    """The registry shows one image to the verification, and another one to the pull."""
    raw = scene.registry.manifests["latest"]
    evil = scene.registry.add_image("evil", tag="latest")
    scene.replies[f"/v2/{PATH}/manifests/latest"] = Reply(raw, headers={"Content-Type": "x"})
    assert host.admit().code == OK
    assert digest_of(scene.registry.manifests["latest"]) == evil
    assert not host.pulls()
    assert host.pulls(f"{scene.repository}@{scene.digest}")


def test_another_tag_of_an_admitted_image_is_refused(host, scene):
    assert host.admit().code == OK
    scene.registry.manifests["stable"] = scene.registry.manifests["latest"]
    assert not host.pulls(f"{scene.repository}:stable")
    assert host.admit(reference=f"{scene.repository}:stable").code == OK
    assert host.pulls(f"{scene.repository}:stable")
    assert host.pulls()


def test_without_a_tag_the_one_that_container_tools_add_is_meant(host, scene):
    assert host.admit(reference=scene.repository).code == OK
    assert host.pulls(f"{scene.repository}:latest")


def test_a_mirror_is_pulled_from_under_its_own_name(host, scene):
    scene.mirrors = (f"{scene.host}/os",)
    scene.config = lambda real=scene.config: _with_destination(real())
    scene.set_sig(scene.sig(scene.payload(repository="origin.example/os/base-zfs")))
    assert host.admit().code == OK
    assert host.pulls()


def _with_destination(path):
    lines = path.read_text().splitlines()
    changed = [
        'destination = "origin.example/os"' if it.startswith("destination") else it for it in lines
    ]
    path.write_text("\n".join(changed))
    return path


# ------------------------------------------------------------------ rolled back


def test_an_older_image_under_the_same_tag_is_refused_unless_a_person_says_so(host, scene):
    old, raw = scene.digest, scene.registry.manifests["latest"]
    sign_another(scene)
    assert host.admit().code == OK
    scene.registry.manifests["latest"] = raw
    outcome = host.admit()
    assert outcome.code == REFUSED
    assert "older than 2026-11-18T11:08:20Z" in outcome.err
    assert "--allow-older" in outcome.err
    assert not host.pulls()
    assert host.admit("--allow-older").code == OK
    assert host.pulls()
    assert old in host.command("list").out


def test_who_has_gone_back_on_purpose_need_not_say_so_again(host, scene):
    """The timer says nothing of the kind: it would refuse until something newer is published."""
    old, raw = scene.digest, scene.registry.manifests["latest"]
    other = sign_another(scene)
    assert host.admit().code == OK
    newer, scene.registry.manifests["latest"] = scene.registry.manifests["latest"], raw
    assert host.admit("--allow-older").code == OK
    assert host.admit().code == OK
    assert old in host.command("list").out
    assert other not in host.command("list").out, "under this name it is not pulled any more"
    scene.registry.manifests["latest"] = newer
    assert host.admit().code == OK
    assert other in host.command("list").out


def test_a_new_host_takes_no_image_that_is_older_than_its_own_unless_it_is_told_to(host, scene):
    host.settings["signed_after"] = NOW + 2
    outcome = host.admit()
    assert outcome.code == REFUSED
    assert "of the packages in this host's image" in outcome.err
    assert not host.pulls()
    assert [host.admit(*words).code for words in (("--allow-older",), ())] == [OK, OK]
    assert host.pulls()


def test_the_same_image_is_admitted_again_and_again(host, scene):
    assert [host.admit().code for _ in range(3)] == [OK] * 3
    assert len(host.files()) == 1


# ------------------------------------------------------------------ what the host says


def status(reference, *, booted, rollback=None, staged=None):
    def entry(digest):
        return digest and {"image": {"imageDigest": digest}}

    return json.dumps({
        "spec": {"image": {"image": reference, "transport": "registry"}},
        "status": {"booted": entry(booted), "rollback": entry(rollback), "staged": entry(staged)},
    })  # fmt: skip


def test_by_default_the_image_that_bootc_follows_is_admitted(host, scene):
    host.status = status(scene.reference, booted="sha256:" + "1" * 64)
    assert host.command("admit").code == OK
    assert host.pulls()


def test_a_bootc_that_fails_admits_nothing(host, scene):
    host.status = "nonsense"
    outcome = host.command("admit")
    assert outcome.code == FAILED
    assert "Nothing was admitted" in outcome.err
    assert not host.pulls()


def test_what_is_no_reference_is_told(host):
    for reference in (
        "",
        "base",
        "os/base:latest",
        "-x/y",
        "host/a b",
        "[::1]/a",
        "a/b@sha256:1",
        "x/../y",
    ):
        outcome = host.admit(reference=reference) if reference else host.command("admit", "")
        assert outcome.code == (CONFIGURATION if reference else HOST), reference
        assert "Traceback" not in outcome.err


def test_expire_keeps_what_can_be_booted_and_what_was_signed_last(host, scene):
    digests = [scene.digest]
    assert host.admit().code == OK
    for number in range(1, 5):
        digests.append(sign_another(scene, str(number), NOW + 100 * number))
        assert host.admit().code == OK
    host.status = status(scene.reference, booted=digests[3], rollback=digests[1])
    # What was admitted this second is not old yet.
    outcome = command_at(host, time.time() + 5, "expire")
    assert outcome.code == OK, outcome.err
    assert [digests[0] in outcome.out, digests[2] in outcome.out] == [True, True]
    listed = host.command("list").out
    assert [digest in listed for digest in digests] == [False, True, False, True, True]
    lines = {line.split()[1]: line for line in listed.splitlines()}
    assert "deployed" in lines[digests[3]]
    assert "deployed" not in lines[digests[4]]


def command_at(host, moment, *arguments):
    """Run the program with another clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command.time, "time", lambda: moment)
        return host.command(*arguments)


@pytest.mark.parametrize(("said", "code"), [(None, HOST), ("nonsense", FAILED)])
def test_if_nobody_knows_what_is_deployed_nothing_is_removed(host, scene, said, code):
    assert host.admit().code == OK
    sign_another(scene)
    assert host.admit().code == OK
    host.status = said
    before = host.files()
    assert command_at(host, time.time() + 9e6, "expire").code == code
    assert host.files() == before


def test_a_lookaside_that_other_hosts_read_expires_by_age(host, scene):
    host.settings["keep_days"] = 30
    assert host.admit().code == OK
    sign_another(scene)
    assert host.admit().code == OK
    assert command_at(host, time.time() + 29 * 86400, "expire").out == ""
    assert scene.digest in command_at(host, time.time() + 31 * 86400, "expire").out
    assert host.pulls()


# ------------------------------------------------------------------ faults


@pytest.mark.parametrize("kind", ["latest", "sig", "att"])
def test_an_answer_after_the_deadline_admits_nothing(host, scene, kind):
    path = f"/v2/{PATH}/manifests/latest" if kind == "latest" else scene.path_of(kind)
    late = scene.reply(path)

    def reply(_):
        time.sleep(0.8)
        return late

    scene.replies[path] = reply
    began = time.monotonic()
    outcome = host.command("--timeout", "0.4", "admit", scene.reference)
    assert outcome.code == UNKNOWN
    assert time.monotonic() - began < 3
    time.sleep(0.8)
    assert host.files() == []


def test_whatever_hangs_the_answer_comes_in_time(host, scene):
    scene.replies["*"] = STALL
    began = time.monotonic()
    outcome = host.command("--timeout", "0.5", "admit", scene.reference)
    assert outcome.code == UNKNOWN
    assert "within 0.5 s" in outcome.err
    assert time.monotonic() - began < 3


def test_a_name_that_is_resolved_too_late_admits_nothing(host, scene, monkeypatch):
    """Name resolution has no limit of its own."""
    real = socket.getaddrinfo

    def late(*arguments, **keywords):
        time.sleep(1.5)
        return real(*arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", late)
    began = time.monotonic()
    assert host.command("--timeout", "0.4", "admit", scene.reference).code == UNKNOWN
    assert time.monotonic() - began < 1.4
    time.sleep(1.5)
    assert host.files() == []


def test_an_image_that_was_signed_too_long_ago_is_refused(host, scene):
    host.settings["maximum_age_days"] = 2
    outcome = command_at(host, NOW + 3 * 86400, "admit", scene.reference)
    assert outcome.code == REFUSED
    assert "hint: is the clock right? It says 20" in outcome.err, "one that is fast says so, too"
    assert not host.pulls()
    assert command_at(host, NOW + 86400, "admit", scene.reference).code == OK


@pytest.mark.parametrize("status_code", [429, 500, 503])
def test_a_registry_that_is_overloaded_for_a_moment_is_asked_again(host, scene, status_code):
    path = f"/v2/{PATH}/manifests/latest"
    good, busy = scene.reply(path), [Reply(b"busy", status_code, {"Retry-After": "0"})]
    scene.replies[path] = lambda _: busy.pop() if busy else good
    assert host.admit().code == OK


def test_a_registry_that_asks_for_a_long_wait_is_left_alone(host, scene):
    scene.replies["*"] = Reply(b"slow", 429, {"Retry-After": "3600"})
    before, began = len(scene.site.requests), time.monotonic()
    assert host.admit().code == UNKNOWN
    assert len(scene.site.requests) == before + 1
    assert time.monotonic() - began < 10


def test_a_connection_that_is_cut_admits_nothing(host, scene):
    scene.replies[scene.path_of("att")] = RESET
    assert host.admit().code == UNKNOWN
    assert host.files() == []


def test_a_lookaside_that_cannot_be_written_is_told_and_nothing_is_admitted(host, scene):
    host.state.mkdir()
    host.lookaside.write_text("in the way")
    outcome = host.admit()
    assert outcome.code == HOST
    assert "Nothing was admitted" in outcome.err
    assert host.lookaside.read_text() == "in the way"


def test_a_key_that_others_could_read_admits_nothing(host, scene):
    assert host.admit().code == OK
    (host.state / "host.key").chmod(0o644)
    sign_another(scene)
    outcome = host.admit()
    assert outcome.code == HOST
    assert "others may read it" in outcome.err
    assert not host.pulls()


def test_two_admissions_at_once_are_both_there_in_the_end(host, scene):
    settings = load_settings(host.write_settings())
    scene.site.next_reply = scene.reply
    tags = [f"t{number}" for number in range(6)]
    for tag in tags:
        scene.registry.manifests[tag] = scene.registry.manifests["latest"]
    errors = []

    def admit(tag):
        admitter = Admitter(settings=settings, environment={}, deadline=Deadline(), clock=time.time)
        try:
            admitter.admit(f"{scene.repository}:{tag}", allow_older=False)
        except ImmutableBaseError as error:
            errors.append(error)

    threads = [threading.Thread(target=admit, args=(tag,)) for tag in tags]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert all(host.pulls(f"{scene.repository}:{tag}") for tag in tags)
    assert len(host.files()) == len(tags)


def test_an_admission_that_waits_too_long_for_another_gives_up(host, scene):
    host.state.mkdir()
    with (host.state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = host.command("--timeout", "0.3", "admit", scene.reference)
    assert outcome.code == HOST
    assert "another admission works" in outcome.err
    assert host.admit().code == OK


# ------------------------------------------------------------------ a clock that is wrong


def test_a_clock_that_is_behind_is_told_and_changes_nothing(host, scene):
    outcome = command_at(host, NOW - 86400, "admit", scene.reference)
    assert outcome.code == OK
    assert "1440 minutes behind" in outcome.err
    assert host.pulls()


def test_a_clock_that_is_years_ahead_changes_nothing(host, scene):
    """The certificate is compared with the time in the log."""
    assert command_at(host, NOW + 9e8, "admit", scene.reference).code == OK
    assert host.pulls()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate is not yet valid", True),
        ("SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired", True),
        ("SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate", False),
        ("ConnectionRefusedError: has expired", False),
    ],
)  # fmt: skip
def test_a_certificate_out_of_time_may_be_the_clock(words, expected):
    assert command.is_about_time(RemoteError("x", details=words)) is expected
    assert command.is_about_time(HostError("x")) is False


# ------------------------------------------------------------------ logins, words, programs


def test_the_registry_gets_the_login_that_bootc_uses(host, scene, monkeypatch):
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    path = host.root / "etc/ostree/auth.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"auths": {scene.host: {"auth": "bWU6c2VjcmV0"}}}))
    real = scene.reply

    def reply(path):
        if scene.site.headers[-1].get("Authorization") != "Basic bWU6c2VjcmV0":
            return Reply(b"", 401, {"WWW-Authenticate": 'Basic realm="x"'})
        return real(path)

    scene.reply = reply
    assert host.admit().code == OK
    path.unlink()
    sign_another(scene)
    assert host.admit().code == UNKNOWN


def test_who_is_interrupted_sees_no_traceback(host, scene, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Admitter, "admit", interrupt)
    assert host.admit().code == 130


@pytest.mark.parametrize(
    "arguments", [(), ("admit", "--nonsense"), ("--timeout", "0", "list"), ("x",)]
)
def test_wrong_arguments_are_told(host, arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        host.command(*arguments)
    assert caught.value.code == 2


def test_what_is_shipped_runs_by_itself(host, scene, tmp_path):
    """A host has these files, its Python and cryptography; nothing of the product beside them."""
    for name, content in program_files().items():
        path = tmp_path / "image" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    tree = (tmp_path / "image" / PYTHON).parent
    code = (
        f"import sys; sys.path.insert(0, {str(tree)!r}); import immutable_base.admission.command as it;"
        "code = it.main(sys.argv[1:]);"
        "print(*[m.__file__ for n, m in sys.modules.items() if n.startswith('immutable_base')]);"
        "print(*{n.partition('.')[0] for n in sys.modules}, file=sys.stderr); raise SystemExit(code)"
    )
    settings = host.write_settings()
    assert settings.parent == host.root / FOLDER
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", code, "--settings", str(settings), "list"],
        capture_output=True, text=True, env={},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {path for path in done.stdout.split() if not path.startswith(str(tree))} == set()
    loaded = set(done.stderr.split())
    foreign = loaded - {
        *sys.stdlib_module_names,
        *sys.builtin_module_names,
        "immutable_base",
        "__main__",
    }
    assert {name for name in foreign if not name.startswith("_")} <= {"cryptography", "google", "mpl_toolkits"}  # fmt: skip

"""What is decided about a host: its name, its image, whether it runs, what it goes back to."""

import shlex

import pytest

from immutable_base.errors import CommandError, ConfigurationError, HostError
from immutable_base_lab.hosts import decide

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


@pytest.mark.parametrize("name", ["", "Web", "1st", "-x", "a/b", "..", "a b", "x" * 32, "host\n"])
def test_a_name_that_is_no_folder_machine_and_socket_is_refused(name):
    with pytest.raises(ConfigurationError, match="cannot be the name of a host"):
        decide.require_name(name)


def test_usual_names_are_names():
    assert [decide.require_name(name) for name in ("web", "web-1", "x" * 31)]


def test_a_name_is_given_once():
    with pytest.raises(ConfigurationError, match="host `web` already") as caught:
        decide.require_new("web", {"web"})
    assert "lab host remove web" in str(caught.value)
    decide.require_new("web-1", {"web"})


def test_an_unknown_name_is_told_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"no host `wob`.*did you mean 'web'") as caught:
        decide.require_known("wob", {"web": 1, "db": 2})
    assert "the hosts are: db, web" in str(caught.value)
    with pytest.raises(ConfigurationError) as caught:
        decide.require_known("web", {})
    assert "lab host create" in str(caught.value)


def test_what_runs_is_not_started_again_and_what_does_not_is_not_asked():
    with pytest.raises(HostError, match=r"running already \(process 17\)"):
        decide.require_stopped("web", 17)
    decide.require_stopped("web", None)
    with pytest.raises(HostError, match="is not running"):
        decide.require_running("web", None)
    decide.require_running("web", 17)


def test_a_path_that_is_too_long_for_a_socket_is_told_before_anything_is_made():
    decide.require_short("/" + "x" * 106)
    with pytest.raises(HostError, match="too long for a socket"):
        decide.require_short("/" + "ä" * 54)


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ("tiny", "127.0.0.1:5000/immutable-base/tiny:latest"),
        ("tiny:2026", "127.0.0.1:5000/immutable-base/tiny:2026"),
        ("tiny@sha256:" + A, "127.0.0.1:5000/immutable-base/tiny@sha256:" + A),
        ("quay.io/fedora/fedora-bootc:43", "quay.io/fedora/fedora-bootc:43"),
        ("127.0.0.1:5000/x@sha256:" + A, "127.0.0.1:5000/x@sha256:" + A),
    ],
)
def test_an_image_is_a_variant_or_any_reference(image, reference):
    assert decide.reference_of(image, "127.0.0.1:5000/immutable-base") == reference


@pytest.mark.parametrize("image", ["Tiny", "tiny:", "tiny:a b", "tiny@sha256:12", ""])
def test_what_is_neither_is_refused_before_a_host_is_made(image):
    with pytest.raises(ConfigurationError, match="not the reference of an image"):
        decide.reference_of(image, "127.0.0.1:5000/immutable-base")


STATUS = f"""\
  default {C}.0 (staged)
    origin: <unknown origin type>
* default {A}.0
    origin: <unknown origin type>
  default {B}.1 (rollback)
    origin: <unknown origin type>
"""


def test_deployments_are_read_in_the_order_in_which_they_are_started():
    found = decide.deployments(STATUS)
    assert [(it.commit, it.booted, it.note) for it in found] == [
        (C, False, "staged"), (A, True, ""), (B, False, "rollback"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "No deployments.\n", f"  default {A}.0\n"])
def test_a_host_that_runs_none_of_them_is_no_host(text):
    with pytest.raises(CommandError, match="no deployment that runs"):
        decide.deployments(text)


def test_a_rollback_goes_to_the_image_below_the_one_that_runs():
    assert decide.earlier("web", decide.deployments(STATUS)) == 2
    assert decide.rollback_command(2) == "ostree admin set-default 2"
    alone = decide.deployments(f"* default {A}.0\n")
    with pytest.raises(HostError, match="no earlier image"):
        decide.earlier("web", alone)


def test_a_reference_is_one_word_to_the_hosts_shell_and_to_the_one_in_it():
    *words, script = shlex.split(decide.upgrade_command("r/x:latest; reboot"))
    assert words == ["unshare", "--mount", "sh", "-c"], "writable for this program alone"
    before, _, deploy = script.partition(" && exec ")
    assert before == "mount -o remount,rw /sysroot"
    program, *arguments = shlex.split(deploy)
    assert program == "/usr/libexec/libostree/ext/ostree-container"
    assert arguments[-1] == "--imgref=ostree-unverified-registry:r/x:latest; reboot"

"""What a host follows and has deployed, in the words of bootc and ostree, whatever they say."""

import json

import pytest

from immutable_base.admission import host as host_module
from immutable_base.admission.host import Host, deployed_by, followed_by
from immutable_base.errors import CommandError, ConfigurationError, HostError

REFERENCE = "registry.example/os/base:latest"
NO_IMAGE = "this host follows no image"
NO_REGISTRY = "which is no image in a registry"
UNFORESEEN = "has a form that was not foreseen"


def entry(number):
    image = {"image": REFERENCE, "transport": "registry"}
    return {"image": {"image": image, "imageDigest": f"sha256:{number:064x}"}, "pinned": False}


def status(**changes):
    """As bootc 1.16 writes it, as far as it matters."""
    return {
        "apiVersion": "org.containers.bootc/v1",
        "kind": "BootcHost",
        "spec": {"image": {"image": REFERENCE, "transport": "registry"}, "bootOrder": "default"},
        "status": {"staged": entry(3), "booted": entry(1), "rollback": entry(2), **changes},
    }


def followed(image):
    return {"spec": {"image": image}}


# ------------------------------------------------------------------ bootc


def test_the_reference_is_the_one_that_the_next_upgrade_pulls():
    assert followed_by(status()) == REFERENCE


@pytest.mark.parametrize(
    ("found", "error", "words"),
    [
        (followed(None), HostError, NO_IMAGE),
        (followed({"image": "/var/x", "transport": "oci"}), ConfigurationError, NO_REGISTRY),
        (
            followed({"image": REFERENCE, "transport": "containers-storage"}),
            ConfigurationError,
            NO_REGISTRY,
        ),
        (followed({"image": REFERENCE}), CommandError, UNFORESEEN),
        (followed("x"), CommandError, UNFORESEEN),
        ({}, CommandError, UNFORESEEN),
        ({"spec": None}, CommandError, UNFORESEEN),
    ],
)
def test_a_host_that_follows_no_registry_admits_nothing(found, error, words):
    with pytest.raises(error, match=words):
        followed_by(found)


def test_everything_that_could_be_booted_is_deployed():
    found = deployed_by(status(otherDeployments=[entry(7)]))
    assert found == {f"sha256:{number:064x}" for number in (1, 2, 3, 7)}


def test_a_deployment_without_an_image_is_none_of_ours():
    assert deployed_by(status(staged=None, rollback={"image": None}, booted=entry(1))) == {
        f"sha256:{1:064x}"
    }


@pytest.mark.parametrize(
    "found",
    [
        {}, {"status": None}, {"status": []}, {"status": {}}, status(booted="x"), status(booted=[1]),
        status(booted={"image": {}}), status(rollback={"image": {"imageDigest": "sha256:x"}}),
        status(rollback={"image": {"imageDigest": 7}}), status(otherDeployments=7),
        status(otherDeployments=["x"]),
    ],
)  # fmt: skip
def test_of_a_form_that_was_not_foreseen_nothing_is_concluded(found):
    with pytest.raises(CommandError, match="not foreseen"):
        deployed_by(found)


def bootc(tmp_path, script):
    path = tmp_path / "bootc"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Host(root=tmp_path, bootc=str(path))


def test_bootc_is_asked_for_json_and_gets_no_variables_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    (tmp_path / "status.json").write_text(json.dumps(status()))
    script = f'[ "$*" = "status --json --format-version=1" ] && [ -z "$SECRET" ] && cat {tmp_path}/status.json'
    host = bootc(tmp_path, script)
    assert host.followed() == REFERENCE
    assert len(host.deployed()) == 3


@pytest.mark.parametrize(
    "script",
    ["echo broken >&2; exit 1", "echo nonsense", "echo '[]'", "echo", 'printf "\\377"', "kill -9 $$",
     "echo '{\"spec\": 1, \"spec\": 2}'"],
)  # fmt: skip
def test_a_bootc_that_fails_is_told_and_nothing_is_guessed(tmp_path, script):
    host = bootc(tmp_path, script)
    for ask in (host.followed, host.deployed):
        with pytest.raises(CommandError):
            ask()


def test_what_a_bootc_says_that_fails_does_not_count(tmp_path):
    (tmp_path / "status.json").write_text(json.dumps(status()))
    with pytest.raises(CommandError, match="failed"):
        bootc(tmp_path, f"cat {tmp_path}/status.json; exit 1").followed()


def test_a_bootc_that_hangs_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(host_module, "SECONDS", 0.2)
    with pytest.raises(CommandError, match="cannot be asked"):
        bootc(tmp_path, "exec sleep 60").followed()


# ------------------------------------------------------------------ ostree, where there is no bootc


def ostree(root, origin, cmdline="root=UUID=x ostree=/ostree/boot.1/os/abc/0 ro"):
    (root / "proc").mkdir()
    (root / "proc/cmdline").write_text(cmdline)
    deployment = root / "ostree/deploy/os/deploy/0123.0"
    deployment.mkdir(parents=True)
    link = root / "ostree/boot.1/os/abc/0"
    link.parent.mkdir(parents=True)
    link.symlink_to("../../../deploy/os/deploy/0123.0")
    if origin is not None:
        deployment.with_name("0123.0.origin").write_text(origin)
    return Host(root=root, bootc=str(root / "no-bootc"))


@pytest.mark.parametrize(
    "prefix", ["ostree-unverified-registry:", "ostree-image-signed:docker://", "ostree-unverified-image:docker://"]
)  # fmt: skip
def test_without_bootc_the_origin_of_the_booted_deployment_counts(tmp_path, prefix):
    host = ostree(tmp_path, f"[origin]\ncontainer-image-reference={prefix}{REFERENCE}\n")
    assert host.followed() == REFERENCE
    assert host.deployed() is None


@pytest.mark.parametrize(
    "origin", [None, "", "[origin]\nrefspec=fedora:x\n", "hello", "[origin]\n[origin]\n"]
)
def test_a_host_that_does_not_say_is_asked_for_a_name(tmp_path, origin):
    with pytest.raises(HostError) as caught:
        ostree(tmp_path, origin).followed()
    assert "admit registry/path:tag" in caught.value.hint


def test_an_origin_of_another_kind_is_no_registry(tmp_path):
    origin = "[origin]\ncontainer-image-reference=ostree-unverified-image:oci:/x\n"
    with pytest.raises(ConfigurationError, match="no image in a registry"):
        ostree(tmp_path, origin).followed()


def test_a_machine_without_ostree_is_asked_for_a_name(tmp_path):
    with pytest.raises(HostError, match="there is no bootc, and no origin of ostree"):
        Host(root=tmp_path, bootc=str(tmp_path / "no-bootc")).followed()


# ------------------------------------------------------------------ the login


def test_the_login_is_where_bootc_takes_it_and_the_first_file_counts(tmp_path, monkeypatch):
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    host = Host(root=tmp_path)
    assert host.environment() == {}
    for name in ("usr/lib/ostree/auth.json", "etc/ostree/auth.json", "run/ostree/auth.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("{}")
        assert host.environment() == {"REGISTRY_AUTH_FILE": str(path)}
    monkeypatch.setenv("REGISTRY_AUTH_FILE", "/another")
    assert host.environment() == {"REGISTRY_AUTH_FILE": "/another"}

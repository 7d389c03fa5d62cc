"""A key beside the keyless identity: what is published only if hosts will take it."""

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from immutable_base.config.load import load_settings
from immutable_base.errors import ConfigurationError, RemoteError
from immutable_base.model.publish import PublicationStatus
from support.forge import public_pem
from support.publish_fixtures import TAGS
from support.publish_world import DIGEST, OLD, World

REFERENCE = "env://SIGNING_KEY"
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def config(config):
    """The world's configuration with a key, and the public key's file beside it."""
    (config.parent / "current.pub").write_bytes(public_pem(KEY))
    (config.parent / "next.pub").write_bytes(public_pem(OTHER))
    text = f'\n[signing.keys]\nkey = "{REFERENCE}"\nkey_paths = ["current.pub", "next.pub"]\n'
    config.write_text(config.read_text() + text)
    return config


@pytest.fixture
def world(settings):
    world = World(settings)
    world.keys[REFERENCE] = KEY
    return world


def identities(world, digest=DIGEST):
    return [it.identity for it in world.cosign.signatures.get(digest, ()) if it.by_key]


def test_both_signatures_are_there_before_a_tag_moves(world, token, publish):
    publish()
    writes = world.writes()
    before = ["push", "sign", *["sign"] * len(TAGS), "attest", "attest", "refer"]
    assert writes == [*before, *["tag"] * len(TAGS)]
    repository = world.settings.repository_of("base-zfs")
    assert identities(world) == [f"{repository}:{tag}" for tag in TAGS]
    keyless = [it for it in world.cosign.signatures[DIGEST] if not it.by_key]
    assert len(keyless) == 1
    assert world.violations == []


def test_a_key_that_hosts_do_not_accept_signs_nothing(world, token, publish):
    world.keys[REFERENCE] = OTHER
    with pytest.raises(ConfigurationError, match="not the key that hosts accept"):
        publish()
    assert world.writes() == []


def test_a_key_that_cannot_be_used_signs_nothing(world, token, publish):
    world.keys.clear()
    with pytest.raises(ConfigurationError, match="cannot be used"):
        publish()
    assert world.writes() == []


@pytest.mark.parametrize("lost", range(len(TAGS)))
def test_no_tag_moves_if_one_signature_by_the_key_is_lost(world, token, publish, lost):
    real = world.sign
    count = iter(range(-1, len(TAGS)))  # the first is the keyless one

    def sign(command):
        return (0,) if next(count) == lost else real(command)

    world.sign = sign
    with pytest.raises(Exception, match=f"no signature by the key for {TAGS[lost]}"):
        publish()
    assert world.tags == {}


def test_a_signature_by_another_key_does_not_count(world, token, publish):
    """Somebody who may write to the registry signs for every tag; so does the old key."""
    publish()
    world.tags.clear()
    world.keys["env://SOMEBODY"] = OTHER
    signatures = world.cosign.signatures[DIGEST]
    world.cosign.signatures[DIGEST] = [
        dataclasses.replace(it, by_key="env://SOMEBODY") if it.by_key else it for it in signatures
    ]
    publish()
    assert [it.by_key for it in world.cosign.signatures[DIGEST] if it.by_key] == [
        *["env://SOMEBODY"] * len(TAGS), *[REFERENCE] * len(TAGS),
    ]  # fmt: skip


def test_what_is_published_keyless_gets_the_key_s_signature_alone(world, token, publish):
    publish()
    world.cosign.signatures[DIGEST] = [
        it for it in world.cosign.signatures[DIGEST] if not it.by_key
    ]
    before = len(world.writes())
    assert publish().status is PublicationStatus.PUBLISHED
    assert world.writes()[before:] == ["sign"] * len(TAGS)
    assert len(identities(world)) == len(TAGS)


def test_a_new_tag_is_signed_for_and_the_others_are_not_signed_again(world, token, publish):
    publish(tags=TAGS[:2])
    publish(tags=TAGS)
    assert [name.rpartition(":")[2] for name in identities(world)] == list(TAGS)


def test_everything_there_already_writes_nothing_and_needs_no_token(
    world, token, publish, monkeypatch
):
    publish()
    before = len(world.writes())
    monkeypatch.delenv("SIGSTORE_ID_TOKEN")
    assert publish().status is PublicationStatus.UNCHANGED
    assert world.writes()[before:] == []


def test_after_the_switch_of_a_rotation_the_new_key_signs_as_well(
    world, token, publish, config, context
):
    publish()
    world.keys["env://NEW_KEY"] = OTHER
    text = config.read_text().replace(REFERENCE, "env://NEW_KEY")
    config.write_text(text + 'signing_with = "next"\n')
    publish(context=dataclasses.replace(context, settings=load_settings(config)))
    by_key = [it.by_key for it in world.cosign.signatures[DIGEST] if it.by_key]
    assert by_key == [*[REFERENCE] * len(TAGS), *["env://NEW_KEY"] * len(TAGS)]


def test_the_key_s_service_that_is_down_leaves_tags_where_they_were(world, token, publish):
    world.yesterday("latest")
    real = world.sign

    def sign(command):
        if any(part.startswith("--key=") for part in command.argv):
            world.fail, world.says = "sign", "vault: connection refused"
            return real(dataclasses.replace(command, argv=("cosign", "sign", "--nonsense", "x")))
        return real(command)

    world.sign = sign
    with pytest.raises(RemoteError, match="could not be signed with the key"):
        publish()
    assert world.tags == {"latest": OLD}


def test_the_key_and_its_password_are_in_no_command_line_and_no_error(
    world, token, publish, monkeypatch
):
    monkeypatch.setenv("SIGNING_KEY", "-----BEGIN-secret-----")
    monkeypatch.setenv("COSIGN_PASSWORD", "hush-hush")
    publish()
    signing = [c for c in world.commands if any(a.startswith("--key=") for a in c.argv)]
    assert len(signing) == 1 + len(TAGS)
    for command in signing:
        assert command.env["COSIGN_PASSWORD"] == "hush-hush"
        assert not any("secret" in a or "hush" in a for a in command.argv)
        assert command.redact("-----BEGIN-secret----- hush-hush") == "*** ***"
        assert "SIGSTORE_ID_TOKEN" not in command.env


def test_a_variable_of_gitlab_s_type_file_is_a_path(world, token, publish, monkeypatch):
    monkeypatch.setenv("SIGNING_KEY", "/builds/tmp/SIGNING_KEY")
    world.keys["/builds/tmp/SIGNING_KEY"] = KEY
    publish()
    assert {it.by_key for it in world.cosign.signatures[DIGEST] if it.by_key} == {
        "/builds/tmp/SIGNING_KEY"
    }


def test_without_a_key_nothing_is_asked_of_one(world, token, publish, context, config):
    config.write_text(config.read_text().partition("[signing.keys]")[0])
    publish(context=dataclasses.replace(context, settings=load_settings(config)))
    assert identities(world) == []
    assert "public-key" not in world.steps()

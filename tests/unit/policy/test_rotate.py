"""A rotation: at each step a host on the old and one on the new image take what is published."""

from itertools import pairwise

import pytest

from immutable_base.config.load import load_settings
from immutable_base.config.schema import Settings
from immutable_base.config.signing_keys import SigningKeys
from immutable_base.errors import ConfigurationError
from immutable_base.policy.rotate import next_step, rotated
from immutable_base.rotate_key import write_keys
from support.paths import PRODUCT
from support.sound_image import PEM

ONE = SigningKeys(key="env://OLD", key_paths=("old.pub",))
TWO = ONE.model_copy(update={"key_paths": ("old.pub", "new.pub")})
SWITCHED = TWO.model_copy(update={"key": "env://NEW", "signing_with": "next"})


def test_the_steps_of_a_rotation_and_their_order():
    announced = rotated(ONE, key=None, new_path="new.pub").keys
    assert announced == TWO
    switched = rotated(announced, key="env://NEW", new_path=None).keys
    assert switched == SWITCHED
    retired = rotated(switched, key=None, new_path="third.pub").keys
    assert (retired.key_paths, retired.signing_with) == (("new.pub", "third.pub"), "current")
    assert retired.key == "env://NEW"
    assert next_step(retired) == "switch", "the next key is announced already"
    assert rotated(switched, key=None, new_path=None).keys.key_paths == ("new.pub",)


def test_no_step_leaves_a_host_behind():
    """Before and after each step: what signs now is accepted by hosts of either image."""
    states = [ONE, TWO, SWITCHED, rotated(SWITCHED, key=None, new_path=None).keys]
    for old, new in pairwise(states):
        assert new.signing_path in old.key_paths, "a host on the old image takes the new one"
        assert new.signing_path in new.key_paths, "a host on the new image takes the next one"


@pytest.mark.parametrize(
    ("keys", "key", "new_path", "words"),
    [
        (ONE, None, None, "--next"),
        (ONE, "env://NEW", "new.pub", "no use for --key"),
        (TWO, None, None, "--key"),
        (TWO, "env://NEW", "x.pub", "no use for --next"),
        (SWITCHED, "env://X", None, "no use for --key"),
    ],
)
def test_a_step_that_lacks_something_or_leaps_is_refused(keys, key, new_path, words):
    with pytest.raises(ConfigurationError) as caught:
        rotated(keys, key=key, new_path=new_path)
    assert words in str(caught.value)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "immutable-base.toml"
    text = '[signing.keys] # ours\nkey = "env://OLD"\nkey_paths = ["old.pub"]\n\n[publish]'
    path.write_text(PRODUCT.read_text().replace("[publish]", text))
    (tmp_path / "old.pub").write_text(PEM)
    return path


def test_a_step_is_written_and_everything_else_stays(config):
    (config.parent / "new.pub").write_text(PEM)
    before = config.read_text()
    write_keys(config, TWO)
    assert load_settings(config).signing.keys == TWO
    left = [line for line in config.read_text().splitlines() if line not in before.splitlines()]
    assert left == ['key_paths = ["old.pub", "new.pub"]', 'signing_with = "current"']


@pytest.mark.parametrize("content", [None, "nonsense", "-----BEGIN PRIVATE KEY-----"])
def test_a_key_that_cannot_be_used_is_not_written(config, content):
    if content is not None:
        (config.parent / "new.pub").write_text(content)
    before = config.read_text()
    with pytest.raises(ConfigurationError):
        write_keys(config, TWO)
    assert config.read_text() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "cosign.key"}, {"key": "/etc/cosign.key"}, {"key": "env://lower"}, {"key": ""},
        {"key": "hashivault://"}, {"key": "https://x/cosign.key"}, {"key": "env://A\nB"},
        {"key_paths": []}, {"key_paths": ["a", "b", "c"]}, {"key_paths": ["a", "a"]},
        {"key_paths": [""]}, {"signing_with": "next"}, {"signing_with": "both"}, {"more": 1},
    ],
)  # fmt: skip
def test_keys_that_nobody_could_sign_or_verify_with_are_refused(changes):
    with pytest.raises(ValueError):  # noqa: PT011  pydantic's own
        SigningKeys.model_validate({**ONE.model_dump(), **changes})


@pytest.mark.parametrize(
    "key",
    ["env://KEY", "hashivault://os", "awskms:///alias/os", "gcpkms://projects/x", "pkcs11:token=x"],
)
def test_every_kind_of_key_is_passed_through(key):
    assert SigningKeys(key=key, key_paths=("a",)).key == key


def test_settings_without_keys_have_none():
    assert load_settings(PRODUCT).signing.keys is None
    assert "keys" in Settings.model_fields

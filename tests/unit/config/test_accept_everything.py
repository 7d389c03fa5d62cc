"""`accept_everything`: who leaves hosts without any means says so, and nowhere else."""

import pytest

from immutable_base.config.load import load_settings
from immutable_base.config.trust import load_trust
from immutable_base.errors import ConfigurationError
from support.paths import PRODUCT

KEY_PATHS = 'key_paths = ["host.pub"]'


@pytest.fixture
def configured(tmp_path):
    """Return a function that writes the product's configuration with more lines in `[signing]`."""

    def write(*lines):
        path = tmp_path / "immutable-base.toml"
        text = "\n".join(("[signing]", *lines, ""))
        path.write_text(PRODUCT.read_text().replace("[signing]\n", text, 1))
        return path

    return write


def with_table(path, *lines):
    table = "\n".join((*lines, ""))
    path.write_text(path.read_text().replace("[publish]\n", f"{table}\n[publish]\n", 1))
    return path


def test_nobody_has_said_so_in_the_product_s_configuration():
    assert load_settings(PRODUCT).signing.accept_everything is False


def test_who_says_so_is_heard_and_a_verification_is_the_same(configured):
    path = configured("accept_everything = true")
    assert load_settings(path).signing.accept_everything is True
    assert load_trust(path).signing == load_trust(PRODUCT).signing


@pytest.mark.parametrize(
    "table",
    [
        ["[signing.keys]", 'key = "env://KEY"', KEY_PATHS],
        ["[signing.fleet]", 'lookaside = "https://admission.example"', KEY_PATHS],
    ],
)
def test_who_has_a_key_for_hosts_cannot_say_so(configured, table):
    path = with_table(configured("accept_everything = true"), *table)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path)
    assert "accept_everything: with keys or fleet hosts demand a signature" in str(caught.value)

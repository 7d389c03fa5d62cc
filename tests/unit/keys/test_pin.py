"""A pin is written into the user's own file: nothing else in it changes."""

import difflib
import tomllib

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.keys.pin import pin_key, with_pin
from support.paths import PRODUCT

TEXT = PRODUCT.read_text()
FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"


def changed(before, after):
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[0] in "+-" and line[:3] not in {"+++", "---"}]


def test_a_key_that_is_not_there_is_an_error_in_words():
    with pytest.raises(ConfigurationError, match="no key 'cud'"):
        with_pin(TEXT, "cud", FINGERPRINT)


def test_one_line_is_added_to_the_shipped_configuration():
    after = with_pin(TEXT, "cuda", FINGERPRINT)
    assert changed(TEXT, after) == [f'+fingerprint = "{FINGERPRINT}"']
    assert tomllib.loads(after)["keys"]["cuda"]["fingerprint"] == FINGERPRINT


def test_a_pin_takes_the_place_of_the_one_before():
    after = with_pin(TEXT, "epel", FINGERPRINT)
    assert [line[0] for line in changed(TEXT, after)] == ["-", "+"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_comment_about_the_next_table_stays_with_it(end):
    text = '[keys.a]\nplaces = ["x"]\n\n# about b\n[keys.b]\nplaces = ["y"]\n'.replace("\n", end)
    after = with_pin(text, "a", FINGERPRINT)
    assert after.index("fingerprint") < after.index("# about b") < after.index("[keys.b]")
    assert tomllib.loads(after)["keys"]["a"]["fingerprint"] == FINGERPRINT
    assert "fingerprint" not in tomllib.loads(after)["keys"]["b"]


@pytest.mark.parametrize(
    "text",
    ['[keys]\na = {places = ["x"]}\n', '[keys]\na.places = ["x"]\n', '[keys.a]\nplaces = ["x"]'],
)
def test_every_way_to_write_a_table_holds_the_pin(text):
    assert tomllib.loads(with_pin(text, "a", FINGERPRINT))["keys"]["a"] == {
        "places": ["x"], "fingerprint": FINGERPRINT,
    }  # fmt: skip


def test_the_sum_of_the_file_before_goes():
    text = f'[keys.a]\nplaces = ["x"]\nsha256 = "{"0" * 64}"\n'
    assert set(tomllib.loads(with_pin(text, "a", FINGERPRINT))["keys"]["a"]) == {
        "places", "fingerprint",
    }  # fmt: skip


def test_what_would_be_no_configuration_is_not_written(tmp_path):
    path = tmp_path / "immutable-base.toml"
    path.write_text(TEXT)
    with pytest.raises(ConfigurationError, match="cannot hold the pin"):
        pin_key(path, "cuda", "CDF6BA43")
    assert path.read_text() == TEXT


def test_a_link_stays_a_link_and_nothing_half_written_stays(tmp_path):
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "c.toml", tmp_path / "immutable-base.toml"
    real.write_text(TEXT)
    link.symlink_to(real)
    pin_key(link, "cuda", FINGERPRINT)
    assert link.is_symlink()
    assert tomllib.loads(real.read_text())["keys"]["cuda"]["fingerprint"] == FINGERPRINT
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["c.toml"]

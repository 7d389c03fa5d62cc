"""What a verification reads by itself is what the whole reading says, or is left to it."""

import copy
import dataclasses
import tomllib

import pytest
from pydantic import ValidationError

from immutable_base.config.load import load_settings
from immutable_base.config.schema import Registry, Settings
from immutable_base.config.signing import Signing
from immutable_base.config.trust import (
    NOT_FOR_VERIFYING,
    REGISTRY_KEYS,
    SigningTable,
    load_trust,
    read_trust,
)
from immutable_base.errors import ConfigurationError
from support.paths import PRODUCT

DOCUMENT = tomllib.loads(PRODUCT.read_text())
PRIVATE = {
    "fulcio_url": "http://127.0.0.1:5555", "rekor_url": "https://rekor.example/x",
    "fulcio_root": "a.pem", "rekor_key": "b.pem", "ct_log_key": "c.pem",
}  # fmt: skip


def changed(table, changes):
    document = copy.deepcopy(DOCUMENT)
    for key, value in changes.items():
        document[table].pop(key, None)
        if value is not None:
            document[table][key] = value
    return document


GOOD = [
    ("signing", {}),
    ("signing", PRIVATE),
    ("signing", {**PRIVATE, "ct_log_key": "", "without_ct_log": True}),
    ("signing", {"trusted_root": "x.json", "fulcio_url": "https://f.example:1/y"}),
    ("signing", {"project_id": "7", "build_triggers": ["schedule", "web"], "source_ref": "refs/heads/main"}),
    ("signing", {"runner_environment": "self-hosted", "protected_ref": True}),
    ("signing", {"certificate_identity": "someone@example.com"}),
    ("signing", {"sbom_limit_kib": 64}),
    ("registry", {"mirrors": ["a.example/x", "localhost:5000/y"], "ca_bundle": "ca.pem"}),
]  # fmt: skip
BAD = [
    *(("signing", {key: value}) for key in ("certificate_identity", "certificate_oidc_issuer", "fulcio_url", "rekor_url")
      for value in (None, "", 7, True, [], "nonsense", "https://", "https://a b", "https://a/\n", " https://a/x", "ftp://a/x")),
    *(("signing", {key: value}) for key in ("fulcio_root", "rekor_key", "ct_log_key", "trusted_root", "project_id", "source_ref", "runner_environment")
      for value in (7, True, ["x"], {})),
    *(("signing", {key: value}) for key in ("without_ct_log", "protected_ref") for value in ("maybe", [], 7)),
    *(("signing", {"sbom_limit_kib": value}) for value in (0, -1, 1.5, "x", [])),
    *(("signing", {"build_triggers": value}) for value in ("schedule", [7], ["A"], [""], {"a": 1})),
    *(("signing", {**PRIVATE, key: ""}) for key in ("fulcio_root", "rekor_key", "ct_log_key")),
    ("signing", {**PRIVATE, "without_ct_log": True}), ("signing", {**PRIVATE, "trusted_root": "x"}),
    ("signing", {"without_ct_log": True}), ("signing", {"fulcio_url": "https://f.example"}),
    ("signing", {"runner_environment": "mine"}), ("signing", {"unknown": "x"}),
    *(("registry", {"destination": value}) for value in (None, "", 7, "-h/x", "a..b/c", "UPPER/Case", "x", "a/b/")),
    *(("registry", {"mirrors": value}) for value in ("a/b", [7], [""], ["-h/x"], {"a": 1})),
    ("signing", {"fulcio_url": "https://u:p@f.example/", "trusted_root": "x"}),
    *(("signing", {"certificate_oidc_issuer": f"https://a:{port}"}) for port in (0, 65536, 99999, "01")),
    *(("signing", {"project_id": value}) for value in ("abc", " ", "7\n", "7 ", "-7", "7.0", "\u0667")),
    *(("signing", {"source_ref": value}) for value in ("main", " ", "refs/", "refs/heads/a b", "refs/heads/main\n")),
    ("registry", {"ca_bundle": 7}), ("registry", {"unknown": "x"}),
]  # fmt: skip


@pytest.mark.parametrize(("table", "changes"), GOOD)
def test_what_is_in_order_is_read_as_by_the_whole_reading(table, changes):
    document = changed(table, changes)
    found = read_trust(document)
    assert found == Settings.model_validate(document).trust()


@pytest.mark.parametrize(("table", "changes"), BAD)
def test_what_the_whole_reading_refuses_is_left_to_it(table, changes):
    document = changed(table, changes)
    with pytest.raises(ValidationError):
        Settings.model_validate(document)
    with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
        read_trust(document)


@pytest.mark.parametrize("key", ["signing", "registry", "variants", "schema_version"])
@pytest.mark.parametrize("value", [None, 7, "x", [], {}, True, 2])
def test_a_table_that_is_none_is_left_to_the_whole_reading(key, value):
    document = copy.deepcopy(DOCUMENT)
    del document[key]
    if value is not None:
        document[key] = value
    with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
        read_trust(document)


def test_a_mistake_is_told_with_its_place_and_the_right_name(tmp_path):
    path = tmp_path / "immutable-base.toml"
    path.write_text(PRODUCT.read_text().replace("rekor_url", "rekor_urll"))
    with pytest.raises(ConfigurationError) as caught:
        load_trust(path)
    assert "signing.rekor_urll: unknown key; did you mean 'rekor_url'?" in caught.value.details


def test_a_table_with_space_around_its_texts_is_read_by_the_whole_reading(tmp_path):
    path = tmp_path / "immutable-base.toml"
    path.write_text(PRODUCT.read_text().replace('destination = "', 'destination = " '))
    assert load_trust(path) == load_settings(path).trust() == load_trust(PRODUCT)


def test_both_know_the_same_keys_and_defaults():
    ours = {field.name: field.default for field in dataclasses.fields(SigningTable)}
    theirs = {n: field for n, field in Signing.model_fields.items() if n not in NOT_FOR_VERIFYING}
    assert list(ours) == list(theirs)
    for name, field in theirs.items():
        assert field.is_required() == (ours[name] is dataclasses.MISSING)
        assert field.is_required() or field.default == ours[name]
    assert set(Registry.model_fields) == REGISTRY_KEYS

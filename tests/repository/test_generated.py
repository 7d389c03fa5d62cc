"""What is generated says what holds."""

import copy
import json
import tomllib

import jsonschema
import pytest

from immutable_base.cli.main import all_commands
from support.paths import ROOT

REFERENCE = ROOT / "docs/reference"


@pytest.fixture
def configuration():
    return tomllib.loads((ROOT / "immutable-base.toml").read_text())


@pytest.fixture
def validator():
    schema = json.loads((ROOT / "schema/config.schema.json").read_text())
    return jsonschema.Draft202012Validator(schema)


def test_the_schema_of_the_configuration_accepts_our_own(configuration, validator):
    assert [error.message for error in validator.iter_errors(configuration)] == []


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("kernel", "alow_up", True),
        ("publish", "tags", []),
        ("registry", "destination", "https://registry.example/x"),
        ("variants", "Base", {}),
    ],
)
def test_the_schema_of_the_configuration_refuses_what_the_product_refuses(
    configuration, validator, table, key, value
):
    wrong = copy.deepcopy(configuration)
    wrong[table][key] = value
    assert not validator.is_valid(wrong)


def test_sections_of_the_reference_are_the_tables_of_the_file(configuration):
    lines = (REFERENCE / "configuration.md").read_text().splitlines()
    headings = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    first = next(iter(configuration["variants"]))
    tables = {key for key, value in configuration.items() if isinstance(value, dict)}
    assert first not in headings
    tables.add("module_signing")  # a comment in the file: whose key would it name?
    assert {item.strip("`[]").partition(".")[0] for item in headings[1:]} == tables
    assert "`[variants.NAME]`" in headings
    assert "`[kernel]`" in headings
    assert not any("any" in line.split("|")[2].split() for line in lines if line.startswith("| `"))


def test_an_action_that_help_hides_is_not_in_the_reference():
    text = (REFERENCE / "commands.md").read_text()
    assert "\n### lab up\n" in text
    assert "\n### lab make\n" not in text


def test_every_command_has_a_real_example_on_its_page():
    """`scripts/record_examples.py` records what is missing."""
    folder = REFERENCE / "examples"
    recorded = {path.stem for path in folder.glob("*.txt")}
    assert recorded == all_commands().keys()
    for name in recorded:
        text = (folder / f"{name}.txt").read_text()
        assert text.startswith(f"$ immutable-base {name}")
        assert text in (REFERENCE / "commands.md").read_text()


def test_every_class_of_error_is_in_the_reference_of_exit_codes():
    from immutable_base import errors

    text = (REFERENCE / "exit-codes.md").read_text()
    classes = [
        item for item in vars(errors).values()
        if isinstance(item, type) and issubclass(item, errors.ImmutableBaseError)
    ]  # fmt: skip
    named = [item for item in classes if item is not errors.ImmutableBaseError]
    assert len(named) > 5
    for item in named:
        assert f"| {item.exit_code} | `{item.__name__}` |" in text

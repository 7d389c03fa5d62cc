"""A plan that was written earlier: what is no plan is said in words, with the file's name."""

import json
import re

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.model.plan import Plan
from immutable_base.plan.load import load_plan
from support.plans import plan

TEXT = plan().to_json()
OTHER = json.dumps({"schema_version": 1, "started": "x", "variants": [], "nodes": []})
TWICE = plan().model_copy(update={"variants": (plan().variants[0],) * 2}).to_json()


def with_version(version):
    return json.dumps({**json.loads(TEXT), "schema_version": version})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not JSON, or was cut off"),
        (TEXT[: len(TEXT) // 2].encode(), "not JSON, or was cut off"),
        (TEXT[:-3].encode(), "not JSON, or was cut off"),
        (b"\xff\xfe\x00", "not JSON, or was cut off"),
        (b"[" * 100_000, "not JSON, or was cut off"),
        (b"null", "is no plan"),
        (b"[]", "is no plan"),
        (b"{}", "is no plan"),
        (json.dumps({"repositories": [], "variants": []}).encode(), "is no plan"),
        (OTHER.encode(), "is no plan"),
        (with_version(0).encode(), "is no plan"),
        (with_version("2").encode(), "is no plan"),
        (with_version(True).encode(), "is no plan"),
        (with_version(1.0).encode(), "is no plan"),
        (TEXT.replace("{", '{"schema_version": 1,', 1).encode(), "not JSON, or was cut off"),
        (with_version(2).encode(), "made by a later immutable-base: its schema_version is 2"),
        (TWICE.encode(), "has a variant twice"),
        (TEXT.replace('"verdict": "build"', '"verdict": "biuld"').encode(), "is no plan"),
        (TEXT.replace('"sha256:', '"\\ud800').encode(), "is no plan"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_plan_is_refused_with_its_name_and_what_makes_one(tmp_path, text, words):
    file = tmp_path / "old.json"
    file.write_bytes(text)
    with pytest.raises(ConfigurationError, match=re.escape(words)) as caught:
        load_plan(file)
    assert str(file) in caught.value.message
    assert "immutable-base plan --format json" in caught.value.hint
    assert len(str(caught.value)) < 2000


def test_a_file_that_is_not_there_or_a_folder(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ConfigurationError, match="cannot read the plan") as caught:
            load_plan(path)
        assert str(path) in caught.value.message


def test_what_was_written_is_read(tmp_path):
    (tmp_path / "plan.json").write_text(TEXT)
    assert load_plan(tmp_path / "plan.json") == Plan.model_validate_json(TEXT) == plan()

"""`policy lint`, which says what the check of a run says."""

import argparse
from argparse import Namespace
from types import MappingProxyType

import pytest

from immutable_base.cli import policy
from immutable_base.policy.demands import BY_CHOICE, NOT_DEMANDED
from immutable_base.policy.lint_admission import SETTINGS
from support.paths import PRODUCT
from support.sound_image import FACTS


@pytest.fixture
def lint(monkeypatch, tmp_path, capsys):
    """What is printed about an image that says nothing, or this, and the exit code."""

    def run(text, files=MappingProxyType({})):
        facts = FACTS.host_policy.model_copy(update={"files": files, "admission": None})
        monkeypatch.setattr(policy, "built_policy", lambda context, name: facts)
        path = tmp_path / "immutable-base.toml"
        path.write_text(text)
        (tmp_path / "layers").symlink_to(PRODUCT.parent / "layers")
        # Not by `main`, which starts it again in namespaces of its own.
        parser = argparse.ArgumentParser()
        policy.add_arguments(parser)
        place = ["--config", str(path), "--workspace", str(tmp_path / "w")]
        asked = parser.parse_args(["lint", "--variant", "base", *place], Namespace(verbose=False))
        return policy.run(asked), capsys.readouterr().out

    return run


WITHOUT = PRODUCT.read_text().replace('["base", "admission"]', '["base"]')


def test_an_image_whose_hosts_can_check_nothing_is_a_failure(lint):
    assert PRODUCT.read_text() != WITHOUT
    assert lint(WITHOUT) == (10, f"base: nothing-demanded: {NOT_DEMANDED}\n")


def test_it_is_none_where_the_configuration_says_that_it_is_meant(lint):
    """The check says it as a note; a pipeline that asks `policy lint` may not say otherwise."""
    meant = WITHOUT.replace("[signing]\n", "[signing]\naccept_everything = true\n", 1)
    assert lint(meant) == (0, f"base: {BY_CHOICE}\n")


def test_an_image_that_should_demand_signatures_and_does_not_is_one(lint):
    code, words = lint(PRODUCT.read_text())
    assert code == 10
    assert "base: no-policy: " in words
    assert "base: admission-missing: " in words


def test_an_image_whose_program_believes_somebody_else_is_one_too(lint):
    code, words = lint(
        PRODUCT.read_text(), {SETTINGS: 'certificate_identity = "https://x.example"'}
    )
    assert code == 10
    assert "admission-settings: " in words

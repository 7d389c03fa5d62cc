"""The repository of an instance, and what it configures."""

import pytest

from immutable_base.errors import (
    ConfigurationError,
)
from immutable_base.model.instance import InstanceOutcome
from support.instance_walk import go
from support.instance_world import BASE, REPOSITORY

CONTAINERFILES = {
    "missing": (None, "has no Containerfile"),
    "no FROM": ("RUN true\n", "has no FROM"),
    "scratch": ("FROM scratch\n", "FROM scratch"),
    "an argument": ("ARG BASE\nFROM $BASE\n", "argument without a value"),
    "no tag": (f"FROM {BASE}\n", "neither tag nor digest"),
    "a short name": ("FROM base-zfs:latest\n", "does not say which registry"),
    "Docker Hub": ("FROM acme/base:1\n", "does not say which registry"),
    "no reference": (f"FROM {BASE}:a:b\n", "not the reference"),
}


@pytest.mark.parametrize(("text", "words"), CONTAINERFILES.values(), ids=CONTAINERFILES.keys())
def test_a_containerfile_that_names_no_base_is_refused_in_words(world, text, words):
    world.commit({"Containerfile": text, "README": "x"})
    with pytest.raises(ConfigurationError, match=words):
        go(world)


def test_what_is_not_committed_is_not_built_and_said(world):
    (world.repository / "Containerfile").write_text("FROM scratch\n")
    decision, _ = go(world, "build")
    assert "Containerfile" in decision.notes[0]
    assert "scratch" not in world.built[0][0]


def test_a_folder_that_is_no_repository_is_told_so(world, tmp_path):
    world.repository = tmp_path / "plain"
    world.repository.mkdir()
    with pytest.raises(ConfigurationError, match="not the checkout of a commit"):
        go(world)


def configured(world, text):
    world.commit({"immutable-base-instance.toml": f"schema_version = 1\n{text}"})


def test_an_unknown_key_is_named_with_the_nearest_one(world):
    configured(world, "[rebuild]\nmaximum_age_day = 3\n")
    with pytest.raises(ConfigurationError, match="1 mistake") as caught:
        go(world)
    assert "did you mean 'maximum_age_days'" in caught.value.details


def test_the_base_may_be_a_variant_s_name_and_fills_an_open_argument(world):
    world.commit({"Containerfile": "ARG BASE\nFROM ${BASE}\n"})
    configured(world, '[base]\nreference = "base-zfs"\n')
    decision, _ = go(world, "build")
    assert decision.base.reference == f"{BASE}:latest"
    assert f"FROM {BASE}@{decision.base.digest}\n" in world.built[0][0]


def test_two_bases_are_refused(world):
    configured(world, f'[base]\nreference = "{BASE}:other"\n')
    with pytest.raises(ConfigurationError, match="two bases are named"):
        go(world)


@pytest.mark.parametrize(
    ("destination", "fine"),
    [
        ("registry.example:5050/a.b/sub/group/x", True), ("registry.example/Acme/x", False), ("registry.example", False),
        ("registry.example/x:latest", False), ("registry.example/$(id)", False), ("registry.example/a//b", False),
    ],
)  # fmt: skip
def test_a_destination_is_a_repository(world, destination, fine):
    configured(world, f'[registry]\ndestination = "{destination}"\n')
    if fine:
        assert go(world).repository == destination
    else:
        with pytest.raises(ConfigurationError, match="cannot be a repository"):
            go(world)


def test_capitals_of_gitlab_s_project_are_small_in_the_registry(world):
    assert world.environment["CI_REGISTRY_IMAGE"] != REPOSITORY
    assert go(world).repository == REPOSITORY


def test_without_a_destination_nothing_begins(world):
    del world.environment["CI_REGISTRY_IMAGE"]
    with pytest.raises(ConfigurationError, match="nobody says where"):
        go(world)


def test_a_gitlab_without_https_cannot_be_an_issuer(world):
    world.environment["CI_SERVER_URL"] = "http://gitlab.example"
    with pytest.raises(ConfigurationError, match="no certificate can name"):
        go(world)


def test_a_product_configuration_that_is_not_there_says_what_it_is_for(world, tmp_path):
    world.config = tmp_path / "none.toml"
    with pytest.raises(ConfigurationError, match="who must have signed base images"):
        go(world)


def test_the_ca_of_a_gitlab_of_one_s_own_is_trusted_beside_the_product_s(world, tmp_path):
    (tmp_path / "server.pem").write_text("SERVER\n")
    world.environment["CI_SERVER_TLS_CA_FILE"] = str(tmp_path / "server.pem")
    (world.repository / "own.pem").write_text("OWN\n")
    configured(world, '[registry]\nca_bundle = "own.pem"\n')
    text = world.context.tls.authority.read_text()
    assert "SERVER" in text
    assert "OWN" in text
    world.environment["CI_SERVER_TLS_CA_FILE"] = str(tmp_path / "none.pem")
    with pytest.raises(ConfigurationError, match="CI_SERVER_TLS_CA_FILE: there is no file"):
        _ = world.context


def test_a_ca_that_is_no_text_is_told_by_its_name(world, tmp_path):
    path = tmp_path / "server.der"
    path.write_bytes(b"\xe4")
    world.environment["CI_SERVER_TLS_CA_FILE"] = str(path)
    with pytest.raises(ConfigurationError, match=r"CI_SERVER_TLS_CA_FILE: .* is no PEM file"):
        _ = world.context


def test_metacharacters_of_a_branch_start_no_shell(world):
    world.git("checkout", "--quiet", "-b", "$(touch${IFS}pwned)")
    world.environment["CI_DEFAULT_BRANCH"] = "$(touch${IFS}pwned);`id`"
    assert go(world).outcome is InstanceOutcome.REBUILD
    assert not (world.repository / "pwned").exists()

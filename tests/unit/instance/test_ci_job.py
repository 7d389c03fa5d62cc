"""What GitLab's variables make of an instance: its identity, for one."""

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.instance.ci_job import read_job

GITLAB = {
    "CI_SERVER_URL": "https://gitlab.com", "CI_SERVER_HOST": "gitlab.com", "CI_SERVER_PORT": "443",
    "CI_PROJECT_PATH": "Acme/Hosts/fileserver", "CI_DEFAULT_BRANCH": "main", "CI_CONFIG_PATH": ".gitlab-ci.yml",
}  # fmt: skip

IDENTITIES = {
    "gitlab.com": ({}, "https://gitlab.com/Acme/Hosts/fileserver//.gitlab-ci.yml@refs/heads/main"),
    "no file named": ({"CI_CONFIG_PATH": ""}, "https://gitlab.com/Acme/Hosts/fileserver//.gitlab-ci.yml@refs/heads/main"),
    "another file": ({"CI_CONFIG_PATH": "ci/x.yml"}, "https://gitlab.com/Acme/Hosts/fileserver//ci/x.yml@refs/heads/main"),
    "a port and a sub-path": (
        {"CI_SERVER_URL": "https://git.example:8443/gitlab", "CI_SERVER_HOST": "git.example", "CI_SERVER_PORT": "8443"},
        "https://git.example:8443/gitlab/Acme/Hosts/fileserver//.gitlab-ci.yml@refs/heads/main",
    ),
    "a sub-path alone": (
        {"CI_SERVER_URL": "https://git.example/gitlab/", "CI_SERVER_HOST": "git.example"},
        "https://git.example/gitlab/Acme/Hosts/fileserver//.gitlab-ci.yml@refs/heads/main",
    ),
    "the URL alone": (
        {"CI_SERVER_URL": "https://git.example:8443", "CI_SERVER_HOST": "", "CI_SERVER_PORT": ""},
        "https://git.example:8443/Acme/Hosts/fileserver//.gitlab-ci.yml@refs/heads/main",
    ),
    "an issuer elsewhere": (
        {"CI_SERVER_URL": "https://127.0.0.1:8089"},
        "https://gitlab.com/Acme/Hosts/fileserver//.gitlab-ci.yml@refs/heads/main",
    ),
    "metacharacters": (
        {"CI_DEFAULT_BRANCH": "$(id);'`\"&|"},
        "https://gitlab.com/Acme/Hosts/fileserver//.gitlab-ci.yml@refs/heads/$(id);'`\"&|",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "identity"), IDENTITIES.values(), ids=IDENTITIES.keys())
def test_the_identity_is_what_a_certificate_of_the_default_branch_names(changes, identity):
    assert read_job({**GITLAB, **changes}).identity == identity


@pytest.mark.parametrize("name", ["CI_SERVER_URL", "CI_PROJECT_PATH", "CI_DEFAULT_BRANCH"])
def test_without_one_of_them_there_is_no_identity(name):
    with pytest.raises(ConfigurationError, match=f"{name} is not set"):
        _ = read_job({**GITLAB, name: ""}).identity


@pytest.mark.parametrize("url", ["https://[", "https://x:99999999", "https://x:y"])
def test_a_url_that_is_none_is_told(url):
    with pytest.raises(ConfigurationError, match="CI_SERVER_URL is no URL"):
        _ = read_job({**GITLAB, "CI_SERVER_URL": url, "CI_SERVER_HOST": ""}).identity


@pytest.mark.parametrize(
    "file", [".gitlab-ci.yml@acme/ci", "x.yml@acme/ci:main", "https://x.example/ci.yml"]
)
def test_a_pipeline_from_elsewhere_has_no_identity(file):
    with pytest.raises(ConfigurationError, match="gives its jobs no identity"):
        _ = read_job({**GITLAB, "CI_CONFIG_PATH": file}).identity


@pytest.mark.parametrize(
    ("value", "forced"),
    [("true", True), ("TRUE", True), ("1", True), ("false", False), ("", False), ("0", False)],
)
def test_a_variable_forces(value, forced):
    assert read_job({"IMMUTABLE_BASE_FORCE": value}).forced is forced


def test_a_variable_that_says_neither_is_refused():
    with pytest.raises(ConfigurationError, match="neither true nor false"):
        read_job({"IMMUTABLE_BASE_FORCE": "yes please"})

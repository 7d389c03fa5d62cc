"""What GitLab tells a job about itself: pure, from its predefined variables.

Source: GitLab, "Predefined CI/CD variables reference".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from immutable_base.errors import ConfigurationError

CI_FILE = ".gitlab-ci.yml"
FORCE = "IMMUTABLE_BASE_FORCE"
"""Variable of a pipeline that lets it build whatever is published."""
OLDER_BASE = "IMMUTABLE_BASE_OLDER_BASE"
"""Variable of a pipeline that accepts a base older than the published image's."""
MERGE_REQUESTS = frozenset({"merge_request_event", "external_pull_request_event"})
"""Sources of pipelines that publish nothing."""
STANDARD_PORTS = {"https": "443", "http": "80"}
ALL_NAMED = "set signing in immutable-base-instance.toml, or run in a job of GitLab"


@dataclass(frozen=True, slots=True, kw_only=True)
class CiJob:
    """A job of GitLab's; what is not said is empty, as outside GitLab."""

    server_url: str = ""
    server_host: str = ""
    server_port: str = ""
    server_ca: str = ""
    """PEM file with the CA of the GitLab server and its registry."""
    project_path: str = ""
    project_url: str = ""
    config_path: str = ""
    default_branch: str = ""
    branch: str = ""
    """That the pipeline is for; empty in one of a tag or a merge request."""
    source: str = ""
    """What started the pipeline, e.g. `schedule`."""
    registry_image: str = ""
    forced: bool = False
    older_base: bool = False

    @property
    def identity(self) -> str:
        """Return the identity that a certificate names for the project's default branch.

        Raises ConfigurationError if GitLab does not say what it takes, or gives no identity.
        Source: GitLab's `ci_config_ref_uri`: server, port and sub-path, project, `//`, file, ref.
        """
        needed = {
            "CI_SERVER_URL": self.server_url,
            "CI_PROJECT_PATH": self.project_path,
            "CI_DEFAULT_BRANCH": self.default_branch,
        }
        missing = [name for name, value in needed.items() if not value]
        if missing:
            raise ConfigurationError(
                f"nobody says who signs the instance: {' and '.join(missing)} is not set",
                hint=ALL_NAMED,
            )
        file = self.config_path or CI_FILE
        if "@" in file or "://" in file:
            raise ConfigurationError(
                f"the pipeline's file is elsewhere ({file}): GitLab gives its jobs no identity",
                hint=f"keep a {CI_FILE} in this project that includes the template",
            )
        return (
            f"https://{self._server}/{self.project_path}//{file}@refs/heads/{self.default_branch}"
        )

    @property
    def _server(self) -> str:
        try:
            url = urlsplit(self.server_url)
            host = self.server_host or url.hostname or ""
            port = self.server_port if self.server_host else str(url.port or "")
        except ValueError as error:
            raise ConfigurationError(
                f"CI_SERVER_URL is no URL: {self.server_url}", hint=ALL_NAMED
            ) from error
        shown = f":{port}" if port and port != STANDARD_PORTS.get(url.scheme) else ""
        return f"{host}{shown}{url.path.rstrip('/')}"


def read_job(environment: Mapping[str, str]) -> CiJob:
    """Return the job that an environment tells of.

    Raises ConfigurationError if `IMMUTABLE_BASE_FORCE` or `IMMUTABLE_BASE_OLDER_BASE` is neither
    `true` nor `false`.
    """
    names = {
        "server_url": "CI_SERVER_URL",
        "server_host": "CI_SERVER_HOST",
        "server_port": "CI_SERVER_PORT",
        "server_ca": "CI_SERVER_TLS_CA_FILE",
        "project_path": "CI_PROJECT_PATH",
        "project_url": "CI_PROJECT_URL",
        "config_path": "CI_CONFIG_PATH",
        "default_branch": "CI_DEFAULT_BRANCH",
        "branch": "CI_COMMIT_BRANCH",
        "source": "CI_PIPELINE_SOURCE",
        "registry_image": "CI_REGISTRY_IMAGE",
    }
    values = {field: environment.get(name, "").strip() for field, name in names.items()}
    return CiJob(
        **values, forced=_switch(environment, FORCE), older_base=_switch(environment, OLDER_BASE)
    )


def _switch(environment: Mapping[str, str], name: str) -> bool:
    found = environment.get(name, "").strip().lower()
    if found not in {"", "true", "false", "1", "0"}:
        raise ConfigurationError(f"{name} is '{found}', neither true nor false")
    return found in {"true", "1"}

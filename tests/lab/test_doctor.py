"""What only a runner can try: a container's file system as a workspace, how long it all takes, the login."""

import json
import socket
import subprocess
import time

import pytest

from immutable_base.doctor import examine
from immutable_base.process import run
from immutable_base_lab.core.paths import LabPaths
from support.paths import ROOT
from support.pipelines import documents_of, read_jobs

LOGINS = {
    "nightly": documents_of(ROOT / ".gitlab-ci.yml")[0]["default"]["before_script"],
    "instance": read_jobs(ROOT / "templates/instance.yml")["build"]["before_script"],
}
"""What each job begins with."""


def overlay_of(workspace):
    return next(it for it in examine(run, workspace, 0) if it.name == "overlay")


def test_a_workspace_on_an_overlay_is_refused_before_anything_is_built(tmp_path):
    for name in ("lower", "upper", "work", "merged"):
        (tmp_path / name).mkdir()
    assert overlay_of(tmp_path).ok, "the folder itself takes one"
    options = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    merged = tmp_path / "merged"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, merged], check=True)
    try:
        found = overlay_of(merged)
        assert not found.ok
        assert "which are refused" in found.reason
        assert list(merged.iterdir()) == []
    finally:
        subprocess.run(["umount", merged], check=True)


@pytest.mark.parametrize("hangs", [False, True])
def test_a_job_knows_in_less_than_a_minute_what_its_runner_is_good_for(tiny_lab, tmp_path, hangs):
    """Also where neither registry nor GitLab ever answer; with a login that may write."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        registry = tiny_lab.env["IMMUTABLE_BASE_REGISTRY"]
        place = f"{address}/os" if hangs else registry
        config = tiny_lab.config_with(
            tmp_path, (f'destination = "{registry}"', f'destination = "{place}"')
        )
        env = {
            "GITLAB_CI": "true", "CI_PROJECT_ID": "1", "GITLAB_TOKEN": "x",
            "CI_API_V4_URL": f"https://{address}/api/v4", "CI_PROJECT_DIR": str(tmp_path),
        }  # fmt: skip
        began = time.monotonic()
        done = tiny_lab.product(
            "doctor", "--ci", "--config", config, "--format", "json", env=env, workspace=tmp_path
        )
        seconds = time.monotonic() - began
    found = {it["name"]: it for it in json.loads(done.stdout)["ci"]["findings"]}
    assert found["registry: read"]["state"] == ("fault" if hangs else "ok"), found
    assert "could not be asked" in found["cleanup policy"]["message"]
    assert done.returncode == (4 if hangs else 0), done.stdout
    assert seconds < 60


@pytest.mark.parametrize("lines", LOGINS.values(), ids=LOGINS)
def test_a_job_logs_in_to_the_registry_of_a_gitlab_that_has_a_ca_of_its_own(
    tiny_lab, tmp_path, lines
):
    registry = tiny_lab.env["IMMUTABLE_BASE_REGISTRY"].partition("/")[0]
    env = {
        "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CI_REGISTRY": registry,
        "CI_REGISTRY_USER": "job", "CI_REGISTRY_PASSWORD": "p w$d",
    }  # fmt: skip

    def log_in(**more):
        script = ["bash", "-e", "-c", "\n".join(lines)]
        return subprocess.run(script, env={**env, **more}, capture_output=True, text=True)

    refused = log_in()
    assert refused.returncode != 0
    assert "certificate" in refused.stderr
    authority = LabPaths(root=tiny_lab.state).trust / "ca.pem"
    done = log_in(CI_SERVER_TLS_CA_FILE=str(authority))
    assert done.returncode == 0, done.stderr
    assert registry in json.loads((tmp_path / ".docker/config.json").read_text())["auths"]

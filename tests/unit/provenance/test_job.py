"""Who states a provenance is who signs, by the token, and no time is invented."""

import math

from immutable_base.provenance.job import job_of
from immutable_base.sign import TokenClaims

CLAIMS = {
    "iss": "http://127.0.0.1:1", "aud": "sigstore", "exp": 1.0,
    "ci_config_ref_uri": "gitlab.example/a/b//.gitlab-ci.yml@refs/heads/main",
}  # fmt: skip


def test_the_job_is_named_as_the_certificate_will_name_it():
    claims = TokenClaims(**CLAIMS, project_path="a/b", job_id="7")
    job = job_of(claims, began=1_795_000_000, now=1_795_000_060.7)
    assert job.builder == "https://gitlab.example/a/b//.gitlab-ci.yml@refs/heads/main"
    assert job.invocation == "https://gitlab.example/a/b/-/jobs/7"
    assert (job.started, job.finished) == ("2026-11-18T11:06:40Z", "2026-11-18T11:07:40Z")


def test_a_gitlab_below_a_path_and_a_project_that_is_not_the_one_of_the_file():
    uri = "example.org/git/a/b//.gitlab-ci.yml@refs/heads/main"
    claims = TokenClaims(**{**CLAIMS, "ci_config_ref_uri": uri}, project_path="a/b", job_id="7")
    assert claims.job_url == "https://example.org/git/a/b/-/jobs/7"
    assert TokenClaims(**CLAIMS, project_path="a/c", job_id="7").job_url == ""
    assert TokenClaims(**CLAIMS, project_path="", job_id="7").job_url == ""


def test_what_nobody_says_is_left_out():
    job = job_of(TokenClaims(**CLAIMS), began=math.inf, now=1_795_000_000)
    assert (job.invocation, job.started) == ("", "")
    late = job_of(TokenClaims(**CLAIMS), began=1_795_000_099, now=1_795_000_000)
    assert late.started == "", "a clock that is behind: an end before the beginning is refused"

"""What people rely on in the pipelines that we ship: which jobs there are, what they leave, which are red."""

import subprocess
from pathlib import PurePosixPath

import pytest

from immutable_base.documents import FOLDERS, MODULES, PLAN
from immutable_base.errors import (
    EXIT_BUG,
    EXIT_HELD,
    ConfigurationError,
    HostError,
    NoSuchImageError,
    NotSignedError,
    RemoteError,
)
from immutable_base.model.build import ImageBuild, ImageLayout
from immutable_base.pipeline import STAGES
from immutable_base.run.failures import FOLDER
from immutable_base.tls import DEBIAN_BUNDLE
from support.fake_programs import write_program
from support.paths import ROOT
from support.pipelines import documents_of, read_jobs, read_yaml, started_jobs

NIGHTLY = (ROOT / ".gitlab-ci.yml", ROOT / "ci/variants.yml")
TEMPLATE = ROOT / "templates/instance.yml"
(NIGHT,) = documents_of(NIGHTLY[0])
JOBS, DOWNSTREAM = read_jobs(*NIGHTLY), read_jobs(TEMPLATE)
OF_A_VARIANT = {name: job for name, job in JOBS.items() if "VARIANT" in job.get("variables", {})}
COMPILING = {name: job for name, job in OF_A_VARIANT.items() if "MODULE" in job["variables"]}
PUBLISHING = {name for name in JOBS if name.startswith("publish ")}
MAIN = {
    "CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main", "CI_COMMIT_REF_PROTECTED": "true",
}  # fmt: skip
MERGE_REQUEST = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_DEFAULT_BRANCH": "main"}
TONIGHT = ".nights/tonight"
LOGINS = {
    "nightly": "\n".join(NIGHT["default"]["before_script"]),
    "instance": "\n".join(DOWNSTREAM["build"]["before_script"]),
}
"""What each job begins with."""


def tolerated(job):
    """Return the exit codes that are orange, and not red."""
    found = job.get("allow_failure", False)
    return set(found["exit_codes"]) if isinstance(found, dict) else set()


def leaves(job, name):
    """Tell whether a file in the folder of a night is an artifact of a job."""
    return takes(job, f"{TONIGHT}/{name}")


def takes(job, path):
    """Tell whether a path is an artifact: named, below a folder, or by a pattern of one folder."""
    paths = job.get("artifacts", {}).get("paths", ())
    file = PurePosixPath(path)
    return any(file.is_relative_to(it) or file.match(it) for it in paths)


# ------------------------------------------------------------------ what GitLab gives no job by itself


def test_every_job_runs_in_our_image_on_a_runner_with_enough_disk():
    """GitLab's own default is an image with Ruby, on a runner with 30 GB for all of it."""
    default, variables = NIGHT["default"], NIGHT["variables"]
    assert default["image"] == "$IMMUTABLE_BASE_CI_IMAGE"
    assert variables["IMMUTABLE_BASE_CI_IMAGE"] == "$CI_REGISTRY_IMAGE/ci:latest"
    assert default["tags"] == ["$IMMUTABLE_BASE_RUNNER"]
    assert variables["IMMUTABLE_BASE_RUNNER"] == "saas-linux-medium-amd64"
    others = {name for name, job in JOBS.items() if job.keys() & {"image", "tags"}}
    assert others == {"code"}, "it needs Python and Debian, and nothing of ours"


@pytest.mark.parametrize("script", LOGINS.values(), ids=LOGINS)
@pytest.mark.parametrize("password", ["p w$d", ""])
def test_every_job_is_logged_in_to_the_registry_where_the_project_has_one(
    tmp_path, script, password
):
    write_program(tmp_path / "bin/skopeo", 'echo "$@" > "$HOME/said"; cat > "$HOME/typed"')
    environment = {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path), "CI_REGISTRY": "r.example",
        "CI_REGISTRY_USER": "job", "CI_REGISTRY_PASSWORD": password,
    }  # fmt: skip
    subprocess.run(["bash", "-e", "-c", script], env=environment, check=True)
    assert (tmp_path / "said").exists() == bool(password)
    if password:
        assert (tmp_path / "typed").read_text() == f"{password}\n", "on no command line"
        said = f"login --authfile {tmp_path}/.docker/config.json --username job --password-stdin r.example"
        assert (tmp_path / "said").read_text().strip() == said


@pytest.mark.parametrize("script", LOGINS.values(), ids=LOGINS)
@pytest.mark.parametrize("own", [True, False])
def test_a_gitlab_with_a_ca_of_its_own_is_believed_beside_the_system_s(tmp_path, script, own):
    """The runner gives the job its file; skopeo reads one bundle, which is all that it believes."""
    write_program(tmp_path / "bin/skopeo", 'cat "$SSL_CERT_FILE" > "$HOME/believed"')
    for name in ("system", "gitlab"):
        (tmp_path / name).write_text(f"the CA of {name}\n")
    environment = {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path), "CI_REGISTRY_PASSWORD": "x",
        "SSL_CERT_FILE": str(tmp_path / "system"),
        **({"CI_SERVER_TLS_CA_FILE": str(tmp_path / "gitlab")} if own else {}),
    }  # fmt: skip
    subprocess.run(["bash", "-e", "-c", script], env=environment, check=True)
    believed = ("system", "gitlab") if own else ("system",)
    assert (tmp_path / "believed").read_text() == "".join(f"the CA of {it}\n" for it in believed)
    assert DEBIAN_BUNDLE in script, "where nothing names another"


def test_a_runner_that_keeps_its_clones_can_plan_the_target_of_a_second_merge_request(tmp_path):
    """GitLab cleans the folder (`git clean -ffdx`), and git itself still knows the worktree."""
    command = JOBS["plan of the target"]["before_script"][-1]
    git = ["git", "-C", tmp_path, "-c", "user.name=x", "-c", "user.email=x@example.com"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    for message in ("target", "merge request"):
        subprocess.run([*git, "commit", "-q", "--allow-empty", f"--message={message}"], check=True)
    environment = {"PATH": "/usr/bin:/bin", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "HEAD~1"}
    subject = ["git", "-C", tmp_path / ".target", "log", "-1", "--format=%s"]
    for _ in range(2):
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / ".target/.git").is_file()
        assert subprocess.check_output(subject, text=True) == "target\n"
        subprocess.run([*git, "clean", "-ffdxq"], check=True)


def test_the_clone_has_the_target_of_a_merge_request_however_far_back_it_lies():
    """GitLab clones the last 20 commits by itself."""
    assert JOBS["plan of the target"]["variables"]["GIT_DEPTH"] == "0"


def test_what_the_first_night_would_meet_is_a_job_to_start_by_hand():
    assert JOBS["online"]["script"] == ["immutable-base doctor --online"]
    found = started_jobs(*NIGHTLY, CI_PIPELINE_SOURCE="web", **MAIN)
    assert "online" in found - started_jobs(*NIGHTLY, CI_PIPELINE_SOURCE="schedule", **MAIN)
    assert [rule["when"] for rule in JOBS["online"]["rules"]] == ["manual"]


# ------------------------------------------------------------------ which jobs there are


def test_a_night_publishes_from_the_protected_default_branch_only():
    for source in ("schedule", "web"):
        night = started_jobs(*NIGHTLY, CI_PIPELINE_SOURCE=source, **MAIN)
        assert night >= {"runner", "plan", "checks", "report", *OF_A_VARIANT}
        for change in ({"CI_COMMIT_REF_PROTECTED": "false"}, {"CI_COMMIT_BRANCH": "feature"}):
            found = started_jobs(*NIGHTLY, **{"CI_PIPELINE_SOURCE": source, **MAIN, **change})
            assert night - found == PUBLISHING, change


def test_a_merge_request_builds_and_checks_all_and_publishes_nothing():
    for branch in ({}, MAIN):
        found = started_jobs(*NIGHTLY, **{**branch, **MERGE_REQUEST})
        assert (
            found >= {*OF_A_VARIANT, "code", "plan of the target", "changes", "checks"} - PUBLISHING
        )
        assert found.isdisjoint({*PUBLISHING, "report"})


def test_a_merge_request_plans_modules_without_a_signature_and_a_night_does_not():
    """The key is a protected variable: a job of a merge request has none, and would be red."""
    (variables,) = (
        rule["variables"] for rule in JOBS["plan"]["rules"] if "variables" in rule
    )  # fmt: skip
    assert variables == {"IMMUTABLE_BASE_UNSIGNED": "true"}
    (merge_request,) = (it["if"] for it in JOBS["plan"]["rules"] if "variables" in it)
    assert merge_request == '$CI_PIPELINE_SOURCE == "merge_request_event"'


def test_a_push_tests_the_code_of_the_default_branch_and_nothing_else():
    assert started_jobs(*NIGHTLY, CI_PIPELINE_SOURCE="push", **MAIN) == {"code"}
    other = {**MAIN, "CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "feature"}
    assert started_jobs(*NIGHTLY, **other) == set()


@pytest.mark.parametrize("files", [NIGHTLY, (TEMPLATE,)])
def test_a_tag_starts_nothing_however_protected_it_is(files):
    """It would be signed by an identity that names the tag, which no host accepts."""
    tag = {
        "CI_COMMIT_TAG": "v1.0.0",
        "CI_COMMIT_REF_PROTECTED": "true",
        "CI_DEFAULT_BRANCH": "main",
    }
    assert started_jobs(*files, CI_PIPELINE_SOURCE="push", **tag) == set()


@pytest.mark.parametrize("source", ["schedule", "push", "web", "api", "trigger"])
def test_an_instance_is_published_from_its_protected_default_branch_only(source):
    whole = set(DOWNSTREAM)
    assert started_jobs(TEMPLATE, CI_PIPELINE_SOURCE=source, **MAIN) == whole
    unprotected = {**MAIN, "CI_PIPELINE_SOURCE": source, "CI_COMMIT_REF_PROTECTED": "false"}
    assert started_jobs(TEMPLATE, **unprotected) == whole - {"publish"}
    for branch in ({}, MAIN):
        assert started_jobs(TEMPLATE, **{**branch, **MERGE_REQUEST}) == whole - {"publish"}


@pytest.mark.parametrize("job", [JOBS["checks"], JOBS["report"], DOWNSTREAM["report"]])
def test_how_it_ended_is_told_however_it_ended(job):
    assert {rule["when"] for rule in job["rules"]} == {"always"}
    assert "needs" not in job, "it has the artifacts of every job before"
    assert job["stage"] == "report"


def test_the_image_of_the_jobs_is_made_where_a_variable_asks_for_it_and_nowhere_else():
    """It is signed by the same rules as a night: not from a merge request, not from a branch."""
    asked = {"IMMUTABLE_BASE_BUILD_CI_IMAGE": "true"}
    made = {f"ci image: {stage}" for stage in ("build", "check", "sbom", "publish")}
    for source in ("schedule", "web", "push", "merge_request_event"):
        branch = {**MAIN, "CI_PIPELINE_SOURCE": source}
        assert started_jobs(*NIGHTLY, **branch).isdisjoint(made)
        expected = {"schedule": made, "web": made, "push": set()}
        found = started_jobs(*NIGHTLY, **branch, **asked) & made
        assert found == expected.get(source, made - {"ci image: publish"}), source
        for change in ({"CI_COMMIT_REF_PROTECTED": "false"}, {"CI_COMMIT_BRANCH": "feature"}):
            assert "ci image: publish" not in started_jobs(
                *NIGHTLY, **{**branch, **asked, **change}
            )


def test_the_image_of_the_jobs_is_published_after_all_that_could_object_to_it():
    publish = JOBS["ci image: publish"]
    assert set(publish["needs"]) == {f"ci image: {it}" for it in ("build", "check", "sbom")}
    for name in ("build", "check", "sbom"):
        job = JOBS[f"ci image: {name}"]
        assert takes(job, f".nights/ci-image/{name}.json")
        assert "allow_failure" not in job
    assert takes(JOBS["ci image: sbom"], ".nights/ci-image/sbom.cdx.json")
    assert not takes(JOBS["ci image: build"], ".nights/ci-image/oci/index.json")
    assert "--candidate" in JOBS["ci image: build"]["script"][0].split()


# ------------------------------------------------------------------ green, orange, red


@pytest.mark.parametrize("name", OF_A_VARIANT)
def test_a_held_variant_is_orange_in_each_of_its_jobs(name):
    job = OF_A_VARIANT[name]
    assert "--exit-held" in job["script"][0].split()
    assert EXIT_HELD in tolerated(job)


def test_the_last_word_on_a_night_is_orange_too_where_a_variant_is_held():
    for job in (JOBS["report"], DOWNSTREAM["detect-changes"]):
        assert "--exit-held" in job["script"][0].split()
        assert tolerated(job) == {EXIT_HELD}


def test_a_failure_is_red_in_the_jobs_of_its_variant_and_in_the_report():
    later = [job for name, job in OF_A_VARIANT.items() if name not in COMPILING]
    assert all(tolerated(job) == {EXIT_HELD} for job in (*later, JOBS["report"]))
    strict = [job for name, job in DOWNSTREAM.items() if name != "detect-changes"]
    assert all("allow_failure" not in job for job in (JOBS["checks"], JOBS["runner"], *strict))


def test_no_job_passes_over_a_bug_a_bad_host_or_a_signature_that_does_not_hold():
    errors = (ConfigurationError, HostError, NotSignedError, NoSuchImageError)
    never = {EXIT_BUG, *(error.exit_code for error in errors)}
    assert [name for name, job in {**JOBS, **DOWNSTREAM}.items() if tolerated(job) & never] == []


def test_each_job_that_signs_has_a_token_that_lives_for_an_hour():
    """It lives as long as its job's own timeout, and for five minutes without one.

    Source: GitLab, "OpenID Connect authentication using ID tokens", claim `exp`.
    """
    limits = {name: job["timeout"] for name, job in JOBS.items() if "id_tokens" in job}
    assert limits == dict.fromkeys({*PUBLISHING, "ci image: publish"}, "1h")
    assert DOWNSTREAM["publish"]["timeout"] == "$[[ inputs.timeout ]]"
    (inputs, _) = documents_of(TEMPLATE)
    assert inputs["spec"]["inputs"]["timeout"]["default"] == "1h"


def test_what_is_under_way_ends_when_a_newer_pipeline_begins_unless_it_publishes():
    kept = {
        n
        for n, job in JOBS.items()
        if job.get("interruptible", NIGHT["default"]["interruptible"]) is not True
    }
    assert NIGHT["default"]["interruptible"] is True
    assert kept == {n for n in JOBS if n.startswith("publish ")} | {"ci image: publish"}


def test_one_pipeline_at_a_time_moves_the_tags_of_a_variant_and_no_variant_waits_for_another():
    """What comes before may run at once: candidates go by digest, and publish refuses older inputs."""
    groups = {name: job["resource_group"] for name, job in JOBS.items() if "resource_group" in job}
    assert groups == {
        **dict.fromkeys(PUBLISHING, "publish/$VARIANT"), "ci image: publish": "publish/ci",
    }  # fmt: skip
    of = {OF_A_VARIANT[name]["variables"]["VARIANT"] for name in PUBLISHING}
    assert (len(of), "ci" in of) == (len(PUBLISHING), False)


# ------------------------------------------------------------------ what travels


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_leaves_its_documents_and_why_it_failed(stage):
    job = JOBS[f"{stage} base"]
    assert stage in FOLDERS.values()
    assert leaves(job, f"{stage}/base.json")
    assert leaves(job, f"{FOLDER}/{stage}_base.json")
    assert job["artifacts"]["when"] == "always"


def test_images_travel_through_the_registry_and_all_else_as_artifacts():
    build, publish = JOBS["build base"], JOBS["publish base"]
    layout = FOLDERS[ImageLayout]
    assert leaves(build, f"{FOLDERS[ImageBuild]}/base.json")
    assert leaves(build, f"{layout}/base.json")
    assert not leaves(build, f"{layout}/base/index.json"), "hundreds of megabytes for every job"
    assert "--candidate" in build["script"][0].split()
    assert "--candidate" in DOWNSTREAM["build"]["script"][0].split()
    assert leaves(JOBS["sbom base"], "sbom/base.cdx.json")
    assert leaves(JOBS["plan"], PLAN)
    for job in COMPILING.values():
        assert leaves(job, f"{MODULES}/module_x/build.json")
        assert leaves(job, f"{MODULES}/module_x/kmod.rpm")
        assert leaves(job, f"{FOLDER}/module_x.json")
        assert job["artifacts"]["when"] == "always"
    assert not any(leaves(publish, name) for name in (PLAN, f"{MODULES}/x/build.json"))
    assert leaves(JOBS["report"], "publish/base.json")


def test_every_job_of_a_variant_has_the_plan_and_no_job_waits_for_another_variants_stages():
    for name, job in OF_A_VARIANT.items():
        assert "plan" in job["needs"], name
        waits = {it for it in job["needs"] if it in OF_A_VARIANT and it not in COMPILING}
        assert {OF_A_VARIANT[it]["variables"]["VARIANT"] for it in waits} <= {
            job["variables"]["VARIANT"]
        }


def test_the_jobs_of_an_instance_hand_on_what_they_decided_and_made():
    for name, job in DOWNSTREAM.items():
        assert takes(job, ".nights/instance/any.json"), name
        assert job["artifacts"]["when"] == "always", "why it failed is in them"
        if name not in ("detect-changes", "report"):
            assert "detect-changes" in job["needs"]
    assert set(DOWNSTREAM["publish"]["needs"]) == {"detect-changes", "build", "check", "sbom"}
    assert {"detect-changes", "build", "check"} <= set(DOWNSTREAM["sbom"]["needs"])
    assert DOWNSTREAM["build"]["variables"]["GIT_DEPTH"] == "0", (
        "what changed since the last image?"
    )


def test_only_what_a_service_outside_failed_in_is_tried_again():
    """A verification that failed, tried until it holds, would be no verification."""
    (document,) = read_yaml(NIGHTLY[0].read_text())
    for job in (document["default"], *DOWNSTREAM.values()):
        assert job["retry"]["exit_codes"] == [RemoteError.exit_code]


@pytest.mark.parametrize(
    ("job", "kind", "option"),
    [(JOBS["checks"], "junit", "--output"), (DOWNSTREAM["detect-changes"], "dotenv", "--dotenv")],
)
def test_gitlab_reads_the_report_that_the_command_writes(job, kind, option):
    words = job["script"][0].split()
    assert job["artifacts"]["reports"] == {kind: words[words.index(option) + 1]}

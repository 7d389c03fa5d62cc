"""The nightly pipeline, run by gitlab-ci-local: every job in a folder of its own, as on a runner."""

import json
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from immutable_base.module_signing import KEY_VARIABLE
from immutable_base.sign import decode_claims
from support.repositories import Repository, base_repository
from support.scenario_runs import scenario_runs

STAGES = ("build", "inspect", "check", "sbom", "boot", "publish")
PLAIN, WITH_MODULE = "tiny", "tiny-metronome"
COMPILE = f"metronome for {WITH_MODULE}"
VARIANTS = {f"{stage} {name}" for stage in STAGES for name in (PLAIN, WITH_MODULE)}
PUBLISHING = {f"publish {name}" for name in (PLAIN, WITH_MODULE)}
BRANCH = "feature/$(touch${IFS}obeyed);touch${IFS}obeyed-too;`id`&x"
NIGHT = {"runner", "plan", COMPILE, "checks", "report", *VARIANTS}


@pytest.fixture(scope="module")
def repository(tiny_lab, tmp_path_factory) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("pipeline") / "base"
    found = base_repository(folder, tiny_lab, tiny_lab.configuration)
    yield found
    found.clear()


@pytest.fixture(scope="module")
def night(repository, tiny_night):
    """A scheduled pipeline on the inputs of the shared run, which has published both variants."""
    return repository.pipeline()


def test_a_scheduled_night_runs_every_job_and_all_are_green(night):
    assert night.status == 0, night.log[-4000:]
    assert night.jobs == dict.fromkeys(NIGHT, "PASS")


def test_a_night_over_many_runners_ends_in_the_digests_of_one_run(night, repository, tiny_night):
    for name in (PLAIN, WITH_MODULE):
        folder = repository.left_by(f"publish {name}")
        document = json.loads((folder / f".nights/tonight/publish/{name}.json").read_text())
        pinned = f"{document['repository']}@{document['digest']}"
        assert pinned == tiny_night.variants[name]["reference"]
        assert document["status"] == "unchanged", "the second night of the same inputs"
    assert night.said("report").count("(unchanged)") >= 2


def test_no_job_had_what_another_made_but_by_artifacts_and_the_registry(night, repository):
    """The image that is read was fetched by its digest: only its builder had the layout."""
    assert night.status == 0
    own = repository.left_by(f"build {PLAIN}") / ".nights/tonight/oci" / PLAIN
    other = repository.left_by(f"inspect {PLAIN}") / ".nights/tonight"
    assert (own / "index.json").is_file()
    assert not (other / "modules").exists()
    layout = json.loads((other / f"oci/{PLAIN}.json").read_text())
    assert layout["candidate"].endswith(f"/candidates@{layout['digest']}")
    checker = repository.left_by(f"check {PLAIN}") / ".nights"
    assert not (checker / f"tonight/oci/{PLAIN}").exists(), "a check needs no image"


def test_only_the_jobs_that_publish_had_a_token(night):
    assert night.tokens.keys() == NIGHT, "every job was asked"
    assert night.able_to_sign == PUBLISHING


# ------------------------------------------------------------------ a night that has to sign


@pytest.fixture(scope="module")
def elsewhere(repository, tmp_path_factory) -> Iterator[Repository]:
    """The same repository, whose images go where nothing was ever published."""
    found = repository.as_on_another_machine(tmp_path_factory.mktemp("elsewhere") / "base")
    path = found.folder / "immutable-base.toml"
    place = f"pipeline-{uuid.uuid4().hex[:8]}"
    path.write_text(re.sub(r'(destination = ".*)"', rf'\1/{place}"', path.read_text()))
    found.commit("images go elsewhere")
    yield found
    found.clear()


def test_the_job_that_publishes_signs_as_itself_what_nobody_has_signed(elsewhere, tiny_lab):
    night = elsewhere.pipeline(f"publish {PLAIN}")
    assert night.status == 0, night.log[-4000:]
    folder = elsewhere.left_by(f"publish {PLAIN}")
    document = json.loads((folder / f".nights/tonight/publish/{PLAIN}.json").read_text())
    assert document["status"] == "published"
    assert document["signer"] == tiny_lab.env["IMMUTABLE_BASE_IDENTITY"]
    assert document["rekor_log_index"] is not None
    pinned = f"{document['repository']}@{document['digest']}"
    verified = elsewhere.lab.product("verify", pinned, "--format", "json")
    assert verified.returncode == 0, verified.stderr
    job = decode_claims(night.tokens[f"publish {PLAIN}"]).job_url
    assert "/immutable-base/immutable-base/-/jobs/" in job
    assert json.loads(verified.stdout)["claims"]["job_url"] == job


# ------------------------------------------------------------------ two runners at once


@pytest.fixture(scope="module")
def shared(repository, tiny_night, tmp_path_factory):
    """One night over two runners, each a process of its own: what one builds the other reads.

    Nothing is between them but artifacts, and images in the repository of candidates.
    """
    folder = tmp_path_factory.mktemp("machines")
    one, two = (repository.as_on_another_machine(folder / name) for name in ("one", "two"))
    whole, times = [], []

    def at_once(*work):
        """Let each runner do its jobs, both at the same time."""

        def jobs_of(runner, jobs):
            started = time.monotonic()
            run = runner.pipeline("--only", *jobs)
            times.append((started, time.monotonic()))
            return run

        with ThreadPoolExecutor() as pool:
            whole.extend(pool.map(lambda item: jobs_of(*item), work))
        (start, end), (start_2, end_2) = times[-2:]
        assert max(start, start_2) < min(end, end_2), "not at the same time"

    before = one.pipeline("--only", "runner", "plan")
    assert before.status == 0, before.log[-4000:]
    one.hand_over(two, "plan")
    at_once((one, [f"build {PLAIN}"]), (two, [COMPILE, f"build {WITH_MODULE}"]))
    one.hand_over(two, f"build {PLAIN}")
    two.hand_over(one, COMPILE, f"build {WITH_MODULE}")
    at_once(*(
        (runner, [f"{stage} {name}" for stage in STAGES[1:]])
        for runner, name in ((one, WITH_MODULE), (two, PLAIN))
    ))  # fmt: skip
    two.hand_over(one, *(f"{stage} {PLAIN}" for stage in STAGES[1:]))
    whole.append(one.pipeline("--only", "checks", "report"))
    yield one, two, whole
    for runner in (one, two):
        runner.clear()


def test_two_runners_at_once_share_a_night_and_end_in_the_digests_of_run(shared, tiny_night):
    one, two, runs = shared
    assert [run.log[-4000:] for run in runs if run.status] == []
    done = {name for run in runs for name, how in run.jobs.items() if how == "PASS"}
    assert done == NIGHT - {"runner", "plan"}
    for runner, name in ((one, WITH_MODULE), (two, PLAIN)):
        folder = runner.left_by(f"publish {name}")
        document = json.loads((folder / f".nights/tonight/publish/{name}.json").read_text())
        pinned = f"{document['repository']}@{document['digest']}"
        assert pinned == tiny_night.variants[name]["reference"]
    assert runs[-1].said("report").count("(unchanged)") >= 2


def test_neither_runner_has_the_storage_of_the_other(shared):
    one, two, _ = shared
    assert not one.left_by(f"build {WITH_MODULE}").exists()
    assert not two.left_by(f"build {PLAIN}").exists()
    assert (two.left_by(f"inspect {PLAIN}") / f".nights/tonight/oci/{PLAIN}/index.json").is_file()
    assert (one.left_by(f"inspect {WITH_MODULE}") / ".nights/storage").is_dir()


# ------------------------------------------------------------------ which jobs there are


def test_a_schedule_and_a_person_start_the_same_night(repository):
    assert set(repository.jobs()) == NIGHT
    assert set(repository.jobs("--source", "web")) == NIGHT | {"online"}


def test_a_merge_request_builds_and_checks_everything_and_publishes_nothing(repository):
    found = set(repository.jobs("--source", "merge_request_event"))
    added = {"plan of the target", "changes"}
    assert found == NIGHT - PUBLISHING - {"report"} | added


def test_a_push_tests_the_code_where_there_is_any_and_nothing_else(repository):
    """What `init` has written has none: a job for it would be red on every push."""
    assert repository.jobs("--source", "push") == {}
    code = repository.folder / "src/immutable_base/__init__.py"
    code.parent.mkdir(parents=True)
    code.touch()
    repository.git("add", "--intent-to-add", "src")
    try:
        assert set(repository.jobs("--source", "push")) == {"code"}
        assert "code" in repository.jobs("--source", "merge_request_event")
    finally:
        repository.git("rm", "--quiet", "--cached", "-r", "src")
        shutil.rmtree(repository.folder / "src")


@pytest.mark.parametrize("source", ["schedule", "web"])
def test_nothing_is_published_from_a_branch_that_is_not_the_protected_default(repository, source):
    found = set(repository.jobs("--source", source, "--unprotected"))
    assert found.isdisjoint(PUBLISHING)
    repository.git("switch", "--quiet", "--force-create", BRANCH)
    try:
        found = set(repository.jobs("--source", source))
        assert found.isdisjoint(PUBLISHING)
        assert f"build {PLAIN}" in found
    finally:
        repository.git("switch", "--quiet", "main")


def test_jobs_run_on_a_branch_whose_name_a_shell_would_obey(repository):
    repository.git("switch", "--quiet", "--force-create", BRANCH)
    try:
        run = repository.pipeline(f"build {PLAIN}", "--source", "web", "--unprotected")
    finally:
        repository.git("switch", "--quiet", "main")
    assert run.status == 0, run.log[-4000:]
    assert run.jobs == {"plan": "PASS", f"build {PLAIN}": "PASS"}
    assert list(repository.folder.rglob("obeyed*")) == []


# ------------------------------------------------------------------ merge requests


def tags(lab):
    """Return what each tag of each variant names now."""
    registry = lab.registry()
    with closing(registry.client):
        return {name: registry.tags(name) for name in (PLAIN, WITH_MODULE)}


@pytest.fixture(scope="module")
def merge_request(repository, tiny_lab, tiny_night):
    """A pipeline of a branch without a package; nobody gives it the key of the modules."""
    before = tags(tiny_lab)
    target = repository.git("rev-parse", "HEAD")
    repository.git("switch", "--quiet", "--create", "less")
    try:
        path = repository.folder / "immutable-base.toml"
        text = path.read_text()
        assert text.count('packages = ["less", ') == 1
        path.write_text(text.replace('packages = ["less", ', "packages = ["))
        repository.commit("a package less")
        run = repository.pipeline(
            "--source", "merge_request_event", "--unprotected",
            "--variable", f"CI_MERGE_REQUEST_DIFF_BASE_SHA={target}", "--variable", f"{KEY_VARIABLE}=",
        )  # fmt: skip
    finally:
        repository.git("switch", "--quiet", "main")
    return run, before


def test_a_merge_request_does_all_but_publish_and_no_job_could_sign(merge_request, tiny_lab):
    run, before = merge_request
    assert run.status == 0, run.log[-4000:]
    done = NIGHT - PUBLISHING - {"report"} | {"plan of the target", "changes"}
    assert run.jobs == dict.fromkeys(done, "PASS")
    assert run.tokens.keys() == done
    assert run.able_to_sign == set()
    assert tags(tiny_lab) == before


def test_a_merge_request_says_what_it_would_change(merge_request, repository):
    assert merge_request[0].jobs["changes"] == "PASS"
    said = (repository.left_by("changes") / "changes.md").read_text()
    assert PLAIN in said
    assert WITH_MODULE in said
    assert "less" in said


def test_a_merge_request_needs_no_key_of_the_modules_and_says_so(merge_request, repository):
    """GitLab gives a protected variable to protected branches only, and no merge request is one."""
    run, _ = merge_request
    assert run.jobs[COMPILE] == "PASS"
    assert "modules: unsigned" in run.said("plan")
    folder = repository.left_by(f"check {WITH_MODULE}") / ".nights/tonight/check"
    findings = json.loads((folder / f"{WITH_MODULE}.json").read_text())["findings"]
    assert {it["level"] for it in findings if it["id"] == "modules-signed"} == {"note"}


# ------------------------------------------------------------------ bad nights


@pytest.fixture(scope="module")
def scenarios(tiny_lab, tiny_night):
    with scenario_runs(tiny_lab.state) as runs:
        yield runs


def in_scenario(scenarios, tiny_lab, folder: Path, name: str) -> Repository:
    scenarios.set_up(name)
    configuration = Path(scenarios.environment[name]["IMMUTABLE_BASE_CONFIG"])
    return base_repository(folder, tiny_lab, configuration, name)


def test_a_held_variant_is_orange_from_its_first_job_to_the_last(scenarios, tiny_lab, tmp_path):
    repository = in_scenario(scenarios, tiny_lab, tmp_path / "held", "held")
    run = repository.pipeline(f"publish {WITH_MODULE}")
    repository.clear()
    assert run.status == 0, run.log[-4000:]
    held = {COMPILE, *(f"{stage} {WITH_MODULE}" for stage in STAGES)}
    assert {name: run.jobs[name] for name in held} == dict.fromkeys(held, "WARN")
    assert "held" in run.said(f"build {WITH_MODULE}")
    assert "kernel-devel" in run.said(f"build {WITH_MODULE}"), "the reason is in the job's log"


def test_a_module_that_does_not_compile_makes_its_variant_red_and_no_other(
    scenarios, tiny_lab, tmp_path
):
    name = "module-does-not-compile"
    repository = in_scenario(scenarios, tiny_lab, tmp_path / "failed", name)
    run = repository.pipeline(f"build {WITH_MODULE}", f"publish {PLAIN}")
    repository.clear()
    assert run.status != 0
    assert run.jobs[COMPILE] == "WARN"
    assert "error:" in run.said(COMPILE), "the compiler's own words"
    assert run.jobs[f"build {WITH_MODULE}"] == "FAIL"
    assert run.jobs[f"publish {PLAIN}"] == "PASS"


@pytest.fixture(scope="module")
def mixed(scenarios, tiny_lab, tmp_path_factory):
    """A whole night in which the variant with a module is held, and the other's image cannot be built."""
    repository = in_scenario(scenarios, tiny_lab, tmp_path_factory.mktemp("mixed") / "both", "held")
    containerfile = repository.folder / "layers/tiny/Containerfile"
    containerfile.write_text(f"{containerfile.read_text()}\nRUN echo spoiled >&2; exit 7\n")
    repository.commit("a layer that cannot be built")
    yield repository.pipeline()
    repository.clear()


def test_in_one_night_the_held_variant_is_orange_and_the_failed_one_red(mixed):
    held = {COMPILE, *(f"{stage} {WITH_MODULE}" for stage in STAGES)}
    assert {name: mixed.jobs[name] for name in held} == dict.fromkeys(held, "WARN")
    assert mixed.jobs[f"build {PLAIN}"] == "FAIL"
    assert "spoiled" in mixed.said(f"build {PLAIN}"), "the program's own words"
    assert mixed.jobs.get(f"publish {PLAIN}") != "PASS"
    assert mixed.status != 0


def test_the_report_is_red_and_says_of_each_variant_how_it_ended_and_why(mixed):
    assert mixed.jobs["report"] == "FAIL"
    said = mixed.said("report")
    assert re.search(rf"{WITH_MODULE}\b.*held", said)
    assert re.search(rf"\b{PLAIN} .*failed", said)
    assert "kernel-devel" in said
    assert "spoiled" in said

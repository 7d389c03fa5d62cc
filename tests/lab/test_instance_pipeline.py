"""Seven lines in a repository downstream, and what its pipelines make of them."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import tomlkit

from immutable_base import process
from immutable_base.errors import NotSignedError
from immutable_base.tools import buildah
from support.paths import ROOT
from support.repositories import Repository, instance_repository

pytestmark = pytest.mark.apart

PROJECT = f"acme/Hosts/file-server-{os.urandom(4).hex()}"
"""Its own in each run: the lab's registry remembers what earlier ones published."""
BASE = "instance-base"
EXAMPLES = ("file-server", "inference-host", "router")
JOBS = {"detect-changes", "build", "check", "sbom", "publish", "report"}
YOUNG_BASE = "schema_version = 1\n[base]\nmaximum_age_days = 1\n"
TWO_DAYS_AHEAD = """\
import time

now = time.time
time.time = lambda: now() + 2 * 86400
"""
"""What each Python of a job begins with. Source: Python's documentation, module site."""


class Bases:
    """The project of base images: one variant, published anew with another description."""

    def __init__(self, lab, folder: Path):
        self.lab, self.folder = lab, folder
        folder.mkdir()

    @property
    def reference(self) -> str:
        return f"{self.lab.env['IMMUTABLE_BASE_REGISTRY']}/{BASE}:latest"

    def publish(self, description: str) -> str:
        """Let a night publish the base, and return its digest."""
        document = tomlkit.parse(self.lab.configuration.read_text())
        own = document["variants"]["tiny"].unwrap()
        document["variants"] = {BASE: {**own, "description": description}}
        path = self.folder / "immutable-base.toml"
        path.write_text(tomlkit.dumps(document))
        layers = self.folder / "layers"
        if not layers.is_symlink():
            layers.symlink_to(self.lab.configuration.parent / "layers")
        workspace = self.folder / "nights"
        done = self.lab.product(
            "run", "--variant", BASE, "--config", path, "--format", "json", workspace=workspace
        )
        assert done.returncode == 0, done.stderr
        (row,) = json.loads(done.stdout)["variants"]
        return row["reference"].partition("@")[2]


@pytest.fixture(scope="module")
def bases(tiny_lab, tmp_path_factory) -> Iterator[Bases]:
    found = Bases(tiny_lab, tmp_path_factory.mktemp("instance") / "bases")
    found.first = found.publish("the first night")
    yield found
    shutil.rmtree(found.folder)


@pytest.fixture(scope="module")
def repository(tiny_lab, bases, tmp_path_factory) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("instance") / "file-server"
    found = instance_repository(folder, tiny_lab, PROJECT, bases.reference)
    yield found
    found.clear()


@pytest.fixture(scope="module")
def pushed(repository):
    """The first pipeline: somebody pushes the repository."""
    return repository.pipeline("--source", "push")


def document(repository, job, name):
    return json.loads((repository.left_by(job) / ".nights/instance" / name).read_text())


def decision(repository):
    return document(repository, "detect-changes", "decision.json")


def rules(repository):
    return [reason["rule"] for reason in decision(repository)["reasons"]]


def tags(lab):
    """Return what each tag of the instance names now."""
    registry = lab.registry()
    registry.path, _, name = PROJECT.lower().rpartition("/")
    with closing(registry.client):
        return registry.tags(name)


def test_the_consumers_file_has_seven_lines(repository):
    assert len((repository.folder / ".gitlab-ci.yml").read_text().splitlines()) == 7


def test_a_push_builds_checks_signs_and_publishes(pushed, repository, bases):
    assert pushed.status == 0, pushed.log[-4000:]
    assert pushed.jobs == dict.fromkeys(JOBS, "PASS")
    assert decision(repository)["base"]["digest"] == bases.first
    assert set(rules(repository)) == {"push", "never-published"}
    assert document(repository, "publish", "publish.json")["status"] == "published"


def test_it_is_signed_with_the_instances_identity_and_no_other(pushed, repository, tiny_lab):
    """By hand, as anybody would who has never heard of immutable-base."""
    published = document(repository, "publish", "publish.json")
    identity = f"https://gitlab.com/{PROJECT}//.gitlab-ci.yml@refs/heads/main"
    assert published["signer"] == identity
    reference = f"{published['repository']}:latest"
    assert published["repository"].endswith(PROJECT.lower()), "registries know small letters only"

    def cosign(who):
        return subprocess.run(
            ["cosign", "verify", "--new-bundle-format=false", f"--certificate-identity={who}",
             f"--certificate-oidc-issuer={tiny_lab.env['IMMUTABLE_BASE_ISSUER']}", reference],
            env=tiny_lab.env, capture_output=True, check=False,
        ).returncode  # fmt: skip

    assert cosign(identity) == 0
    assert cosign(tiny_lab.env["IMMUTABLE_BASE_IDENTITY"]) != 0, "it is not the bases' project"


def test_its_labels_say_on_what_and_from_what_it_was_built(pushed, repository, bases, tiny_lab):
    labels = document(repository, "build", "build.json")["labels"]
    assert labels["org.opencontainers.image.base.digest"] == bases.first
    assert labels["org.opencontainers.image.revision"] == repository.git("rev-parse", "HEAD")
    assert labels["io.immutable-base.variant"] == BASE


def test_only_the_job_that_publishes_had_a_token(pushed):
    assert pushed.tokens.keys() == JOBS, "every job was asked"
    assert pushed.able_to_sign == {"publish"}


def test_a_schedule_without_a_change_builds_nothing_and_says_so(pushed, repository):
    run = repository.pipeline()
    assert run.status == 0, run.log[-4000:]
    assert run.jobs == dict.fromkeys(JOBS, "PASS")
    assert (decision(repository)["outcome"], rules(repository)) == ("unchanged", ["nothing"])
    for job in JOBS - {"detect-changes", "report"}:
        assert "not built (unchanged)" in run.said(job)
    assert not (repository.left_by("publish") / ".nights/instance/publish.json").exists()


def test_a_person_can_force_it_and_the_same_inputs_are_the_same_image(pushed, repository, tiny_lab):
    before = tags(tiny_lab)
    run = repository.pipeline("--variable", "IMMUTABLE_BASE_FORCE=true")
    assert (run.status, rules(repository)) == (0, ["forced"])
    dotenv = (repository.left_by("detect-changes") / "decision.env").read_text()
    assert "IMMUTABLE_BASE_REBUILD=true" in dotenv
    assert run.jobs == dict.fromkeys(JOBS, "PASS")
    assert "not built" not in run.said("build")
    published = document(repository, "publish", "publish.json")
    assert (published["status"], published["digest"]) == ("unchanged", before["latest"])
    assert tags(tiny_lab) == before


def test_a_schedule_builds_on_a_new_base_what_changed_in_the_repository(pushed, repository, bases):
    before = document(repository, "publish", "publish.json")["digest"]
    second = bases.publish("the second night")
    assert second != bases.first
    assert repository.pipeline("detect-changes").status == 0
    assert rules(repository) == ["base"]
    (repository.folder / "files/etc/role").write_text("another role\n")
    commit = repository.commit("another role")
    run = repository.pipeline()
    assert run.status == 0, run.log[-4000:]
    assert rules(repository) == ["base", "files"]
    assert "files/etc/role" in run.said("detect-changes")
    assert run.jobs == dict.fromkeys(JOBS, "PASS")
    labels = document(repository, "build", "build.json")["labels"]
    assert labels["org.opencontainers.image.base.digest"] == second
    assert labels["org.opencontainers.image.revision"] == commit
    published = document(repository, "publish", "publish.json")
    assert published["status"] == "published"
    assert published["digest"] != before


def test_a_schedule_waits_while_the_nights_of_its_base_are_on_hold(
    pushed, repository, bases, tiny_lab, tmp_path
):
    """No night publishes the base, so it grows old: here by a clock that is two days ahead."""
    (repository.folder / "immutable-base-instance.toml").write_text(YOUNG_BASE)
    repository.commit("on no base but a young one")
    (tmp_path / "sitecustomize.py").write_text(TWO_DAYS_AHEAD)
    before = tags(tiny_lab)
    run = repository.pipeline("--variable", f"PYTHONPATH={tmp_path}")
    assert run.status == 0, run.log[-4000:]
    assert run.jobs == {**dict.fromkeys(JOBS, "PASS"), "detect-changes": "WARN"}
    assert (decision(repository)["outcome"], rules(repository)) == ("wait", ["base-on-hold"])
    assert f"{bases.reference} is sha256:" in run.said("detect-changes")
    for job in JOBS - {"detect-changes", "report"}:
        assert "not built (wait)" in run.said(job)
    assert tags(tiny_lab) == before
    run = repository.pipeline("detect-changes")
    assert (run.status, rules(repository)) == (0, ["files"]), "by the true clock it is young"


# ------------------------------------------------------------------ which jobs there are


def test_a_merge_request_builds_and_checks_and_no_job_could_sign(pushed, repository, tiny_lab):
    before = tags(tiny_lab)
    repository.git("switch", "--quiet", "--create", "another")
    try:
        (repository.folder / "files/etc/role").write_text("a role to be discussed\n")
        repository.commit("a role to be discussed")
        run = repository.pipeline("--source", "merge_request_event", "--unprotected")
    finally:
        repository.git("switch", "--quiet", "main")
    assert run.status == 0, run.log[-4000:]
    assert run.jobs == dict.fromkeys(JOBS - {"publish"}, "PASS")
    assert run.tokens.keys() == run.jobs.keys()
    assert run.able_to_sign == set()
    commit = document(repository, "build", "build.json")["commit"]
    assert commit == repository.git("rev-parse", "another")
    assert before["latest"]
    assert tags(tiny_lab) == before


@pytest.mark.parametrize("source", ["schedule", "web"])
def test_an_unprotected_branch_publishes_nothing(repository, source):
    assert set(repository.jobs("--source", source, "--unprotected")) == JOBS - {"publish"}


def test_the_component_is_the_same_pipeline_and_its_jobs_build(pushed, repository):
    listed = repository.jobs()
    path = repository.folder / ".gitlab-ci.yml"
    before = path.read_text()
    component = "  - component: gitlab.com/immutable-base/immutable-base/instance@1"
    path.write_text("\n".join(["include:", component, *before.splitlines()[4:], ""]))
    try:
        assert repository.jobs() == listed
        repository.commit("include the component")
        run = repository.pipeline("build", "--source", "push")
        assert run.status == 0, run.log[-4000:]
        assert run.jobs == {"detect-changes": "PASS", "build": "PASS"}
        commit = document(repository, "build", "build.json")["commit"]
        assert commit == repository.git("rev-parse", "HEAD")
    finally:
        path.write_text(before)


# ------------------------------------------------------------------ bases that nobody may build on


def on_base(tiny_lab, folder: Path, base: str) -> Repository:
    return instance_repository(folder, tiny_lab, "acme/other", base)


def test_an_unsigned_base_is_refused_before_anything_is_built(tiny_lab, bases, tmp_path):
    registry = tiny_lab.env["IMMUTABLE_BASE_REGISTRY"]
    unsigned = f"{registry}/unsigned-base:latest"
    subprocess.run(
        ["skopeo", "copy", "--quiet", f"docker://{bases.reference}", f"docker://{unsigned}"],
        env=tiny_lab.env, check=True,
    )  # fmt: skip
    repository = on_base(tiny_lab, tmp_path / "unsigned", unsigned)
    run = repository.pipeline("build", "--source", "push")
    assert run.status != 0
    assert run.jobs["detect-changes"] == "FAIL"
    assert f"FAIL {NotSignedError.exit_code}" in run.log
    assert not (repository.left_by("build") / ".nights/instance/build.json").exists()


def test_an_instance_waits_for_a_base_that_has_no_image(tiny_lab, tmp_path):
    registry = tiny_lab.env["IMMUTABLE_BASE_REGISTRY"]
    repository = on_base(tiny_lab, tmp_path / "waiting", f"{registry}/not-yet:latest")
    run = repository.pipeline("--source", "push")
    assert run.status == 0, run.log[-3000:]
    assert run.jobs["detect-changes"] == "WARN"
    assert rules(repository) == ["base-on-hold"]
    assert "not built (wait)" in run.said("publish")


# ------------------------------------------------------------------ the examples


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Iterator[Path]:
    """Of all examples: their base is fetched once."""
    folder = tmp_path_factory.mktemp("examples")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_built_and_found_sound(name, tiny_lab, bases, workspace, tmp_path):
    """Here on the tiny stream: what it copies is the same, and what it starts is not there."""
    folder = tmp_path / name
    shutil.copytree(ROOT / "examples" / name, folder, symlinks=True)
    file = folder / "Containerfile"
    text, number = re.subn(
        "^FROM .*", f"FROM {bases.reference}", file.read_text(), flags=re.MULTILINE
    )
    assert number == 1
    file.write_text(text)
    Repository(folder, tiny_lab).begin(f"acme/{name}")
    job = {
        "CI_SERVER_URL": tiny_lab.env["IMMUTABLE_BASE_ISSUER"], "CI_SERVER_HOST": "gitlab.com",
        "CI_SERVER_PORT": "80", "CI_PROJECT_PATH": f"acme/{name}", "CI_DEFAULT_BRANCH": "main",
        "CI_REGISTRY_IMAGE": f"{tiny_lab.env['IMMUTABLE_BASE_REGISTRY']}/{name}",
        "CI_PIPELINE_SOURCE": "push",
    }  # fmt: skip
    for action in ("detect-changes", "build", "check"):
        done = tiny_lab.product("instance", action, folder, env=job, workspace=workspace)
        assert done.returncode == 0, done.stderr + done.stdout
    storage = buildah.Storage(process.run, workspace / "storage")
    built = json.loads((workspace / "instance/build.json").read_text())["image_id"]
    with buildah.mounted(storage, built) as root:
        files = [path for path in (folder / "files").rglob("*") if not path.is_dir()]
        assert files
        for path in files:
            inside = root / path.relative_to(folder / "files")
            assert inside.is_symlink() or inside.read_bytes() == path.read_bytes(), inside

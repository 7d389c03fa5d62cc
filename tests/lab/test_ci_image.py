"""The image of the pipeline's jobs: built, asked, listed and signed by jobs, each in a folder of its own."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from immutable_base.context import load_context
from immutable_base.process import run
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.debian.image import push_debian_image
from support.command_blocks import marked_block
from support.paths import ROOT
from support.repositories import PipelineRun, Repository

pytestmark = pytest.mark.long

DEBIAN = "docker.io/library/debian:trixie-slim"
STAGES = ("build", "check", "sbom", "publish")
FIRST = marked_block("how-to/make-the-image-of-the-jobs.md", "tests/lab/test_ci_image.py")
PLACE = "registry.gitlab.com/GROUP/PROJECT"


def checkout_of_this(folder: Path, lab, debian: str) -> Repository:
    """Return a repository with the files of this one as they are now, for the lab's registry and Debian."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_symlink() or (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    containerfile = folder / "ci/Containerfile"
    text = containerfile.read_text()
    assert DEBIAN in text
    containerfile.write_text(text.replace(DEBIAN, debian))
    configuration = folder / "immutable-base.toml"
    shutil.copy(lab.configuration, configuration)
    shutil.copytree(lab.configuration.parent / "layers", folder / "layers", dirs_exist_ok=True)
    done = lab.product("ci", "--config", configuration, "--output", folder / "ci/variants.yml")
    assert done.returncode == 0, done.stderr
    found = Repository(folder, lab)
    found.begin("immutable-base/immutable-base")
    return found


@dataclass(frozen=True)
class Jobs:
    """The jobs of one pipeline, which have ended, and what they have left."""

    run: PipelineRun
    checkout: Repository
    debian: str
    """By a tag, as docker.io/library/debian:trixie-slim is."""

    def folder(self, stage):
        return self.checkout.left_by(f"ci image: {stage}") / ".nights/ci-image"

    def document(self, stage):
        return json.loads((self.folder(stage) / f"{stage}.json").read_text())


@pytest.fixture(scope="module")
def prepared(tiny_lab, tmp_path_factory):
    """Return the checkout, and the Debian that it names."""
    folder = tmp_path_factory.mktemp("ci-image")
    context = load_context(tiny_lab.configuration, folder / "workspace", run)
    paths, registry = LabPaths(root=tiny_lab.state), tiny_lab.registry().host
    debian = push_debian_image(paths, registry, context.tls.environment)
    return checkout_of_this(folder / "checkout", tiny_lab, debian), debian


@pytest.fixture(scope="module")
def jobs(prepared):
    """A pipeline that a person starts to have the image."""
    checkout, debian = prepared
    wanted = ("--source", "web", "--variable", "IMMUTABLE_BASE_BUILD_CI_IMAGE=true")
    yield Jobs(checkout.pipeline("ci image: publish", *wanted), checkout, debian)
    checkout.clear()


def test_a_pipeline_that_is_asked_for_it_makes_the_image_and_every_job_is_green(jobs):
    assert jobs.run.status == 0, jobs.run.log[-6000:]
    assert jobs.run.jobs == {"runner": "PASS", **{f"ci image: {it}": "PASS" for it in STAGES}}


def test_it_is_made_of_the_commit_on_a_debian_by_digest(jobs):
    built = jobs.document("build")
    assert built["commit"] == jobs.checkout.git("rev-parse", "HEAD")
    repository, _, digest = built["base"].partition("@")
    assert f"{repository}:trixie-slim" == jobs.debian
    assert digest.startswith("sha256:")
    assert built["candidate"].endswith(f"/candidates@{built['digest']}")


def test_nothing_speaks_against_it_and_it_lists_every_package(jobs):
    assert {it["level"] for it in jobs.document("check")["findings"]} == {"pass"}
    listed = json.loads((jobs.folder("sbom") / "sbom.cdx.json").read_text())["components"]
    names = {it["name"] for it in listed}
    assert names >= {"buildah", "skopeo", "immutable-base", "cryptography", "cosign", "syft"}


def test_it_is_signed_as_the_variants_are_and_has_its_tags(jobs):
    registry, published = jobs.checkout.lab.registry(), jobs.document("publish")
    digest = jobs.document("build")["digest"]
    day = next(it["name"] for it in published["tags"] if it["name"] != "latest")[:8]
    tags = registry.tags("ci")
    assert (tags["latest"], tags[f"{day}-{digest[7:19]}"]) == (digest, digest)
    done = jobs.checkout.lab.product("verify", f"{registry.host}/{registry.path}/ci:latest")
    assert done.returncode == 0, done.stderr


def test_the_first_one_is_made_by_hand_as_the_page_has_it(prepared, tiny_lab):
    checkout, _ = prepared
    target = f"{tiny_lab.env['IMMUTABLE_BASE_REGISTRY']}/by-hand"
    assert FIRST.count(PLACE) == 1
    env = {
        **tiny_lab.env, "PATH": f"{Path(sys.executable).parent}:{tiny_lab.env['PATH']}",
        "IMMUTABLE_BASE_WORKSPACE": "nights", "IMMUTABLE_BASE_CONFIG": "immutable-base.toml",
    }  # fmt: skip
    try:
        done = subprocess.run(
            ["bash", "-e", "-c", FIRST.replace(PLACE, target)],
            cwd=checkout.folder, env=env, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        built = json.loads((checkout.folder / "nights/ci-image/build.json").read_text())
    finally:
        shutil.rmtree(checkout.folder / "nights", ignore_errors=True)
    there = subprocess.run(
        ["skopeo", "inspect", "--format={{.Digest}}", f"docker://{target}/ci:latest"],
        env=env, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert there.stdout.strip() == built["digest"]
    assert built["commit"] == checkout.git("rev-parse", "HEAD")

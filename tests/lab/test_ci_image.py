"""The image of the pipeline's jobs, built from Debian's packages, asked, listed and signed."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from immutable_base.context import load_context
from immutable_base.process import run
from immutable_base.tools import skopeo
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.debian.image import make_debian_image
from immutable_base_lab.lab import Lab as Services
from support.paths import ROOT
from support.repositories import Repository

pytestmark = pytest.mark.long

PROJECT = "immutable-base/immutable-base"


@dataclass(frozen=True)
class Bench:
    """A checkout of this project, a workspace, and Debian in the lab's registry."""

    lab: object
    checkout: Repository
    workspace: Path
    debian: str
    """By a tag, as docker.io/library/debian:trixie-slim is."""
    said: str
    """What the build has printed."""

    def product(self, *words, **options):
        return self.lab.product("ci-image", *words, workspace=self.workspace, **options)

    def ok(self, *words, **options):
        done = self.product(*words, **options)
        assert done.returncode == 0, done.stderr[-6000:]
        return done.stdout

    def document(self, name):
        return json.loads((self.workspace / f"ci-image/{name}.json").read_text())

    def token(self):
        services = Services(LabPaths(root=self.lab.state))
        return {"SIGSTORE_ID_TOKEN": services.token(project=PROJECT)}


def checkout_of_this(folder: Path, lab) -> Repository:
    """Return a repository with the files of this one, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_symlink() or (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    found = Repository(folder, lab)
    found.begin(PROJECT)
    (folder / "src/immutable_base/untracked.pem").write_text("not of the commit")
    return found


@pytest.fixture(scope="module")
def bench(tiny_lab, tmp_path_factory):
    """The image, built and left as a candidate."""
    workspace = tiny_lab.scratch / "ci-image"
    shutil.rmtree(workspace, ignore_errors=True)
    context = load_context(tiny_lab.configuration, workspace, run)
    debian = f"{tiny_lab.registry().host}/library/debian"
    layout = make_debian_image(LabPaths(root=tiny_lab.state))
    digest = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    skopeo.push(run, layout, f"{debian}@{digest}", context.tls.environment)
    skopeo.move_tag(run, f"{debian}@{digest}", f"{debian}:trixie-slim", context.tls.environment)
    checkout = checkout_of_this(tmp_path_factory.mktemp("checkout"), tiny_lab)
    found = Bench(tiny_lab, checkout, workspace, f"{debian}:trixie-slim", "")
    found.ok("build", checkout.folder, "--base", found.debian, "--candidate")
    yield found
    shutil.rmtree(workspace, ignore_errors=True)


def test_it_is_made_of_the_commit_on_a_debian_by_digest(bench):
    built = bench.document("build")
    assert built["commit"] == bench.checkout.git("rev-parse", "HEAD")
    repository, _, digest = built["base"].partition("@")
    assert f"{repository}:trixie-slim" == bench.debian
    assert digest.startswith("sha256:")
    assert built["candidate"].endswith(f"/candidates@{built['digest']}")


def test_nothing_speaks_against_it_and_it_lists_every_package(bench):
    bench.ok("check")
    assert {it["level"] for it in bench.document("check")["findings"]} == {"pass"}
    bench.ok("sbom")
    listed = json.loads((bench.workspace / "ci-image/sbom.cdx.json").read_text())["components"]
    names = {it["name"] for it in listed}
    assert names >= {"buildah", "skopeo", "immutable-base", "cryptography", "cosign", "syft"}


def test_it_is_signed_as_the_variants_are_and_only_then_has_its_tags(bench):
    registry = bench.lab.registry()
    for verb in ("check", "sbom"):
        bench.ok(verb)
    # Another machine: it has the documents, and no image.
    shutil.rmtree(bench.workspace / "ci-image/oci")
    bench.ok("publish", env=bench.token())
    digest = bench.document("build")["digest"]
    tags = registry.tags("ci")
    assert tags["latest"] == digest
    assert tags[f"{day_of(bench)}-{digest[7:19]}"] == digest
    done = bench.lab.product("verify", f"{registry.host}/{registry.path}/ci:latest")
    assert done.returncode == 0, done.stderr


def day_of(bench):
    return next(it["name"] for it in bench.document("publish")["tags"] if it["name"] != "latest")[
        :8
    ]

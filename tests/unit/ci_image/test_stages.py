"""From a commit to a publication: what each stage refuses, without a registry."""

import subprocess

import pytest

from immutable_base.ci_image import build as room
from immutable_base.ci_image.build import FILE, CiImage
from immutable_base.ci_image.documents import CiImageDocuments
from immutable_base.ci_image.publish import publish_ci_image
from immutable_base.ci_image.sbom import _installed, _programs
from immutable_base.cli.main import main
from immutable_base.context import load_context
from immutable_base.errors import CheckError, ConfigurationError, VerificationError
from immutable_base.model.check import CheckReport, Finding, Level
from immutable_base.model.sbom import SbomRecord
from immutable_base.process import run
from immutable_base.sbom.full import record_of
from immutable_base.tools.skopeo import Resolved
from support.ci_images import BUILT
from support.complete import write_sboms
from support.paths import PRODUCT, ROOT

DIGEST = "sha256:" + "d" * 64


@pytest.fixture
def at(tmp_path, monkeypatch):
    """A checkout with our Containerfile, and a registry that names one Debian."""
    folder = tmp_path / "checkout"
    (folder / "ci").mkdir(parents=True)
    (folder / FILE).write_text((ROOT / FILE).read_text())
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "immutable-base"\nversion = "1.2.3"\n'
    )
    asked = []

    def resolve(_run, reference, _env):
        asked.append(reference)
        return Resolved(digest=DIGEST, created=5, labels={})

    monkeypatch.setattr(room.skopeo, "resolve", resolve)
    found = CiImage(context=load_context(PRODUCT, tmp_path / "workspace", run), folder=folder)
    git(found, "init", "--quiet")
    commit(found)
    return found, asked


def git(at, *words):
    command = ("git", "-C", at.folder, "-c", "user.name=x", "-c", "user.email=x@example.com")
    subprocess.run([*command, *words], check=True, capture_output=True)


def commit(at):
    git(at, "add", "--all")
    git(at, "commit", "--quiet", "--message=x")


def test_the_tag_of_debian_is_asked_once_and_every_stage_is_built_on_its_digest(at):
    image, asked = at
    source = room._source(image, None)
    assert asked == ["docker.io/library/debian:trixie-slim"]
    froms = [line for line in source.text.splitlines() if line.startswith("FROM ")]
    pinned = f"docker.io/library/debian@{DIGEST}"
    assert froms == [f"FROM {pinned} AS made", f"FROM {pinned}"]
    assert (source.base, source.version) == (pinned, "1.2.3")


def test_another_debian_stands_for_every_from(at):
    image, asked = at
    source = room._source(image, "registry.example/debian:x")
    assert asked == ["registry.example/debian:x"]
    assert source.text.count(f"FROM registry.example/debian@{DIGEST}") == 2


def test_only_the_files_of_the_commit_are_built(at):
    image, _ = at
    (image.folder / "key.pem").write_text("secret")
    source = room._source(image, None)
    assert not (source.folder / "key.pem").exists()
    assert (source.folder / FILE).is_file()
    assert not (source.folder / ".git").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[project]\nname = "other"\nversion = "1"\n'),
        ("pyproject.toml", '[project]\nname = "immutable-base"\n'),
        ("pyproject.toml", "["),
        ("pyproject.toml", "project = 1\n"),
        ("pyproject.toml", None),
        (FILE, None),
    ],
)
def test_another_repository_than_ours_is_refused(at, name, text):
    image, asked = at
    (image.folder / name).unlink()
    if text is not None:
        (image.folder / name).write_text(text)
    commit(image)
    with pytest.raises(ConfigurationError, match="no checkout of immutable-base"):
        room._source(image, None)
    assert asked == []


def test_files_from_another_image_are_refused(at):
    image, _ = at
    path = image.folder / FILE
    path.write_text(path.read_text() + f"COPY --from=registry.example/x@{DIGEST} /a /b\n")
    commit(image)
    with pytest.raises(ConfigurationError, match="other images"):
        room._source(image, None)


def test_a_folder_that_is_no_checkout_is_a_sentence_and_no_traceback(tmp_path, capsys):
    where = ["--config", str(PRODUCT), "--workspace", str(tmp_path / "w")]
    assert main(["ci-image", "publish", str(tmp_path), *where]) == 2
    assert "`immutable-base ci-image build` makes it" in capsys.readouterr().err


# ------------------------------------------------------------------ documents


@pytest.fixture
def documents(at):
    """Everything that the stages before a publication leave, about one image."""
    found = at[0].documents
    built = BUILT.model_copy(update={"repository": at[0].repository})
    found.save(built)
    leave(found)
    return found


def leave(found, *, level=Level.PASS, image="a" * 64, repository=None):
    finding = Finding(id="x", title="x", reason="x", level=level, message="no good")
    found.save(CheckReport(
        rests_on=found.rests_on(CheckReport), variant="ci", image_id=image, findings=(finding,),
    ))  # fmt: skip
    subject = {
        "name": repository or "registry.example/os/ci",
        "properties": [{"name": "immutable-base:image-id", "value": "a" * 64}],
    }
    write_sboms(found.sbom, {"metadata": {"component": subject}})
    found.save(record_of(
        found.sbom, variant="ci", image_id="a" * 64, packages=1,
        rests_on=found.rests_on(SbomRecord),
    ))  # fmt: skip


def test_an_image_to_which_a_check_objects_is_not_published(at, documents):
    leave(documents, level=Level.ERROR)
    with pytest.raises(CheckError, match="object to the image"):
        publish_ci_image(at[0])


def test_documents_of_another_build_are_refused(at, documents):
    documents.save(BUILT.model_copy(update={"repository": at[0].repository, "commit": "e" * 40}))
    with pytest.raises(VerificationError, match=r"check\.json rests on another build\.json"):
        publish_ci_image(at[0])


def test_a_check_of_another_image_is_refused(at, documents):
    leave(documents, image="f" * 64)
    with pytest.raises(VerificationError, match="is about the image f"):
        publish_ci_image(at[0])


def test_an_sbom_that_was_changed_or_is_of_another_image_is_refused(at, documents):
    with pytest.raises(VerificationError, match="about another image"):
        publish_ci_image(at[0])
    documents.sbom.write_text("{}")
    with pytest.raises(VerificationError, match="was changed since"):
        publish_ci_image(at[0])


def test_an_image_that_was_built_for_another_registry_is_refused(at, documents):
    other = CiImage(context=at[0].context, folder=at[0].folder)
    documents.save(BUILT)
    leave(documents)
    with pytest.raises(VerificationError, match=r"was built for registry.example/os/ci"):
        publish_ci_image(other)


def test_a_layout_that_is_not_what_was_built_is_refused(at, documents):
    leave(documents, repository=at[0].repository)
    documents.layout.mkdir()
    with pytest.raises(VerificationError, match=r"index\.json|layout"):
        publish_ci_image(at[0])


def test_documents_name_the_command_that_makes_them(tmp_path):
    found = CiImageDocuments(tmp_path)
    names = ("build.json", "sbom.cdx.json")
    assert [found.command_of(name).split()[-1] for name in names] == ["build", "sbom"]


# ------------------------------------------------------------------ the SBOM


def test_only_what_dpkg_has_installed_counts():
    text = "installed a 1.2-3\nconfig-files b 1\ninstalled c:amd64 2:1\n"
    assert list(_installed(text)) == ["a 1.2-3", "c:amd64 2:1"]


def test_the_programs_that_are_built_are_listed_by_module_and_version():
    found = {str(it.purl).partition("@")[0] for it in _programs()}
    assert found == {
        "pkg:golang/github.com/sigstore/cosign/v2",
        "pkg:golang/github.com/anchore/syft",
    }

"""What others write is wrong: one variant or stream fails with a sentence, the others go on."""

import hashlib
import json

import pytest

from immutable_base.errors import HostError, VerificationError
from immutable_base.model.plan import Verdict
from immutable_base.plan import remote
from immutable_base.plan.stream import StreamPlanner
from support.plan_world import edit_metadata
from support.rpmmd import Rpm

ALL = {"base", "base-zfs", "base-zfs-nvidia", "fedora-base"}
EL = ALL - {"fedora-base"}


def failed(plan):
    """Return what could not be planned, by name; the rest was planned."""
    assert {v.name for v in plan.variants} == ALL
    found = {v.name: v for v in plan.variants if v.verdict is Verdict.FAIL}
    assert all(v.reasons and v.exit_code for v in found.values())
    return found


def test_the_sample_is_planned_as_it_is_and_after_an_edit_that_changes_nothing(world):
    assert failed(world.plan()) == {}
    edit_metadata(world, "cuda", (b"<summary>s</summary>", b"<summary>other</summary>"))
    assert failed(world.plan(write=False)) == {}


def test_an_author_in_latin_1_does_not_matter(world):
    world.meta = "Name: zfs\nAuthor: Andr\xe9\nLinux-Maximum: 7.2\n"
    world.encoding = "latin-1"
    plan = world.plan()
    assert failed(plan) == {}
    assert plan.variants[1].kernel.ceiling == "7.2"


@pytest.mark.parametrize("epoch", [b"x", b"-1", b"\xc2\xb2", b"1_0"])
def test_an_epoch_that_is_no_number_fails_the_variants_that_choose_the_package(world, epoch):
    world.write()
    version = b'ver="1.7" rel="1"'
    edit_metadata(world, "baseos", (b'epoch="0" ' + version, b'epoch="' + epoch + b'" ' + version))
    found = failed(world.plan(write=False))
    assert set(found) == EL
    text = " ".join(found["base"].reasons)
    assert "repository 'baseos' describes jq" in text
    assert f"{epoch.decode()}:1.7-1" in text


@pytest.mark.parametrize(
    "replacement",
    [
        (b"</package>\n</metadata>", b"</pack"),
        (b"<metadata", b"\0\1<metadata"),
        (b"<metadata", b"junk"),
    ],
)
def test_metadata_that_cannot_be_parsed_fails_the_variants_that_need_its_repository(
    world, replacement
):
    world.write()
    edit_metadata(world, "cuda", replacement)
    found = failed(world.plan(write=False))
    assert set(found) == {"base-zfs-nvidia"}
    assert "repository 'cuda'" in found["base-zfs-nvidia"].reasons[0]


@pytest.mark.parametrize("packer", ["xz", "bz2", "zst"])
def test_metadata_that_cannot_be_unpacked_fails_the_variants_that_need_its_repository(
    world, packer
):
    world.packer = packer
    world.write()
    repodata = world.folder / "www/cuda/repodata"
    (path,) = repodata.glob("*-primary.*")
    repomd = repodata / "repomd.xml"
    text = repomd.read_text()
    size = f"<size>{path.stat().st_size}</size>"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(b"junk")
    text = text.replace(digest, hashlib.sha256(b"junk").hexdigest()).replace(size, "<size>4</size>")
    path.rename(path.with_name(path.name.replace(digest, hashlib.sha256(b"junk").hexdigest())))
    repomd.write_text(text)
    world.signer.sign(repomd)
    found = failed(world.plan(write=False))
    assert set(found) == {"base-zfs-nvidia"}
    assert "repository 'cuda'" in found["base-zfs-nvidia"].reasons[0]


@pytest.mark.parametrize(("gone", "changed"), [("openzfs", "cuda"), ("cuda", "openzfs")])
def test_of_several_faults_the_one_of_trust_is_told(world, gone, changed):
    """A server that is down passes; who only reads of it would try again tomorrow."""
    world.answers = {f"/{gone}/repodata/repomd.xml": 404}
    world.tampered = {f"/{changed}/repodata/repomd.xml": b"changed after signing"}
    variant = world.variant("base-zfs-nvidia")
    assert variant.exit_code == VerificationError.exit_code
    assert f"repository '{changed}'" in variant.reasons[0]


def need_a_file(world):
    """Let `tree` require a path that only the complete lists of files have."""
    world.repositories["baseos"] += [
        Rpm("tree", "3-1", requires=("/usr/share/data/x",)),
        Rpm("data", files=("/usr/share/data/x",)),
    ]
    world.write()
    (path,) = (world.folder / "www/baseos/repodata").glob("*-filelists.*")
    return path


def test_lists_of_files_that_are_gone_are_named_by_every_variant_that_needs_them(world):
    need_a_file(world).unlink()
    found = failed(world.plan(write=False))
    assert set(found) == EL
    for variant in found.values():
        assert variant.reasons[0].startswith("filelists metadata of repository 'baseos'")
        assert variant.exit_code == 6


def test_lists_of_files_that_cannot_be_parsed_are_named_by_every_variant_that_needs_them(world):
    need_a_file(world)
    edit_metadata(world, "baseos", (b"<filelists", b"junk"), kind="filelists")
    found = failed(world.plan(write=False))
    assert set(found) == EL
    for variant in found.values():
        assert "repository 'baseos' cannot be read" in variant.reasons[0]


def test_a_place_of_a_package_that_is_no_url_fails_the_variants_that_choose_it(world):
    world.repositories["openzfs"] = [
        Rpm(**{**rpm.__dict__, "location": "http://["}) if rpm.name == "libzfs6" else rpm
        for rpm in world.repositories["openzfs"]
    ]
    assert set(failed(world.plan())) == {"base-zfs", "base-zfs-nvidia"}


def test_a_mirror_that_redirects_to_no_host_fails_the_variants_that_need_it(world):
    world.redirects = {"/cuda/repodata/repomd.xml": "http://xn--a/"}
    found = failed(world.plan())
    assert set(found) == {"base-zfs-nvidia"}
    assert "repository 'cuda'" in found["base-zfs-nvidia"].reasons[0]


@pytest.mark.parametrize(
    "index",
    [None, 0, "x", {}, ["x"], [None], [{"platform": "x"}], [{"platform": None}],
     [{"platform": {"os": "linux", "architecture": "amd64"}}],
     [{"platform": {"os": "linux", "architecture": "amd64"}, "digest": "sha256:x"}]],
)  # fmt: skip
def test_an_index_of_another_form_fails_its_stream(world, index):
    world.raw = {"el": json.dumps({"manifests": index}).encode()}
    found = failed(world.plan())
    assert set(found) == EL
    assert found["base"].exit_code == 6
    assert "registry.invalid/el:10" in found["base"].reasons[0]


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[" * 100_000, b"[]", b'{"a": 1'])
def test_a_manifest_that_is_no_json_fails_its_stream(world, raw):
    world.raw = {"el": raw}
    found = failed(world.plan())
    assert set(found) == EL
    assert "registry.invalid/el:10" in found["base"].reasons[0]


@pytest.mark.parametrize(
    "text",
    ["", "junk", "end\n", "package\tx\n", "package\ta\t0\t1\t1\tnoarch\t(none)\nend\n",
     "package\ta\t0\t1\t1\tnoarch\t1\nprovides\ta\tx\t1\nend\n"],
)  # fmt: skip
def test_bases_that_answer_in_another_form_fail_in_words(world, text):
    world.installed = text
    assert set(failed(world.plan())) == ALL


@pytest.mark.parametrize("error", [ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, UnicodeError])  # fmt: skip
def test_a_form_that_nobody_foresaw_fails_one_variant(world, monkeypatch, error):
    plan = StreamPlanner.plan

    def planned(self, name):
        if name == "base-zfs":
            raise error("of a form")
        return plan(self, name)

    monkeypatch.setattr(StreamPlanner, "plan", planned)
    found = failed(world.plan())
    assert set(found) == {"base-zfs"}
    assert found["base-zfs"].exit_code == 6
    assert error.__name__ in " ".join(found["base-zfs"].reasons)


@pytest.mark.parametrize("error", [ValueError, TypeError, KeyError, RecursionError])
def test_a_base_of_a_form_that_nobody_foresaw_fails_one_stream(world, monkeypatch, error):
    read = remote.read_base

    def reading(storage, environment, cache, reference):
        if "el:10" in reference:
            raise error("of a form")
        return read(storage, environment, cache, reference)

    monkeypatch.setattr(remote, "read_base", reading)
    assert set(failed(world.plan())) == EL


def test_what_this_host_lacks_ends_the_plan(world, monkeypatch):
    def broken(self, name):
        raise HostError("no space")

    monkeypatch.setattr(StreamPlanner, "plan", broken)
    with pytest.raises(HostError):
        world.plan()

"""The SBOM is complete or an error, and the same every time."""

import copy
import hashlib
import json
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from immutable_base.config.load import load_settings
from immutable_base.errors import CheckError, CommandError
from immutable_base.model.facts import InstalledPackage
from immutable_base.model.plan import (
    BasePlan,
    KernelPlan,
    ModulePlan,
    Package,
    VariantPlan,
    Verdict,
)
from immutable_base.model.sbom import full_sbom_path
from immutable_base.process import Result
from immutable_base.sbom.make import (
    compare,
    image_component,
    make_sbom,
    read_bom,
    render,
    rpm_names,
)
from immutable_base.sbom.modules import module_components
from immutable_base.sbom.subject import require_subject
from support.syft_document import HEAD

RELEASE = "6.12.107+deb13-amd64"
EPOCH = 1_764_000_000


def rpm(name, version, arch="x86_64", epoch=None):
    """A component as syft writes it."""
    qualifiers = [f"arch={arch}"] if arch else []
    if epoch:
        qualifiers.append(f"epoch={epoch}")
        shown = f"{epoch}:{version}"
    else:
        shown = version
    purl = f"pkg:rpm/centos/{name}@{version}?{'&'.join([*qualifiers, 'distro=centos-10'])}"
    return {
        "bom-ref": f"{purl}&package-id={name}",
        "type": "library",
        "name": name,
        "version": shown,
        "cpe": f"cpe:2.3:a:{name}:{name}:{version}:*:*:*:*:*:*:*",
        "purl": purl,
        "properties": [
            {"name": "syft:cpe23", "value": f"cpe:2.3:a:guess:{name}"},
            {"name": "syft:location:0:path", "value": "/usr/lib/sysimage/rpm/rpmdb.sqlite"},
            {"name": "syft:metadata:sourceRpm", "value": f"{name}.src.rpm"},
        ],
    }


SYFT = {
    **HEAD,
    "components": [
        rpm("bash", "5.2-1.el10"),
        rpm("openssl-libs", "3.2-1.el10", epoch=1),
        rpm("tzdata", "2026a-1.el10", arch="noarch"),
        rpm("gpg-pubkey", "8483c65d-5ccc5b19", arch=None),
        {"bom-ref": "os", "type": "operating-system", "name": "centos", "version": "10"},
    ],
}
INSTALLED = [
    "bash-5.2-1.el10.x86_64",
    "openssl-libs-3.2-1.el10.x86_64",
    "tzdata-2026a-1.el10.noarch",
    "gpg-pubkey-8483c65d-5ccc5b19",
]


@pytest.fixture
def settings(product):
    return load_settings(product)


@pytest.fixture
def product(request):
    return request.config.rootpath / "immutable-base.toml"


def package(name):
    return Package(
        name=name, epoch=0, version="2.3.9", release="1", arch="x86_64", repository="local",
        url="", checksum=None, size=0, build_time=0,
    )  # fmt: skip


@pytest.fixture
def variant():
    module = ModulePlan(
        name="zfs", version="2.3.9", maximum="7.2", source=package("zfs-dkms"),
        kmod=package("kmod-zfs-prebuilt"), builder=(), builder_request=(), source_date_epoch=EPOCH,
    )  # fmt: skip
    kernel = KernelPlan(
        image="6.12.105", image_evr="1", chosen=RELEASE, chosen_evr="1", action="up",
        source="repository", ceiling="7.2", rejected=(),
    )  # fmt: skip
    return VariantPlan(
        name="base-zfs", stream="centos-stream-10", verdict=Verdict.BUILD,
        base=BasePlan(reference="quay.io/x/y:z", digest="sha256:" + "0" * 64, created=0),
        kernel=kernel, modules=(module,), layers=(), packages=(), reasons=(),
    )  # fmt: skip


@pytest.fixture
def root(tmp_path):
    """An image's root with the modules of ZFS."""
    folder = tmp_path / "usr/lib/modules" / RELEASE / "extra"
    folder.mkdir(parents=True)
    for name in ("zfs", "spl"):
        (folder / f"{name}.ko.zst").write_bytes(name.encode())
    return tmp_path


def read(document):
    return read_bom(json.dumps(document).encode())


def bom():
    return read(SYFT)


def test_names_are_those_of_rpm():
    assert sorted(rpm_names(bom())) == sorted(INSTALLED)


def test_the_same_packages_pass():
    compare(rpm_names(bom()), INSTALLED)


def test_a_short_sbom_names_what_is_missing():
    with pytest.raises(CheckError, match="1 missing, 0 too many") as caught:
        compare(rpm_names(bom()), [*INSTALLED, "zfs-2.3.9-1.el10.x86_64"])
    assert "missing: zfs-2.3.9-1.el10.x86_64" in str(caught.value)


def test_a_package_that_is_not_installed_is_an_error():
    with pytest.raises(CheckError, match="0 missing, 1 too many"):
        compare(rpm_names(bom()), INSTALLED[1:])


def test_a_package_installed_twice_counts_twice():
    with pytest.raises(CheckError, match="1 missing"):
        compare(rpm_names(bom()), [*INSTALLED, INSTALLED[0]])


def test_document(settings, variant, root):
    document = bom()
    for component in module_components(settings, root, variant):
        document.components.add(component)
    image = image_component("registry/x/base-zfs", variant, image_id="f" * 64, epoch=EPOCH)
    parsed = json.loads(render(document, image=image, epoch=EPOCH))
    assert parsed["specVersion"] == "1.6"
    assert parsed["metadata"]["timestamp"].startswith("2025-11-24")
    assert parsed["metadata"]["component"]["name"] == "registry/x/base-zfs"
    names = {component["name"]: component for component in parsed["components"]}
    assert {"zfs.ko", "spl.ko", "bash", "gpg-pubkey", "centos"} <= set(names)
    assert names["zfs.ko"]["version"] == "2.3.9"
    for name in ("zfs", "spl"):
        digest = hashlib.sha256(next(root.rglob(f"{name}.ko.zst")).read_bytes()).hexdigest()
        assert names[f"{name}.ko"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    properties = {item["name"]: item["value"] for item in names["zfs.ko"]["properties"]}
    assert properties["immutable-base:kernel-release"] == RELEASE
    assert properties["immutable-base:package"] == "kmod-zfs-prebuilt-2.3.9-1.x86_64"
    assert properties["immutable-base:path"].endswith("/extra/zfs.ko.zst")
    assert "/tmp/root" not in json.dumps(parsed)
    assert "cpe" not in names["bash"]


def test_the_same_content_gives_the_same_bytes(variant):
    def text(document):
        image = image_component("r/x", variant, image_id="f" * 64, epoch=EPOCH)
        return render(document, image=image, epoch=EPOCH)

    shuffled = copy.deepcopy(SYFT)
    shuffled["components"].reverse()
    shuffled["serialNumber"] = "urn:uuid:00000000-1e5b-4f4e-9c4f-7d7a9f0a6d11"
    shuffled["metadata"]["timestamp"] = "2027-01-01T00:00:00Z"
    assert text(bom()) == text(read(shuffled))
    fewer = copy.deepcopy(SYFT)
    fewer["components"].pop()
    serials = {json.loads(text(read(d)))["serialNumber"] for d in (SYFT, fewer)}
    assert len(serials) == 2


def test_a_module_that_is_missing(settings, variant, root):
    next(root.rglob("zfs.ko.zst")).unlink()
    with pytest.raises(CheckError, match="0 files for the module zfs"):
        list(module_components(settings, root, variant))


def test_a_module_that_is_there_twice(settings, variant, root):
    (root / "usr/lib/modules" / RELEASE / "zfs.ko").write_bytes(b"")
    with pytest.raises(CheckError, match="2 files for the module zfs"):
        list(module_components(settings, root, variant))


def changed(**changes):
    return {**copy.deepcopy(SYFT), **changes}


def with_component(**changes):
    return changed(components=[{**rpm("bash", "5.2-1.el10"), **changes}])


@pytest.mark.parametrize(
    "document",
    [
        # CycloneDX 1.4, which older versions of syft wrote, lists tools without `components`.
        changed(metadata={"tools": [{"vendor": "anchore", "name": "syft"}]}),
        changed(metadata=None),
        changed(components=None),
        changed(components=["bash"]),
        with_component(name=None),
        with_component(purl="no purl"),
        with_component(type="no type"),
        with_component(properties=[{}]),
        [],
        None,
    ],
)
def test_a_document_of_another_shape_is_syfts_failure(document):
    with pytest.raises(CommandError, match="syft wrote is not understood") as caught:
        rpm_names(read(document))
    assert caught.value.details


@pytest.mark.parametrize("text", [b"", b"\xff", b"[" * 20_000])
def test_what_is_no_json_is_syfts_failure(text):
    with pytest.raises(CommandError, match="syft wrote is not understood"):
        read_bom(text)


# ------------------------------------------------------------------ the whole of it


@pytest.fixture
def make(settings, variant, root, tmp_path):
    """Make the SBOM of `root` with a syft that finds what it is given."""

    (root / "usr/share/rpm").mkdir(parents=True)
    (root / "usr/share/rpm/rpmdb.sqlite").write_text("the image's")

    def make_it(document, packages, variant=variant, settings=settings):
        def run(command):
            [target] = [word for word in command.argv if word.startswith("--output=")]
            Path(target.rpartition("=")[2]).write_text(json.dumps(document))
            [scanned] = [word for word in command.argv if word.startswith("dir:")]
            database = Path(scanned.removeprefix("dir:")) / "usr/share/rpm/rpmdb.sqlite"
            assert database.read_text() == "the image's"
            return Result(status=0, stdout=b"", stderr_tail="")

        path = tmp_path / "run" / "sbom" / f"{variant.name}.cdx.json"
        facts = SimpleNamespace(
            image_id="f" * 64,
            packages=tuple(InstalledPackage(name=n, evr=e, arch=a) for n, e, a in packages),
            public_keys=("gpg-pubkey-8483c65d-5ccc5b19",),
        )
        make_sbom(run, settings, root, variant=variant, facts=facts, document=path)
        return path

    return make_it


PACKAGES = (
    ("bash", "5.2-1.el10", "x86_64"),
    ("openssl-libs", "1:3.2-1.el10", "x86_64"),
    ("tzdata", "2026a-1.el10", "noarch"),
)


def test_an_sbom_is_written_with_the_packages_and_the_modules(make, settings):
    path = make(SYFT, PACKAGES)
    assert path.name == "base-zfs.cdx.json"
    repository = settings.repository_of("base-zfs")
    require_subject(path, repository=repository, image_id="f" * 64)
    names = {item["name"] for item in json.loads(path.read_text())["components"]}
    assert {"bash", "openssl-libs", "tzdata", "gpg-pubkey", "zfs.ko", "spl.ko"} <= names
    assert path.stat().st_mode & 0o777 == 0o644
    assert {*path.parent.iterdir()} == {path, full_sbom_path(path)}, "nothing else stays"


def test_the_full_sbom_has_all_that_syft_says_and_the_attested_one_names_it(make, variant):
    path = make(SYFT, PACKAGES)
    slim, raw = json.loads(path.read_text()), full_sbom_path(path).read_bytes()
    full = json.loads(raw)
    (reference,) = slim["externalReferences"]
    assert reference["type"] == "bom"
    assert reference["hashes"] == [{"alg": "SHA-256", "content": sha256(raw).hexdigest()}]
    assert reference["url"] == f"urn:cdx:{full['serialNumber'].removeprefix('urn:uuid:')}/1"
    assert full["metadata"]["component"] == slim["metadata"]["component"]
    assert "externalReferences" not in full
    names = {item["name"]: item for item in full["components"]}
    assert set(names) == {item["name"] for item in slim["components"]}
    assert names["bash"]["cpe"].startswith("cpe:2.3:a:bash:")
    said = {item["name"] for item in names["bash"]["properties"]}
    assert said == {"syft:cpe23", "syft:location:0:path", "syft:metadata:sourceRpm"}
    assert "zfs.ko" in names
    image = full["metadata"]["component"]["bom-ref"]
    edges = {item["ref"]: item.get("dependsOn", []) for item in full["dependencies"]}
    assert len(edges[image]) == len(names), "the image's own, which the attested one leaves out"
    first = raw
    make({**SYFT, "serialNumber": "urn:uuid:00000000-1e5b-4f4e-9c4f-7d7a9f0a6d11"}, PACKAGES)
    assert full_sbom_path(path).read_bytes() == first, "the same every time"


@pytest.mark.parametrize(
    ("packages", "message"),
    [
        (PACKAGES[1:], "0 missing, 1 too many"),
        ((*PACKAGES, ("zfs", "2.3.9-1", "x86_64")), "1 missing, 0 too many"),
        ((("bash", "5.2-1.el10", "i686"), *PACKAGES[1:]), "1 missing, 1 too many"),
    ],
)
def test_no_sbom_is_written_that_does_not_have_exactly_the_images_packages(
    make, tmp_path, packages, message
):
    """As when a path in an image hides its rpm database from syft, which then finds nothing."""
    with pytest.raises(CheckError, match=message):
        make(SYFT, packages)
    assert not list(tmp_path.rglob("*.cdx.json"))


def test_a_syft_that_finds_nothing_gives_no_sbom(make):
    with pytest.raises(CheckError, match=r"the SBOM has 0 packages, .* 4: 4 missing"):
        make({**SYFT, "components": []}, PACKAGES)


def test_a_module_whose_name_begins_like_anothers_is_told_from_it(settings, variant, tmp_path):
    """`nvidia` is not `nvidia-uvm`, and not `nvidia-drm` either."""
    module = variant.modules[0].model_copy(update={"name": "nvidia", "version": "550.1"})
    folder = tmp_path / "usr/lib/modules" / RELEASE / "extra"
    folder.mkdir(parents=True)
    names = settings.modules["nvidia"].ko
    assert {"nvidia", "nvidia-uvm"} <= set(names)
    for name in names:
        (folder / f"{name}.ko.xz").write_bytes(name.encode())
    found = module_components(settings, tmp_path, variant.model_copy(update={"modules": (module,)}))
    digests = {item.name: item.hashes[0].content for item in found}
    assert digests == {f"{name}.ko": sha256(name.encode()).hexdigest() for name in names}


def test_a_document_that_the_log_would_refuse_is_written_and_is_an_error(make, settings, tmp_path):
    signing = settings.signing.model_copy(update={"sbom_limit_kib": 1})
    small = settings.model_copy(update={"signing": signing})
    with pytest.raises(
        CheckError, match=r"the SBOM of base-zfs has [2-9] KiB, more than the 1 KiB"
    ):
        make(SYFT, PACKAGES, settings=small)
    assert (tmp_path / "run/sbom/base-zfs.cdx.json").is_file(), "what fills it can be looked at"

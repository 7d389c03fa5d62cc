"""A small world without network or root: repositories in folders, a base image in two texts."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from immutable_base import context, download
from immutable_base.config.schema import Settings
from immutable_base.context import Context
from immutable_base.errors import CommandError
from immutable_base.model.plan import Plan, VariantPlan
from immutable_base.plan.make import make_plan
from immutable_base.process import Command, Result, run
from support.rpmmd import Notice, Rpm, Signer, make_signer, write_repository

NOW = 1_795_000_000
"""2026-11-18, some days before the bases were made; seconds since 1970."""
IMAGE_KERNEL = ("6.12.105-1", "6.12.105-1.x86_64")


def kernel_rpms(version: str, *, without: tuple[str, ...] = (), release: str = "1") -> list[Rpm]:
    """Return the packages of one kernel as EL splits them."""
    evr, uname = f"{version}-{release}", f"{version}-{release}.x86_64"
    own = {
        "kernel": ((), (f"kernel-core-uname-r = {uname}", f"kernel-modules-uname-r = {uname}")),
        "kernel-core": (
            (f"kernel-uname-r = {uname}",),
            (f"kernel-modules-core-uname-r = {uname}",),
        ),
        "kernel-modules": ((), (f"kernel-uname-r = {uname}",)),
        "kernel-modules-core": ((), (f"kernel-uname-r = {uname}",)),
        "kernel-devel": ((), ()),
    }
    return [
        Rpm(
            name,
            evr,
            provides=(*((f"{name}-uname-r = {uname}",) if name != "kernel" else ()), *provides),
            requires=requires,
        )
        for name, (provides, requires) in own.items()
        if name not in without
    ]


def installed_text(rpms: list[Rpm]) -> str:
    """Return what the image's rpm would print for the query of `rpmdb`."""
    bits = {"<": 2, ">": 4, "=": 8, "<=": 10, ">=": 12}
    lines = []
    for rpm in rpms:
        epoch, version, release = rpm.parts
        lines.append(
            "\t".join(["package", rpm.name, epoch, version, release, rpm.arch, str(rpm.build_time)])
        )
        for word in ("provides", "requires", "conflicts", "obsoletes"):
            own = (f"{rpm.name} = {rpm.evr}",) if word == "provides" else ()
            for dependency in (*own, *getattr(rpm, word)):
                parts = (
                    [dependency, "", ""]
                    if dependency.startswith("(")
                    else [*dependency.split(" "), "", ""][:3]
                )
                name, sign, evr = parts
                lines.append("\t".join([word, name, str(bits.get(sign, 0)), evr]))
        lines += [f"file\t{path}" for path in rpm.files]
        lines.append("end")
    return "\n".join(lines) + "\n"


@dataclass
class World:
    """Change its parts, then ask for the plan."""

    folder: Path
    signer: Signer
    document: dict
    base: list[Rpm]
    kernels: tuple[str, ...]
    repositories: dict[str, list[Rpm]]
    meta: str = "Linux-Maximum: 7.2\n"
    encoding: str = "utf-8"
    """Of `meta`."""
    raw: dict[str, bytes] = field(default_factory=dict)
    """Part of a base's reference to the manifest that the registry has for it."""
    installed: str | None = None
    """What the bases' rpm prints, where it is not what `base` describes."""
    labels: dict[str, str] = field(default_factory=dict)
    """Of the bases."""
    os_release: str | None = None
    """Text of the bases' os-release."""
    published: dict[str, dict[str, str] | str] = field(default_factory=dict)
    """Variant to the labels of its last image, or to what skopeo says instead."""
    now: float = NOW
    """Seconds since 1970."""
    redirects: dict[str, str] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    """URL path to the HTTP status it gets instead of its file."""
    requests: list[str] = field(default_factory=list)
    tampered: dict[str, bytes] = field(default_factory=dict)
    packer: str = "gz"
    checksum: str = "sha256"
    """Algorithm by which repomd.xml describes its files."""
    timestamps: dict[str, int | None] = field(default_factory=dict)
    """When the metadata of repositories was made, in seconds since 1970."""
    notices: dict[str, list[Notice]] = field(default_factory=dict)
    """What repositories advise; others publish no advisories."""
    written: dict[str, list[Rpm]] = field(default_factory=dict)

    def write(self) -> None:
        for name, rpms in self.repositories.items():
            if self.written.get(name) == rpms:
                continue
            self.written[name] = list(rpms)
            shutil.rmtree(self.folder / "www" / name, ignore_errors=True)
            write_repository(
                self.folder / "www" / name, rpms, self.signer, packer=self.packer,
                checksum=self.checksum, timestamp=self.timestamps.get(name, NOW), notices=self.notices.get(name),
            )  # fmt: skip
        shutil.copy(self.signer.public, self.folder / "www" / "key.asc")

    def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.requests.append(path)
        if path in self.answers:
            return httpx.Response(self.answers[path])
        if path in self.redirects:
            return httpx.Response(302, headers={"Location": self.redirects[path]})
        if path in self.tampered:
            return httpx.Response(200, content=iter([self.tampered[path]]))
        file = self.folder / "www" / path.lstrip("/")
        if path.endswith(".rpm"):
            return httpx.Response(200, content=iter([f"rpm {Path(path).name}".encode()]))
        return (
            httpx.Response(200, content=iter([file.read_bytes()]))
            if file.is_file()
            else httpx.Response(404)
        )

    def run(self, command: Command) -> Result:
        """Answer for skopeo, buildah and rpm2cpio; gpg and gpgv are real."""
        program, words = command.argv[0], command.argv
        if program in {"gpg", "gpgv"}:
            return run(command)
        if program == "skopeo":
            return self._skopeo(words)
        if program == "rpm2cpio":
            return self._said("archive")
        if program == "cpio":
            # Of a real package cpio gives what was asked for, and nothing else.
            assert any(word.startswith("/usr/src/zfs-") for word in words), words
            return self._said(self.meta.encode(self.encoding))
        if program == "bwrap":
            assert "--queryformat" in words, words
            text = installed_text(self.base) if self.installed is None else self.installed
            return self._said(text)
        return self._buildah(words)

    def _skopeo(self, words: tuple[str, ...]) -> Result:
        if "registry.invalid/x/" in words[-1]:
            return self._our_registry(words)
        if "--config" in words:
            config = {"created": "2026-11-20T00:00:00Z", "config": {"Labels": self.labels}}
            return self._said(json.dumps(config))
        found = [raw for name, raw in self.raw.items() if f"/{name}:" in words[-1]]
        return self._said(found[0] if found else '{"layers": []}')

    def _our_registry(self, words: tuple[str, ...]) -> Result:
        variant = words[-1].rpartition("/")[2].removesuffix(":latest")
        found = self.published.get(variant, "reading manifest latest: name unknown")
        if isinstance(found, str):
            raise CommandError("skopeo failed", details=found)
        return self._said(json.dumps({"config": {"Labels": found}}))

    def _buildah(self, words: tuple[str, ...]) -> Result:
        assert "buildah" in words, words
        if "mount" in words:
            root = Path(tempfile.mkdtemp(dir=self.folder))
            for kernel in self.kernels:
                (root / "usr/lib/modules" / kernel).mkdir(parents=True)
                (root / "usr/lib/modules" / kernel / "vmlinuz").touch()
            if self.os_release is not None:
                (root / "usr/lib/os-release").write_text(self.os_release)
            return self._said(str(root))
        return self._said("container-or-image-id")

    @staticmethod
    def _said(output: str | bytes) -> Result:
        stdout = output.encode() if isinstance(output, str) else output
        return Result(status=0, stdout=stdout, stderr_tail="")

    def context(self) -> Context:
        return Context(
            settings=Settings.model_validate(self.document),
            config_path=self.folder / "immutable-base.toml",
            layers_folder=self.folder,
            workspace=self.folder / "ws",
            run=self.run,
            clock=lambda: self.now,
        )

    def plan(self, *variants: str, write: bool = True) -> Plan:
        if write:
            self.write()
        shutil.rmtree(self.folder / "ws" / "cache" / "base", ignore_errors=True)
        with self.context().open_plan_inputs() as inputs:
            return make_plan(inputs, variants or inputs.settings.variants)

    def variant(self, name: str, *, write: bool = True) -> VariantPlan:
        return self.plan(name, write=write).variants[0]


def configuration() -> dict:
    names = ("baseos", "openzfs", "cuda", "fedora")
    return {
        "schema_version": 1,
        "source": "https://example.invalid/x",
        "vendor": "v",
        "licenses": "Apache-2.0",
        "streams": {
            "el": {"base": "registry.invalid/el:10", "release": "10", "repositories": ["baseos"]},
            "fc": {"base": "registry.invalid/fc:43", "release": "43", "repositories": ["fedora"]},
        },
        "variants": {
            "base": {"stream": "el", "layers": ["base"], "description": "d"},
            "base-zfs": {"stream": "el", "layers": ["base", "zfs"], "description": "d"},
            "base-zfs-nvidia": {"stream": "el", "layers": ["base", "zfs", "nvidia"], "description": "d"},
            "fedora-base": {"stream": "fc", "layers": ["base"], "description": "d"},
        },
        "layers": {
            "base": {"packages": ["jq", "tree"]},
            "zfs": {"packages": ["zfs"], "module": "zfs"},
            "nvidia": {"packages": ["nvidia-driver-cuda"], "module": "nvidia"},
        },
        "modules": {
            "zfs": {
                "source_package": "zfs-dkms", "kmod_package": "kmod-zfs-prebuilt", "provides": "zfs-kmod",
                "dkms_name": "zfs", "branch": "2.3", "repositories": ["openzfs"], "ko": ["spl", "zfs"],
                "maximum": "meta", "toolchain": ["gcc", "rpm-build"],
            },
            "nvidia": {
                "source_package": "kmod-nvidia-open-dkms", "kmod_package": "kmod-nvidia-open-prebuilt",
                "provides": "nvidia-kmod", "dkms_name": "nvidia", "branch": "550", "repositories": ["cuda"],
                "ko": ["nvidia"], "maximum": "none", "toolchain": ["gcc", "rpm-build"],
            },
        },
        "kernel": {
            "packages": ["kernel", "kernel-core", "kernel-modules", "kernel-modules-core"],
            "optional_packages": ["kernel-modules-extra"],
            "devel_package": "kernel-devel",
        },
        "repositories": {
            name: {"url": f"http://mirror.invalid/{name}/", "key": "k", "metadata_key": "k"} for name in names
        },
        "keys": {"k": {"places": ["http://mirror.invalid/key.asc"], "fingerprint": "0" * 40}},
        "registry": {"destination": "registry.invalid/x"},
        "signing": {
            "certificate_identity": "https://i.invalid/ci", "certificate_oidc_issuer": "https://i.invalid",
            "fulcio_url": "https://fulcio.sigstore.dev", "rekor_url": "https://rekor.sigstore.dev",
        },
        "publish": {"tags": ["latest"]},
    }  # fmt: skip


def zfs_rpms(version: str) -> list[Rpm]:
    return [
        Rpm("zfs", f"{version}-1.el10", requires=(f"zfs-kmod = {version}", f"libzfs6 = {version}-1.el10")),
        Rpm("libzfs6", f"{version}-1.el10"),
        Rpm(
            "zfs-dkms", f"{version}-1.el10", "noarch",
            provides=(f"zfs-kmod = {version}",), requires=("dkms >= 2.2", "gcc", "make", "/usr/bin/perl"),
        ),
    ]  # fmt: skip


def nvidia_rpms(version: str) -> list[Rpm]:
    evr = f"3:{version}-1.el10"
    return [
        Rpm("nvidia-driver-cuda", evr, requires=(f"nvidia-kmod-common = 3:{version}",)),
        Rpm("nvidia-kmod-common", evr, "noarch", requires=(f"nvidia-kmod = 3:{version}",)),
        Rpm(
            "kmod-nvidia-open-dkms",
            evr,
            "noarch",
            provides=(f"nvidia-kmod = 3:{version}",),
            requires=("dkms",),
        ),
    ]


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return make_signer(tmp_path_factory.mktemp("key"))


@pytest.fixture
def world(tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> World:
    """The lab's case: the image's kernel-devel has gone, NVIDIA builds only on an older kernel."""
    common = [Rpm("jq", "1.7-1"), Rpm("tree", "2-1"), Rpm("gcc", "14-1"), Rpm("make", "4-1"),
              Rpm("perl", "5-1", files=("/usr/bin/perl",)), Rpm("rpm-build", "4-1")]  # fmt: skip
    baseos = [
        *common, Rpm("dkms", "3.2-1"),
        *kernel_rpms("6.12.94"), *kernel_rpms("6.12.105", without=("kernel-devel",)), *kernel_rpms("6.12.117"),
        *kernel_rpms("6.12.116", without=("kernel-modules", "kernel-devel")),
    ]  # fmt: skip
    document = configuration()
    document["keys"]["k"]["fingerprint"] = signer.fingerprint
    world = World(
        folder=tmp_path,
        signer=signer,
        document=document,
        base=[
            Rpm("bash", "5-1", files=("/usr/bin/bash",)),
            *kernel_rpms("6.12.105", without=("kernel-devel",)),
        ],
        kernels=(IMAGE_KERNEL[1],),
        repositories={
            "baseos": baseos,
            "openzfs": [*zfs_rpms("2.3.9"), *zfs_rpms("2.4.4"), *zfs_rpms("2.3.10~rc1")],
            "cuda": [*nvidia_rpms("550.163.01"), *nvidia_rpms("580.100")],
            "fedora": common,
        },
    )
    digest_rpms(world)
    monkeypatch.setattr(context, "open_downloader", lambda authority: opened(world))
    monkeypatch.setattr(download, "LONGEST_WAIT", 0.01)
    return world


def digest_rpms(world: World, algorithm: str = "sha256") -> None:
    """Make the checksums of the packages those of the files that `handle` serves."""
    for name, rpms in world.repositories.items():
        world.repositories[name] = [
            Rpm(
                **{
                    **rpm.__dict__,
                    "checksum": hashlib.new(algorithm, f"rpm {rpm.file_name}".encode()).hexdigest(),
                    "checksum_type": algorithm,
                }
            )
            for rpm in rpms
        ]


@contextlib.contextmanager
def opened(world: World):
    transport = httpx.MockTransport(world.handle)
    with httpx.Client(transport=transport, follow_redirects=True) as client:
        yield download.Downloader(client)


def edit_metadata(world, repository, *replacements, kind="primary"):
    """Change the text of a repository's metadata; checksums and signature follow."""
    repodata = world.folder / "www" / repository / "repodata"
    (path,) = repodata.glob(f"*-{kind}.*")
    repomd = repodata / "repomd.xml"
    text = gzip.decompress(path.read_bytes())
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    packed = gzip.compress(text, mtime=0)
    old, new = (hashlib.sha256(content).hexdigest() for content in (path.read_bytes(), packed))
    size = f"<size>{path.stat().st_size}</size>", f"<size>{len(packed)}</size>"
    path.rename(path.with_name(path.name.replace(old, new))).write_bytes(packed)
    repomd.write_text(repomd.read_text().replace(old, new).replace(*size))
    world.signer.sign(repomd)

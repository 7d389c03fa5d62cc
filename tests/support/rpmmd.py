"""Small repositories, written as createrepo_c writes them, and a key to sign them with."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import zstandard

FLAGS = {"=": "EQ", "<": "LT", ">": "GT", "<=": "LE", ">=": "GE"}


@dataclass(frozen=True)
class Rpm:
    name: str
    evr: str = "1-1"
    arch: str = "x86_64"
    provides: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    obsoletes: tuple[str, ...] = ()
    recommends: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    build_time: int = 1_700_000_000
    checksum: str = ""
    checksum_type: str = "sha256"
    location: str = ""
    xml_base: str = ""
    vendor: str = ""
    size: int = 1000

    @property
    def parts(self) -> tuple[str, str, str]:
        epoch, colon, rest = self.evr.partition(":")
        if not colon:
            epoch, rest = "0", self.evr
        version, _, release = rest.rpartition("-")
        return epoch, version, release

    @property
    def file_name(self) -> str:
        _, version, release = self.parts
        return f"{self.name}-{version}-{release}.{self.arch}.rpm"

    @property
    def digest(self) -> str:
        return (
            self.checksum
            or hashlib.new(
                self.checksum_type, f"{self.name}-{self.evr}.{self.arch}".encode()
            ).hexdigest()
        )


def entry(dependency: str) -> str:
    if dependency.startswith("("):
        return f"<rpm:entry name={quoteattr(dependency)}/>"
    name, _, rest = dependency.partition(" ")
    if not rest:
        return f"<rpm:entry name={quoteattr(name)}/>"
    flag, _, evr = rest.partition(" ")
    epoch, version, release = split(evr)
    rel = f" rel={quoteattr(release)}" if release else ""
    return f'<rpm:entry name={quoteattr(name)} flags="{FLAGS[flag]}" epoch="{epoch}" ver={quoteattr(version)}{rel}/>'


def split(evr: str) -> tuple[str, str, str]:
    epoch, colon, rest = evr.partition(":")
    if not colon:
        epoch, rest = "0", evr
    version, dash, release = rest.rpartition("-")
    return (epoch, version, release) if dash else (epoch, rest, "")


def package_xml(rpm: Rpm) -> str:
    epoch, version, release = rpm.parts

    def section(tag: str, items: tuple[str, ...]) -> str:
        return f"<rpm:{tag}>{''.join(map(entry, items))}</rpm:{tag}>" if items else ""

    provides = (f"{rpm.name} = {rpm.evr}", *rpm.provides)
    vendor = f"<rpm:vendor>{escape(rpm.vendor)}</rpm:vendor>" if rpm.vendor else ""
    xml_base = f" xml:base={quoteattr(rpm.xml_base)}" if rpm.xml_base else ""
    files = "".join(
        f"<file>{escape(f)}</file>" for f in rpm.files if "bin/" in f or f.startswith("/etc/")
    )
    return f"""<package type="rpm"><name>{rpm.name}</name><arch>{rpm.arch}</arch>
<version epoch="{epoch}" ver="{version}" rel="{release}"/>
<checksum type="{rpm.checksum_type}" pkgid="YES">{rpm.digest}</checksum>
<summary>s</summary><description>d</description><packager/><url/>
<time file="{rpm.build_time}" build="{rpm.build_time}"/><size package="{rpm.size}" installed="2000" archive="2100"/>
<location{xml_base} href="{rpm.location or "Packages/" + rpm.file_name}"/>
<format><rpm:license>x</rpm:license>{vendor}{section("provides", provides)}{section("requires", rpm.requires)}
{section("conflicts", rpm.conflicts)}{section("obsoletes", rpm.obsoletes)}{section("recommends", rpm.recommends)}{files}</format></package>
"""


def primary_xml(rpms: list[Rpm]) -> bytes:
    body = "".join(map(package_xml, rpms))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<metadata xmlns="http://linux.duke.edu/metadata/common" '
        f'xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="{len(rpms)}">\n{body}</metadata>\n'
    ).encode()


def filelists_xml(rpms: list[Rpm]) -> bytes:
    body = "".join(
        f'<package pkgid="{r.digest}" name="{r.name}" arch="{r.arch}"><version epoch="{r.parts[0]}" ver="{r.parts[1]}" '
        f'rel="{r.parts[2]}"/>{"".join(f"<file>{escape(f)}</file>" for f in r.files)}</package>\n'
        for r in rpms
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<filelists xmlns="http://linux.duke.edu/metadata/filelists" '
        f'packages="{len(rpms)}">\n{body}</filelists>\n'
    ).encode()


@dataclass(frozen=True)
class Notice:
    """An update with an advisory."""

    id: str
    packages: tuple[tuple[str, str], ...]
    """Name and `[epoch:]version-release`."""
    kind: str = "security"
    severity: str = "Important"
    references: tuple[tuple[str, str, str], ...] = ()
    """Type, id and title."""
    arch: str = "x86_64"


def updateinfo_xml(notices: list[Notice]) -> bytes:
    def package(notice: Notice, name: str, evr: str) -> str:
        epoch, version, release = split(evr)
        return (
            f'<package name="{name}" epoch="{epoch}" version="{version}" release="{release}" arch="{notice.arch}">'
            f"<filename>{name}.rpm</filename></package>"
        )

    def update(it: Notice) -> str:
        references = "".join(
            f"<reference href={quoteattr('https://x.invalid/' + name)} id={quoteattr(name)} type={quoteattr(kind)} title={quoteattr(title)}/>"
            for kind, name, title in it.references
        )
        packages = "".join(package(it, *pair) for pair in it.packages)
        severity = f"<severity>{it.severity}</severity>" if it.severity else ""
        return (
            f'<update from="a@example.invalid" status="final" type="{it.kind}" version="1"><id>{it.id}</id><title>t</title>'
            f'<issued date="2026-11-01 00:00:00"/>{severity}<references>{references}</references>'
            f'<pkglist><collection short="x"><name>x</name>{packages}</collection></pkglist></update>\n'
        )

    return f'<?xml version="1.0" encoding="UTF-8"?>\n<updates>\n{"".join(map(update, notices))}</updates>\n'.encode()


SIGNATURES: dict[tuple[str, bytes], bytes] = {}


@dataclass(frozen=True)
class Signer:
    """A throw-away OpenPGP key in its own GNUPGHOME."""

    home: Path
    fingerprint: str
    public: Path

    def gpg(self, *arguments: str) -> str:
        return gpg(self.home, *arguments)

    def sign(self, path: Path) -> None:
        signature = Path(f"{path}.asc")
        known = (self.fingerprint, path.read_bytes())
        if known not in SIGNATURES:  # Most tests change one repository of four: gpg takes its time.
            self.gpg("--yes", "--armor", "--output", str(signature), "--detach-sign", str(path))
            SIGNATURES[known] = signature.read_bytes()
        signature.write_bytes(SIGNATURES[known])


def gpg(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["gpg", "--batch", "--quiet", "--homedir", str(home), "--pinentry-mode", "loopback", "--passphrase", "", *arguments],
        check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    return done.stdout


def make_signer(folder: Path, name: str = "Test <test@example.invalid>") -> Signer:
    home = folder / "gnupg"
    home.mkdir(parents=True, mode=0o700)
    gpg(home, "--quick-generate-key", name, "ed25519", "sign", "never")
    colons = gpg(home, "--with-colons", "--list-keys").splitlines()
    fingerprint = next(line.split(":")[9] for line in colons if line.startswith("fpr:"))
    public = folder / "key.asc"
    public.write_text(gpg(home, "--armor", "--export", fingerprint))
    return Signer(home=home, fingerprint=fingerprint, public=public)


@dataclass(frozen=True)
class Written:
    folder: Path
    files: dict[str, Path] = field(default_factory=dict)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda text: gzip.compress(text, mtime=0),
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zst": lambda text: zstandard.ZstdCompressor().compress(text),
}


def write_repository(
    folder: Path,
    rpms: list[Rpm],
    signer: Signer | None = None,
    *,
    filelists: bool = True,
    packer: str = "gz",
    checksum: str = "sha256",
    timestamp: int | None = 1_700_000_000,
    notices: list[Notice] | None = None,
) -> Written:
    """Write `repodata/` below a folder, signed if a signer is given."""
    repodata = folder / "repodata"
    repodata.mkdir(parents=True, exist_ok=True)
    contents = {"primary": primary_xml(rpms)}
    if filelists:
        contents["filelists"] = filelists_xml(rpms)
    if notices is not None:
        contents["updateinfo"] = updateinfo_xml(notices)
    data, files = "", {}
    made = "" if timestamp is None else f"<timestamp>{timestamp}</timestamp>"
    for kind, text in contents.items():
        packed = PACKERS[packer](text)
        digest = hashlib.new(checksum, packed).hexdigest()
        path = repodata / f"{digest}-{kind}.xml.{packer}"
        path.write_bytes(packed)
        files[kind] = path
        data += (
            f'<data type="{kind}"><checksum type="{checksum}">{digest}</checksum>'
            f'<open-checksum type="{checksum}">{hashlib.new(checksum, text).hexdigest()}</open-checksum>'
            f'<location href="repodata/{path.name}"/>{made}'
            f"<size>{len(packed)}</size><open-size>{len(text)}</open-size></data>\n"
        )
    repomd = repodata / "repomd.xml"
    repomd.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<repomd xmlns="http://linux.duke.edu/metadata/repo" '
        f'xmlns:rpm="http://linux.duke.edu/metadata/rpm"><revision>1700000000</revision>\n{data}</repomd>\n'
    )
    files["repomd"] = repomd
    if signer:
        signer.sign(repomd)
    return Written(folder=folder, files=files)

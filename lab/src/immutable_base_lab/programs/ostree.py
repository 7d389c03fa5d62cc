"""bootc's container stack as a program: the crate `ostree-ext`, built in a Debian trixie root.

It needs trixie's libostree, so it runs inside a trixie root and nowhere else.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from immutable_base.process import Command, LineSink, Runner, run
from immutable_base.tls import DEBIAN_BUNDLE
from immutable_base_lab.core import cache
from immutable_base_lab.core.files import point_to
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.debian.archive import machine_mirrors

PROGRAM = "ostree-ext-cli"
VERSION = "0.15.3"
"""Of the crate, as Cargo.toml pins it."""
SUITE = "trixie"
USUAL_SECONDS = 200.0
_CRATE = Path(__file__).parent / "ostree_ext"
_FILES = ("Cargo.toml", "Cargo.lock", "src/main.rs")
_PACKAGES = (
    "cargo", "gcc", "libc6-dev", "libostree-dev", "libssl-dev", "libzstd-dev", "pkg-config",
    "zlib1g-dev", "ca-certificates",
)  # fmt: skip


def key() -> str:
    """Return the cache key of the program."""
    return cache.key_of(SUITE, [(_CRATE / name).read_text() for name in _FILES])


def is_built(paths: LabPaths) -> bool:
    """Tell whether the program is there."""
    return cache.is_made(paths.tools / PROGRAM, key()) and (paths.programs.bin / PROGRAM).exists()


def build(paths: LabPaths, report: LineSink, *, runner: Runner = run) -> None:
    """Build the program unless it is there, and link it into `tools/bin`.

    To be called where mounts and processes end with the caller (process.run_contained).
    Raises CommandError if the root cannot be made or the crate does not compile.
    """
    folder = paths.tools / PROGRAM

    def make(target: Path) -> None:
        root = target / "root"
        report(f"making a {SUITE} root with cargo")
        runner(_root_command(root))
        report("compiling")
        _copy_crate(root)
        runner(_cargo_command(root))
        (target / "bin").mkdir()
        shutil.copy(root / "crate/target/release" / PROGRAM, target / "bin" / PROGRAM)
        shutil.rmtree(root)

    cache.ensure(folder, key(), make)
    point_to(paths.programs.bin / PROGRAM, Path("..") / PROGRAM / "bin" / PROGRAM)


def _root_command(root: Path) -> Command:
    argv = (
        "mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(_PACKAGES)}",
        '--aptopt=Apt::Install-Recommends "false"', SUITE, str(root), machine_mirrors().of(SUITE),
    )  # fmt: skip
    return Command(argv=argv, timeout=1800, hint="`apt-get update` must work on this machine")


def _copy_crate(root: Path) -> None:
    for name in _FILES:
        target = root / "crate" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_CRATE / name, target)
    # Outgoing TLS may be signed by a CA that only the machine knows; this root is deleted at the
    # end.
    bundle = Path(os.environ.get("SSL_CERT_FILE", DEBIAN_BUNDLE))
    if bundle.is_file():
        shutil.copyfile(bundle, root / DEBIAN_BUNDLE.lstrip("/"))
    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")


def _cargo_command(root: Path) -> Command:
    argv = (
        "chroot", str(root), "/usr/bin/env", "HOME=/root", "CARGO_HOME=/crate/home",
        f"CARGO_HTTP_CAINFO={DEBIAN_BUNDLE}", "CARGO_PROFILE_RELEASE_STRIP=true",
        "PATH=/usr/bin:/bin",
        "cargo", "build", "--release", "--locked", "--manifest-path=/crate/Cargo.toml",
    )  # fmt: skip
    return Command(argv=argv, timeout=3600, hint="the registry of crates must be reachable")

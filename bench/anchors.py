"""dnf 4 and dnf5, asked what `plan` answers: same questions, same repositories, both gpg checks."""

from __future__ import annotations

import shutil
import urllib.request
from pathlib import Path
from typing import Any

from common import STATE, WORK, timed

from immutable_base.process import Command, run
from immutable_base_lab.debian.archive import machine_mirrors

DNF5_ROOT = STATE / "bench-dnf5"
"""A root of Debian's unstable suite with dnf5; kept between benchmarks."""
DNF5_PACKAGES = "dnf5,ca-certificates,gpgv"
# Positional parameters: root, folder with the repositories, base image's root, script. The rpm of
# dnf5's root reads another database than the base's: it solves from nothing, which is more work.
_ENTER = """
set -e
for name in proc dev run tmp; do mkdir -p "$1/$name"; done
mount -t proc proc "$1/proc"; mount --bind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/run"; mkdir "$1/run/bench"; mount --bind "$2" "$1/run/bench"
exec chroot "$1" sh /run/bench/questions.sh
"""


def repositories_of(settings: dict[str, Any], stream: str) -> list[str]:
    """Return the repositories that the stream's variants use."""
    names = set(settings["streams"][stream]["repositories"])
    for variant in (v for v in settings["variants"].values() if v["stream"] == stream):
        for layer in (settings["layers"][name] for name in variant["layers"]):
            names.update(layer.get("repositories", ()))
            if "module" in layer:
                names.update(settings["modules"][layer["module"]]["repositories"])
    # What is optional is not there in the lab: `plan` asks for it once, and does without it.
    return sorted(name for name in names if not settings["repositories"][name].get("optional"))


def write_inputs(settings: dict[str, Any], stream: str, folder: Path) -> None:
    """Write what dnf needs into `folder`, which it sees at /run/bench."""
    (folder / "repos").mkdir(parents=True, exist_ok=True)
    (folder / "keys").mkdir(exist_ok=True)
    parts = []
    for name in repositories_of(settings, stream):
        repository = settings["repositories"][name]
        # In the lab the last place of a key is the one that has it.
        url = settings["keys"][repository["key"]]["places"][-1]
        key = folder / "keys" / url.rpartition("/")[2]
        with urllib.request.urlopen(url) as answer:  # noqa: S310  the configuration's own key
            key.write_bytes(answer.read())
        url = repository["url"].format(release=settings["streams"][stream]["release"])
        parts.append(
            f"[{name}]\nname={name}\nbaseurl={url}\ngpgcheck=1\n"
            f"repo_gpgcheck={1 if repository.get('metadata_key') else 0}\n"
            f"gpgkey=file:///run/bench/keys/{key.name}\n"
        )
    (folder / "repos" / "bench.repo").write_text("\n".join(parts))


def questions(settings: dict[str, Any], stream: str, program: str, refusal: str) -> str:
    """Return the shell script with the commands that answer what `plan` answers.

    `refusal` is what dnf prints when a transaction was solved and `--assumeno` said no: its status
    is the same for that and for an error.
    """
    lines = ["set -eu", f"d='{program}'"]
    lines.append("$d repoquery kernel-devel kernel-core kernel-modules > /dev/null")
    for name, variant in settings["variants"].items():
        if variant["stream"] != stream:
            continue
        wanted = [p for layer in variant["layers"] for p in settings["layers"][layer]["packages"]]
        modules = [settings["layers"][layer].get("module") for layer in variant["layers"]]
        sources = [settings["modules"][module]["source_package"] for module in modules if module]
        lines += [f"$d repoquery {source} > /dev/null" for source in sources]
        lines.append(f"answer=$($d install --assumeno {' '.join(wanted)} 2>&1) || true")
        lines.append(
            f'case $answer in *"{refusal}"*) ;; *) echo "{name}: $answer" >&2; exit 1 ;; esac'
        )
    return "\n".join(lines) + "\n"


def ensure_dnf5() -> None:
    """Make the root with dnf5, unless it is there."""
    if (DNF5_ROOT / "usr/bin/dnf5").exists():
        return
    shutil.rmtree(DNF5_ROOT, ignore_errors=True)
    DNF5_ROOT.parent.mkdir(parents=True, exist_ok=True)
    run(
        Command(
            argv=(
                "mmdebstrap", "--mode=root", "--variant=apt", "--quiet",
                # Mirrors of the unstable suite may lag for days.
                '--aptopt=Acquire::Check-Valid-Until "false"',
                f"--include={DNF5_PACKAGES}", "sid", str(DNF5_ROOT), machine_mirrors().archive,
            ),
            timeout=1800,
        )
    )  # fmt: skip


def dnf5(settings: dict[str, Any], stream: str, *, cold: bool) -> float:
    """Return the seconds that dnf5 takes for the stream's questions."""
    folder = WORK / "dnf5" / stream
    write_inputs(settings, stream, folder)
    cache = DNF5_ROOT / "var/cache/bench"
    if cold:
        shutil.rmtree(cache, ignore_errors=True)
    program = (
        "dnf5 -y -q --setopt=reposdir=/run/bench/repos --setopt=install_weak_deps=False "
        f"--setopt=cachedir=/var/cache/bench/{stream} --setopt=module_platform_id=platform:el10 "
        "--forcearch=x86_64"
    )
    (folder / "questions.sh").write_text(questions(settings, stream, program, "Operation aborted"))
    argv = ("unshare", "--mount", "sh", "-c", _ENTER, "sh", str(DNF5_ROOT), str(folder))
    return timed(*argv)


def buildah(*arguments: str) -> tuple[str, ...]:
    """Return a buildah command on the benchmark's own storage."""
    storage = (
        "--root",
        f"{WORK}/dnf",
        "--runroot",
        f"{WORK}/dnf-run",
        "--storage-driver",
        "overlay",
    )
    return ("buildah", *storage, *arguments)


def dnf4(settings: dict[str, Any], stream: str, *, cold: bool) -> float:
    """Return the seconds of the base image's own dnf, in a container of it."""
    folder = WORK / "dnf4" / stream
    write_inputs(settings, stream, folder)
    program = "dnf -y -q --setopt=reposdir=/run/bench/repos --setopt=install_weak_deps=False"
    (folder / "questions.sh").write_text(questions(settings, stream, program, "Operation aborted"))
    name = f"bench-{stream}"
    if cold:
        base = f"docker://{settings['streams'][stream]['base']}"
        authority = {"SSL_CERT_FILE": settings["registry"]["ca_bundle"]}
        timed(*buildah("rm", name), ok=(0, 1, 125))  # there is none the first time
        timed(*buildah("from", "--name", name, base), env=authority)
    isolation = ("--isolation=chroot", "--network=host", "--volume", f"{folder}:/run/bench:ro")
    return timed(*buildah("run", *isolation, name, "--", "sh", "/run/bench/questions.sh"))

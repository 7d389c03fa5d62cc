"""The figures in docs/reference/benchmarks.md, as ratios measured in one run.

    make bench                      everything (about an hour on two cores)
    bench/measure.py --no-night     start-up, and plan against dnf (a minute)

To be run in the lab's environment (`immutable-base lab env`), as `make bench` does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "docs" / "reference" / "benchmarks.md"
PRODUCT = (sys.executable, "-m", "immutable_base")
CONFIG = Path(os.environ["IMMUTABLE_BASE_CONFIG"])
SETTINGS = tomllib.loads(CONFIG.read_text())
WORK = (
    Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    / "immutable-base"
    / "bench"
)
REPEAT = 3


def timed(*argv: str, ok: tuple[int, ...] = (0,), env: dict | None = None) -> float:
    """Run a program and return its seconds."""
    started = time.monotonic()
    done = subprocess.run(
        argv, capture_output=True, text=True, env={**os.environ, **(env or {})}, check=False
    )
    if done.returncode not in ok:
        raise SystemExit(
            f"{' '.join(argv)}: status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
    return time.monotonic() - started


def product(*arguments: str, workspace: Path, config: Path = CONFIG) -> float:
    """Run the product and return its seconds."""
    return timed(*PRODUCT, *arguments, "--config", str(config), "--workspace", str(workspace))


def start_up() -> float:
    """Seconds of `immutable-base --help`, the median of ten."""
    return statistics.median(
        timed(str(Path(sys.executable).with_name("immutable-base")), "--help") for _ in range(10)
    )


def buildah(*arguments: str) -> tuple[str, ...]:
    """Return a buildah command on the benchmark's own storage."""
    return (
        "buildah",
        "--root",
        f"{WORK}/dnf",
        "--runroot",
        f"{WORK}/dnf-run",
        "--storage-driver",
        "overlay",
        *arguments,
    )


def repo_file(stream: str) -> str:
    """Return dnf's view of the repositories that the stream's variants use."""
    names = set(SETTINGS["streams"][stream]["repositories"])
    for variant in (v for v in SETTINGS["variants"].values() if v["stream"] == stream):
        for layer in (SETTINGS["layers"][name] for name in variant["layers"]):
            names.update(layer.get("repositories", ()))
            if "module" in layer:
                names.update(SETTINGS["modules"][layer["module"]]["repositories"])
    parts = []
    for name in sorted(names):
        repository = SETTINGS["repositories"][name]
        key = SETTINGS["keys"][repository["key"]]["url"].replace("file://", "file:///run/key")
        url = repository["url"].format(release=SETTINGS["streams"][stream]["release"])
        parts.append(
            f"[{name}]\nname={name}\nbaseurl={url}\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey={key}\n"
        )
    return "\n".join(parts)


def questions(stream: str) -> str:
    """Return the shell script with the dnf commands that answer what `plan` answers."""
    lines = [
        "set -eu",
        "d='dnf -y -q --setopt=reposdir=/run/repos --setopt=install_weak_deps=False'",
    ]
    lines.append("$d repoquery kernel-devel kernel-core kernel-modules > /dev/null")
    for name, variant in SETTINGS["variants"].items():
        if variant["stream"] != stream:
            continue
        wanted = [p for layer in variant["layers"] for p in SETTINGS["layers"][layer]["packages"]]
        modules = [SETTINGS["layers"][layer].get("module") for layer in variant["layers"]]
        sources = [SETTINGS["modules"][module]["source_package"] for module in modules if module]
        lines += [f"$d repoquery {source} > /dev/null" for source in sources]
        # Its status is 1 for a no and for an error alike; only a solved transaction gets to the no.
        lines.append(f"said=$($d install --assumeno {' '.join(wanted)} 2>&1) || true")
        lines.append(
            f'case $said in *"Operation aborted"*) ;; *) echo "{name}: $said" >&2; exit 1 ;; esac'
        )
    return "\n".join(lines) + "\n"


def dnf(stream: str, *, cold: bool) -> float:
    """Seconds that dnf takes for the same answers, in a container of the stream's base image."""
    folder = WORK / stream
    (folder / "repos").mkdir(parents=True, exist_ok=True)
    (folder / "repos" / "bench.repo").write_text(repo_file(stream))
    (folder / "questions.sh").write_text(questions(stream))
    name = f"bench-{stream}"
    if cold:
        subprocess.run(buildah("rm", name), capture_output=True, check=False)
        ca = SETTINGS["registry"]["ca_bundle"]
        timed(
            *buildah("from", "--name", name, f"docker://{SETTINGS['streams'][stream]['base']}"),
            env={"SSL_CERT_FILE": ca},
        )
    volumes = (
        "--volume",
        f"{folder}/repos:/run/repos:ro",
        "--volume",
        f"{folder}/questions.sh:/run/questions.sh:ro",
    )
    keys = {
        k["url"].removeprefix("file://")
        for k in SETTINGS["keys"].values()
        if k["url"].startswith("file://")
    }
    for key in keys:
        volumes += ("--volume", f"{key}:/run/key{key}:ro")
    return timed(
        *buildah(
            "run",
            "--isolation=chroot",
            "--network=host",
            *volumes,
            name,
            "--",
            "sh",
            "/run/questions.sh",
        )
    )


def plan_against_dnf() -> dict[str, tuple[float, float]]:
    """Return {cold, warm: (seconds of plan, seconds of dnf)}; the base images are local for both."""
    streams = list(dict.fromkeys(v["stream"] for v in SETTINGS["variants"].values()))
    workspace = WORK / "plan"
    product("plan", "--format", "json", "--output", str(WORK / "plan.json"), workspace=workspace)
    shutil.rmtree(workspace / "cache", ignore_errors=True)
    cold_plan = product(
        "plan", "--format", "json", "--output", str(WORK / "plan.json"), workspace=workspace
    )
    cold_dnf = sum(dnf(stream, cold=True) for stream in streams)
    warm_plan = min(
        product(
            "plan", "--format", "json", "--output", str(WORK / "plan.json"), workspace=workspace
        )
        for _ in range(REPEAT)
    )
    warm_dnf = min(sum(dnf(stream, cold=False) for stream in streams) for _ in range(REPEAT))
    return {"cold": (cold_plan, cold_dnf), "warm": (warm_plan, warm_dnf)}


def night(config: Path, names: tuple[str, ...], workers: int) -> tuple[float, dict[str, str]]:
    """Run a night from nothing; return its seconds and the digest of each variant."""
    workspace = WORK / "night"
    shutil.rmtree(workspace, ignore_errors=True)
    document = WORK / "night.json"
    arguments = ["run", "--format", "json", "--output", str(document), "--workers", str(workers)]
    for name in names:
        arguments += ["--variant", name]
    seconds = product(*arguments, workspace=workspace, config=config)
    variants = json.loads(document.read_text())["variants"]
    return seconds, {it["name"]: it["reference"].partition("@")[2] for it in variants}


def nights(config: Path, names: tuple[str, ...]) -> tuple[float, float]:
    """Return the seconds of one shared night, and of each variant by itself from scratch.

    By itself: one after another and nothing at once, as the pipelines of v1.0.0 build them. Both
    must end in the same images.
    """
    shared, together = night(config, names, workers=2)
    apart, alone = 0.0, {}
    for name in names:
        seconds, digests = night(config, (name,), workers=1)
        apart, alone = apart + seconds, alone | digests
    different = [name for name, digest in together.items() if alone[name] != digest]
    if different:
        raise SystemExit(f"the same inputs gave another image: {', '.join(different)}")
    return shared, apart


def one_kernel() -> Path:
    """Return a configuration in which both variants with modules land on one kernel.

    In the lab each lands on one of its own, the one upwards and the other downwards. Where no
    kernel may go up, both go down to the same, and OpenZFS is compiled once for both.
    """
    folder = WORK / "one-kernel"
    folder.mkdir(exist_ok=True)
    text = CONFIG.read_text()
    path = folder / "immutable-base.toml"
    path.write_text(text.replace("allow_up = true", "allow_up = false"))
    if path.read_text() == text:
        raise SystemExit("the configuration has no `allow_up = true`")
    (folder / "layers").unlink(missing_ok=True)
    (folder / "layers").symlink_to(ROOT / "layers")
    return path


NIGHTS = {
    "one night against the variants one after another": (
        lambda: CONFIG,
        tuple(SETTINGS["variants"]),
    ),
    "the same of the two variants with modules, when both are on one kernel": (
        one_kernel,
        ("base-zfs", "base-zfs-nvidia"),
    ),
}


def main() -> int:
    """Measure, write the document, print it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--night", action=argparse.BooleanOptionalAction, default=True, help="also measure nights"
    )
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    cores = os.cpu_count()
    lines = [
        "# Benchmarks\n",
        "Ratios, measured in one run by `make bench`; below 1 means that the product is quicker.\n",
        f"Measured on {cores} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}.\n",
        "| what | product | compared with | ratio | aim |",
        "|---|--:|--:|--:|--:|",
    ]
    seconds = start_up()
    lines.append(f"| start-up of `immutable-base --help` | {seconds:.3f} s | - | - | < 0.2 s |")
    for state, (ours, theirs) in plan_against_dnf().items():
        lines.append(
            f"| `plan`, all variants, {state}, against the dnf commands | {ours:.2f} s | {theirs:.2f} s | {ours / theirs:.2f} | ≤ 0.5 |"
        )
    if arguments.night:
        for words, (config, names) in NIGHTS.items():
            ours, theirs = nights(config(), names)
            lines.append(
                f"| {words} | {ours:.0f} s | {theirs:.0f} s | {ours / theirs:.2f} | ≤ 0.6 |"
            )
        lines.append(
            "\nIn the lab the two variants with modules land on a kernel each, so one night compiles the same three\n"
            "modules as the variants by themselves; in the last row both are on one kernel, and OpenZFS is compiled\n"
            "once. Each night and its variants one after another gave the same image digests, modules included."
        )
    RESULT.write_text("\n".join(lines) + "\n")
    shutil.rmtree(WORK)
    print(RESULT.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())

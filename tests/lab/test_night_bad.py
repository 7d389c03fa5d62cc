"""Bad nights: a clear error with its exit code, no moved tag, nothing left behind, and the next run works.

All of it on the tiny stream, whose shared run has published both variants before.
"""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.killing import kill_in_stage, leftovers, start, wait_for
from support.paths import ROOT
from support.registry_watch import Witness

VARIANT, WITH_MODULE = "tiny", "tiny-metronome"


@pytest.fixture(scope="module")
def lab(tiny_lab):
    """Nothing here is about OpenZFS or NVIDIA."""
    return tiny_lab


@pytest.fixture(scope="module")
def night(tiny_night):
    return tiny_night


@pytest.fixture(scope="module")
def registry(lab):
    return lab.registry()


@pytest.fixture(scope="module")
def workspace(lab):
    """One workspace for all: base images, named by digest, are fetched once."""
    return lab.scratch / "bad"


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def content(workspace):
    """Return what lies in a workspace, with the time of each change."""
    return {path.name: path.stat().st_mtime_ns for path in workspace.glob("*")}


def failed_night(
    lab, workspace, config, registry, *, code, words, variants=(VARIANT,), env=None, at_once=False
):
    """Run a night that must fail; assert what every bad night has in common; return its report.

    `at_once`: it fails before anything is begun, and what an earlier run left is as it was.
    """
    last_run = content(workspace)
    before = {variant: registry.tags(variant) for variant in variants}
    selected = [part for variant in variants for part in ("--variant", variant)]
    done = lab.product(
        "run", "--config", config, "--format", "json", *selected, workspace=workspace, env=env
    )
    assert done.returncode == code, (done.returncode, done.stderr[-3000:])
    assert "Traceback" not in done.stderr
    assert leftovers(workspace) == []
    report = json.loads(done.stdout) if done.stdout else None
    said = done.stderr + (json.dumps(report) if report else "")
    if at_once:
        assert report is None
        assert "started" not in done.stderr
        assert content(workspace) == last_run
    for word in words:
        assert word in said, said[-3000:]
    return before, report


def test_repository_down(lab, workspace, night, registry, tmp_path):
    settings = lab.configuration.read_text()
    url = next(
        line for line in settings.splitlines() if line.startswith("url") and "/tiny-devel/" in line
    )
    config = lab.config_with(
        tmp_path, (url, f'url = "http://127.0.0.1:{closed_port()}/tiny-devel/"')
    )
    before, report = failed_night(lab, workspace, config, registry, code=6, words=["tiny-devel"])
    assert report["variants"][0]["outcome"] == "failed"
    assert registry.tags(VARIANT) == before[VARIANT]


UNSIGNED = "unsigned"
"""Of no image of this variant was ever a tag moved."""


@pytest.fixture(scope="module")
def without_fulcio(lab, registry, tmp_path_factory):
    """Return the workspace and the configuration of a run that could not sign."""
    text, folder = lab.configuration.read_text(), tmp_path_factory.mktemp("unsigned")
    line = next(x for x in text.splitlines() if x.startswith("fulcio_url"))
    config = lab.config_with(
        folder,
        (line, f'fulcio_url = "http://127.0.0.1:{closed_port()}"'),
        (f"[variants.{VARIANT}]", f"[variants.{UNSIGNED}]"),
    )
    workspace = lab.room("unsigned")
    failed_night(lab, workspace, config, registry, code=6, words=[UNSIGNED], variants=(UNSIGNED,))
    return workspace, config


def test_signing_service_down(without_fulcio, registry):
    """Nothing was published before, so afterwards there must still be nothing.

    The transparency log is down in a scenario of its own.
    """
    assert registry.tags(UNSIGNED) == {}


def test_registry_unreachable(lab, without_fulcio, registry):
    """The last step of that run, once more, where no network is."""
    workspace, config = without_fulcio
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-m", "immutable_base", "publish", "--format", "json",
         "--variant", UNSIGNED, "--config", config, "--workspace", workspace],
        env=lab.env, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 6, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    [result] = json.loads(done.stdout)["results"]
    assert (result["outcome"], result["exit_code"]) == ("failed", 6)
    assert f"{registry.host}/" in result["error"]
    assert registry.tags(UNSIGNED) == {}


def test_expired_token(lab, workspace, night, registry, tmp_path):
    import base64

    head, body, tail = lab.env["SIGSTORE_ID_TOKEN"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["exp"] = int(time.time()) - 60
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    config = lab.config_with(tmp_path, (f"[variants.{VARIANT}]", "[variants.late]"))
    env = {"SIGSTORE_ID_TOKEN": f"{head}.{body}.{tail}"}
    _, report = failed_night(
        lab,
        workspace,
        config,
        registry,
        code=12,
        words=["error: the identity token expired "],
        variants=("late",),
        env=env,
    )
    assert report is None, "refused by us, before anything is planned"
    assert not (workspace / "tonight" / "oci").exists(), "nothing was built, so nothing was pushed"
    assert registry.tags("late") == {}
    assert f"{head}.{body}.{tail}" not in "".join(p.read_text() for p in workspace.rglob("*.log"))


@pytest.fixture
def small_disk(tmp_path):
    """A workspace on a file system of its own, whose size can be changed."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOMY}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


ROOMY = "10g"
FULL_IN = ["plan: started", "fetch: started", "layer:", "sbom:"]
"""Nothing is booted here: a run would have ended before the disk is full."""


def resize(folder, size):
    done = subprocess.run(
        ["mount", "-o", f"remount,size={size}", folder], capture_output=True, text=True
    )
    return done.returncode == 0


def fill(folder):
    """Leave no byte on a tmpfs: a size below what is used is refused, so it is tried again.

    tmpfs(5): a size of 0 would mean no limit.
    """
    for _ in range(1000):
        if resize(folder, max(4096, shutil.disk_usage(folder).used)):
            return
    raise AssertionError(f"{folder} is written to more quickly than it can be closed")


def test_disk_full_in_every_stage_that_writes(lab, night, registry, small_disk, tmp_path):
    """Always this host's fault (4), never a bug, a bad registry or a failed build."""
    config = lab.config_with(tmp_path, ("minimum_free_gib = 5", "minimum_free_gib = 0"))
    before = registry.tags(VARIANT)
    for stage in FULL_IN:
        process = start(lab, small_disk, VARIANT, arguments=("--config", config))
        assert wait_for(process, stage), stage
        fill(small_disk)
        _, rest = process.communicate(timeout=600)
        assert process.returncode == 4, (stage, rest[-3000:])
        assert re.search("no space left on device|the disk is full", rest, re.IGNORECASE), stage
        assert "Traceback" not in rest, stage
        assert leftovers(small_disk) == [str_of_mount(small_disk)], stage
        assert registry.tags(VARIANT) == before, stage
        assert resize(small_disk, ROOMY)
    again = lab.product("run", "--config", config, "--variant", VARIANT, workspace=small_disk)
    assert again.returncode == 0, again.stderr[-3000:]
    assert registry.tags(VARIANT) == before


def str_of_mount(folder):
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    return next(line for line in mounts if line.split()[1] == str(folder))


def test_too_little_space_is_found_before_anything_is_begun(lab, workspace, registry, tmp_path):
    config = lab.config_with(tmp_path, ("minimum_free_gib = 5", "minimum_free_gib = 1000000"))
    failed_night(
        lab, workspace, config, registry, code=4, words=["GiB free", "--workspace"], at_once=True
    )


@pytest.mark.parametrize("missing", ["unshare", "buildah"])
def test_a_missing_program_is_found_before_anything_is_begun(
    lab, workspace, registry, tmp_path, missing
):
    """What a run is contained with is missed first; the rest is looked for in one go."""
    for program in Path("/usr/bin").iterdir():
        if program.name != missing:
            (tmp_path / program.name).symlink_to(program)
    env = {"PATH": f"{Path(sys.executable).parent}:{tmp_path}"}
    failed_night(
        lab, workspace, lab.configuration, registry, code=4,
        words=[missing, "apt-get install"], env=env, at_once=True,
    )  # fmt: skip


STAGES = [
    "plan: started",
    "fetch: started",
    "layer:",
    "image:",
    "inspect:",
    "check:",
    "sbom:",
    "export:",
    "boot:",
    "publish:",
]


def test_killed_in_every_stage_and_run_again(lab, night, registry):
    """SIGKILL in each stage: nothing is left running or mounted, no tag ever pointed to an unsigned digest."""
    workspace = lab.scratch / "bad"
    # What a kill leaves stays for seconds.
    with Witness(registry, [VARIANT, WITH_MODULE], interval=0.5) as witness:
        # Some way into the compiler's work: a run that was killed there compiles again.
        kill_in_stage(lab, workspace, "module:", WITH_MODULE, after=3.0)
        for stage in STAGES:
            kill_in_stage(lab, workspace, stage, VARIANT)
        again = lab.product("run", "--format", "json", workspace=workspace)
        assert again.returncode == 0, again.stderr[-3000:]
    rows = {it["name"]: it for it in json.loads(again.stdout)["variants"]}
    assert {name: it["outcome"] for name, it in rows.items()} == {
        VARIANT: "published", WITH_MODULE: "published",
    }  # fmt: skip
    # The same inputs in another workspace, the module compiled again: the same images, no tag moved.
    for name, row in rows.items():
        assert row["reference"] == night.variants[name]["reference"]
        assert row["unchanged"]
    assert witness.looks > 10
    assert witness.violations == []


@pytest.mark.parametrize("stage", ["plan: started", "fetch: started", "layer:"])
def test_interrupted_says_so_and_leaves_nothing(lab, night, stage):
    workspace = lab.scratch / "bad"
    process = start(lab, workspace, VARIANT)
    assert wait_for(process, stage)
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert leftovers(workspace) == []


def test_two_runs_at_once(lab, night):
    workspace = lab.scratch / "bad"
    first = start(lab, workspace, VARIANT)
    try:
        assert wait_for(first, "plan: started")
        second = lab.product("run", "--variant", VARIANT, workspace=workspace)
        assert second.returncode == 4
        assert "another command" in second.stderr
        assert "--workspace" in second.stderr
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)

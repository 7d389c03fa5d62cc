"""Admission against real services: Fulcio, Rekor, CT log, registry, and the skopeo of an image.

What a host's container tools take is decided by that skopeo (1.18; Debian 12 has compiled signatures of
this form out of its own), with a policy.json that requires the host's key.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from immutable_base.build.admission_files import FOLDER, PYTHON, admission_files
from immutable_base.config.trust import load_trust
from immutable_base.errors import OtherSignerError
from immutable_base.image.program import mounted_image
from immutable_base.process import run
from immutable_base.tools import bwrap, skopeo
from immutable_base_lab.core.paths import LabPaths

NAME, OTHER = "tiny", "tiny-metronome"
MOST_SECONDS, MOST_MIB = 1.0, 60
MEASURE = (
    "; import pathlib, time; words = pathlib.Path('/proc/self/status').read_text().split();"
    "print(time.process_time(), int(words[words.index('VmHWM:') + 1]) / 1024, file=sys.stderr)"
)
"""Not ru_maxrss: that of a program begins with that of the process which started it."""


@dataclass
class Host:
    """A host: the program as an image has it, a policy, and an image's own skopeo."""

    root: Path
    tools: Path
    """Root of the system whose skopeo decides."""
    environment: dict

    @property
    def state(self) -> Path:
        return self.root / "state"

    def command(self, *arguments, after: str = "") -> subprocess.CompletedProcess:
        """Run the program as its launcher does, with nothing of the product on the way."""
        tree = (self.root / PYTHON).parent
        code = (
            f"import sys; sys.path.insert(0, {str(tree)!r});"
            f"from immutable_base.admission.command import main; code = main(){after}; raise SystemExit(code)"
        )
        settings = self.root / FOLDER / "admission.toml"
        return subprocess.run(
            [sys.executable, "-I", "-B", "-c", code, "--settings", str(settings), *arguments],
            env={"SSL_CERT_FILE": self.environment.get("SSL_CERT_FILE", "")},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def pull(self, reference: str) -> subprocess.CompletedProcess:
        """Pull as the container tools of a host do."""
        program = [
            "skopeo", "--policy=/tmp/host/policy.json", "--registries.d=/tmp/host/registries.d",
            "copy", "--quiet", f"docker://{reference}", "dir:/tmp/pulled",
        ]  # fmt: skip
        return self.within(self.tools, program)

    def within(self, root: Path, program: list[str]) -> subprocess.CompletedProcess:
        """Run a program of another system, with the files of this host at /tmp/host."""
        sandbox = [
            "bwrap", "--die-with-parent", "--ro-bind", root, "/", "--dev", "/dev", "--proc", "/proc",
            "--tmpfs", "/tmp", "--tmpfs", "/run", "--tmpfs", "/var/tmp", "--bind", self.root, "/tmp/host",
            "--clearenv", "--setenv", "PATH", "/usr/bin", "--setenv", "SSL_CERT_FILE", "/tmp/host/ca.pem",
        ]  # fmt: skip
        return subprocess.run(
            [*map(str, sandbox), "--", *program], capture_output=True, text=True, timeout=300
        )

    def takes(self, reference: str) -> bool:
        """Tell whether a pull is taken; a failure for another reason fails the test."""
        done = self.pull(reference)
        assert done.returncode == 0 or "Source image rejected" in done.stderr, done.stderr
        return done.returncode == 0


@pytest.fixture(scope="module")
def published(tiny_night) -> dict[str, str]:
    """Return variant to `repository@digest`."""
    return {name: row["reference"] for name, row in tiny_night.variants.items()}


@pytest.fixture
def host(tiny_lab, published, tmp_path) -> Host:
    """A host that requires its own key for the repository of one variant."""
    settings = load_trust(tiny_lab.configuration)
    for name, content in admission_files(settings, tiny_lab.configuration.parent, 0).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with (tmp_path / FOLDER / "admission.toml").open("a") as file:
        file.write(f'state = "{tmp_path}/state"\n')
    repository = published[NAME].partition("@")[0]
    required = {"type": "sigstoreSigned", "keyPath": "/tmp/host/state/host.pub"}
    policy = {
        "default": [{"type": "reject"}], "transports": {"docker": {repository: [required]}},
    }  # fmt: skip
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    (tmp_path / "registries.d").mkdir()
    (tmp_path / "registries.d/host.yaml").write_text(
        f"docker:\n  {repository}:\n    lookaside: file:///tmp/host/state/lookaside\n"
    )
    authority = settings.authority(tiny_lab.configuration.parent)
    (tmp_path / "ca.pem").write_bytes(authority.read_bytes())
    tools = LabPaths(root=tiny_lab.state).debian_root / "root"
    assert (tools / "usr/bin/skopeo").exists(), "the lab's Debian root has it"
    return Host(tmp_path, tools, tiny_lab.env)


def test_an_image_is_taken_after_its_admission_and_only_that(host, published):
    repository, _, digest = published[NAME].partition("@")
    latest = f"{repository}:latest"
    host.state.mkdir()
    assert host.command("list").returncode == 0, "which makes the key"
    assert not host.takes(latest)

    done = host.command("admit", latest)
    assert done.returncode == 0, done.stderr
    assert digest in done.stdout
    assert host.takes(latest)
    assert host.takes(f"{repository}@{digest}")
    assert digest in host.command("list").stdout


def test_another_digest_under_the_same_tag_is_refused_by_both(host, published, tiny_lab):
    repository = published[NAME].partition("@")[0]
    latest = f"{repository}:latest"
    assert host.command("admit", latest).returncode == 0
    try:
        skopeo.move_tag(run, published[OTHER], latest, tiny_lab.env)
        assert not host.takes(latest), "the tag has moved since"
        refused = host.command("admit", latest)
        assert refused.returncode != 0
        assert not host.takes(latest)
        assert "Nothing was admitted" in refused.stderr
    finally:
        skopeo.move_tag(run, published[NAME], latest, tiny_lab.env)
    assert host.takes(latest)


def test_another_tag_of_the_admitted_image_is_refused_until_it_is_admitted(
    host, published, tiny_lab
):
    repository, _, digest = published[NAME].partition("@")
    registry = tiny_lab.registry()
    with closing(registry.client):
        tags = registry.tags(NAME)
    other = next(f"{repository}:{tag}" for tag in tags if tag != "latest" and tags[tag] == digest)
    assert host.command("admit", f"{repository}:latest").returncode == 0
    assert not host.takes(other)
    assert host.command("admit", other).returncode == 0
    assert host.takes(other)
    assert host.takes(f"{repository}:latest")


def test_an_image_of_another_repository_is_refused(host, published):
    """The policy knows this repository only, and the signature names the one that it was made for."""
    other = published[OTHER].partition("@")[0]
    assert host.command("admit", f"{other}:latest").returncode == 0
    done = host.pull(f"{other}:latest")
    assert done.returncode != 0
    assert "rejected by policy" in done.stderr


def test_another_pipeline_admits_nothing(host, published):
    settings = host.root / FOLDER / "admission.toml"
    settings.write_text(settings.read_text().replace("@refs/heads/main", "@refs/heads/other"))
    done = host.command("admit", f"{published[NAME].partition('@')[0]}:latest")
    assert done.returncode == OtherSignerError.exit_code
    assert not (host.state / "lookaside").exists() or not list(host.state.glob("lookaside/*"))


def test_a_broken_file_beside_an_admission_does_not_refuse_it_for_good(host, published):
    repository, _, digest = published[NAME].partition("@")
    assert host.command("admit", f"{repository}:latest").returncode == 0
    [image] = (host.state / "lookaside").rglob(f"*@sha256={digest.removeprefix('sha256:')}")
    (image / "signature-2").write_text("hello")
    assert host.pull(f"{repository}:latest").returncode != 0
    assert host.command("admit", f"{repository}:latest").returncode == 0
    assert host.takes(f"{repository}:latest")


def test_an_admission_takes_a_moment_and_little_memory(host, published):
    """Processor time, because a busy machine may be ten times slower; the registry waits are not in it."""
    reference = f"{published[NAME].partition('@')[0]}:latest"
    done = host.command("admit", reference, after=MEASURE)
    assert done.returncode == 0, done.stderr
    seconds, mib = map(float, done.stderr.split())
    print(f"an admission: {seconds:.2f} s of processor time, {mib:.0f} MiB")
    assert seconds < MOST_SECONDS
    assert mib < MOST_MIB


# ------------------------------------------------------------------ the layer, as an image has it


@pytest.fixture(scope="module")
def image(admission_image) -> Iterator[Path]:
    """The root of an image with the layer, mounted."""
    with mounted_image(*admission_image) as mounted:
        yield mounted.root


def test_the_image_has_the_program_and_its_own_python_verifies_with_it(image, host, published):
    """The distribution's python3-cryptography, not ours; root, so no other user owns the files."""
    settings = image / FOLDER / "admission.toml"
    assert settings.stat().st_mode & 0o777 == 0o644
    (host.root / "settings").mkdir()
    for path in (image / FOLDER).iterdir():
        (host.root / "settings" / path.name).write_bytes(path.read_bytes())
    with (host.root / "settings/admission.toml").open("a") as file:
        file.write('state = "/tmp/host/state"\n')
    reference = f"{published[NAME].partition('@')[0]}:latest"
    program = [
        "/usr/bin/immutable-base-admission", "--settings", "/tmp/host/settings/admission.toml",
        "admit", reference,
    ]  # fmt: skip
    done = host.within(image, program)
    assert done.returncode == 0, done.stderr
    assert host.takes(reference)


def test_the_units_of_the_image_are_in_order(image):
    # Of this unit alone: the image has others, which are not ours.
    unit = "immutable-base-admission.service"
    argv = ("systemd-analyze", "verify", "--recursive-errors=no", unit)
    asked = bwrap.run_in_root(run, image, argv)
    words = asked.text + asked.stderr_tail
    assert not [line for line in words.splitlines() if "immutable-base-admission" in line], words

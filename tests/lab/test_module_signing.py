"""The tiny stream's module is signed: by whom, whether it holds, and where its key is not."""

from __future__ import annotations

import gzip
import json
import lzma
import mmap
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from immutable_base.build.graph import image_tag
from immutable_base.image.program import mounted_image
from immutable_base.model.module_signer import SECURE_BOOT
from immutable_base.module_signing import KEY_VARIABLE, PASSPHRASE_VARIABLE
from immutable_base.process import Command, run
from immutable_base.tools import buildah, bwrap
from immutable_base_lab.core.paths import LabPaths
from support.module_keys import pem_of, rsa_key
from support.module_signature import SignedModule

VARIANT = "tiny-metronome"
SOFT_KEY = "pkcs11:token=night;object=modules?module-path=/usr/lib/softhsm/libsofthsm2.so"


@pytest.fixture(scope="module")
def keys(tiny_lab) -> Path:
    return LabPaths(root=tiny_lab.state).module_keys


def module_in(workspace) -> bytes:
    """Return the module of the image in a workspace, decompressed."""
    storage = buildah.Storage(run, workspace / "storage")
    with mounted_image(storage, image_tag(VARIANT)) as mounted:
        (path,) = mounted.root.glob("usr/lib/modules/*/extra/metronome.ko*")
        return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def document(workspace, name):
    return json.loads((workspace / "tonight" / name).read_text())


def test_the_module_in_the_image_has_a_signature_of_the_labs_key_that_holds(
    tiny_night, keys, tmp_path
):
    found = SignedModule.parse(module_in(tiny_night.workspace))
    mine, other = keys / "module-signing.pem", keys / "module-signing-next.pem"
    assert found.is_signed_by(mine, tmp_path)
    assert not found.is_signed_by(other, tmp_path)
    changed = found.content[:-1] + bytes([found.content[-1] ^ 1])
    assert not found.is_signed_by(mine, tmp_path, changed)


def test_modinfo_of_the_image_names_the_certificate_that_the_image_carries(tiny_night, keys):
    storage = buildah.Storage(run, tiny_night.workspace / "storage")
    carried = {}
    with mounted_image(storage, image_tag(VARIANT)) as mounted:
        (path,) = mounted.root.glob("usr/lib/modules/*/extra/metronome.ko*")
        argv = ("modinfo", "-F", "signer", f"/{path.relative_to(mounted.root)}")
        signer = bwrap.run_in_root(run, mounted.root, argv).text.strip()
        owner = bwrap.run_in_root(
            run, mounted.root, ("rpm", "-qf", "--qf", "%{NAME}", f"/{SECURE_BOOT}/module-signing.der")
        ).text  # fmt: skip
        for file in (mounted.root / SECURE_BOOT).iterdir():
            carried[file.name] = file.read_bytes()
    assert signer == "immutable-base lab module signing"
    assert owner == "kmod-metronome-prebuilt"
    assert carried == {
        f"{name}.der": x509.load_pem_x509_certificate(
            (keys / f"{name}.pem").read_bytes()
        ).public_bytes(serialization.Encoding.DER)
        for name in ("module-signing", "module-signing-next")
    }


def test_plan_report_and_label_say_who_signed(tiny_night):
    words = "signed by immutable-base lab module signing, "
    labels = document(tiny_night.workspace, f"inspect/{VARIANT}.json")["labels"]
    assert labels["io.immutable-base.modules"].startswith(words)
    assert tiny_night.variants[VARIANT]["modules_signed"].startswith(words)
    assert tiny_night.variants["tiny"]["modules_signed"] == ""


def private_parts(file: Path) -> list[bytes]:
    """Return what only a private key has: the text of its file, and its numbers."""
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    numbers = key.private_numbers()
    raw = [n.to_bytes((n.bit_length() + 7) // 8, "big") for n in (numbers.d, numbers.p, numbers.q)]
    return [*raw, *file.read_bytes().splitlines()[2:-2]]


def test_the_key_is_nowhere_in_the_workspace_nor_in_any_layer(tiny_night, keys):
    secrets = private_parts(keys / "module-signing.key")
    looked = layers = 0
    for path in tiny_night.workspace.rglob("*"):
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            continue
        looked += 1
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            assert not [secret for secret in secrets if text.find(secret) >= 0], path
            is_layer = "blobs" in path.parts and text[:2] == b"\x1f\x8b"
        if is_layer:
            layers += 1
            content = gzip.decompress(path.read_bytes())
            assert not [secret for secret in secrets if secret in content], path
    assert looked > 1000
    assert layers >= 2, "the layers of the layouts"


def refused(lab, workspace, **env):
    """Return the words of a run that did not begin, because of its key: not even with a plan."""
    done = lab.product("run", "--variant", VARIANT, env=env, workspace=workspace)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not (workspace / "tonight/plan.json").exists()
    assert not (workspace / "tonight/modules").exists()
    return done.stderr


def test_a_key_that_cannot_sign_is_refused_before_anything_is_fetched(tiny_lab, keys, tmp_path):
    workspace = tmp_path / "ws"
    said = refused(tiny_lab, workspace, **{KEY_VARIABLE: ""})
    assert "--unsigned" in said
    other = keys / "module-signing-next.key"
    assert "is not that of the certificate" in refused(
        tiny_lab, workspace, **{KEY_VARIABLE: str(other)}
    )
    (tmp_path / "locked.key").write_bytes(pem_of(rsa_key(), b"words"))
    (tmp_path / "locked.key").chmod(0o600)
    locked = {KEY_VARIABLE: str(tmp_path / "locked.key")}
    assert "has a passphrase" in refused(tiny_lab, workspace, **locked)
    said = refused(tiny_lab, workspace, **locked, **{PASSPHRASE_VARIABLE: "0ther-words"})
    assert "is not its passphrase" in said
    assert "0ther-words" not in said
    (tmp_path / "locked.key").chmod(0o644)
    assert "others than its owner can read" in refused(tiny_lab, workspace, **locked)


@pytest.fixture
def token(keys, tmp_path):
    """A token with the lab's key, as SoftHSM keeps it; what a job gets to sign with it."""
    (tmp_path / "tokens").mkdir()
    settings = tmp_path / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {tmp_path}/tokens\n")
    where = {"SOFTHSM2_CONF": str(settings)}
    key, other = keys / "module-signing.key", tmp_path / "other.key"
    other.write_bytes(pem_of(rsa_key()))
    for words in (
        ("--init-token", "--free", "--label=night", "--pin=1234", "--so-pin=5678"),
        ("--import", str(other), "--token=night", "--label=other", "--id=0b", "--pin=1234"),
        ("--import", str(key), "--token=night", "--label=modules", "--id=0a", "--pin=1234"),
    ):
        run(Command(argv=("softhsm2-util", *words), timeout=60, env=where))
    return {**where, KEY_VARIABLE: SOFT_KEY, PASSPHRASE_VARIABLE: "1234"}


def test_a_token_gives_the_same_module_as_its_key_in_a_file(tiny_lab, tiny_night, token, tmp_path):
    workspace = tmp_path / "ws"
    for words in (("plan", "--save", "--variant", VARIANT), ("build",)):
        done = tiny_lab.product(*words, env=token, workspace=workspace)
        assert done.returncode == 0, done.stderr
    assert module_in(workspace) == module_in(tiny_night.workspace)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({PASSPHRASE_VARIABLE: "9999"}, "CKR_PIN_INCORRECT"),
        ({KEY_VARIABLE: SOFT_KEY.replace("modules", "other")}, "not that of the certificate"),
        ({KEY_VARIABLE: SOFT_KEY.replace("modules", "none")}, "no private key of that label"),
        ({KEY_VARIABLE: SOFT_KEY.replace("night", "day")}, 'No slot with token named "day"'),
        ({"SOFTHSM2_CONF": "/nowhere"}, "C_Initialize"),
    ],
)
def test_a_token_that_cannot_sign_is_told_in_its_own_words(
    tiny_lab, token, tmp_path, changes, said
):
    workspace, given = tmp_path / "ws", {**token, **changes}
    done = tiny_lab.product("plan", "--save", "--variant", VARIANT, env=given, workspace=workspace)
    assert done.returncode == 0, done.stderr
    done = tiny_lab.product("build", env=given, workspace=workspace)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "1234" not in done.stderr


def test_unsigned_modules_are_asked_for_and_labelled_and_otherwise_the_same(
    tiny_lab, tiny_night, tmp_path
):
    """Nothing but the signature depends on the key: whoever has none can build the rest again."""
    workspace, keyless = tmp_path / "ws", {KEY_VARIABLE: ""}
    stages = (
        ("plan", "--unsigned", "--save"), ("build",), ("inspect", "--variant", VARIANT), ("check", "--variant", VARIANT),
    )  # fmt: skip
    for words in stages:
        done = tiny_lab.product(*words, env=keyless, workspace=workspace)
        assert done.returncode == 0, done.stderr
        if words[0] == "plan":
            assert "modules: unsigned" in done.stdout
    labels = document(workspace, f"inspect/{VARIANT}.json")["labels"]
    assert labels["io.immutable-base.modules"] == "unsigned"
    findings = document(workspace, f"check/{VARIANT}.json")["findings"]
    (signed,) = (found for found in findings if found["id"] == "modules-signed")
    assert signed["level"] == "note"
    assert module_in(workspace) == SignedModule.parse(module_in(tiny_night.workspace)).content

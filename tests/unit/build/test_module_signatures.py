"""What compiled modules are signed with, and what each of the two builds gets to see of it."""

import re
import subprocess
from dataclasses import replace

import pytest

from immutable_base.build.nodes import build_nodes
from immutable_base.config.module_signing import ModuleSigning
from immutable_base.errors import CheckError, CommandError, ConfigurationError
from immutable_base.module_signing import KEY_VARIABLE
from immutable_base.run.build_inputs import build_inputs_of, require_module_key
from support.build_world import MODULE, BuildWorld
from support.module_keys import NOW, certificate, pem_of, rsa_key, signer_of, write_key
from support.paths import ROOT
from support.plans import plan

LAYER = ROOT / "layers/builder"


def signed_plan(folder, **how):
    signer = signer_of(folder, **how)
    variants = tuple(
        v.model_copy(update={"module_signer": signer}) if v.modules else v for v in plan().variants
    )
    return plan().model_copy(update={"variants": variants})


@pytest.fixture
def key_file(tmp_path, monkeypatch):
    path = write_key(tmp_path)
    monkeypatch.setenv(KEY_VARIABLE, str(path))
    return path


def signed_world(folder, **how):
    return BuildWorld(folder, signed_plan(folder, **how))


def only_module(world):
    return next(node for node in world.nodes if node.id.startswith("module:"))


def test_without_the_key_no_build_begins(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(ConfigurationError, match="is not set"):
        signed_world(tmp_path)
    write_key(tmp_path, rsa_key(number=1))
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "module.key"))
    with pytest.raises(ConfigurationError, match="is not that of the certificate"):
        signed_world(tmp_path)


def test_packages_that_are_here_need_no_key(tmp_path, monkeypatch, key_file):
    """Images may be built on a machine that never sees the key."""
    world = signed_world(tmp_path)
    monkeypatch.delenv(KEY_VARIABLE)
    graph = world.graph.only_images(["base-zfs"])
    assert graph.modules
    inputs = build_inputs_of(world.context, graph)
    assert inputs.module_key is None
    assert build_nodes(inputs, graph)


def test_a_plan_signed_by_two_certificates_is_refused(tmp_path, key_file):
    found = signed_plan(tmp_path)
    other = signer_of(tmp_path, certificate(rsa_key(number=1)))
    *rest, last = (v for v in found.variants if v.modules)
    last = last.model_copy(update={"module_signer": other})
    two = found.model_copy(update={"variants": (*rest[:1], last)})
    with pytest.raises(ConfigurationError, match="more than one certificate"):
        BuildWorld(tmp_path / "two", two)


def test_every_module_is_signed_as_it_was_compiled(tmp_path, key_file):
    following = certificate(rsa_key(number=1), serial=7)
    world = signed_world(tmp_path, following=following)
    world.run_all()
    assert len(world.packed) == 2
    for step, files in world.packed.items():
        signer = next(s.signer for s in world.graph.modules if s.id == step)
        for name in ("spl", "zfs"):
            signed = world.build.inputs.module_key.sign(MODULE + name.encode())
            assert files[f"signatures/{name}.p7s"] == signed
        for name, der in signer.certificates.items():
            assert files[f"certificates/{name}"] == der
        assert len(signer.certificates) == 2


def test_the_key_is_in_no_file_and_no_command_of_a_build(tmp_path, key_file):
    world = signed_world(tmp_path)
    world.run_all()
    secrets = [*pem_of(rsa_key()).splitlines()[1:-1], str(key_file).encode()]
    kept = [p for p in world.context.workspace.rglob("*") if p.is_file()]
    texts = [path.read_bytes() for path in kept] + [str(c).encode() for c in world.commands]
    texts += [str(c.env).encode() for c in world.commands]
    texts += [content for files in world.packed.values() for content in files.values()]
    assert len(kept) > 10
    for secret in secrets:
        assert not [text for text in texts if secret in text]


def test_what_was_compiled_and_signed_does_not_stay_beside_the_package(tmp_path, key_file):
    world = signed_world(tmp_path)
    world.run_all()
    for package in world.build.packages.values():
        left = {path.name for path in package.parent.iterdir()}
        assert left == {package.name, "build.json", "modules.sha256", "processor-ticks"}


def test_a_module_that_is_missing_or_a_link_is_not_signed(tmp_path, key_file):
    world = signed_world(tmp_path)
    world.compiled = ("spl",)
    with pytest.raises(CheckError, match=re.escape("did not make zfs.ko")):
        only_module(world).action(lambda _line: None)
    compile_ = world._compile

    def link(output, tag):
        compile_(output, tag)
        (output / "compiled/zfs.ko").symlink_to("/etc/passwd")

    world._compile = link
    with pytest.raises(CheckError, match=re.escape("did not make zfs.ko")):
        only_module(world).action(lambda _line: None)
    assert world.packed == {}


def test_the_builder_is_removed_when_packing_fails(tmp_path, key_file):
    world = signed_world(tmp_path)

    def fail(*_):
        raise CommandError("the build failed")

    world._pack = fail
    with pytest.raises(CommandError):
        only_module(world).action(lambda _line: None)
    kernel = world.graph.modules[0].kernel
    builder = world.image_of(f"localhost/immutable-base/builder/zfs:{kernel}")
    assert [c.argv[-1] for c in world.commands if "rmi" in c.argv] == [builder]


def test_an_unsigned_module_gets_neither_signature_nor_certificate(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    world = BuildWorld(tmp_path, plan())
    world.run_all()
    for files in world.packed.values():
        assert {name.partition("/")[0] for name in files} == {"compiled", "processor-ticks"}


def run_script(name, function, folder, **variables):
    """Run one function of a builder's script, with its folders below `folder`."""
    script = (LAYER / name).read_text()
    script = script[: script.index("\nprepare\n" if name == "build-module" else "\nsource=")]
    for real, here in (
        ("/run/output", folder),
        ("/usr/lib/modules", folder / "lib"),
        ("/etc/dkms", folder / "dkms"),
        ("/usr/libexec/immutable-base", folder / "libexec"),
    ):
        script = script.replace(real, str(here))  # fmt: skip
    env = {"PATH": "/usr/bin:/bin", "KERNEL_RELEASE": "6.12", "SOURCE_DATE_EPOCH": "1", "MODULE": "zfs", "MODULE_VERSION": "2", **variables}  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{function}"], env=env, capture_output=True, text=True
    )
    return done.returncode, done.stderr


def test_a_kernel_devel_without_sign_file_is_told_before_anything_compiles(tmp_path):
    tree = tmp_path / "lib/6.12/build"
    tree.mkdir(parents=True)
    (tree / "Makefile").touch()
    assert run_script("build-module", "prepare", tmp_path, SIGNATURE_HASH="") == (0, "")
    code, said = run_script("build-module", "prepare", tmp_path, SIGNATURE_HASH="sha256")
    assert code == 1
    assert "kernel-devel for 6.12 has no scripts/sign-file" in said
    assert "sign-file" in (tmp_path / "failure").read_text()


@pytest.mark.parametrize("wanted", ["sha256", ""])
def test_a_module_is_signed_by_the_kernels_sign_file_before_it_is_compressed(tmp_path, wanted):
    program = tmp_path / "libexec/sign-file"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$@" >>"$(dirname "$0")/told"\ncat "$2" >>"$5"\n')
    program.chmod(0o755)
    for folder, content in (("compiled", "module"), ("signatures", "-signature"), ("out", None)):
        (tmp_path / folder).mkdir()
        if content:
            name = "zfs.p7s" if folder == "signatures" else "zfs.ko"
            (tmp_path / folder / name).write_text(content)
    (tmp_path / "lib/6.12/kernel").mkdir(parents=True)
    (tmp_path / "lib/6.12/kernel/x.ko.xz").touch()
    code, said = run_script(
        "pack-module", f"finish zfs {tmp_path}/out", tmp_path, SIGNATURE_HASH=wanted
    )
    assert code == 0, said
    made = subprocess.run(["xz", "-dc", tmp_path / "out/zfs.ko.xz"], capture_output=True).stdout
    listed = subprocess.run(["xz", "-lv", tmp_path / "out/zfs.ko.xz"], capture_output=True).stdout
    assert b"CRC32" in listed
    assert made == (b"module-signature" if wanted else b"module")
    told = program.with_name("told")
    assert told.exists() == bool(wanted)
    if wanted:
        assert told.read_text().split() == [
            "-s", f"{tmp_path}/signatures/zfs.p7s", "sha256", f"{tmp_path}/certificates/module-signing.der",
            f"{tmp_path}/out/zfs.ko",
        ]  # fmt: skip


def test_a_run_asks_for_the_key_only_where_a_variant_has_modules(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    signer_of(tmp_path)
    context = BuildWorld(tmp_path, plan()).context
    table = ModuleSigning(certificate=str(tmp_path / "module.pem"))
    settings = context.settings
    variants = {**settings.variants, "base-zfs": settings.variants["base"].model_copy(update={"layers": ("base", "zfs")})}  # fmt: skip
    settings = settings.model_copy(update={"module_signing": table, "variants": variants})
    signing = replace(context, settings=settings, clock=NOW.timestamp)
    require_module_key(signing, ["base"])
    with pytest.raises(ConfigurationError, match="is not set"):
        require_module_key(signing, ["base", "base-zfs"])
    require_module_key(replace(signing, unsigned=True), ["base-zfs"])

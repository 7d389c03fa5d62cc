"""What a build step gives to its layer, and what it says when it fails."""

import subprocess
import tomllib
from types import SimpleNamespace

from immutable_base.build.admission_files import FOLDER
from immutable_base.build.modules import _builders_words
from immutable_base.build.steps import _files
from immutable_base.config.load import load_settings
from immutable_base.model.plan import LayerPlan
from support.paths import PRODUCT, ROOT


def layer_files(name, epoch):
    layer = LayerPlan(name=name, request=(), install=(), source_date_epoch=epoch)
    inputs = SimpleNamespace(settings=load_settings(PRODUCT), config_folder=PRODUCT.parent)
    return _files(inputs, SimpleNamespace(layer=layer))


def test_the_layer_admission_knows_how_new_it_is_and_no_other_layer_gets_the_program():
    """A host that has admitted nothing yet takes nothing that was signed before its own image."""
    settings = layer_files("admission", 1_764_000_000)[f"admission/{FOLDER}/admission.toml"]
    assert tomllib.loads(settings.decode())["signed_after"] == 1_764_000_000
    assert layer_files("base", 1_764_000_000) == {}


def test_the_compilers_words_come_from_the_file_that_dkms_wrote(tmp_path):
    lines = ["CC nv.o", "nv-pci.c:237: error: too few arguments", *(f"line {n}" for n in range(99))]
    (tmp_path / "make.log").write_text("\n".join([*lines, "make: *** [Makefile:1] Error 2"]))
    found = _builders_words(tmp_path).splitlines()
    assert found[0] == "nv-pci.c:237: error: too few arguments"
    assert found[-1] == "make: *** [Makefile:1] Error 2"
    assert len(found) < 60


def test_a_builder_that_did_not_come_to_the_compiler_left_no_words(tmp_path):
    assert _builders_words(tmp_path) == ""


def test_a_step_after_the_compiler_that_failed_is_told_by_its_own_words(tmp_path):
    (tmp_path / "failure").write_text("build-module: expected one zfs.ko, found 0: \n")
    assert _builders_words(tmp_path) == "build-module: expected one zfs.ko, found 0: "


def run_builder(tmp_path, dkms):
    """Run build-module's own `compile`, with `dkms` (a shell script) in the place of the real one."""
    script = (ROOT / "layers/builder/build-module").read_text().partition("\nprepare\n")[0]
    script = script.replace("/run/output", str(tmp_path)).replace("/var/lib/dkms", str(tmp_path))
    program = tmp_path / "dkms"
    program.write_text(f"#!/bin/sh\n{dkms}\n")
    program.chmod(0o755)
    log = tmp_path / "zfs/2/build/make.log"
    log.parent.mkdir(parents=True)
    log.write_text("zfs.c:1: error: too few arguments\n")
    env = {"MODULE": "zfs", "MODULE_VERSION": "2", "KERNEL_RELEASE": "6.12.0", "PATH": f"{tmp_path}:/usr/bin:/bin"}  # fmt: skip
    done = subprocess.run(["bash", "-c", f"{script}\ncompile"], env=env, capture_output=True)
    return done.returncode, _builders_words(tmp_path)


def test_make_log_is_handed_out_when_dkms_fails_and_only_then(tmp_path):
    (tmp_path / "good").mkdir()
    assert run_builder(tmp_path / "good", "exit 0") == (0, "")
    (tmp_path / "bad").mkdir()
    code, words = run_builder(tmp_path / "bad", "exit 10")
    assert code == 1
    sentence, error, *_ = words.splitlines()
    assert sentence.endswith("dkms build of zfs 2 for 6.12.0 ended with status 10")
    assert error == "zfs.c:1: error: too few arguments"

"""What the layer `admission` brings: the whole program, and exactly the trust of the configuration."""

import subprocess
import tomllib

import pytest

from immutable_base.admission.settings import load_settings
from immutable_base.build.admission_files import FOLDER, LAYER, PYTHON, admission_files
from immutable_base.config.load import load_settings as load_configuration
from immutable_base.config.trust import SigningTable, TrustSettings
from immutable_base.errors import ConfigurationError
from immutable_base.public_trust import SHIPPED
from support.build_world import BuildWorld
from support.forge import IDENTITY, Instance, pem_of, public_pem
from support.paths import PRODUCT, ROOT
from support.plans import plan

ISSUER = "https://gitlab.com"


def trust(signing=None, **changes):
    values = {
        "certificate_identity": IDENTITY, "certificate_oidc_issuer": ISSUER,
        "fulcio_url": "https://fulcio.sigstore.dev", "rekor_url": "https://rekor.sigstore.dev",
    }  # fmt: skip
    registry = {"destination": "registry.example/os", "ca_bundle": "", "mirrors": (), "variants": ("base",)}  # fmt: skip
    return TrustSettings(
        signing=SigningTable(**values, **(signing or {})), **{**registry, **changes}
    )


def installed(tmp_path, files):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return load_settings(tmp_path / FOLDER / "admission.toml")


def test_the_products_own_configuration_gives_settings_that_a_host_reads(tmp_path):
    settings = load_configuration(PRODUCT).trust()
    found = installed(tmp_path, admission_files(settings, PRODUCT.parent, 0))
    assert found.signer.identity == settings.signing.certificate_identity
    assert found.roots.sct_checked
    assert (tmp_path / FOLDER / "trusted_root.json").read_bytes() == SHIPPED.read_bytes()


def test_everything_that_is_demanded_of_a_certificate_arrives(tmp_path):
    signing = {
        "project_id": "58391042", "runner_environment": "self-hosted", "source_ref": "refs/heads/main",
        "build_triggers": ("schedule", "web"),
    }  # fmt: skip
    found = installed(tmp_path, admission_files(trust(signing), tmp_path, 0))
    assert found.signer.claims == {
        "project_id": ("58391042",), "runner_environment": ("self-hosted",),
        "source_ref": ("refs/heads/main",), "build_trigger": ("schedule", "web"),
    }  # fmt: skip


def test_a_host_knows_when_the_newest_input_of_its_own_image_was_made(tmp_path):
    assert (
        installed(tmp_path, admission_files(trust(), tmp_path, 1_764_000_000)).signed_after
        == 1_764_000_000
    )


def test_of_a_private_instance_its_files_and_the_registrys_authority_travel_along(tmp_path):
    made = Instance()
    own = tmp_path / "own"
    own.mkdir()
    for name, content in (
        ("f", pem_of(made.root).encode()), ("r", public_pem(made.rekor_key)),
        ("c", public_pem(made.ct_key)), ("ca", b"an authority"),
    ):  # fmt: skip
        (own / name).write_bytes(content)
    signing = {"fulcio_root": "f", "rekor_key": "r", "ct_log_key": "c"}
    settings = trust(signing, ca_bundle="ca", mirrors=("mirror.example/os",))
    found = installed(tmp_path, admission_files(settings, own, 0))
    assert found.roots.fingerprints == made.roots().fingerprints
    assert found.authority.read_bytes() == b"an authority"
    assert found.mirrors == {"mirror.example/os": "registry.example/os"}


def test_an_instance_without_a_ct_log_is_one_by_name_only(tmp_path):
    made = Instance()
    (tmp_path / "f").write_bytes(pem_of(made.root).encode())
    (tmp_path / "r").write_bytes(public_pem(made.rekor_key))
    signing = {"fulcio_root": "f", "rekor_key": "r", "without_ct_log": True}
    found = installed(tmp_path, admission_files(trust(signing), tmp_path, 0))
    assert not found.roots.sct_checked


def test_a_trusted_root_of_ones_own_is_the_one_that_hosts_get(tmp_path):
    (tmp_path / "own.json").write_bytes(SHIPPED.read_bytes() + b"\n")
    files = admission_files(trust({"trusted_root": "own.json"}), tmp_path, 0)
    assert files[f"{FOLDER}/trusted_root.json"] == SHIPPED.read_bytes() + b"\n"


def test_a_file_that_is_missing_stops_the_build(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        admission_files(trust({"trusted_root": "missing.json"}), tmp_path, 0)


@pytest.mark.parametrize("text", ['a"b', "a\\b", "ä", "#", "'", "😀"])
def test_no_text_of_the_configuration_changes_what_another_key_says(tmp_path, text):
    files = admission_files(trust({"project_id": text}), tmp_path, 0)
    found = tomllib.loads(files[f"{FOLDER}/admission.toml"].decode())
    assert found["project_id"] == text
    assert found["certificate_identity"] == IDENTITY


def test_the_same_configuration_gives_the_same_bytes(tmp_path):
    assert admission_files(trust(), tmp_path, 0) == admission_files(trust(), tmp_path, 0)


def test_the_program_is_whole_and_nothing_else_of_the_product_comes_along(tmp_path):
    names = {
        name.removeprefix(f"{PYTHON}/") for name in admission_files(trust(), tmp_path, 0) if name.startswith(PYTHON)
    }  # fmt: skip
    rooms = {name.partition("/")[0] for name in names}
    assert rooms == {"__init__.py", "errors.py", "model", "admission", "verification"}
    assert {name for name in names if name.startswith("model/")} == {"model/__init__.py", "model/reference.py"}  # fmt: skip
    for room in ("admission", "verification"):
        here = {f"{room}/{path.name}" for path in (ROOT / "src/immutable_base" / room).glob("*.py")}
        assert here <= names


# ------------------------------------------------------------------ the layer


def test_only_the_layer_of_this_name_gets_them(tmp_path):
    planned = plan()
    [variant] = planned.variants[:1]
    layer = variant.layers[0].model_copy(update={"name": LAYER})
    changed = variant.model_copy(update={"layers": (*variant.layers, layer)})
    world = BuildWorld(tmp_path, planned.model_copy(update={"variants": (changed,)}))
    seen = {}
    for step in world.build.graph.layers:
        world.build_step = step
    world.run_all()
    mounts = sorted((world.build.inputs.run_folder / "mount").iterdir())
    for mount in mounts:
        seen[mount.name] = (mount / LAYER).exists()
    assert sorted(seen.values()) == [False] * (len(mounts) - 1) + [True]
    [mount] = [mount for mount in mounts if (mount / LAYER).exists()]
    assert (mount / LAYER / FOLDER / "admission.toml").stat().st_mode & 0o777 == 0o644


def test_its_launcher_finds_the_program_where_the_build_puts_it():
    launcher = ROOT / "layers/admission/files/usr/bin/immutable-base-admission"
    assert launcher.stat().st_mode & 0o111 == 0o111
    assert f'sys.path.insert(0, "/{PYTHON.rpartition("/")[0]}")' in launcher.read_text()
    assert subprocess.run(["bash", "-n", launcher], check=False).returncode == 0
    containerfile = (ROOT / "layers/admission/Containerfile").read_text()
    assert f"cp --recursive /run/build/input/{LAYER}/usr /" in containerfile


def test_an_upgrade_by_bootcs_timer_waits_for_the_admission_and_needs_it():
    units = ROOT / "layers/admission/files/usr/lib/systemd/system"
    name = "immutable-base-admission.service"
    drop_in = (
        units / "bootc-fetch-apply-updates.service.d/10-immutable-base-admission.conf"
    ).read_text()
    assert {f"Requires={name}", f"After={name}"} <= set(drop_in.splitlines())
    unit = (units / name).read_text()
    assert "Before=bootc-fetch-apply-updates.service" in unit
    starts = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    assert [line.rpartition(" ")[2] for line in starts] == ["admit", "expire"]
    failing = [line.startswith("ExecStart=-") for line in starts]
    assert failing == [False, True], "what could not be removed keeps nobody from an upgrade"

"""One whole night: what each variant must be for those who boot it."""

import json
import subprocess
import tomllib

import pytest

from immutable_base.build.graph import image_tag
from immutable_base.image.program import mounted_image
from immutable_base.process import run
from immutable_base.tools import buildah, bwrap
from support.variants import VARIANTS

pytestmark = pytest.mark.large


def inside(night, variant, *argv):
    """Run a program in the built image, which must succeed, and return its output."""
    storage = buildah.Storage(run, night.workspace / "storage")
    with mounted_image(storage, image_tag(variant)) as mounted:
        return bwrap.run_in_root(run, mounted.root, argv).text


@pytest.fixture(scope="module")
def plan(night):
    document = json.loads((night.workspace / "tonight/plan.json").read_text())
    return {variant["name"]: variant for variant in document["variants"]}


@pytest.fixture(scope="module")
def registry(lab):
    return lab.registry()


def test_every_image_came_up_as_a_machine_where_that_is_required(night, large_lab):
    """`make soak` boots all of them; `make test` one, in test_boot_large.py, and the tiny stream's."""
    policy = tomllib.loads(large_lab.configuration.read_text())["boot"]["policy"]
    expected = {"required": "booted", "off": "not boot-tested"}[policy]
    assert {variant["boot"] for variant in night.variants.values()} == {expected}


def test_four_variants_are_published(night):
    assert {n: v["outcome"] for n, v in night.variants.items()} == dict.fromkeys(
        VARIANTS, "published"
    )


def test_no_tag_ever_pointed_to_an_unsigned_digest(night):
    assert night.witness is not None, "not seen for a night that ran earlier"
    assert night.witness.looks > 10
    assert night.witness.violations == []


def test_kernels_move_as_the_configuration_lets_them(plan, large_lab):
    """Both directions in one plan, and every reason, are in test_plan.py."""
    allowed = tomllib.loads(large_lab.configuration.read_text())["kernel"]["allow_up"]
    actions = {name: variant["kernel"]["action"] for name, variant in plan.items()}
    assert actions == {
        "base": "keep",
        "base-zfs": "up" if allowed else "down",
        "base-zfs-nvidia": "down",
        "fedora-base": "keep",
    }


def test_tags_point_to_the_digests_of_the_report_and_are_signed(night, registry):
    for name, variant in night.variants.items():
        tags = registry.tags(name)
        digest = variant["reference"].partition("@")[2]
        assert {tags[tag] for tag in variant["tags"]} == {digest}
        assert "latest" in variant["tags"]
        assert registry.is_signed(name, digest)


@pytest.mark.parametrize("variant", VARIANTS)
def test_verify_agrees(lab, night, variant):
    reference = night.variants[variant]["reference"].partition("@")[0]
    done = lab.product("verify", f"{reference}:latest")
    assert done.returncode == 0, done.stderr


def test_verify_refuses_another_identity(lab, night):
    reference = night.variants["base"]["reference"]
    done = lab.product(
        "verify",
        reference,
        "--certificate-identity",
        "https://gitlab.com/mallory/os//.gitlab-ci.yml@refs/heads/main",
    )
    assert done.returncode == 14
    assert "Traceback" not in done.stderr


def test_cosign_by_hand_as_the_readme_says(lab, night):
    command = (
        'cosign verify --certificate-identity "$IMMUTABLE_BASE_IDENTITY" '
        '--certificate-oidc-issuer "$IMMUTABLE_BASE_ISSUER" "$IMMUTABLE_BASE_REGISTRY/base:latest"'
    )
    good = subprocess.run(["bash", "-c", command], env=lab.env, capture_output=True, text=True)
    assert good.returncode == 0, good.stderr
    other = {
        **lab.env,
        "IMMUTABLE_BASE_IDENTITY": "https://gitlab.com/mallory/os//.gitlab-ci.yml@refs/heads/main",
    }
    bad = subprocess.run(["bash", "-c", command], env=other, capture_output=True, text=True)
    assert bad.returncode != 0


def test_modules_belong_to_packages_and_no_compiler_is_there(night):
    packages = inside(night, "base-zfs-nvidia", "rpm", "-qa", "--qf", "%{NAME}\n").split()
    assert {"kmod-zfs-prebuilt", "kmod-nvidia-open-prebuilt", "zfs", "nvidia-driver-cuda"} <= set(
        packages
    )
    assert not {"dkms", "gcc", "make", "kernel-devel", "zfs-dkms", "kmod-nvidia-open-dkms"} & set(
        packages
    )
    inside(night, "base-zfs-nvidia", "rpm", "-V", "kmod-zfs-prebuilt", "kmod-nvidia-open-prebuilt")


def test_modinfo_shows_the_planned_kernel(night, plan):
    for variant, module in (
        ("base-zfs", "zfs"),
        ("base-zfs-nvidia", "zfs"),
        ("base-zfs-nvidia", "nvidia"),
    ):
        kernel = plan[variant]["kernel"]["chosen"]
        vermagic = inside(night, variant, "modinfo", "-k", kernel, "-F", "vermagic", module)
        assert vermagic.split()[0] == kernel


def test_dnf_finds_nothing_broken(night):
    assert "Error" not in inside(night, "base-zfs-nvidia", "dnf", "-C", "check")


@pytest.mark.parametrize("variant", VARIANTS)
def test_sbom_counts_what_the_rpmdb_counts(night, variant):
    lines = inside(night, variant, "rpm", "-qa").splitlines()
    packages = [line for line in lines if not line.startswith("gpg-pubkey-")]
    assert night.variants[variant]["packages"] == len(packages)
    bom = json.loads((night.workspace / f"tonight/sbom/{variant}.cdx.json").read_text())
    assert bom["specVersion"] == "1.6"
    rpms = [c for c in bom["components"] if c.get("purl", "").startswith("pkg:rpm/")]
    # rpm and syft both list public keys as if they were packages.
    assert len(rpms) == len(lines)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_label_of_the_kernel_is_true_where_the_kernel_moved_as_well(night, plan, variant):
    facts = json.loads((night.workspace / f"tonight/inspect/{variant}.json").read_text())
    assert facts["labels"]["ostree.linux"] == plan[variant]["kernel"]["chosen"]
    assert facts["labels"]["redhat.compose-id"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_packages_have_in_var_is_declared_as_the_rpm_database_has_it(night, variant):
    report = json.loads((night.workspace / f"tonight/check/{variant}.json").read_text())
    levels = {it["id"]: it["level"] for it in report["findings"]}
    assert levels["var-declared"] == levels["accounts-declared"] == "pass"
    facts = json.loads((night.workspace / f"tonight/inspect/{variant}.json").read_text())
    assert "/var/lib/smartmontools/drivedb" in {it["path"] for it in facts["var"]}


def test_services_of_nvidias_have_their_condition(night):
    facts = json.loads((night.workspace / "tonight/inspect/base-zfs-nvidia.json").read_text())
    services = {it["name"]: it["conditions"] for it in facts["card_services"]}
    assert {"nvidia-persistenced.service", "nvidia-cdi-refresh.service"} <= services.keys()
    assert any("0x10de" in it for it in services["nvidia-persistenced.service"])


def test_kernel_modules_are_in_the_sbom(night, plan):
    bom = json.loads((night.workspace / "tonight/sbom/base-zfs-nvidia.cdx.json").read_text())
    names = {c["name"] for c in bom["components"]}
    assert {"spl", "zfs", "nvidia", "nvidia-uvm"} <= {name.removesuffix(".ko") for name in names}

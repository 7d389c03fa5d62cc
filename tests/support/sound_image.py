"""The plan and the facts of an image that passes every check."""

from base64 import b64encode
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec

from immutable_base.build.admission_files import settings_files
from immutable_base.config.load import load_settings
from immutable_base.config.signing_keys import SigningKeys
from immutable_base.model.checksum import Checksum
from immutable_base.model.facts import (
    AccountFact,
    BaseFacts,
    CardServiceFact,
    Declared,
    HostPolicyFacts,
    ImageFacts,
    InitramfsFact,
    InstalledPackage,
    ModuleFact,
    ProgramOutput,
    UnitFact,
    VarFact,
)
from immutable_base.model.module_signer import ModuleSigner
from immutable_base.model.plan import (
    BasePlan,
    KernelAction,
    KernelPlan,
    LayerPlan,
    ModulePlan,
    Package,
    PlannedPackage,
    VariantPlan,
    Verdict,
)
from immutable_base.plan.labels import variant_labels
from immutable_base.policy.host_trust import variants_trust
from immutable_base.policy.render import render_files
from support.forge import public_pem
from support.paths import PRODUCT, ROOT

PEM = public_pem(ec.generate_private_key(ec.SECP256R1())).decode()
KEYS = SigningKeys(key="env://SIGNING_KEY", key_paths=("current.pub",))


def with_keys(settings, keys=KEYS):
    """The same configuration with a key that signs for hosts; None: without."""
    return settings.model_copy(
        update={"signing": settings.signing.model_copy(update={"keys": keys})}
    )


def with_fleet(settings, fleet):
    """The same configuration with a machine that admits for hosts, and no key."""
    signing = settings.signing.model_copy(update={"keys": None, "fleet": fleet})
    return settings.model_copy(update={"signing": signing})


SETTINGS = with_keys(load_settings(PRODUCT))
"""The product's own, with a key: only then can an image do without a note."""
K = "6.12.117-1.el10.x86_64"
OLD = "6.12.107-1.el10.x86_64"
FINE = ProgramOutput(status=0, text="")


def package(name, version, *, repository="baseos", release="1"):
    return Package(
        name=name, epoch=0, version=version, release=release, arch="x86_64", repository=repository,
        url="https://repo.example/x.rpm", checksum=Checksum.of("sha256", "0" * 64), size=1, build_time=1,
    )  # fmt: skip


KMOD = package("kmod-zfs-prebuilt", "2.3.9", repository="local")
DER, NEXT_DER = b"this year's certificate", b"next year's"
SIGNER = ModuleSigner(
    name="Example modules", key_id="3A:7C:01", certificate=b64encode(DER).decode(),
    next_certificate=b64encode(NEXT_DER).decode(),
)  # fmt: skip
CERTIFICATES = {
    "module-signing.der": sha256(DER).hexdigest(),
    "module-signing-next.der": sha256(NEXT_DER).hexdigest(),
}
PLAN = VariantPlan(
    name="base-zfs", stream="centos-stream-10", verdict=Verdict.BUILD,
    base=BasePlan(reference="registry.example/b:stream10", digest="sha256:" + "a" * 64, created=1),
    kernel=KernelPlan(
        image=OLD, image_evr="6.12.107-1", chosen=K, chosen_evr="6.12.117-1", action=KernelAction.UP,
        source="repository", ceiling="7.2", rejected=(),
    ),
    module_signer=SIGNER,
    modules=(
        ModulePlan(
            name="zfs", version="2.3.9", maximum="7.2", source=package("zfs-dkms", "2.3.9"), kmod=KMOD,
            builder=(), builder_request=(), source_date_epoch=3,
        ),
    ),
    layers=(
        LayerPlan(name="base", request=(), install=(package("htop", "3"), package("bash", "5.3")), source_date_epoch=2),
        LayerPlan(name="kernel", request=(), install=(package("kernel-core", "6.12.117"),), erase=("kernel-core", "kernel-modules-extra"), source_date_epoch=2),
        LayerPlan(name="zfs", request=(), install=(package("zfs", "2.3.9"), KMOD), source_date_epoch=3),
    ),
    packages=(
        PlannedPackage(name="htop", evr="3-1", arch="x86_64", repository="baseos", layer="base"),
        PlannedPackage(name="zfs", evr="2.3.9-1", arch="x86_64", repository="openzfs", layer="zfs"),
    ),
    reasons=(),
)  # fmt: skip


def installed(name, evr):
    return InstalledPackage(name=name, evr=evr, arch="x86_64")


def module(name, **changes):
    path = f"usr/lib/modules/{K}/extra/{name}.ko.xz"
    values = {
        "name": name, "path": path, "owner": KMOD.name, "version": "2.3.9-1", "vermagic": f"{K} SMP mod_unload",
        "signer": SIGNER.name, "key_id": SIGNER.key_id, "hash_algorithm": "sha256",
        "load": ProgramOutput(status=0, text=f"insmod /{path}"), "listed": True,
    }  # fmt: skip
    return ModuleFact(**{**values, **changes})


CARD = "/bin/sh -c 'grep -qs 0x10de /sys/bus/pci/devices/*/vendor'"
INITRAMFS = InitramfsFact(
    path=f"usr/lib/modules/{K}/initramfs.img", mode=0o600, size=1,
    listing=ProgramOutput(status=0, text="usr/lib/ostree/ostree-prepare-root"),
)  # fmt: skip
OURS = "usr/lib/tmpfiles.d/zz-immutable-base-var.conf"
VAR = VarFact(
    path="/var/lib/tcpdump", package="tcpdump", kind="folder", mode="0750", user="tcpdump", group="nobodys",
    user_known=True, group_known=False, target="",
    declared=Declared(file=OURS, kind="d", mode="0750", user="tcpdump", group="root", target=""),
)  # fmt: skip
LINK = VarFact(
    path="/var/mail", package="setup", kind="link", mode="0777", user="root", group="root",
    user_known=True, group_known=True, target="spool/mail",
    declared=Declared(file=OURS, kind="L", mode="-", user="-", group="-", target="spool/mail"),
)  # fmt: skip


def account(kind, name, declared_in="usr/lib/sysusers.d/zz-immutable-base-accounts.conf"):
    return AccountFact(kind=kind, name=name, declared_in=declared_in)


BASE = BaseFacts(
    packages=(installed("bash", "5.2-1"), installed("kernel-core", "6.12.107-1"), installed("kernel-modules-extra", "6.12.107-1"), installed("systemd", "257-1")),
    kernel_packages=(OLD,), initramfs=INITRAMFS.model_copy(update={"path": f"usr/lib/modules/{OLD}/initramfs.img"}),
    leftovers=(), kargs={}, dnf_check=FINE, bootc_lint=FINE,
)  # fmt: skip
REACHED = ProgramOutput(
    status=1, text="initializing source: pinging container registry x: connection refused"
)


ADMISSION_LAYER = ROOT / "layers/admission/files"
ADMISSION = {
    **{str(path.relative_to(ADMISSION_LAYER)): path.read_text() for path in ADMISSION_LAYER.rglob("*") if "/systemd/" in str(path) and path.is_file()},
    **{name: content.decode() for name, content in settings_files(SETTINGS.trust(), ROOT, 0).items() if name.endswith(".toml")},
}  # fmt: skip
"""What the layer brings that has a say in whose images a host takes."""


def host_policy(trust, base=None):
    """What is read from an image that says what it should."""
    return HostPolicyFacts(
        files={**render_files(trust, base), **ADMISSION}, repository=trust.scopes[0].name,
        skopeo=REACHED, admission=FINE,
    )  # fmt: skip


FACTS = ImageFacts(
    rests_on={"build/base-zfs.json": "0" * 64}, variant="base-zfs", image_id="f" * 64, base=BASE,
    labels={**variant_labels(SETTINGS, PLAN), "inherited": "too", "ostree.linux": K},
    annotations={"org.opencontainers.image.base.name": PLAN.base.reference},
    kernels=(K,), module_trees=(K,), kernel_packages=(K,),
    packages=tuple(
        installed(*row)
        for row in (
            ("bash", "5.3-1"), ("htop", "3-1"), ("kernel-core", "6.12.117-1"), ("kmod-zfs-prebuilt", "2.3.9-1"),
            ("systemd", "257-1"), ("zfs", "2.3.9-1"),
        )
    ),
    public_keys=(), kmod_requires={KMOD.name: ("/bin/sh", f"kernel-uname-r = {K}")}, modules=(module("spl"), module("zfs")),
    certificates=CERTIFICATES, initramfs=INITRAMFS,
    leftovers=(), firmware=(), kargs={"10.toml": 'kargs = ["quiet"]\nmatch-architectures = ["x86_64"]\n'},
    units=(
        UnitFact(name="sshd.service", preset="enable", state="enabled"),
        UnitFact(name="zfs-import-scan.service", preset="disable", state="disabled"),
    ),
    card_services=(CardServiceFact(name="nvidia-persistenced.service", state="enabled", conditions=(CARD,)),),
    var=(VAR, LINK), accounts=(account("user", "tcpdump"), account("group", "tcpdump"), account("member", "tcpdump mail")),
    verify={KMOD.name: FINE}, dnf_check=FINE, bootc_lint=FINE,
    host_policy=host_policy(variants_trust(SETTINGS, [PEM])),
)  # fmt: skip

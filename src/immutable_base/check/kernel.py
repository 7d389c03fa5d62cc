"""Checks of the kernel, its modules, its initramfs and its arguments."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Mapping

from immutable_base.check.interface import Check, HasFacts, Objection, Subject, unless, unless_base
from immutable_base.check.outputs import lint_objections
from immutable_base.image.rpmdb import UNAME_R
from immutable_base.model.facts import ImageFacts, InitramfsFact
from immutable_base.model.module_signer import SECURE_BOOT
from immutable_base.tools.module_signature import HASH

PREPARE_ROOT = "ostree-prepare-root"
"""What mounts an ostree deployment as the root. Source: ostree-prepare-root(1)."""
KARGS_KEYS = frozenset({"kargs", "match-architectures"})
"""The only keys of kargs.d files; others are fatal to bootc's lint. Source: bootc, "Kernel
arguments"."""


def kernel_single(subject: Subject) -> Objection | None:
    """/usr/lib/modules and the rpmdb agree on exactly the planned kernel."""
    wrong = other_kernels(subject.facts, subject.kernel)
    return unless(wrong, f"planned is {subject.kernel} and nothing else")


def other_kernels(facts: ImageFacts, kernel: str) -> list[str]:
    """Return where an image has not exactly this kernel, one line each."""
    places = {
        "with a vmlinuz": facts.kernels,
        "folders of /usr/lib/modules": facts.module_trees,
        "in the rpmdb": facts.kernel_packages,
    }
    return [
        f"{where}: {', '.join(found) or 'none'}"
        for where, found in places.items()
        if found != (kernel,)
    ]


def modules_for_kernel(subject: Subject) -> Objection | None:
    """Every promised module is there once, is owned by its package, and fits the kernel."""
    promised = subject.promised_modules
    count = Counter(module.name for module in subject.facts.modules)
    wrong = [f"{name}.ko: {count[name]} files" for name in sorted(promised) if count[name] != 1]
    wrong += [f"{name}.ko: not promised" for name in sorted(count.keys() - promised.keys())]
    owners = {module.kmod.name for module in subject.plan.modules}
    for module in subject.facts.modules:
        if module.vermagic.partition(" ")[0] != subject.kernel:
            wrong.append(f"{module.path}: built for '{module.vermagic}'")
        if not module.path.startswith(f"usr/lib/modules/{subject.kernel}/"):
            wrong.append(f"{module.path}: not in the kernel's folder")
        if module.owner not in owners:
            wrong.append(f"{module.path}: owned by {module.owner or 'no package'}")
    return unless(wrong, "the image's modules are not those that were planned")


def modules_require_kernel(subject: Subject) -> Objection | None:
    """Every module package of the plan requires exactly the planned kernel."""
    wanted = f"{UNAME_R} = {subject.kernel}"
    wrong = []
    for name in sorted({module.kmod.name for module in subject.plan.modules}):
        found = subject.facts.kmod_requires.get(name, ())
        bound = [requirement for requirement in found if requirement.split(" ")[0] == UNAME_R]
        if bound != [wanted]:
            wrong.append(f"{name}: requires {', '.join(bound) or f'no {UNAME_R}'}, not {wanted}")
    return unless(wrong, "a module package could be installed beside another kernel")


def modules_signed(subject: Subject) -> Objection | None:
    """Every module has the planned certificate's signature, and hosts find that certificate.

    That a signature holds, the kernel says; which certificate it names, is compared here.
    """
    signer, facts = subject.plan.module_signer, subject.facts
    wrong = []
    for module in facts.modules:
        found = (module.signer, module.key_id, module.hash_algorithm)
        wanted = (signer.name, signer.key_id, HASH) if signer else ("", "", "")
        if found != wanted:
            wrong.append(f"{module.name}: {_signature(*found)}, not {_signature(*wanted)}")
    carried = signer.certificates if signer else {}
    digests = {name: hashlib.sha256(der).hexdigest() for name, der in carried.items()}
    wrong += [
        f"/{SECURE_BOOT}/{name}: not as planned"
        for name in sorted(digests.keys() | facts.certificates.keys())
        if facts.certificates.get(name) != digests.get(name)
    ]
    if not wrong and signer is None and facts.modules and subject.settings.module_signing:
        return Objection(message="modules are unsigned: the plan was asked for that", is_note=True)
    return unless(wrong, "hosts with Secure Boot need the planned signatures and certificates")


def _signature(name: str, key_id: str, algorithm: str) -> str:
    return f"signed by {name} (key {key_id}, {algorithm})" if name or key_id else "unsigned"


def modules_loadable(subject: HasFacts) -> Objection | None:
    """modules.dep names every module, and modprobe would find it and what it needs."""
    wrong = []
    for module in subject.facts.modules:
        if not module.listed:
            wrong.append(f"{module.name}: not in modules.dep")
        # The line for the module itself ends the list; what it depends on comes before.
        if module.load.status != 0 or f"/{module.name}.ko" not in module.load.text:
            wrong.append(f"{module.name}: modprobe: {module.load.text or 'no output'}")
    return unless(wrong, "a module would not load")


def initramfs(subject: HasFacts) -> Objection | None:
    """It is there, is readable by root alone, and holds what mounts an ostree deployment."""
    found, base = subject.facts.initramfs, subject.facts.base.initramfs
    if found is None:
        return Objection(message="there is none")
    # The base's own only where it is the same kernel's: another kernel's is of our making.
    excused = _initramfs_faults(base) if base is not None and base.path == found.path else []
    return unless_base(_initramfs_faults(found), found.path, base=excused)


_MODULES_OF = re.compile(r"\blib/modules/([^/\s]+)/")
"""The kernel whose modules a file in an initramfs is one of."""


def _initramfs_faults(found: InitramfsFact) -> list[str]:
    wrong = []
    if found.size == 0:
        wrong.append("it is empty")
    if found.mode != 0o600:
        wrong.append(f"mode {found.mode:04o}, not 0600")
    if found.listing.status != 0:
        wrong.append(f"lsinitrd cannot read it: {found.listing.text[-300:]}")
    elif PREPARE_ROOT not in found.listing.text:
        wrong.append(f"no {PREPARE_ROOT} in it")
    kernel = found.path.split("/")[-2]
    if others := sorted(set(_MODULES_OF.findall(found.listing.text)) - {kernel}):
        wrong.append(f"it has modules of {', '.join(others)}, and its kernel is {kernel}")
    return wrong


def kargs(subject: HasFacts) -> Objection | None:
    """Every file in kargs.d is TOML with known keys."""
    wrong = _kargs_faults(subject.facts.kargs)
    excused = _kargs_faults(subject.facts.base.kargs)
    return unless_base(wrong, "bootc would refuse them", base=excused)


def _kargs_faults(kargs: Mapping[str, str]) -> list[str]:
    wrong = []
    for name, text in kargs.items():
        try:
            keys = tomllib.loads(text).keys()
        except tomllib.TOMLDecodeError as error:
            wrong.append(f"{name}: {error}")
            continue
        if not name.endswith(".toml"):
            wrong.append(f"{name}: not named *.toml")
        wrong += [f"{name}: unknown key '{key}'" for key in sorted(keys - KARGS_KEYS)]
    return wrong


def bootc_lint(subject: HasFacts) -> Objection | None:
    """`bootc container lint` passes; its warnings that the base does not have are noted."""
    output, base = subject.facts.bootc_lint, subject.facts.base.bootc_lint
    if output is None:
        return Objection(message="not run: no bootc in this image", is_note=True)
    wrong, warnings = lint_objections(output.text)
    excused, known = lint_objections(base.text) if base else ((), ())
    if output.status != 0 and not wrong:
        return Objection(message="bootc's lint failed", evidence=tuple(output.text.splitlines()))
    new = tuple(line for line in warnings if line not in known)
    return unless_base(wrong, "bootc refuses the image", base=excused) or (
        Objection(message="bootc warns", evidence=new, is_note=True) if new else None
    )


OF_ANY_IMAGE: tuple[Check[HasFacts], ...] = (
    Check(
        id="modules-loadable",
        title="modules known to depmod and resolvable by modprobe",
        reason="services load modules by name, through modules.dep",
        function=modules_loadable,
    ),
    Check(
        id="initramfs",
        title="an initramfs that mounts the deployment",
        reason="without it the host does not find its root; secrets in it are for root alone",
        function=initramfs,
    ),
    Check(
        id="kargs",
        title="kernel arguments that bootc can read",
        reason="bootc refuses an image with a malformed file in kargs.d",
        function=kargs,
    ),
    Check(
        id="bootc-lint",
        title="bootc's own lint",
        reason="bootc knows best what it refuses",
        function=bootc_lint,
    ),
)
"""Those that need no plan."""
CHECKS: tuple[Check[Subject], ...] = (
    Check(
        id="kernel-single",
        title="one kernel, the planned one",
        reason="bootc refuses an image with two, and boots none without",
        function=kernel_single,
    ),
    Check(
        id="modules-for-kernel",
        title="the promised modules, each once, for this kernel",
        reason="a module for another kernel is refused by the kernel that runs",
        function=modules_for_kernel,
    ),
    Check(
        id="modules-require-kernel",
        title="module packages that require their kernel",
        reason="a later layer could replace the kernel below them, and rpm would not object",
        function=modules_require_kernel,
    ),
    Check(
        id="modules-signed",
        title="modules signed with the planned certificate, which the image carries",
        reason="a kernel under Secure Boot refuses modules whose signer it does not know",
        function=modules_signed,
    ),
    *OF_ANY_IMAGE,
)

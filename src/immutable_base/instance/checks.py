"""Whether an instance keeps what its base promises: checks of variants that need no plan, and ours.

What the base image says as well is a note: it is not the instance's doing.
"""

from __future__ import annotations

from dataclasses import dataclass

from immutable_base.check import hosts, kernel, packages, units
from immutable_base.check.host_policy import needs_admission, nothing_demanded
from immutable_base.check.interface import Check, HasFacts, Objection, unless
from immutable_base.check.run_checks import require_sound
from immutable_base.config.schema import Settings
from immutable_base.image.rpmdb import UNAME_R
from immutable_base.instance.policy import policy_objections
from immutable_base.model.check import CheckReport
from immutable_base.model.facts import ImageFacts
from immutable_base.model.instance import BasePromises, InstanceFacts, PolicyFact
from immutable_base.plan.labels import KERNEL, OSTREE_KERNEL
from immutable_base.policy.demands import refuses_by_default
from immutable_base.policy.host_trust import HostTrust
from immutable_base.policy.lint import lint
from immutable_base.policy.render import POLICY, SHARED_POLICY, render_policy


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSubject:
    """What a check of an instance looks at."""

    facts: ImageFacts
    settings: Settings
    promises: BasePromises
    policies: tuple[PolicyFact, ...]
    labels: dict[str, str]
    """Those that the build has set."""
    trust: HostTrust
    """What the instance says of its own images, beside its base."""
    accepts_everything: bool = False
    """Whether its configuration says that hosts which cannot check who signed take anything."""

    @property
    def kernel(self) -> str:
        """The one kernel in the rpmdb; empty if it is not one."""
        found = self.facts.kernel_packages
        return found[0] if len(found) == 1 else ""

    @property
    def demands(self) -> bool:
        """Whether the build has written whose images hosts take: where they can check that."""
        before = {policy.path: policy.text for policy in self.promises.policies}
        return bool(self.trust.keys) or refuses_by_default(before)


def check_instance(
    found: InstanceFacts,
    settings: Settings,
    labels: dict[str, str],
    trust: HostTrust,
    *,
    accepts_everything: bool = False,
    rests_on: dict[str, str],
) -> CheckReport:
    """Return the document with the findings about an instance; `rests_on` becomes its own."""
    subject = InstanceSubject(
        facts=found.facts, settings=settings, promises=found.promises, policies=found.policies,
        labels=labels, trust=trust, accepts_everything=accepts_everything,
    )  # fmt: skip
    return CheckReport(
        rests_on=rests_on,
        variant=found.variant,
        image_id=found.image_id,
        findings=(
            *(check.run(subject) for check in SHARED),
            *(check.run(subject) for check in CHECKS),
        ),
    )


def require_sound_instance(report: CheckReport, *, hint: str) -> None:
    """Raise CheckError that names every check that objects; `hint` is its next step."""
    require_sound(report, hint=hint, promised_by="base")


def one_kernel(subject: InstanceSubject) -> Objection | None:
    """/usr/lib/modules and the rpmdb agree on one kernel; with modules it is the base's."""
    facts, promises = subject.facts, subject.promises
    wrong = kernel.other_kernels(facts, subject.kernel)
    if promises.modules and facts.kernels != promises.kernels:
        wrong.append(
            f"the base's modules are for {', '.join(promises.kernels)}, the image's kernel is "
            f"{', '.join(facts.kernels) or 'none'}"
        )
    return unless(wrong, "an instance has one kernel, that of its modules")


def modules_kept(subject: InstanceSubject) -> Objection | None:
    """Every module of the base is in the instance, unchanged."""
    here = {module.path: module for module in subject.facts.modules}
    wrong = []
    for module in subject.promises.modules:
        found = here.get(module.path)
        if found is None:
            wrong.append(f"{module.path}: gone")
        elif (found.version, found.vermagic, found.owner) != (
            module.version, module.vermagic, module.owner,
        ):  # fmt: skip
            wrong.append(f"{module.path}: {found.version} of {found.owner or 'no package'}")
    return unless(wrong, "a module of the base is not what it was")


def modules_fit(subject: InstanceSubject) -> Objection | None:
    """Every module is for the image's kernel, and of a package that requires it."""
    wanted = f"{UNAME_R} = {subject.kernel}"
    wrong = []
    for module in subject.facts.modules:
        if module.vermagic.partition(" ")[0] != subject.kernel:
            wrong.append(f"{module.path}: built for '{module.vermagic}'")
        if not module.path.startswith(f"usr/lib/modules/{subject.kernel}/"):
            wrong.append(f"{module.path}: not in the kernel's folder")
        if not module.owner:
            wrong.append(f"{module.path}: owned by no package")
        elif wanted not in subject.facts.kmod_requires.get(module.owner, ()):
            wrong.append(f"{module.owner}: does not require {wanted}")
    return unless(list(dict.fromkeys(wrong)), "a module would not load, or its kernel could go")


def modules_as_packed(subject: InstanceSubject) -> Objection | None:
    """`rpm -V` finds nothing wrong with packages of modules."""
    wrong = [
        f"{name}: {line}"
        for name, output in subject.facts.verify.items()
        if output.status != 0 or output.text
        for line in output.text.splitlines() or ["failed"]
    ]
    return unless(wrong, "rpm -V objects")


def policy_kept(subject: InstanceSubject) -> Objection | None:
    """Every policy.json of the base is there, and accepts no more than it did.

    Beside it: the instance's own repository, with its own signature, and what its configuration
    names under `accept_unsigned`.
    """
    here = {policy.path: policy.text for policy in subject.policies}
    wrong = []
    for policy in subject.promises.policies:
        if policy.path not in here:
            wrong.append(f"/{policy.path}: gone")
            continue
        wrong += _looser(subject, policy.path, policy.text, here[policy.path])
    before = {policy.path: policy.text for policy in subject.promises.policies}
    for path in here.keys() - before.keys() if before else ():
        # Ours is always in /etc, also where the base has its own in /usr/share only.
        if path == POLICY and SHARED_POLICY in before:
            wrong += _looser(subject, path, before[SHARED_POLICY], here[path])
        else:
            wrong.append(f"/{path}: new")
    return unless(wrong, "hosts would accept images that the base refuses")


def _looser(subject: InstanceSubject, path: str, base: str, image: str) -> list[str]:
    ours = path == POLICY and subject.demands
    promised = render_policy(subject.trust, base) if ours else base
    return [f"/{path}: {line}" for line in policy_objections(promised, image)]


def own_images_signed(subject: InstanceSubject) -> Objection | None:
    """policy.json and what goes with it let a host take this instance's images only if signed."""
    if not subject.demands:
        files = subject.facts.host_policy.files
        return nothing_demanded(files, accepted=subject.accepts_everything)
    found = [str(finding) for finding in lint(subject.facts.host_policy, subject.trust)]
    if not found:
        return needs_admission(subject.trust)
    return unless(found, "hosts would take, or miss, what they should not")


def labels_true(subject: InstanceSubject) -> Objection | None:
    """The labels that the build has set are there, and none names another kernel."""
    found = subject.facts.labels
    wrong = [
        f"{key}: {found.get(key, 'missing')!r}, set was {value!r}"
        for key, value in sorted(subject.labels.items())
        if found.get(key) != value
    ]
    wrong += [
        f"{key}: {found[key]!r}, the image's kernel is {subject.kernel or 'not one'}"
        for key in (KERNEL, OSTREE_KERNEL)
        if key in found and found[key] != subject.kernel
    ]
    return unless(list(dict.fromkeys(wrong)), "labels are not what the image is")


SHARED: tuple[Check[HasFacts], ...] = (
    *kernel.OF_ANY_IMAGE, *packages.OF_ANY_IMAGE, *units.CHECKS, *hosts.CHECKS,
)  # fmt: skip
"""Those that variants have too."""
CHECKS: tuple[Check[InstanceSubject], ...] = (
    Check(
        id="own-images-signed",
        title="a host takes only signed images of this instance",
        reason="its next update comes from the instance's own repository",
        function=own_images_signed,
    ),
    Check(
        id="one-kernel",
        title="one kernel, that of the base's modules",
        reason="bootc refuses an image with two, and another kernel loads none of the modules",
        function=one_kernel,
    ),
    Check(
        id="modules-kept",
        title="every module of the base",
        reason="the instance was put on this base for them",
        function=modules_kept,
    ),
    Check(
        id="modules-fit",
        title="modules for this kernel, of packages that require it",
        reason="a module for another kernel is refused by the kernel that runs",
        function=modules_fit,
    ),
    Check(
        id="modules-as-packed",
        title="module packages as they were packed",
        reason="a file that changed after its package was made was changed by nobody's plan",
        function=modules_as_packed,
    ),
    Check(
        id="policy-kept",
        title="a policy.json as strict as the base's",
        reason="it decides whose images a host runs",
        function=policy_kept,
    ),
    Check(
        id="labels-true",
        title="labels of base, commit and kernel",
        reason="the next run decides by them, and people read them",
        function=labels_true,
    ),
)

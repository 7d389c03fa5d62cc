"""What a started machine is asked: each question a name and a line of sh. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import VariantPlan

POOL, POOL_FOLDER = "boottest", "/dev/disk/by-id"
POOL_DISK = f"{POOL_FOLDER}/virtio-pool"
"""A pool that only the boot gate makes, on a second disk that only it hands in."""
TARGETS = ("sysinit.target", "basic.target", "network.target", "multi-user.target")
END = "end"
"""The answer that the guest gives last, when every question was asked."""
SSH_FILE = "/run/immutable-base.ssh"
"""What the host's side writes through sshd, and the guest then shows."""
SSH_SECONDS = 90
TIMEOUT = 124
"""Status of what was not there in time. Source: timeout(1), which the guest's script uses."""
_SETTLED = "systemctl is-system-running --wait"
_FAILED = (
    "found=$(systemctl list-units --failed --plain --no-legend) || exit; "
    'for unit in $(echo "$found" | cut -d" " -f1); do '
    'echo "$unit $(systemctl show --property=Result --value "$unit")"; done'
)
_TARGETS = "systemctl show --property=Id,ActiveEnterTimestampMonotonic " + " ".join(TARGETS)
CARD_UNIT = "nvidia-cdi-refresh.service"
"""Describes NVIDIA's cards to podman. Source: the container toolkit's packages."""
BOOTED_DIGEST = (
    "commit=$(ostree admin status | sed -n 's/^[*] [^ ]* \\([0-9a-f]*\\).*/\\1/p'); "
    'ostree show --print-metadata-key=ostree.manifest-digest "$commit"'
)
"""What ostree's container support writes into the commit of an image that it deploys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestQuestion:
    """Something to ask a started machine."""

    name: str
    script: str
    """One line of POSIX sh, without a tab."""


ALWAYS = (
    GuestQuestion(name="state", script=_SETTLED),
    GuestQuestion(name="kernel", script="uname -r"),
    GuestQuestion(name="failed-units", script=_FAILED),
    GuestQuestion(name="targets", script=_TARGETS),
    GuestQuestion(
        name="journal",
        script="journalctl --boot --priority=err --output=json "
        "--output-fields=SYSLOG_IDENTIFIER,MESSAGE",
    ),
    GuestQuestion(name="usr", script="touch /usr/immutable-base-boot-test"),
    GuestQuestion(name="etc", script="touch /etc/boot-test && rm /etc/boot-test"),
    GuestQuestion(name="var", script="touch /var/boot-test && rm /var/boot-test"),
    GuestQuestion(
        name="tmpfiles",
        script="systemctl show --property=ActiveState,Result systemd-tmpfiles-setup",
    ),
    GuestQuestion(name="image", script=BOOTED_DIGEST),
)
SSH = GuestQuestion(
    name="ssh",
    script=f"n=0; until [ -s {SSH_FILE} ] || [ $n -ge {SSH_SECONDS} ]; do sleep 1; "
    f"n=$((n+1)); done; cat {SSH_FILE} || exit {TIMEOUT}",
)

CARD = GuestQuestion(
    name="card",
    script=f"systemctl show --property=Result,ExecCondition {CARD_UNIT}; "
    "if grep -qs 0x10de /sys/bus/pci/devices/*/vendor; then nvidia-ctk cdi list; fi",
)


def questions(facts: ImageFacts, variant: VariantPlan, *, boot: int) -> tuple[GuestQuestion, ...]:
    """Return what the boot of this number, the first is 1, is asked, in order."""
    modules = {module.name for module in variant.modules}
    found = list(ALWAYS)
    found += [
        GuestQuestion(name=f"service {unit}", script=f"systemctl is-active {unit}")
        for unit in enabled_services(facts)
    ]
    if asks_ssh(facts):
        found.append(SSH)
    found += [
        GuestQuestion(name=f"module {name}", script=_load(name)) for name in own_modules(facts)
    ]
    if any(unit.name == CARD_UNIT and unit.state == "enabled" for unit in facts.units):
        found.append(CARD)
    if "zfs" in modules:
        found += ZFS_FIRST if boot == 1 else ZFS_SECOND
    return tuple(found)


def boots_of(variant: VariantPlan) -> int:
    """Return how often a variant is started: one with pools twice, to see one imported."""
    return 2 if any(module.name == "zfs" for module in variant.modules) else 1


def own_modules(facts: ImageFacts) -> tuple[str, ...]:
    """Return the names of the modules that are not the kernel's own."""
    return tuple(module.name for module in facts.modules)


def enabled_services(facts: ImageFacts) -> tuple[str, ...]:
    """Return the services that our presets enable, which have to be alive on a host."""
    return tuple(
        unit.name
        for unit in facts.units
        if unit.preset == "enable" and unit.state == "enabled" and unit.name in ALIVE
    )


ALIVE = ("chronyd.service", "sshd.service")
"""Services that run all the time on any host, whatever hardware it has."""


def asks_ssh(facts: ImageFacts) -> bool:
    """Tell whether a host can be reached by ssh."""
    return "sshd.service" in enabled_services(facts)


def _load(module: str) -> str:
    # The aliases tell whether it drives hardware, or one does that it needs: without it, it may
    # refuse to load.
    return (
        f"modprobe {module}; status=$?; modprobe --show-depends {module} | "
        "while read -r _ file; do modinfo --field alias $file | head -3; done; exit $status"
    )


ZFS_FIRST = (
    GuestQuestion(name="zfs version", script="zfs version"),
    GuestQuestion(name="zfs create", script=f"zpool create {POOL} {POOL_DISK}"),
    GuestQuestion(
        name="zfs write",
        script=f"zfs create {POOL}/data && head -c 1000000 /dev/urandom > /{POOL}/data/file && "
        f"sha256sum /{POOL}/data/file > /{POOL}/data/sum",
    ),
    GuestQuestion(name="zfs export", script=f"zpool export {POOL}"),
    GuestQuestion(name="zfs import", script=f"zpool import -d {POOL_FOLDER} {POOL}"),
    GuestQuestion(
        name="zfs snapshot",
        script=f"zfs snapshot {POOL}/data@one && "
        f"zfs send {POOL}/data@one | zfs receive {POOL}/copy && sha256sum --check /{POOL}/copy/sum",
    ),
    GuestQuestion(name="zfs scrub", script=f"zpool scrub -w {POOL} && zpool status -x {POOL}"),
)
ZFS_SECOND = (
    GuestQuestion(name="zfs version", script="zfs version"),
    GuestQuestion(name="zfs imported", script=f"zpool list -H -o name,health {POOL}"),
    GuestQuestion(name="zfs read", script=f"sha256sum --check /{POOL}/data/sum"),
)


def as_text(asked: Iterable[GuestQuestion]) -> str:
    """Return the questions as the guest's script reads them."""
    return "".join(f"{question.name}\t{question.script}\n" for question in asked)

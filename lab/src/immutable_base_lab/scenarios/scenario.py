"""Which situations the lab can set up: what each holds, what is wrong in it, what does not run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from immutable_base.config.toml import did_you_mean
from immutable_base.errors import ConfigurationError
from immutable_base_lab.core.ports import LOOPBACK
from immutable_base_lab.programs.go_pins import GO_PROGRAMS

NOTHING_LISTENS = f"http://{LOOPBACK}:9/"
"""The port of the discard service (RFC 863), which no machine has offered for decades."""


class Universe(StrEnum):
    """What repositories and bases hold; scenarios of one universe share them."""

    FULL = "full"
    """CentOS Stream and Fedora, OpenZFS and NVIDIA."""
    TINY = "tiny"
    """One small stream with a module that compiles in seconds."""

    @property
    def first_time_gib(self) -> int:
        """Free space until all is made; most of it for Go's caches, which are removed again."""
        return 40 if self is Universe.FULL else 20

    @property
    def programs(self) -> tuple[str, ...]:
        """Names of the Go programs that a run and its services need."""
        names = tuple(program.name for program in GO_PROGRAMS)
        if self is Universe.FULL:
            return names
        return tuple(name for name in names if name != "nvidia-container-toolkit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One situation, which a run of the product meets without knowing it."""

    name: str
    summary: str
    """What is different, and how a run ends in it."""
    universe: Universe
    changes: Mapping[str, object] = field(default_factory=dict)
    """Dotted key of the configuration to the value that it has here; None: it is left out."""
    stopped: tuple[str, ...] = ()
    """Services that do not run."""
    namespace: str = ""
    """Added to the destination: hosts of other scenarios would refuse what is published here."""


SCENARIOS = (
    Scenario(
        name="full",
        summary="what `lab up` sets up: four variants, OpenZFS and NVIDIA; all are published",
        universe=Universe.FULL,
    ),
    Scenario(
        name="tiny",
        summary="two small variants, one with a kernel module; a run takes about a minute",
        universe=Universe.TINY,
    ),
    Scenario(
        name="admission",
        summary="tiny without a key: hosts admit by themselves; both are published",
        universe=Universe.TINY,
        # No key of the publisher's: what hosts demand is their own program's word.
        changes={"signing.keys": None},
        namespace="/admission",
    ),
    Scenario(
        name="held",
        summary="tiny, but no repository has kernel-devel; tiny-metronome is held",
        universe=Universe.TINY,
        changes={"streams.tiny.repositories": ["tiny"]},
    ),
    Scenario(
        name="key-not-pinned",
        summary="tiny, but nobody has pinned the key of the module; tiny-metronome is held",
        universe=Universe.TINY,
        changes={"keys.tiny-modules.fingerprint": None},
    ),
    Scenario(
        name="base-newer-than-repositories",
        summary="tiny, but the module needs what the base has newer; tiny-metronome is held",
        universe=Universe.TINY,
        changes={
            "modules.metronome.toolchain": ["gcc", "kmod", "make", "rpm-build", "pendulum-devel"]
        },
    ),
    Scenario(
        name="module-does-not-compile",
        summary="tiny, but the module calls what kernels no longer have; tiny-metronome fails",
        universe=Universe.TINY,
        changes={"modules.metronome.branch": "2"},
    ),
    Scenario(
        name="repository-down",
        summary="tiny, but nothing answers where the module comes from; tiny-metronome fails",
        universe=Universe.TINY,
        changes={"repositories.tiny-modules.url": NOTHING_LISTENS},
    ),
    Scenario(
        name="transparency-log-down",
        summary="tiny, but Rekor does not run: nothing can be signed; both fail, no tag moves",
        universe=Universe.TINY,
        # Images that are published nowhere yet: for those that are, a run needs no log.
        changes={
            "variants.tiny.description": "the smallest image, while the log is down",
            "variants.tiny-metronome.description": "tiny with a module, while the log is down",
        },
        stopped=("rekor",),
    ),
)
FULL = SCENARIOS[0]


def find_scenario(name: str) -> Scenario:
    """Return the scenario of a name. Raises ConfigurationError for an unknown one."""
    known = {scenario.name: scenario for scenario in SCENARIOS}
    if name not in known:
        raise ConfigurationError(
            f"there is no scenario `{name}` in the lab{did_you_mean(name, known)}",
            hint=f"the scenarios are: {', '.join(known)}",
        )
    return known[name]


def listing() -> str:
    """Return a line for each scenario."""
    width = max(len(scenario.name) for scenario in SCENARIOS)
    return "".join(f"{it.name:{width}}  {it.summary}\n" for it in SCENARIOS)

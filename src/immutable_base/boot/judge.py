"""What the answers of a machine say of its image: one small rule for each promise. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from immutable_base.boot.answers import target_seconds
from immutable_base.boot.excuses import unexcused, why_not_loaded
from immutable_base.boot.questions import POOL, TARGETS, TIMEOUT, questions
from immutable_base.model.boot import Boot, GuestAnswer
from immutable_base.model.check import Finding, Level
from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import VariantPlan

SILENT = "the machine did not answer"
NO_DEVICE = "No such device"
"""ENODEV, as modprobe tells it: the module is in order and finds nothing to drive."""
CARD_NAMED = re.compile(r"^nvidia\.com/gpu=", re.MULTILINE)
"""A card by its name in CDI. Source: `nvidia-ctk cdi list`."""
CARD_AWAITED = re.compile(
    r"\A(?=.*^Result=exec-condition$).*0x10de[^}]* status=1 ", re.MULTILINE | re.DOTALL
)
"""The unit was skipped, and of its conditions the one that looks for a card said no; systemd shows
its properties in an order of its own."""

TIMED_OUT = re.compile(r"^.*(timed out|\btimeout$).*$", re.IGNORECASE | re.MULTILINE)
"""Words of systemd, udev and the C library (ETIMEDOUT); systemd's result of a unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an image was promised to be."""

    facts: ImageFacts
    plan: VariantPlan
    digest: str
    """Of the image that was installed."""
    nonce: str
    """What came in by ssh."""


Judgement = tuple[Level, str]
Rule = Callable[[GuestAnswer, Expected], Judgement]
PASS: Judgement = (Level.PASS, "")


def judge(boots: tuple[Boot, ...], expected: Expected) -> tuple[Finding, ...]:
    """Return a finding for each question of each boot; one that was not answered is an error."""
    return tuple(
        finding
        for number, boot in enumerate(boots, start=1)
        for finding in _of_boot(number, boot, expected)
    )


def why_late(boots: tuple[Boot, ...]) -> str:
    """Return what an emulated machine was too slow for, empty if nothing.

    Where no processor is real, a busy host takes time from the machine, and systemd and its like
    give up waiting: that is no fault of the image, unless it happens again.
    """
    for answer in (
        answer for boot in boots if boot.accelerator == "tcg" for answer in boot.answers
    ):
        said = TIMED_OUT.search(answer.text)
        if said or answer.status == TIMEOUT:
            words = f": {said[0].strip()}" if said else ""
            return (
                f"asked for '{answer.question}', the emulated machine had no answer in time{words}"
            )
    return ""


def _of_boot(number: int, boot: Boot, expected: Expected) -> Iterator[Finding]:
    for question in questions(expected.facts, expected.plan, boot=number):
        answer = boot.answer(question.name)
        kind = question.name.partition(" ")[0]
        title, reason, rule = RULES.get(question.name) or RULES[kind]
        level, message = (Level.ERROR, SILENT) if answer is None else rule(answer, expected)
        yield Finding(
            id=f"boot-{number}-{question.name.replace(' ', '-')}",
            title=f"boot {number}: {title.format(name=question.name.partition(' ')[2])}",
            reason=reason,
            level=level,
            message=message,
        )


def _error(message: str) -> Judgement:
    return Level.ERROR, message


def _succeeds(answer: GuestAnswer, _expected: Expected) -> Judgement:
    return PASS if answer.status == 0 else _error(_last(answer))


def _fails(answer: GuestAnswer, _expected: Expected) -> Judgement:
    if answer.status == 0:
        return _error("it can be written to")
    return PASS if "Read-only file system" in answer.text else _error(_last(answer))


def _last(answer: GuestAnswer) -> str:
    lines = answer.text.splitlines() or [f"status {answer.status}"]
    return lines[-1]


def _says(expected_text: Callable[[Expected], str]) -> Rule:
    def rule(answer: GuestAnswer, expected: Expected) -> Judgement:
        wanted = expected_text(expected)
        if answer.text == wanted and answer.status == 0:
            return PASS
        return _error(f"it says '{_last(answer)}', not '{wanted}'")

    return rule


def _kernel(expected: Expected) -> str:
    return expected.plan.kernel.chosen or ""


def _state(answer: GuestAnswer, _expected: Expected) -> Judgement:
    return PASS if answer.text == "running" else _error(f"it is '{answer.text or 'silent'}'")


def _failed_units(answer: GuestAnswer, _expected: Expected) -> Judgement:
    if answer.status != 0:
        return _error(_last(answer))
    failed = [line.partition(" ") for line in answer.text.splitlines() if line.split()]
    return _error(", ".join(f"{it[0]} ({it[2]})" for it in failed)) if failed else PASS


def _targets(answer: GuestAnswer, _expected: Expected) -> Judgement:
    # systemd's status is 0 for a target that was never reached, too.
    if answer.status != 0:
        return _error(_last(answer))
    reached = target_seconds(answer.text)
    missing = [name for name in TARGETS if name not in reached]
    return _error(f"not reached: {', '.join(missing)}") if missing else PASS


def _tmpfiles(answer: GuestAnswer, _expected: Expected) -> Judgement:
    # A unit that was never started has a result of success, too.
    if answer.status == 0 and set(answer.text.split()) == {"ActiveState=active", "Result=success"}:
        return PASS
    return _error(f"systemd-tmpfiles-setup has {' '.join(answer.text.split()) or 'no state'}")


def _journal(answer: GuestAnswer, _expected: Expected) -> Judgement:
    if answer.status != 0:
        return _error(_last(answer))
    found = unexcused(answer.text)
    if not found:
        return PASS
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return _error(f"{found[0]}{more}")


def _image(answer: GuestAnswer, expected: Expected) -> Judgement:
    # GVariant's text form of a string has quotes.
    found = answer.text.strip("'\"")
    return PASS if found == expected.digest else _error(f"it runs {found or 'nothing'}")


def _module(answer: GuestAnswer, _expected: Expected) -> Judgement:
    if answer.status == 0:
        return PASS
    if NO_DEVICE in answer.text and "pci:" in answer.text:
        return Level.NOTE, "it finds no card in this machine"
    if reason := why_not_loaded(answer.question.partition(" ")[2], answer.text):
        return Level.NOTE, reason
    return _error(answer.text.splitlines()[0] if answer.text else f"status {answer.status}")


def _card(answer: GuestAnswer, _expected: Expected) -> Judgement:
    if answer.status == 0 and CARD_NAMED.search(answer.text):
        return PASS
    if answer.status == 0 and CARD_AWAITED.search(answer.text):
        return Level.NOTE, "it waits for a card, and this machine has none"
    return _error(f"no card is named, and none is waited for: {_last(answer)}")


def _zfs_version(answer: GuestAnswer, expected: Expected) -> Judgement:
    version = next((module.version for module in expected.plan.modules if module.name == "zfs"), "")
    found = [line.split("-")[1:2] for line in answer.text.splitlines()]
    kernel = [line.split("-")[2:3] for line in answer.text.splitlines() if "kmod" in line]
    if answer.status == 0 and [version] in found and kernel == [[version]]:
        return PASS
    return _error(f"userspace and module are not both {version}: {' '.join(answer.text.split())}")


def _healthy(answer: GuestAnswer, _expected: Expected) -> Judgement:
    # zpool's status is 0 with errors found, too. Source: zpool-status(8), -x.
    if answer.status == 0 and answer.text == f"pool '{POOL}' is healthy":
        return PASS
    return _error(_last(answer))


def _imported(answer: GuestAnswer, _expected: Expected) -> Judgement:
    if answer.status == 0 and answer.text.split()[1:] == ["ONLINE"]:
        return PASS
    return _error(_last(answer))


POOLS = "a pool that does not come up takes everything on it away"
RULES: dict[str, tuple[str, str, Rule]] = {
    "state": ("systemd is content", "a degraded host hides the next failure", _state),
    "kernel": ("the planned kernel runs", "modules fit one kernel only", _says(_kernel)),
    "failed-units": ("no unit has failed", "a failed unit is a service that is not there",
                     _failed_units),
    "targets": ("the targets are reached", "what waits for them would never start", _targets),
    "journal": ("no error in the journal", "an error that is always there hides a new one",
                _journal),
    "usr": ("/usr is read-only", "the image is what was signed only while nobody can change it",
            _fails),
    "etc": ("/etc can be written", "a host keeps its configuration there", _succeeds),
    "var": ("/var can be written", "a host keeps its data there", _succeeds),
    "tmpfiles": ("/var is made as tmpfiles.d says", "images have none of it",
                 _tmpfiles),
    "image": ("the host names this image", "an upgrade starts from what the host believes to run",
              _image),
    "service": ("{name} is alive", "every host needs it", _succeeds),
    "ssh": ("sshd lets a known key in", "there is no other way to a server without a screen",
            _says(lambda expected: expected.nonce)),
    "module": ("module {name} loads", "it is what the image is for", _module),
    "card": ("podman is told of the card", "a container gets no card that CDI does not name",
             _card),
    "zfs": ("zpool: {name}", POOLS, _succeeds),
    "zfs scrub": ("zpool: scrub", POOLS, _healthy),
    "zfs version": ("zfs and its module are of one version", POOLS, _zfs_version),
    "zfs imported": ("the pool has imported itself", POOLS, _imported),
}  # fmt: skip
"""By question, else by its first word: what is promised, why, and the rule."""

"""From answers to findings: each promise has an answer that keeps it, and one that breaks it."""

import pytest

from immutable_base.boot.judge import RULES, Expected, judge
from immutable_base.boot.questions import ALIVE, CARD_UNIT, TARGETS, boots_of, questions
from immutable_base.model.boot import Boot, GuestAnswer
from immutable_base.model.check import Level
from immutable_base.model.facts import UnitFact
from support.sound_image import FACTS, PLAN

NONCE, DIGEST = "ab" * 16, "sha256:" + "c" * 64
UNITS = tuple(UnitFact(name=name, preset="enable", state="enabled") for name in (*ALIVE, CARD_UNIT))
HOST = FACTS.model_copy(update={"units": UNITS})
JOURNAL = '{"SYSLOG_IDENTIFIER":"kernel","MESSAGE":"ACPI: no table"}'
CARDS = "Result=success\nINFO[0000] Found 2 CDI devices\nnvidia.com/gpu=0\nnvidia.com/gpu=all"
DRIVER, CARD = "grep -qE /nvidia.ko /lib/modules", "grep -qs 0x10de /sys/bus/pci/devices/*/vendor"


def skipped(driver, card, result="exec-condition"):
    """What systemd shows of a service that was skipped, by what its two conditions returned."""
    lines = [
        f"ExecCondition={{ path=/bin/sh ; argv[]={argv} ; pid=5 ; code=exited ; status={status} }}"
        for argv, status in ((DRIVER, driver), (CARD, card))
    ]
    return "\n".join((f"Result={result}", *lines))


def targets(*names):
    """What systemd shows of the targets when these were reached."""
    return "\n\n".join(
        f"Id={name}\nActiveEnterTimestampMonotonic={2500000 if name in names else 0}"
        for name in TARGETS
    )


GOOD = {
    "targets": targets(*TARGETS), "zfs scrub": "pool 'boottest' is healthy",
    "card": CARDS,
    "state": "running", "kernel": PLAN.kernel.chosen, "image": f"'{DIGEST}'", "ssh": NONCE,
    "tmpfiles": "Result=success\nActiveState=active", "journal": JOURNAL,
    "usr": (1, "touch: cannot touch '/usr/x': Read-only file system"),
    "zfs version": "zfs-2.3.9-1\nzfs-kmod-2.3.9-1", "zfs imported": "boottest\tONLINE",
}  # fmt: skip


def boot(number, **changes):
    """A boot in which all is well, but for what is changed: a text, or a status and a text."""
    answers = []
    for question in questions(HOST, PLAN, boot=number):
        said = changes.get(question.name, GOOD.get(question.name, ""))
        status, text = said if isinstance(said, tuple) else (0, said)
        if said is not None:
            answers.append(GuestAnswer(question=question.name, status=status, text=text))
    return Boot(
        accelerator="tcg", seconds=30, targets={}, console="console-1.log", answers=tuple(answers)
    )


def findings(*boots):
    return judge(boots, Expected(facts=HOST, plan=PLAN, digest=DIGEST, nonce=NONCE))


def test_a_sound_host_has_no_error_and_every_question_a_finding():
    found = findings(boot(1), boot(2))
    assert {it.level for it in found} == {Level.PASS}
    assert len(found) == sum(len(questions(HOST, PLAN, boot=number)) for number in (1, 2))
    assert len({it.id for it in found}) == len(found)


BROKEN = [
    (1, "card", (1, "nvidia-ctk: not found")),
    (1, "card", "Result=success\nINFO[0000] Found 0 CDI devices"),
    (1, "card", (1, CARDS)),
    (1, "card", skipped(1, 0)),
    (1, "card", skipped(0, 1, result="success")),
    (1, "card", ""),
    (1, "state", (1, "degraded")),
    (1, "state", (1, "")),
    (1, "kernel", "6.12.0"),
    (1, "failed-units", "nvidia-persistenced.service exit-code"),
    (1, "failed-units", (1, "no bus")),
    (1, "targets", (1, "no bus")),
    (1, "targets", targets(*TARGETS[:-1])),
    (1, "targets", ""),
    (1, "journal", '{"SYSLOG_IDENTIFIER":"sshd","MESSAGE":"no host key"}'),
    (1, "journal", (1, "no journal")),
    (1, "journal", "half a li"),
    (1, "usr", (0, "")),
    (1, "usr", (1, "touch: not found")),
    (1, "etc", (1, "touch: cannot touch '/etc/x': Read-only file system")),
    (1, "var", (1, "No space left on device")),
    (1, "tmpfiles", "Result=exit-code\nActiveState=failed"),
    (1, "tmpfiles", "Result=success\nActiveState=inactive"),
    (1, "image", "'sha256:" + "d" * 64 + "'"),
    (1, "image", (1, "")),
    (1, "service chronyd.service", (3, "inactive")),
    (1, "service sshd.service", (3, "failed")),
    (1, "ssh", (1, "cat: /run/immutable-base.ssh: No such file or directory")),
    (1, "ssh", "another nonce"),
    (1, "module zfs", (1, "modprobe: ERROR: could not insert 'zfs': Key was rejected by service")),
    (1, "module zfs", (1, "modprobe: ERROR: could not insert 'zfs': No such device")),
    (1, "zfs version", "zfs-2.3.9-1\nzfs-kmod-2.3.8-1"),
    (1, "zfs version", "zfs-2.3.8-1\nzfs-kmod-2.3.9-1"),
    (1, "zfs version", (1, "zfs-2.3.9-1")),
    (1, "zfs create", (1, "no such device in /dev")),
    (1, "zfs write", (1, "read-only")),
    (1, "zfs export", (1, "busy")),
    (1, "zfs import", (1, "cannot import")),
    (1, "zfs snapshot", (1, "FAILED")),
    (1, "zfs scrub", (1, "errors")),
    (
        1,
        "zfs scrub",
        "  pool: boottest\n state: ONLINE\nerrors: 1 data errors, use '-v' for a list",
    ),
    (1, "zfs scrub", (1, "pool 'boottest' is healthy")),
    (2, "zfs imported", (1, "cannot open 'boottest': no such pool")),
    (2, "zfs imported", "boottest\tDEGRADED"),
    (2, "zfs read", (1, "FAILED")),
]


@pytest.mark.parametrize(("number", "question", "said"), BROKEN)
def test_a_broken_promise_is_the_one_error(number, question, said):
    changed = [boot(it, **({question: said} if it == number else {})) for it in (1, 2)]
    errors = [it for it in findings(*changed) if it.level is Level.ERROR]
    assert [it.id for it in errors] == [f"boot-{number}-{question.replace(' ', '-')}"]
    assert errors[0].message


@pytest.mark.parametrize(
    ("number", "question"),
    [(number, it.name) for number in (1, 2) for it in questions(HOST, PLAN, boot=number)],
)
def test_silence_is_an_error(number, question):
    changed = [boot(it, **({question: None} if it == number else {})) for it in (1, 2)]
    errors = [it for it in findings(*changed) if it.level is Level.ERROR]
    assert [it.id for it in errors] == [f"boot-{number}-{question.replace(' ', '-')}"]


def test_every_rule_is_broken_once():
    broken = {question for _, question, _ in BROKEN}
    kinds = {question.partition(" ")[0] for question in broken} | broken
    assert set(RULES) <= kinds


def test_a_module_without_its_card_is_a_note():
    said = (1, "modprobe: ERROR: could not insert 'nvidia': No such device\npci:v000010DEd*")
    errors = findings(boot(1, **{"module zfs": said}), boot(2))
    assert [it.level for it in errors if it.id == "boot-1-module-zfs"] == [Level.NOTE]


@pytest.mark.parametrize("order", [1, -1])
def test_a_service_that_waits_for_a_card_is_a_note(order):
    said = "\n".join(skipped(0, 1).splitlines()[::order])
    [found] = [it for it in findings(boot(1, card=said)) if it.level is not Level.PASS]
    assert (found.id, found.level) == ("boot-1-card", Level.NOTE)
    assert "waits for a card" in found.message


def test_an_image_without_the_container_toolkit_is_asked_for_no_card():
    facts = HOST.model_copy(update={"units": UNITS[:-1]})
    assert "card" not in {it.name for it in questions(facts, PLAN, boot=1)}


def test_nvidia_peermem_may_refuse_in_its_own_words_only():
    def level(name, said):
        answer = GuestAnswer(question=f"module {name}", status=1, text=said)
        (_, _, rule) = RULES["module"]
        return rule(answer, None)[0]

    words = "modprobe: ERROR: could not insert 'nvidia_peermem': Invalid argument"
    assert level("nvidia-peermem", words) is Level.NOTE
    assert level("nvidia-peermem", "modprobe: ERROR: Key was rejected by service") is Level.ERROR
    assert level("nvidia", words) is Level.ERROR


def test_an_image_without_pools_boots_once_and_is_asked_nothing_of_them():
    plain = PLAN.model_copy(update={"modules": ()})
    assert boots_of(plain) == 1
    assert not [it for it in questions(HOST, plain, boot=1) if it.name.startswith("zfs")]


def test_no_question_has_what_would_end_its_line():
    for number in (1, 2):
        for question in questions(HOST, PLAN, boot=number):
            assert not set("\t\n") & set(question.name + question.script)

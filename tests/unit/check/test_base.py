"""What the base image itself is not right in is said, and does not fail what is built on it."""

import pytest

from immutable_base.check.outputs import dnf_problems, lint_objections
from immutable_base.check.run_checks import check_image, require_sound, run_checks
from immutable_base.model.check import Level
from immutable_base.model.facts import ProgramOutput
from support.sound_image import FACTS, FINE, INITRAMFS, PLAN, SETTINGS


def finding(identifier, *, base, **changes):
    facts = FACTS.model_copy(update={**changes, "base": FACTS.base.model_copy(update=base)})
    return {f.id: f for f in run_checks(facts, PLAN, SETTINGS)}[identifier]


def said(text, status=1):
    return ProgramOutput(status=status, text=text)


DNF4 = "bash-5.3-1.x86_64 has missing requires of libtinfo"
DNF5 = 'bash-5.3-1.x86_64\n missing require "libtinfo"'
LINT = "Failed lint: kernel: two of them\nChecks passed: 9\nerror: Linting: Checks failed: 1"
KARGS = {"10-base.toml": "karg = []"}
SAME = [
    ("dnf-check", "dnf_check", said(f"{DNF4}\nCheck discovered 1 problem(s)"), said(f"{DNF4}\nCheck discovered 1 problem(s)")),
    ("dnf-check", "dnf_check", said(f"{DNF4}\nCheck discovered 1 problem(s)"), said(f"{DNF4}\nother has missing requires\nCheck discovered 2 problem(s)")),
    ("dnf-check", "dnf_check", said(f"{DNF5}\nCheck discovered 1 problem(s) in 1 package(s)"), said(f'{DNF5}\nz\n missing require "y"\nCheck discovered 2 problem(s) in 2 package(s)')),
    ("bootc-lint", "bootc_lint", said(LINT), said(LINT)),
    ("no-build-tools", "leftovers", ("usr/src/annobin",), ("usr/src/annobin", "var/log/x")),
    ("kargs", "kargs", KARGS, KARGS),
    ("initramfs", "initramfs", INITRAMFS.model_copy(update={"mode": 0o644}), INITRAMFS.model_copy(update={"mode": 0o644})),
]  # fmt: skip
"""A check, a field, what the image says, and what the base says."""


@pytest.mark.parametrize(("identifier", "field", "ours", "bases"), SAME)
def test_what_the_base_says_itself_is_noted_with_the_evidence(identifier, field, ours, bases):
    found = finding(identifier, base={field: bases}, **{field: ours})
    assert found.level is Level.NOTE
    assert "no more than in the base image" in found.message
    assert found.evidence


NEW = [
    ("dnf-check", "dnf_check", said(f"{DNF4}\nzfs has missing requires"), said(DNF4), "zfs has missing requires"),
    ("dnf-check", "dnf_check", said(f'{DNF5}\n missing require "zfs"'), said(DNF5), 'bash-5.3-1.x86_64: missing require "zfs"'),
    ("dnf-check", "dnf_check", said('a\n missing require "x"'), said('b\n missing require "x"'), 'a: missing require "x"'),
    ("dnf-check", "dnf_check", said(f"{DNF4}\n{DNF4}"), said(DNF4), DNF4),
    ("dnf-check", "dnf_check", said(DNF4), FINE, DNF4),
    ("dnf-check", "dnf_check", said(DNF4, 127), said(DNF4, 1), DNF4),
    ("dnf-check", "dnf_check", said("", 139), said("", 139), None),
    ("bootc-lint", "bootc_lint", said(LINT), None, "kernel: two of them"),
    ("bootc-lint", "bootc_lint", said(f"Failed lint: utf8: a\n{LINT}"), said(LINT), "utf8: a"),
    ("bootc-lint", "bootc_lint", said("Failed lint: utf8: a"), said("Lint warning: utf8: a"), "utf8: a"),
    ("bootc-lint", "bootc_lint", said("error: no root"), said("error: no root"), "error: no root"),
    ("no-build-tools", "leftovers", ("usr/src/annobin", "usr/src/zfs"), ("usr/src/annobin",), "/usr/src/zfs"),
    ("kargs", "kargs", {**KARGS, "b.toml": "= x"}, KARGS, "b.toml: "),
    ("initramfs", "initramfs", INITRAMFS.model_copy(update={"mode": 0o644}), INITRAMFS, "mode 0644, not 0600"),
    ("initramfs", "initramfs", INITRAMFS.model_copy(update={"mode": 0o644}), None, "mode 0644, not 0600"),
    ("initramfs", "initramfs", INITRAMFS.model_copy(update={"mode": 0o644}),
     INITRAMFS.model_copy(update={"mode": 0o644, "path": "usr/lib/modules/old/initramfs.img"}), "mode 0644, not 0600"),
]  # fmt: skip


@pytest.mark.parametrize(("identifier", "field", "ours", "bases", "evidence"), NEW)
def test_what_is_new_fails_and_only_that_is_named(identifier, field, ours, bases, evidence):
    found = finding(identifier, base={field: bases}, **{field: ours})
    assert found.level is Level.ERROR
    if evidence is None:
        assert found.evidence == ()
    else:
        [line] = found.evidence
        assert line.startswith(evidence)


def test_a_build_tool_of_the_bases_does_not_excuse_one_of_ours():
    gcc = FACTS.packages[0].model_copy(update={"name": "gcc"})
    make = FACTS.packages[0].model_copy(update={"name": "make"})
    theirs = (*FACTS.base.packages, gcc)
    found = finding(
        "no-build-tools", base={"packages": theirs}, packages=(*FACTS.packages, gcc, make)
    )
    assert found.evidence == (str(make),)


def test_a_new_warning_of_the_lint_is_noted_and_one_of_the_bases_is_not():
    warned = said("Lint warning: sysusers: a:\n  x\n\nChecks passed: 3\nWarnings: 1", status=0)
    found = finding("bootc-lint", base={"bootc_lint": FINE}, bootc_lint=warned)
    assert (found.level, found.evidence) == (Level.NOTE, ("sysusers: a:", "sysusers: x"))
    assert finding("bootc-lint", base={"bootc_lint": warned}, bootc_lint=warned).level is Level.PASS


def test_an_image_with_the_bases_faults_is_published():
    facts = FACTS.model_copy(
        update={"dnf_check": said(DNF4), "base": FACTS.base.model_copy(update={"dnf_check": said(DNF4)})}
    )  # fmt: skip
    report = check_image(facts, PLAN, SETTINGS, rests_on={})
    require_sound(report, hint="")
    assert [f.id for f in report.findings if f.level is Level.NOTE] == ["dnf-check"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ()),
        ("Error: Check discovered 2 problem(s)", ()),
        ("a has missing requires of b\na is obsoleted by c", ("a has missing requires of b", "a is obsoleted by c")),
        ('a\n missing require "b"\n duplicate with "a2"\nc\n missing require "d"\nCheck discovered 3 problem(s) in 2 package(s)',
         ('a: missing require "b"', 'a: duplicate with "a2"', 'c: missing require "d"')),
    ],
)  # fmt: skip
def test_problems_of_dnf_4_and_5(text, problems):
    assert dnf_problems(text) == problems


def test_objections_of_the_lint_are_its_lines_with_its_name():
    text = (
        "Failed lint: var-run: Not a symlink: var/run\nLint warning: var-log: Found logs:\n  /var/log/a\n"
        "  ...and 3 more\n\nChecks passed: 9\nChecks skipped: 1\nWarnings: 1\nerror: Linting: Checks failed: 1"
    )  # fmt: skip
    assert lint_objections(text) == (
        ("var-run: Not a symlink: var/run",),
        ("var-log: Found logs:", "var-log: /var/log/a", "var-log: ...and 3 more"),
    )

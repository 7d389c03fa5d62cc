"""What the checks found, as JUnit XML for GitLab.

Source: https://docs.gitlab.com/ci/testing/unit_test_reports/, "JUnit XML format specification".
GitLab calls a `classname` the suite, and of two test cases with one name it shows the first.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence

from immutable_base.errors import printable
from immutable_base.model.check import CheckedVariant, Finding, Level

WHOLE = "the image is checked"
"""Name of the only test case of a variant that has no findings."""


def checks_junit(variants: Sequence[CheckedVariant]) -> str:
    """Return a test suite for each variant, with a test case for each finding.

    A note is a pass with its words beside it. A variant that is held is skipped, with the reason;
    one without findings is an error: nothing that was not checked passes.
    """
    root = ET.Element("testsuites", name="immutable-base check")
    for variant in variants:
        _add_suite(root, variant)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_suite(root: ET.Element, variant: CheckedVariant) -> None:
    suite = ET.SubElement(root, "testsuite", name=variant.name)
    seen: Counter[str] = Counter()
    for finding in variant.findings:
        seen[finding.title] += 1
        number = seen[finding.title]
        name = finding.title if number == 1 else f"{finding.title} ({number})"
        _add_finding(_case(suite, variant.name, name), finding)
    if variant.held:
        _add(_case(suite, variant.name, WHOLE), "skipped", f"held: {variant.held}")
    elif not variant.findings:
        words = str(variant.error) if variant.error else "no check was made"
        _add(_case(suite, variant.name, WHOLE), "error", words)
    suite.set("tests", str(len(suite)))
    for kind in ("failure", "error", "skipped"):
        total = sum(case.find(kind) is not None for case in suite)
        suite.set("skipped" if kind == "skipped" else f"{kind}s", str(total))


def _case(suite: ET.Element, variant: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=_clean(variant), name=_clean(name))


def _add_finding(case: ET.Element, finding: Finding) -> None:
    words = "\n".join([finding.message, *finding.evidence]).strip()
    if finding.level is Level.ERROR:
        _add(case, "failure", f"{words}\n\n{finding.reason}".strip())
    elif finding.level is Level.NOTE:
        ET.SubElement(case, "system-out").text = _clean(f"note: {words}")


def _add(case: ET.Element, kind: str, words: str) -> None:
    first = words.partition("\n")[0]
    ET.SubElement(case, kind, message=_clean(first)).text = _clean(words)


def _clean(text: str) -> str:
    """Return text as XML can hold it: control characters and halves of characters are none.

    Source: XML 1.0, 2.2.
    """
    shown = printable(text).encode("utf-8", "backslashreplace").decode()
    return "".join(
        one if one < "\ufffe" or one > "\uffff" else "\\u" + f"{ord(one):x}" for one in shown
    )

"""Each rule of `policy lint` is in the page that explains the traps, and the page names no other."""

import re

from support.paths import ROOT

PAGE = ROOT / "docs/explanation/host-policy.md"
RULE = re.compile(r'(?:yield\s*(?:\(\s*)?|rule=)"(?P<rule>[a-z]+(?:-[a-z]+)*)"')


def test_every_trap_has_a_finding_and_every_finding_its_trap():
    modules = sorted((ROOT / "src/immutable_base/policy").glob("lint*.py"))
    rules = {rule for path in modules for rule in RULE.findall(path.read_text())}
    assert {"overridden", "enforced-and-open", "install-unreadable"} <= rules
    table = (
        PAGE.read_text().split("## Every trap has a finding")[1].split("What an image cannot")[0]
    )
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)} == rules

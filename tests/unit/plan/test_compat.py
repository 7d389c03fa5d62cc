"""The compat ledger: the entries that are shipped, and which of several counts."""

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.plan.compat import (
    CompatEntry,
    CompatVerdict,
    Ledger,
    load_ledger,
    matches,
    parse_ledger,
)
from immutable_base.solver.order import EvrOrder

ORDER = EvrOrder()


def verdict(ledger, module, version, kernel, release="1"):
    found = ledger.find(module, version, release, kernel, ORDER)
    return found and found.verdict.value


@pytest.mark.parametrize(
    ("module", "version", "kernel", "expected"),
    [
        ("nvidia", "550.163.01", "6.12.94-1", "builds"),
        ("nvidia", "550.163.01", "6.12.96-1", "builds"),
        ("nvidia", "550.163.01", "6.12.97-1", "breaks"),
        ("nvidia", "550.163.01", "6.12.107+deb13-1", "breaks"),
        ("nvidia", "550.163.01", "6.12.117-1", "breaks"),
        ("nvidia", "550.163.01", "6.16.3-1", None),
        ("nvidia", "550.163.01", "6.18.39-1", None),
        ("nvidia", "550.163.01", "6.18.40-1", "breaks"),
        ("nvidia", "550.163.01", "7.2.12-1", "breaks"),
        ("nvidia", "550.163.01", "6.12.0-162.el10", None),
        ("nvidia", "570.999", "6.12.100-1", "breaks"),
        ("nvidia", "580.142", "7.1.1-1", "breaks"),
        ("nvidia", "580.159.04", "7.1.1-1", "builds"),
        ("nvidia", "590.48.01", "6.19.2-1", "breaks"),
        ("zfs", "2.3.9", "6.12.117-1", "builds"),
        ("zfs", "2.3.10", "6.12.117-1", None),
        ("unknown", "1", "6.12.117-1", None),
    ],
)
def test_shipped(module, version, kernel, expected):
    assert verdict(load_ledger(), module, version, kernel) == expected


def test_every_entry_says_why_and_where_from():
    assert all(entry.evidence and entry.source for entry in load_ledger().entries)


def test_prefixes_are_components():
    assert matches("2.3", "2.3.9")
    assert matches("2.3", "2.3")
    assert not matches("2.3", "2.30.1")
    assert matches("550.163.01-2", "550.163.01", "2")
    assert not matches("550.163.01-2", "550.163.01", "4")


def entry(version, verdict):
    return CompatEntry.model_validate(
        {"module": "nvidia", "version": version, "from": "6.12.94-1", "below": "6.12.94-1.0",
         "verdict": verdict, "evidence": "make: error", "source": "our builder"}
    )  # fmt: skip


def test_the_most_exact_entry_counts_and_among_equals_a_break():
    exact, broad = (
        entry("550.163.01-2", CompatVerdict.BUILDS),
        entry("550.163.01", CompatVerdict.BREAKS),
    )
    ledger = Ledger(entries=(exact, broad, entry("550.163.01", CompatVerdict.BUILDS)))
    assert verdict(ledger, "nvidia", "550.163.01", "6.12.94-1", release="2") == "builds"
    assert verdict(ledger, "nvidia", "550.163.01", "6.12.94-1", release="4") == "breaks"


def test_a_malformed_ledger_is_named():
    with pytest.raises(ConfigurationError, match="compat ledger is malformed"):
        parse_ledger("[[entry]]\nmodule = 'zfs'\n")


@pytest.mark.parametrize(
    ("kernel", "covered"),
    [
        ("6.12.93-9", False),
        ("6.12.94-1", True),
        ("6.12.99-1", True),
        ("6.12.100~rc1-1", True),
        ("6.12.100-1", False),
        ("6.12.100-2", False),
        ("1:6.12.95-1", False),
    ],
)
def test_a_range_has_its_first_kernel_and_ends_before_the_one_that_was_fixed(kernel, covered):
    found = entry("550.163.01", CompatVerdict.BREAKS).model_copy(
        update={"from_": "6.12.94-1", "below": "6.12.100-1"}
    )
    assert found.covers(kernel, ORDER) is covered


def test_a_range_without_an_end_goes_on():
    found = entry("550.163.01", CompatVerdict.BREAKS).model_copy(update={"from_": "", "below": ""})
    assert found.covers("0-1", ORDER)
    assert found.covers("99:1-1", ORDER)

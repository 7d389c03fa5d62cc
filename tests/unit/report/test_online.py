"""What `doctor --online` prints: a row for each answer, and what all of them together mean."""

from immutable_base.model.online import OnlineFinding, OnlineReport, State
from immutable_base.report.online import online_text

WIDTH = 120


def found(kind, name, state=State.OK, *, message="it answers", code=0):
    return OnlineFinding(kind=kind, name=name, state=state, message=message, exit_code=code)


def printed(*findings):
    return online_text(OnlineReport(findings=findings), width=WIDTH, colour=False)


def test_every_answer_has_a_row_and_the_last_lines_count_them():
    text = printed(
        found("key", "k"),
        found("base", "registry/b:1", State.WARNING, message="no support from 2026-12-02 on"),
        found("variant", "v", State.HELD, message="held: the key `k` is not pinned"),
        found("registry", "r", State.FAULT, message="\x1b[31mit is down", code=6),
    )
    for words in ("it answers", "no support from 2026-12-02 on", "held: the key `k` is not pinned"):
        assert words in text
    assert "1 ok, 1 warning, 1 held, 1 fault" in text
    assert "Not tried, because nothing is pushed or signed here" in text
    assert "\x1b" not in text


def test_a_machine_without_a_network_is_told_so_and_not_only_of_twenty_faults():
    silent = [
        found(kind, kind, State.FAULT, message="cannot be fetched", code=6)
        for kind in ("key", "base", "registry", "sigstore")
    ]
    derived = (found("repository", "c", State.WARNING), found("variant", "v", State.HELD))
    assert "does this machine reach the network" in printed(*silent, *derived)
    other = found("key", "other", State.FAULT, message="another key", code=12)
    assert "does this machine reach" not in printed(*silent, other, *derived)
    assert "does this machine reach" not in printed(*silent[1:], found("key", "k"), *derived)


def test_in_a_narrow_terminal_nothing_is_cut_off():
    message = " ".join(["word"] * 60)
    text = online_text(
        OnlineReport(findings=(found("repository", "n" * 70, message=message),)),
        width=80, colour=False,
    )  # fmt: skip
    assert text.count("word") == 60
    assert text.count("n" * 5) >= 12

"""What a boot means for publication, for each policy."""

import contextlib

import pytest

from immutable_base.boot import gate as room
from immutable_base.boot.boot_image import Booted, BootRequest
from immutable_base.boot.gate import boot_message, gate, require_booted
from immutable_base.config.boot import BootSettings
from immutable_base.errors import (
    CheckError,
    CommandError,
    HostError,
    ToolMissingError,
    VerificationError,
)
from immutable_base.model.boot import Boot, BootPolicy, BootReport, BootVerdict
from immutable_base.model.check import Finding, Level
from support.sound_image import FACTS, PLAN

FINE = Finding(id="a", title="it runs", reason="r", level=Level.PASS, message="")
WRONG = Finding(
    id="b", title="no unit has failed", reason="r", level=Level.ERROR, message="x.service"
)
BOOT = Boot(accelerator="tcg", seconds=26.4, targets={}, console="console-1.log", answers=())
DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def run_gate(tmp_path, monkeypatch):
    """Runs the gate; what a boot comes to is given."""

    def run(policy, result):
        def boot(*_):
            if isinstance(result, Exception):
                raise result
            return Booted(boots=(BOOT,), findings=result)

        monkeypatch.setattr(room, "boot_image", boot)
        monkeypatch.setattr(room, "mounted_image", lambda *_: contextlib.nullcontext())
        request = BootRequest(
            variant=PLAN, facts=FACTS, layout=tmp_path, digest=DIGEST,
            origin="r/x:latest", folder=tmp_path, settings=BootSettings(policy=policy),
        )  # fmt: skip
        return gate(None, None, request, lambda: "id", lambda _: None)

    return run


def document(result):
    return BootReport(
        rests_on={}, variant="base", image_id="a" * 64, digest=DIGEST,
        verdict=result.verdict, reason=result.reason, findings=result.findings, boots=result.boots,
    )  # fmt: skip


@pytest.mark.parametrize("policy", [BootPolicy.REQUIRED, BootPolicy.WANTED])
def test_an_image_that_keeps_its_promises_goes_on(run_gate, policy):
    report = document(run_gate(policy, (FINE,)))
    require_booted(report, policy, hint="", digest=DIGEST)
    assert boot_message(report) == "booted in 26 s (tcg)"


@pytest.mark.parametrize("policy", [BootPolicy.REQUIRED, BootPolicy.WANTED])
@pytest.mark.parametrize("result", [(FINE, WRONG), CheckError("it panicked", details="console")])
def test_one_that_does_not_is_refused_whatever_the_policy(run_gate, policy, result):
    report = document(run_gate(policy, result))
    assert report.verdict is BootVerdict.FAILED
    with pytest.raises(CheckError) as caught:
        require_booted(report, policy, hint="look there", digest=DIGEST)
    assert ("x.service" in str(caught.value)) or ("console" in str(caught.value))
    assert "look there" in str(caught.value)


def test_off_boots_nothing_and_says_so(run_gate):
    report = document(run_gate(BootPolicy.OFF, AssertionError("booted")))
    assert report.verdict is BootVerdict.NOT_TESTED
    require_booted(report, BootPolicy.OFF, hint="", digest=DIGEST)
    assert "off" in boot_message(report)


def test_a_host_that_cannot_boot_is_an_error_where_it_is_required(run_gate):
    with pytest.raises(HostError):
        run_gate(BootPolicy.REQUIRED, ToolMissingError("no qemu"))


def test_where_it_is_wanted_the_image_goes_on_and_the_reason_is_told(run_gate):
    report = document(run_gate(BootPolicy.WANTED, ToolMissingError("no qemu")))
    assert report.verdict is BootVerdict.NOT_TESTED
    require_booted(report, BootPolicy.WANTED, hint="", digest=DIGEST)
    assert "no qemu" in boot_message(report)


@pytest.mark.parametrize("policy", [BootPolicy.REQUIRED, BootPolicy.WANTED])
def test_qemu_that_fails_is_no_verdict_about_the_image(run_gate, policy):
    with pytest.raises(CommandError):
        run_gate(policy, CommandError("qemu was ended by SIGKILL"))


def test_a_document_of_a_laxer_policy_does_not_pass_a_stricter_one(run_gate):
    report = document(run_gate(BootPolicy.OFF, ()))
    with pytest.raises(CheckError, match="was not booted"):
        require_booted(report, BootPolicy.REQUIRED, hint="", digest=DIGEST)


def test_a_boot_of_another_image_counts_for_nothing(run_gate):
    report = document(run_gate(BootPolicy.REQUIRED, (FINE,)))
    with pytest.raises(VerificationError, match="0000"):
        require_booted(report, BootPolicy.REQUIRED, digest="sha256:" + "0" * 64, hint="")

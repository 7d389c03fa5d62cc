"""What a person reads during and after a night."""

from immutable_base.model.run import RunReport, VariantOutcome, VariantResult
from immutable_base.report.run import run_text

GOOD = VariantResult(
    name="base-zfs",
    outcome=VariantOutcome.PUBLISHED,
    unchanged=False,
    kernel="6.12.117",
    action="up",
    reason="kernel 6.12.105 up to 6.12.117: no kernel-devel for 6.12.105",
    modules=("zfs 2.3.9",),
    packages=412,
    size=300 << 20,
    reference="127.0.0.1:5000/immutable-base/base-zfs@sha256:" + "ab" * 32,
    tags=("latest",),
    signer="https://gitlab.com/acme/os//.gitlab-ci.yml@refs/heads/main",
    seconds=61.0,
    error=None,
    exit_code=0,
)
BAD = GOOD.model_copy(
    update={
        "name": "base",
        "outcome": VariantOutcome.FAILED,
        "reference": None,
        "error": "`dkms build` exited with status 3\n  | too few arguments\nhint: see make.log",
        "exit_code": 5,
    }
)


def report(*variants):
    return RunReport(
        started="2026-11-23T02:00:00+00:00",
        seconds=100,
        documents="/var/nights",
        variants=variants,
        nodes=(),
    )


def test_table_shows_kernel_direction_digest_signer_and_next_steps():
    text = run_text(report(GOOD), width=160, colour=False)
    for words in ("base-zfs", "published", "6.12.117 (up)", "zfs 2.3.9", "412", "300 MiB", "abababababab",
                  "no kernel-devel for 6.12.105", "signed by https://gitlab.com/acme/os//.gitlab-ci.yml@refs/heads/main",
                  "/var/nights", "immutable-base verify 127.0.0.1:5000/immutable-base/base-zfs:latest"):  # fmt: skip
        assert words in text


def test_unchanged_is_said():
    assert "published (unchanged)" in run_text(
        report(GOOD.model_copy(update={"unchanged": True})), width=160, colour=False
    )


def test_a_failure_is_shown_in_full():
    text = run_text(report(GOOD, BAD), width=160, colour=False)
    assert "base: `dkms build` exited with status 3" in text
    assert "| too few arguments" in text
    assert "hint: see make.log" in text

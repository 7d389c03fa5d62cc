"""A report of a run, with one variant that went well and one that did not."""

from immutable_base.model.boot import BootVerdict
from immutable_base.model.run import RunReport, VariantOutcome, VariantResult

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
    sbom_size=140_000,
    boot=BootVerdict.BOOTED,
    boot_seconds=26.4,
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

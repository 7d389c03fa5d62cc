"""`verify` against the two commands of cosign that it stands for."""

from __future__ import annotations

import statistics
import subprocess
import sys

from common import PRODUCT, SETTINGS, TINY, Row, timed

ROOTS = {
    "SIGSTORE_ROOT_FILE": "fulcio_root",
    "SIGSTORE_REKOR_PUBLIC_KEY": "rekor_key",
    "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": "ct_log_key",
}
VARIANT = "tiny"
REPEATS = 5
PROBE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _cosign(verb: tuple[str, ...], reference: str) -> float:
    signing = SETTINGS["signing"]
    return timed(
        "cosign",
        *verb,
        "--new-bundle-format=false",
        f"--certificate-identity={signing['certificate_identity']}",
        f"--certificate-oidc-issuer={signing['certificate_oidc_issuer']}",
        reference,
        env={name: signing[key] for name, key in ROOTS.items() if signing.get(key)},
    )


def _memory(argv: tuple[str, ...]) -> float:
    """Return the MiB that a program had in memory at most.

    A small process starts it: until its `exec` a child has as much as its parent, and that counts.
    """
    done = subprocess.run(
        (sys.executable, "-c", PROBE, *argv), stdout=subprocess.PIPE, text=True, check=True
    )
    return int(done.stdout) / 1024


def verify_rows() -> list[Row]:
    """Measure `verify` of an image of the tiny stream, which `tiny_rows` has published."""
    argv = (*PRODUCT, "verify", VARIANT, "--config", str(TINY))
    reference = f"{SETTINGS['registry']['destination']}/{VARIANT}:latest"
    ours, theirs = [], []
    for _ in range(REPEATS):  # In turns, so that both have the same neighbours.
        ours.append(timed(*argv))
        theirs.append(
            _cosign(("verify",), reference)
            + _cosign(("verify-attestation", "--type=cyclonedx"), reference)
        )
    what = "`verify` against `cosign verify` and `cosign verify-attestation`"
    return [
        Row(what, statistics.median(ours), statistics.median(theirs), "≤ 1.0"),
        Row("memory of `verify`", _memory(argv), None, "≤ 60 MiB", digits=0, unit="MiB"),
    ]

"""`verify` against the commands of cosign that it stands for, with the cosign that users have."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

from common import PRODUCT, SETTINGS, TINY, Row, memory_of, timed

ROOTS = {
    "SIGSTORE_ROOT_FILE": "fulcio_root",
    "SIGSTORE_REKOR_PUBLIC_KEY": "rekor_key",
    "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": "ct_log_key",
}
VARIANT = "tiny"
REPEATS = 5


def _users_cosign() -> str:
    """Return the whole cosign, as `immutable-base tools` builds it; the lab's lacks a third."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # where its compiler is
    done = subprocess.run(
        (*PRODUCT, "tools", "cosign"),
        env={**os.environ, "PATH": path},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return str(Path(done.stdout.strip()) / "cosign")


def _asked(cosign: str, verb: tuple[str, ...], reference: str) -> float:
    signing = SETTINGS["signing"]
    return timed(
        cosign,
        *verb,
        "--new-bundle-format=false",
        f"--certificate-identity={signing['certificate_identity']}",
        f"--certificate-oidc-issuer={signing['certificate_oidc_issuer']}",
        reference,
        env={name: signing[key] for name, key in ROOTS.items() if signing.get(key)},
    )


def verify_rows() -> list[Row]:
    """Measure `verify` of an image of the tiny stream, which `tiny_rows` has published."""
    program = str(Path(PRODUCT[0]).with_name("immutable-base"))
    argv = (program, "verify", VARIANT, "--config", str(TINY))
    reference = f"{SETTINGS['registry']['destination']}/{VARIANT}:latest"
    cosign = _users_cosign()
    ours, two, three = [], [], []
    for _ in range(REPEATS):  # In turns, so that both have the same neighbours.
        ours.append(timed(*argv))
        signature, sbom, provenance = (
            _asked(cosign, verb, reference)
            for verb in (
                ("verify",),
                ("verify-attestation", "--type=cyclonedx"),
                ("verify-attestation", "--type=slsaprovenance1"),
            )
        )
        two.append(signature + sbom)
        three.append(signature + sbom + provenance)
    seconds = statistics.median(ours)
    what = "`verify` against `cosign verify` and `cosign verify-attestation`"
    also = f"{what} twice: of the SBOM, and of the provenance, which `verify` proves too"
    return [
        Row(what, seconds, statistics.median(two), "≤ 1.0"),
        Row(also, seconds, statistics.median(three), "≤ 1.0"),
        Row("memory of `verify`", memory_of(argv), None, "≤ 60 MiB", digits=0, unit="MiB"),
    ]

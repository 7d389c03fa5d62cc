"""`verify` against the two commands of cosign that it stands for."""

from __future__ import annotations

import statistics

from common import PRODUCT, SETTINGS, TINY, Row, memory_of, timed

ROOTS = {
    "SIGSTORE_ROOT_FILE": "fulcio_root",
    "SIGSTORE_REKOR_PUBLIC_KEY": "rekor_key",
    "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": "ct_log_key",
}
VARIANT = "tiny"
REPEATS = 5


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
        Row("memory of `verify`", memory_of(argv), None, "≤ 60 MiB", digits=0, unit="MiB"),
    ]

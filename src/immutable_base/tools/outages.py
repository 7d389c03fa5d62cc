"""Whether a program's output says that a service is not to be had, or that it refuses.

Programs print what a server has answered; only that tells one from the other.
"""

from __future__ import annotations

import re

from immutable_base.errors import RemoteError, UnavailableError

REFUSED = re.compile(
    r"\b(?:unauthorized|denied|forbidden|manifest invalid|digest invalid)\b|x509:"
    r"|(?:verify|unknown|bad|expired) certificate"
    r"|(?<![.:\d])4(?!08|25|29)\d\d (?:Bad|Unauthorized|Payment|Forbidden|Not|Method|Conflict)"
    r"|(?:status(?: code)?:? |\[)4(?!08|25|29)\d\d\b",
    re.IGNORECASE,
)
"""A definite answer: asked again, the server says the same. Source: RFC 9110, 15.5; OCI
Distribution Specification 1.1, "Error Codes"."""
UNAVAILABLE = re.compile(
    r"too ?many ?requests|internal server error|bad gateway|service unavailable"
    r"|gateway time-?out|request timeout|too early|giving up after \d+ attempt"
    r"|(?:status(?: code)?:? |\[|Fulcio returned )(?:408|425|429|5\d\d)\b"
    r"|connection (?:refused|reset|timed out|closed)|broken pipe|\bEOF\b|i/o timeout"
    r"|deadline exceeded|handshake timeout|network is unreachable|no route to host"
    r"|server misbehaving|temporary failure in name resolution|server closed idle connection"
    r"|stream error|read on closed response body|use of closed network connection",
    re.IGNORECASE,
)
"""No answer, or one that says that another may come later. Source: RFC 9110, 15.6; RFC 6585, 4;
Go's packages net and net/http for the words of a connection that fails. The last words are all that
cosign 3.1 says of a Fulcio that answered 429 or 5xx twice: sigstore-go v1.2.2, sign/certificate.go
(GetCertificate)."""


def remote_kind(output: str) -> type[RemoteError]:
    """Return the kind of error that a program's output tells of."""
    if UNAVAILABLE.search(output) and not REFUSED.search(output):
        return UnavailableError
    return RemoteError

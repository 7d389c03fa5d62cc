"""What a program prints of a service that is not there, and of one that refuses."""

import pytest

from immutable_base.errors import RemoteError, UnavailableError
from immutable_base.tools.outages import remote_kind

PASSES = (
    'Error: Post "https://rekor.example/api/v1/log/entries": dial tcp 127.0.0.1:500: connect: connection refused',
    "signing: getting signer: POST https://fulcio.example/api/v2/signingCert: 503 Service Unavailable",
    # cosign 2.6 prints this of every signature.
    'Retrieving signed certificate...\nError: client: Post "https://fulcio.example": EOF',
    "POST https://rekor.example/api/v1/log/entries giving up after 4 attempt(s)",
    "[POST /api/v1/log/entries][500] createLogEntryDefault {}",
    "writing blob: uploading layer: received unexpected HTTP status: 502 Bad Gateway",
    "toomanyrequests: retry-after: 30",
    "unexpected status code 429 Too Many Requests",
    "reading manifest latest: net/http: TLS handshake timeout",
    'Put "https://registry.example/v2/x": write tcp: connection reset by peer',
    'Get "https://registry.example/v2/": unexpected EOF',
    'writing blob: Patch "https://registry.example/v2/x": use of closed network connection',
    "lookup registry.example: Temporary failure in name resolution",
    # cosign 3.1.3 of a Fulcio that answers 503, one that answers 425, and a Rekor that answers 503.
    "signing digest: signing bundle: error signing bundle: http: read on closed response body",
    "error signing bundle: Fulcio returned 425: too soon",
    'Post "https://rekor.example/api/v1/log/entries": giving up after 2 attempt(s): status 503: {}',
)
REFUSES = (
    "requested access to the resource is denied",
    "unexpected status code 401 Unauthorized",
    "unexpected status code 403 Forbidden: denied: 503 is what you will not get",
    "registry answered with status 405 Method Not Allowed",
    "tls: failed to verify certificate: x509: certificate signed by unknown authority: EOF",
    "remote error: tls: unknown certificate authority: EOF",
    "manifest invalid: manifest invalid",
    "manifest unknown",
    "lookup registry.example: no such host",
    "status code: 404: page not found; connection closed",
    "There was an error processing the identity token",
    "error signing bundle: Fulcio returned 400: There was an error processing the identity token",
    "error signing bundle: Fulcio returned 401: come back in 503 years",
    "error signing bundle: [POST /api/v1/log/entries][400] createLogEntryBadRequest {}",
    "unexpected digest sha256:5035035035035035035035035035035035035035035035035035035035035035",
    "the port 127.0.0.1:503 is not ours",
    "",
)


@pytest.mark.parametrize("output", PASSES)
def test_a_service_that_is_not_to_be_had(output):
    assert remote_kind(output) is UnavailableError


@pytest.mark.parametrize("output", REFUSES)
def test_an_answer_that_stays_the_same(output):
    assert remote_kind(output) is RemoteError

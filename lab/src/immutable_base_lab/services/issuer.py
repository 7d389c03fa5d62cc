"""An OpenID Connect issuer on loopback that hands out tokens as GitLab's CI jobs get them.

Run as `python -m immutable_base_lab.services.issuer --port PORT --key PEM`. `/token` answers with
a token for the project, ref, pipeline source, audience and lifetime of the query.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.server
import json
import secrets
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from immutable_base_lab.core.ports import LOOPBACK
from immutable_base_lab.services.service import (
    Launch,
    Service,
    Surroundings,
    http_probe,
    module_argv,
)

GITLAB_HOST = "gitlab.com"
DEFAULTS = {
    "project": "immutable-base/immutable-base",
    "ref": "main",
    "ref_type": "branch",
    "source": "schedule",
    "audience": "sigstore",
    "lifetime": "10800",
    "protected": "true",
}
"""What a query may name, and what it means when it does not.

`lifetime` is in seconds, and below 0 for a token that has expired.
"""


def _prepare(at: Surroundings) -> Launch:
    key = at.paths.keys / "issuer.key"
    options = (f"--port={at.ports['issuer']}", f"--key={key}")
    return Launch(
        argv=module_argv("immutable_base_lab.services.issuer", *options),
        probe=http_probe(f"{at.url('issuer')}/jwks"),
        inputs=(key,),
    )


SERVICE = Service(
    name="issuer",
    ports=("issuer",),
    prepare=_prepare,
    settings=lambda at: {"signing": {"certificate_oidc_issuer": at.url("issuer")}},
    environment=lambda at: {"IMMUTABLE_BASE_ISSUER": at.url("issuer")},
)


def claims(query: Mapping[str, str], *, issuer: str, now: int) -> dict[str, object]:
    """Return the claims of a CI job's token.

    Raises KeyError for a query that names something unknown, ValueError for a lifetime that is no
    number. Source: GitLab's "OpenID Connect ID token authentication", token payload.
    """
    unknown = set(query) - set(DEFAULTS)
    if unknown:
        raise KeyError(*sorted(unknown))
    asked = {**DEFAULTS, **query}
    project, ref, ref_type = asked["project"], asked["ref"], asked["ref_type"]
    lifetime = int(asked["lifetime"])
    ref_path = f"refs/{'heads' if ref_type == 'branch' else 'tags'}/{ref}"
    namespace = project.rpartition("/")[0]
    commit = hashlib.sha256(f"{project}@{ref_path}".encode()).hexdigest()[:40]
    issued = now + min(lifetime, 0) - 60
    return {
        "iss": issuer,
        "aud": asked["audience"],
        "sub": f"project_path:{project}:ref_type:{ref_type}:ref:{ref}",
        "iat": issued,
        "nbf": issued - 5,
        "exp": now + lifetime,
        "jti": secrets.token_hex(16),
        "namespace_id": _number(namespace),
        "namespace_path": namespace,
        "project_id": _number(project),
        "project_path": project,
        "project_visibility": "public",
        "user_id": "1",
        "user_login": "nightly",
        "user_email": "nightly@example.com",
        "pipeline_id": str(now),
        "pipeline_source": asked["source"],
        "job_id": str(now + 1),
        "ref": ref,
        "ref_type": ref_type,
        "ref_path": ref_path,
        "ref_protected": asked["protected"],
        "runner_id": 1,
        "runner_environment": "self-hosted",
        "sha": commit,
        "environment": "production",
        "ci_config_ref_uri": f"{GITLAB_HOST}/{project}//.gitlab-ci.yml@{ref_path}",
        "ci_config_sha": commit,
    }


def identity(query: Mapping[str, str]) -> str:
    """Return the identity that Fulcio's certificate for such a token names."""
    uri = claims(query, issuer="", now=0)["ci_config_ref_uri"]
    return f"https://{uri}"


def _number(text: str) -> str:
    """Return GitLab's kind of numeric id, the same for the same text."""
    return str(int.from_bytes(hashlib.sha256(text.encode()).digest()[:3], "big"))


class Issuer:
    """Signs tokens with one key and describes that key."""

    def __init__(self, *, key: rsa.RSAPrivateKey, url: str) -> None:
        self._key = key
        self._url = url
        numbers = key.public_key().public_numbers()
        self._modulus, self._exponent = _base64(numbers.n), _base64(numbers.e)
        self._key_id = hashlib.sha256(self._modulus.encode()).hexdigest()[:16]

    def answer(self, path: str, query: Mapping[str, str]) -> tuple[int, str, bytes]:
        """Return status, content type and body for a request."""
        match path:
            case "/.well-known/openid-configuration":
                return 200, "application/json", json.dumps(self._discovery()).encode()
            case "/jwks":
                return 200, "application/json", json.dumps({"keys": [self._public_key()]}).encode()
            case "/token":
                return self._token(query)
            case _:
                return 404, "text/plain", b"not found\n"

    def _token(self, query: Mapping[str, str]) -> tuple[int, str, bytes]:
        try:
            payload = claims(query, issuer=self._url, now=int(time.time()))
        except (KeyError, ValueError) as error:
            return 400, "text/plain", f"{error}\n".encode()
        token = jwt.encode(payload, self._key, algorithm="RS256", headers={"kid": self._key_id})
        return 200, "text/plain", token.encode()

    def _discovery(self) -> dict[str, object]:
        return {
            "issuer": self._url,
            "jwks_uri": f"{self._url}/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _public_key(self) -> dict[str, str]:
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self._key_id,
            "n": self._modulus,
            "e": self._exponent,
        }


def _base64(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def handler_for(issuer: Issuer) -> type[http.server.BaseHTTPRequestHandler]:
    """Return a request handler that asks `issuer`."""

    class TokenHandler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout: ClassVar[float | None] = 60

        def do_GET(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
            status, content_type, body = issuer.answer(parts.path, query)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  the query is in the address either way

    return TokenHandler


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", type=Path, required=True)
    options = parser.parse_args(arguments)
    key = serialization.load_pem_private_key(options.key.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        parser.error("the key is not an RSA key")
    issuer = Issuer(key=key, url=f"http://{LOOPBACK}:{options.port}")
    address = (LOOPBACK, options.port)
    with http.server.ThreadingHTTPServer(address, handler_for(issuer)) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()

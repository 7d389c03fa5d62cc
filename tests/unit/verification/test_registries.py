"""What a tag may name and a registry may answer: the corpus, and all that takes more than one answer."""

import base64
import json
import subprocess
import time

import pytest

from immutable_base.verification.client import Client, _proxy_for
from immutable_base.verification.tls_trust import TlsTrust
from support.forge import CLAIMS, NOW, OCI, compact, statement
from support.registry_cases import CASES
from support.scene import OK, PATH, UNKNOWN, Scene
from support.web import RESET, STALL, Reply, make_certificate, serving


@pytest.mark.parametrize("name", CASES)
def test_registries(name, scene, monkeypatch):
    monkeypatch.setattr("immutable_base.verification.registry.WAITS", (0.01,))
    spoil, expected, words = CASES[name]
    spoil(scene)
    began = time.monotonic()
    outcome = scene.verify()
    assert outcome.code == expected, f"{outcome.out}\n{outcome.err}"
    assert words in outcome.out + outcome.err
    assert ("verified" in outcome.out) is (expected == OK)
    assert not {"\x1b", "\x9b", "\x07", "\r"} & set(outcome.out + outcome.err)
    assert time.monotonic() - began < 10


# ------------------------------------------------------------------ time, disk, programs, logins


@pytest.mark.parametrize("kind", ["latest", "sig", "att"])
def test_whatever_hangs_the_answer_comes_in_time(scene, kind):
    path = f"/v2/{PATH}/manifests/latest" if kind == "latest" else scene.path_of(kind)
    scene.replies[path] = STALL
    began = time.monotonic()
    outcome = scene.verify("--timeout", "1")
    assert outcome.code == UNKNOWN
    assert "did not answer in full within 1 s" in outcome.err
    assert time.monotonic() - began < 3


LONG_HEADERS = {
    "a challenge": ("manifests/latest", 401, {"WWW-Authenticate": "Bearer " + "a" * 60_000}),
    "a link": ("referrers/{}", 200, {"Link": "<a>;" * 15_000}),
    "a link with a relation": ("referrers/{}", 200, {"Link": "<a>; rel" * 7_500}),
    "a link in spaces": ("referrers/{}", 200, {"Link": "<a>" + " " * 60_000}),
}


@pytest.mark.parametrize("name", LONG_HEADERS)
def test_a_header_that_is_long_takes_no_time(scene, name):
    """While a pattern is looked for nothing else runs, and so nobody looks at the clock."""
    path, status, headers = LONG_HEADERS[name]
    scene.registry.has_referrers = True
    reply = Reply(b'{"manifests":[]}', status, headers)
    scene.replies[f"/v2/{PATH}/{path.format(scene.digest)}"] = reply
    began = time.process_time()
    assert scene.verify().code == UNKNOWN
    assert time.process_time() - began < 2


def test_a_server_that_speaks_no_tls_is_never_asked_in_the_clear(scene):
    with serving() as plain:
        scene.reference = f"{plain.url.removeprefix('http://')}/{PATH}:latest"
        outcome = scene.verify("--timeout", "2")
        assert outcome.code == UNKNOWN
        assert plain.requests == []


def test_a_certificate_that_is_not_trusted_is_no_answer(scene, monkeypatch):
    monkeypatch.setattr("immutable_base.verify.TlsTrust", lambda ca: TlsTrust(None))
    outcome = scene.verify()
    assert outcome.code == UNKNOWN
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.err


@pytest.fixture
def other_authority(tmp_path):
    return make_certificate(tmp_path / "other", "Another CA").authority


def test_a_registry_with_a_certificate_of_the_systems_is_trusted_beside_a_private_authority(
    scene, monkeypatch, registry_tls, other_authority
):
    monkeypatch.setattr("immutable_base.verify.TlsTrust", lambda ca: TlsTrust(other_authority))
    assert scene.verify().code == UNKNOWN
    monkeypatch.setenv("SSL_CERT_FILE", str(registry_tls.authority))
    assert scene.verify().code == OK


def test_the_systems_authorities_are_read_only_where_the_private_one_does_not_vouch(
    scene, monkeypatch, registry_tls
):
    read = []
    monkeypatch.setattr("ssl.SSLContext.load_default_certs", lambda *given: read.append(given))
    monkeypatch.setattr("immutable_base.verify.TlsTrust", TlsTrust)
    assert scene.verify().code == OK
    assert read == []
    TlsTrust(None)
    assert len(read) == 1


def everything_below(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_verify_writes_nothing_and_starts_no_program(scene, tmp_path, monkeypatch):
    scene.config()
    home = tmp_path / "home"
    home.mkdir()
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("a program was started"))
    monkeypatch.setattr(scene, "config", lambda: tmp_path / "immutable-base.toml")
    before = everything_below(tmp_path)
    assert scene.verify().code == OK
    assert everything_below(tmp_path) == before


def login(tmp_path, monkeypatch, **entries):
    path = tmp_path / "auth.json"
    path.write_text(json.dumps({"auths": entries}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(path))


def guarded(scene, challenge):
    """Let the registry ask who is there; remembers what it was told."""
    real, told = scene.reply, []

    def reply(path):
        given = scene.site.headers[-1].get("Authorization", "")
        told.append((path, given))
        if path == "/token":
            return Reply(b'{"token":"abc.def"}')
        if not given:
            return Reply(b"", 401, {"WWW-Authenticate": challenge})
        return real(path)

    scene.reply = reply
    return told


def test_a_login_is_sent_only_when_it_is_asked_for(scene, tmp_path, monkeypatch):
    secret = base64.b64encode(b"me:secret").decode()
    login(
        tmp_path, monkeypatch, **{scene.host: {"auth": secret}, "other.example": {"auth": "eDp5"}}
    )
    told = guarded(scene, 'Basic realm="x"')
    assert scene.verify().code == OK
    assert [given for _, given in told[:2]] == ["", f"Basic {secret}"]
    assert secret not in scene.verify("-v").err


def test_a_token_is_fetched_with_the_login_and_used_without_it(scene, tmp_path, monkeypatch):
    secret = base64.b64encode(b"me:secret").decode()
    login(tmp_path, monkeypatch, **{f"{scene.host}/os": {"auth": secret}})
    told = guarded(scene, f'Bearer realm="{scene.site.url}/token",service="s"')
    assert scene.verify().code == OK
    assert dict(told)["/token"] == f"Basic {secret}"
    used = {given for path, given in told if path != "/token"}
    assert used == {"", "Bearer abc.def"}


@pytest.mark.parametrize(
    "challenge",
    [
        'Basic realm="x", Bearer realm="{}/token",service="s"',
        'Bearer realm="{}/token",service="s", Basic realm="x"',
        'bearer  realm = "{}/token", service = "s"',
        'Negotiate, Bearer realm="{}/token",service="s"',
    ],
)
def test_a_token_is_fetched_whatever_else_is_offered(scene, challenge):
    told = guarded(scene, challenge.format(scene.site.url))
    assert scene.verify().code == OK
    assert ("/token", "") in told


def test_a_token_server_is_asked_with_what_its_address_asks_already(scene, monkeypatch):
    guarded(scene, f'Bearer realm="{scene.site.url}/token?a=b",service="s"')
    asked, real = [], Client.get
    monkeypatch.setattr(Client, "get", lambda it, url, *more: (asked.append(url), real(it, url, *more))[1])  # fmt: skip
    assert scene.verify().code == OK
    scope = "repository%3Aos%2Fbase-zfs%3Apull"
    assert f"{scene.site.url}/token?a=b&service=s&scope={scope}" in asked


@pytest.mark.parametrize("answer", [b'{"token":"secret\\nX"}', b'{"token":"secret"', b"secret"])
def test_an_answer_that_may_hold_a_token_is_not_shown(scene, answer):
    guarded(scene, f'Bearer realm="{scene.site.url}/token"')
    real = scene.reply
    scene.reply = lambda path: Reply(answer) if path == "/token" else real(path)
    outcome = scene.verify("-v")
    assert outcome.code == UNKNOWN
    assert "no token for" in outcome.err
    assert "secret" not in outcome.err


def test_a_redirection_to_another_host_gets_no_login(scene, registry_tls, tmp_path, monkeypatch):
    secret = base64.b64encode(b"me:secret").decode()
    login(tmp_path, monkeypatch, **{scene.host: {"auth": secret}})
    guarded(scene, 'Basic realm="x"')
    real = scene.reply
    with serving(registry_tls) as other:
        other.next_reply = lambda path: Reply(scene.registry.blobs[path.rpartition("/")[2]])
        scene.reply = lambda path: (
            Reply(b"", 307, {"Location": other.url + path}) if "/blobs/" in path else real(path)
        )
        assert scene.verify().code == OK
        assert len(other.requests) == 5, "configuration, signature, SBOM, provenance, full SBOM"
        assert not [headers for headers in other.headers if "Authorization" in headers]


def test_a_challenge_of_another_host_than_the_registry_gets_no_login(
    scene, registry_tls, tmp_path, monkeypatch
):
    """Whoever the registry redirects to may ask for a login; it is the registry's, and stays its own."""
    secret = base64.b64encode(b"me:secret").decode()
    login(tmp_path, monkeypatch, **{scene.host: {"auth": secret}})
    real = scene.reply
    with serving(registry_tls) as other:
        challenge = {"WWW-Authenticate": f'Bearer realm="{other.url}/token"'}
        other.next_reply = lambda path: (
            Reply(b'{"token":"abc"}') if path == "/token" else Reply(b"", 401, challenge)
        )
        scene.reply = lambda path: (
            Reply(b"", 307, {"Location": other.url + path}) if "/blobs/" in path else real(path)
        )
        assert scene.verify().code == UNKNOWN
        assert "/token" not in other.requests
        assert not [headers for headers in other.headers if "Authorization" in headers]
        assert len(other.requests) == 1


def test_a_token_that_could_end_a_header_is_refused(scene):
    guarded(scene, f'Bearer realm="{scene.site.url}/token"')
    real = scene.reply
    scene.reply = lambda path: (
        Reply(b'{"token":"abc\\r\\nX: y"}') if path == "/token" else real(path)
    )
    outcome = scene.verify()
    assert outcome.code == UNKNOWN
    assert "no token for" in outcome.err


@pytest.mark.parametrize(
    "link",
    ["</v2/os/other/referrers/{}?n=1>", "</v2/os/base-zfs/tags/list?n=1>", "</v2/os/base-zfs/referrers/{}/x?n=1>", "<https://x.example/?n=1>"],
)  # fmt: skip
def test_a_next_page_of_another_list_is_none(scene, link):
    path = f"/v2/{PATH}/referrers/{scene.digest}"
    headers = {"Link": f'{link.format(scene.digest)}; rel="next"'}
    scene.replies[path] = Reply(b'{"manifests":[]}', headers=headers)
    scene.registry.has_referrers = True
    outcome = scene.verify()
    assert outcome.code == UNKNOWN
    assert "that is none" in outcome.err


def test_a_list_that_comes_to_no_end_is_left_alone(scene):
    path = f"/v2/{PATH}/referrers/{scene.digest}"
    asked = []

    def answer(_):
        asked.append(path)
        return Reply(b'{"manifests":[]}', headers={"Link": f'<{path}?n=1>; rel="next"'})

    scene.replies[path] = answer
    scene.registry.has_referrers = True
    outcome = scene.verify()
    assert outcome.code == UNKNOWN
    assert "comes to no end" in outcome.err
    assert len(asked) == 50


def test_the_answer_names_whose_trust_it_used(scene, tmp_path):
    outcome = scene.verify("--format", "json")
    report = json.loads(outcome.out)
    assert report["instance"] == "https://fulcio.example"
    assert report["configuration"] == str(tmp_path / "immutable-base.toml")
    assert [line.split()[0] for line in report["trusted"]] == ["fulcio", "rekor", "ct"]
    assert report["signed_at"] == "2026-11-18T11:06:41Z"
    assert report["claims"]["job_url"] == CLAIMS["job_url"]
    assert scene.instance.roots().fingerprints == tuple(report["trusted"])


def test_a_bundle_that_anybody_attached_changes_nothing(scene):
    """S4: cosign 2.6.3 to 2.6.x would switch over to bundles, and refuse."""
    scene.registry.has_referrers = True
    scene.registry.refer(scene.digest)
    (ours,) = json.loads(scene.registry.lists[scene.digest][0])["manifests"]
    kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
    bundle = {"artifactType": kind, "mediaType": OCI, "digest": "sha256:" + "3" * 64, "size": 7}
    referrers = compact(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [bundle, ours],
        }
    )
    scene.registry.manifests[scene.digest.replace(":", "-")] = referrers
    scene.registry.lists[scene.digest] = (referrers,)
    outcome = scene.verify()
    assert outcome.code == OK, outcome.err
    assert "skipped" not in outcome.out


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None), ({"https_proxy": "http://proxy.example:3128"}, ("proxy.example", 3128)),
        ({"HTTPS_PROXY": "proxy.example:3128"}, ("proxy.example", 3128)),
        ({"https_proxy": "http://proxy.example:3128", "no_proxy": "registry.example"}, None),
        ({"http_proxy": "http://proxy.example:3128"}, None),
    ],
)  # fmt: skip
def test_the_proxy_of_the_environment_is_asked_and_never_for_loopback(
    monkeypatch, variables, expected
):
    for name in (
        "https_proxy",
        "HTTPS_PROXY",
        "http_proxy",
        "HTTP_PROXY",
        "no_proxy",
        "NO_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = _proxy_for("registry.example")
    assert (found and (found.hostname, found.port)) == expected
    assert [_proxy_for(host) for host in ("127.0.0.1", "localhost", "::1")] == [None] * 3


def test_one_connection_is_used_for_everything(scene, registry_tls):
    with serving(registry_tls) as site:
        site.keeps = True
        kept = Scene(site, scene.instance, scene.folder, scene.authority)
        assert kept.verify().code == OK
        assert len(site.requests) >= 6
        assert site.connections == 1


def test_a_connection_that_the_registry_has_ended_meanwhile_is_opened_again(scene, registry_tls):
    with serving(registry_tls) as site:
        site.keeps = True
        kept = Scene(site, scene.instance, scene.folder, scene.authority)
        real, seen = kept.reply, []

        def reply(path):
            """Break off every second connection, before anything was answered."""
            seen.append(path)
            return RESET if len(seen) % 2 == 0 else real(path)

        kept.reply = reply
        assert kept.verify().code == OK, "asked once more over a new connection"


@pytest.mark.parametrize("reply", [RESET, Reply(b"", 503), Reply(b"", 429, {"Retry-After": "0"})])
def test_a_registry_that_is_away_for_a_moment_is_asked_again(scene, monkeypatch, reply):
    monkeypatch.setattr("immutable_base.verification.registry.WAITS", (0.01, 0.01))
    real, asked = scene.reply, []

    def answer(path):
        asked.append(path)
        # A connection that ends at once is opened again by the client itself: so twice.
        return reply if asked.count(path) <= 2 and path.endswith(".att") else real(path)

    scene.reply = answer
    assert scene.verify().code == OK
    assert asked.count(scene.path_of("att")) == 3


@pytest.mark.parametrize("reply", [RESET, Reply(b"", 503)])
def test_a_registry_that_stays_away_is_no_refusal(scene, monkeypatch, reply):
    monkeypatch.setattr("immutable_base.verification.registry.WAITS", (0.01, 0.01))
    scene.replies[scene.path_of("att")] = reply
    assert scene.verify().code == UNKNOWN


@pytest.mark.parametrize("status", [400, 401, 403, 405, 451])
def test_a_refusal_is_asked_once(scene, status):
    asked, real = [], scene.reply

    def answer(path):
        asked.append(path)
        return Reply(b"", status) if path.endswith(".att") else real(path)

    scene.reply = answer
    assert scene.verify().code == UNKNOWN
    # Of 401: once more with the login, which is none.
    assert asked.count(scene.path_of("att")) == (2 if status == 401 else 1)


def test_an_old_sbom_by_us_is_not_passed_off_as_new(scene):
    old = statement(scene.digest, {"bomFormat": "CycloneDX", "components": []})
    scene.set_att(scene.att(), scene.att(old, when=NOW + 1))
    assert "1 components" in scene.verify().out


def test_the_corpus_is_large():
    assert len(CASES) >= 80

"""The corpus, third part: what a registry, a reference, a configuration and a clock can do."""

import base64
import json
import subprocess
import time

import pytest

from immutable_base.verification.client import _proxy_for
from support.forge import CLAIMS, IDENTITY, NOW, OCI, compact, digest_of, statement
from support.scene import (
    BROKEN,
    CONFIG,
    NO_IMAGE,
    OK,
    OTHERS,
    PATH,
    REFUSED,
    UNKNOWN,
    Scene,
    command,
)
from support.web import RESET, STALL, Reply, serving

ESCAPES = b"\x1b[2J\x1b[32m verified  everything is fine \xc2\x9b31m \r\n\x07"
CASES = {}


def add(name, expected, spoil, words=""):
    assert name not in CASES
    CASES[name] = (spoil, expected, words)


def manifest(s, raw):
    """Let the tag name these bytes."""
    s.registry.manifests["latest"] = raw
    s.registry.manifests[digest_of(raw)] = raw


def changed(s, **changes):
    manifest(s, compact({**json.loads(s.registry.manifests[s.digest]), **changes}))


def answer(path, reply):
    return lambda s: s.replies.update({path: reply})


def by_digest(s):
    s.reference = f"{s.repository}@{s.digest}"


def index(s, *platforms):
    entries = [
        {"digest": s.digest, "size": 1, "platform": {"os": o, "architecture": a}}
        for o, a in platforms
    ]
    manifest(
        s,
        compact(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": entries,
            }
        ),
    )


# ------------------------------------------------------------------ the image (S2, S15)

add("no such tag", NO_IMAGE, lambda s: s.registry.manifests.pop("latest"), "there is no image")
add(
    "no such digest, only .sig and .att (I04)",
    NO_IMAGE,
    lambda s: (by_digest(s), s.registry.manifests.pop(s.digest)),
    "has no image",
)
add(
    "another manifest under the digest (I05)",
    BROKEN,
    lambda s: (by_digest(s), s.registry.manifests.update({s.digest: b"{}"})),
    "another manifest",
)
add(
    "the tag names another, unsigned image",
    13,
    lambda s: s.registry.add_image("other", tag="latest"),
)
add(
    "an index",
    REFUSED,
    lambda s: index(s, ("linux", "amd64"), ("linux", "arm64")),
    "index of several images",
)
add("an index without our platform", REFUSED, lambda s: index(s, ("linux", "arm64")), "it has none")
add("an index of nonsense", REFUSED, lambda s: manifest(s, b'{"manifests": 7}'))
add(
    "for another processor",
    REFUSED,
    lambda s: s.registry.add_image(architecture="arm64", tag="latest"),
    "linux/arm64",
)
add(
    "for another system",
    REFUSED,
    lambda s: s.registry.add_image(os="windows", tag="latest"),
    "windows/amd64",
)
add(
    "a Helm chart",
    REFUSED,
    lambda s: s.registry.add_image(
        config_type="application/vnd.cncf.helm.config.v1+json", tag="latest"
    ),
    "helm",
)
add(
    "an artifact's empty configuration",
    REFUSED,
    lambda s: s.registry.add_image(config_type="application/vnd.oci.empty.v1+json", tag="latest"),
)
add("no media type", REFUSED, lambda s: changed(s, mediaType=None))
add("another media type", REFUSED, lambda s: changed(s, mediaType="text/plain"))
add("a configuration that is a text", REFUSED, lambda s: changed(s, config="x"))
add(
    "a configuration of a weak digest",
    REFUSED,
    lambda s: changed(
        s,
        config={
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "size": 1,
            "digest": "md5:x",
        },
    ),
)
add(
    "a configuration that claims to be huge",
    REFUSED,
    lambda s: changed(
        s,
        config={
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "size": 1 << 40,
            "digest": s.digest,
        },
    ),
)
add("no layers", REFUSED, lambda s: changed(s, layers=None))
add("a manifest that is no JSON", REFUSED, lambda s: manifest(s, b"hello"))
add("a manifest that is a list", REFUSED, lambda s: manifest(s, b"[]"))
add("an empty manifest", REFUSED, lambda s: manifest(s, b""))
add(
    "a manifest with a key twice",
    REFUSED,
    lambda s: manifest(
        s,
        s.registry.manifests[s.digest].replace(
            b'{"schemaVersion"', b'{"layers":[],"schemaVersion"'
        ),
    ),
)
add("a manifest with a key in another case", REFUSED, lambda s: changed(s, Config={}))
add("a manifest nested too deep", REFUSED, lambda s: manifest(s, b"[" * 100_000))
add(
    "no configuration in the registry",
    NO_IMAGE,
    lambda s: [
        s.registry.blobs.pop(d)
        for d in list(s.registry.blobs)
        if b"architecture" in s.registry.blobs[d]
    ],
    "only a part",
)
add(
    "another configuration in the registry",
    BROKEN,
    lambda s: [
        s.registry.blobs.update({d: b"{}"})
        for d in list(s.registry.blobs)
        if b"architecture" in s.registry.blobs[d]
    ],
)

# ------------------------------------------------------------------ the registry's answers (S11, S12, S13)

for status in (400, 402, 403, 405, 407, 410, 418, 429, 451, 500, 502, 503, 504):
    add(
        f"status {status} (S11)",
        UNKNOWN,
        answer("*", Reply(b"no matching signatures", status)),
        "nothing can be known",
    )
add(
    "429 that asks to come back in an hour (S13)",
    UNKNOWN,
    answer("*", Reply(b"slow", 429, {"Retry-After": "3600"})),
    "429",
)
add(
    "403 for the signatures only (S11)",
    UNKNOWN,
    lambda s: s.replies.update({s.path_of("sig"): Reply(b"no matching signatures", 403)}),
)
add(
    "500 for the attestations only (S11)",
    UNKNOWN,
    lambda s: s.replies.update({s.path_of("att"): Reply(b"", 500)}),
)
add(
    "Harbor's words for a missing tag",
    NO_IMAGE,
    answer("*", Reply(b'{"errors":[{"code":"NOT_FOUND"}]}', 404)),
)
add("401 without a challenge", UNKNOWN, answer("*", Reply(b"", 401)), "401")
add(
    "401 with a challenge that is nonsense",
    UNKNOWN,
    answer("*", Reply(b"", 401, {"WWW-Authenticate": "Bearer"})),
)
add(
    "a token server without TLS (S16)",
    UNKNOWN,
    answer("*", Reply(b"", 401, {"WWW-Authenticate": 'Bearer realm="http://127.0.0.1:1/token"'})),
    "only https",
)
add(
    "a token server that is a file",
    UNKNOWN,
    answer("*", Reply(b"", 401, {"WWW-Authenticate": 'Bearer realm="file:///etc/passwd"'})),
    "only https",
)
add("escapes in an error (S12)", UNKNOWN, answer("*", Reply(ESCAPES, 403)))
add(
    "escapes in an error by digest (S12)",
    UNKNOWN,
    lambda s: (by_digest(s), s.replies.update({"*": Reply(ESCAPES, 500)})),
)
add(
    "escapes in a redirection (S12)",
    UNKNOWN,
    answer("*", Reply(b"", 302, {"Location": "https://\x1b[2J/"})),
)
add(
    "redirected for ever",
    UNKNOWN,
    answer("*", Reply(b"", 302, {"Location": "/again"})),
    "redirects more than",
)
add(
    "redirected to http",
    UNKNOWN,
    answer("*", Reply(b"", 302, {"Location": "http://127.0.0.1:1/x"})),
    "only https",
)
add(
    "redirected to a file",
    UNKNOWN,
    answer("*", Reply(b"", 302, {"Location": "file:///etc/passwd"})),
    "only https",
)
add("redirected to nowhere", UNKNOWN, answer("*", Reply(b"", 302)))
add(
    "redirected to what is no address",
    UNKNOWN,
    answer("*", Reply(b"", 302, {"Location": "https://[::1/"})),
)
add("the connection is reset", UNKNOWN, answer("*", RESET))
add("an answer that is cut off", UNKNOWN, answer("*", Reply(b"{}", length=1000)))
add("an answer of nine megabytes", UNKNOWN, answer("*", Reply(b"x" * (9 << 20))), "larger than")
add(
    "a blob that is longer than it says",
    UNKNOWN,
    lambda s: s.registry.blobs.update({s.sig().descriptor()["digest"]: b"x" * 100_000}),
)
add("an answer that is compressed", UNKNOWN, answer("*", Reply(b"x", headers={"Content-Encoding": "gzip"})), "nobody asked")  # fmt: skip
add("a header of 100 kB", UNKNOWN, answer("*", Reply(b"", 200, {"X": "y" * 100_000})))
add(
    "two hundred headers",
    UNKNOWN,
    answer("*", Reply(b"", 200, {f"X-{n}": "y" for n in range(200)})),
)

# ------------------------------------------------------------------ whom, where and when: S2, S7, S9


def claim(expected, words="", **signing):
    return expected, (lambda s: s.signing.update(signing)), words


for name, (expected, spoil, words) in {
    "the right project": claim(OK, project_id=CLAIMS["project_id"]),
    "another project of the same path (S9)": claim(
        OTHERS, "project_id 58391042, not 1", project_id="1"
    ),
    "the right trigger": claim(OK, build_triggers=["schedule", "web"]),
    "another trigger (S9)": claim(OTHERS, "build_trigger schedule", build_triggers=["push"]),
    "the right runner": claim(OK, runner_environment="gitlab-hosted"),
    "another runner (S9)": claim(OTHERS, runner_environment="self-hosted"),
    "the right ref": claim(OK, source_ref="refs/heads/main"),
    "another ref (S9)": claim(OTHERS, source_ref="refs/heads/stable"),
    "all of them": claim(
        OK,
        project_id=CLAIMS["project_id"],
        build_triggers=["schedule"],
        source_ref="refs/heads/main",
    ),
}.items():
    add(name, expected, spoil, words)
add(
    "no project in the certificate (S9)",
    OTHERS,
    lambda s: (s.signing.update(project_id="1"), s.set_sig(s.sig(leaf=s.leaf(claims={})))),
    "(none)",
)
add(
    "a job that may sign only attested (S9)",
    OTHERS,
    lambda s: (
        s.signing.update(build_triggers=["schedule"]),
        s.set_att(s.att(leaf=s.leaf(claims={**CLAIMS, "build_trigger": "push"}))),
    ),
)
add(
    "a mirror that is not declared (S2)",
    BROKEN,
    lambda s: s.set_sig(s.sig(s.payload(repository="origin.example/os/base-zfs"))),
)
add(
    "signed as another repository, and asked so",
    OK,
    lambda s: (
        s.set_sig(s.sig(s.payload(repository="origin.example/a/b"))),
        s.arguments.extend(["--signed-as", "origin.example/a/b"]),
    ),
    "for origin.example/a/b",
)
add(
    "asked for as another repository than signed",
    BROKEN,
    lambda s: s.arguments.extend(["--signed-as", "origin.example/a/b"]),
)
add(
    "signed an hour ago, a day allowed",
    OK,
    lambda s: (
        s.set_sig(s.sig(leaf=s.leaf(when=int(time.time()) - 3600), when=int(time.time()) - 3600)),
        s.arguments.extend(["--not-older-than", "1d"]),
    ),
)
add(
    "too old (J04)",
    REFUSED,
    lambda s: (
        s.set_sig(s.sig(when=NOW - 90 * 86400, leaf=s.leaf(when=NOW - 90 * 86400))),
        s.arguments.extend(["--signed-after", "2026-11-18T00:00:00Z"]),
    ),
    "was signed 2026-08-20",
)
add(
    "rolled back",
    REFUSED,
    lambda s: s.arguments.extend(["--signed-after", "2026-11-18T11:06:42Z"]),
    "older than 2026-11-18T11:06:42Z",
)
add(
    "exactly the last one",
    OK,
    lambda s: s.arguments.extend(["--signed-after", "2026-11-18T11:06:41Z"]),
)
add(
    "signed again later",
    OK,
    lambda s: (
        s.set_sig(s.sig(), s.sig(when=NOW + 9)),
        s.arguments.extend(["--signed-after", "2026-11-18T11:06:45Z"]),
    ),
)


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


# ------------------------------------------------------------------ references: S14

BAD_REFERENCES = [
    "--help/x@sha256:" + "0" * 64, "docker://--help/x@sha256:" + "0" * 64, "-h/x", "docker://-/x", "a-/x", "a.-b/x",
    "a/b", "a/b:c", "docker://a/b", "a..b/c", ".a/b", "a./b", "/x", "h.example/", "h.example//x", "h.example/x/",
    "h.example/" + "x" * 300, "h.example/X", "h.example/x y", "h.example/x:t t", "h.example/x:", "h.example/x:-t",
    "h.example/x@", "h.example/x@sha256:" + "A" * 64, "h.example/x@sha256:" + "0" * 63, "h.example/x@sha512:" + "0" * 128,
    "h.example/x@sha256:" + "0" * 64 + "@sha256:" + "0" * 64, "[::1]:5000/x", "u:p@h.example/x", "https://h.example/x",
    "h.example:port/x", "h.example:999999/x", "h.example/x\n", "h.example/x\x1b[2J", "h.example/../x", "h.example/x/..",
    "h.example/_x", "h.example/x_", "h.example/x___y", "", " ", "no-such-variant", "base:-x",
]  # fmt: skip


@pytest.mark.parametrize("reference", BAD_REFERENCES)
def test_what_is_no_reference_is_said_before_anything_is_asked(reference, scene):
    scene.reference = reference
    scene.replies["*"] = lambda path: pytest.fail(f"asked for {path}")
    outcome = scene.verify()
    assert outcome.code == CONFIG, outcome.err
    assert "\x1b" not in outcome.err


# ------------------------------------------------------------------ half a trust: S6 and S8

HALF = {
    "fulcio over http (S6)": {"fulcio_url": "http://fulcio.example"},
    "rekor over http (S6)": {"rekor_url": "http://rekor.example"},
    "issuer over http (S6)": {"certificate_oidc_issuer": "http://gitlab.com"},
    "http to what only looks like loopback": {"fulcio_url": "http://127.0.0.1.evil.example"},
    "http to another host's port": {"fulcio_url": "http://localhost.evil.example:1"},
    "http to loopback as a user": {"fulcio_url": "http://127.0.0.1@evil.example"},
    "an address with a password": {"rekor_url": "https://u:p@rekor.example"},
    "an address with a space": {"rekor_url": "https://rekor.example/ x"},
    "an address with a line break": {"rekor_url": "https://rekor.example\n"},
    "no host": {"fulcio_url": "https://"},
    "another scheme": {"fulcio_url": "ftp://fulcio.example"},
    "no Rekor key (S8)": {"rekor_key": None},
    "no Fulcio root (S8)": {"fulcio_root": None},
    "only a CT key (S8)": {"fulcio_root": None, "rekor_key": None},
    "no CT key, not asked for (S8)": {"ct_log_key": None},
    "a CT key, and asked to be without": {"without_ct_log": True},
    "nothing, but without CT log": {"fulcio_root": None, "rekor_key": None, "ct_log_key": None, "without_ct_log": True},
    "nothing for a private Fulcio": {"fulcio_root": None, "rekor_key": None, "ct_log_key": None},
    "two trusts": {"trusted_root": "x.json"},
    "an empty identity (S8)": {"certificate_identity": ""},
    "a nonsense identity (S8)": {"certificate_identity": "nonsense"},
    "a pattern as identity (S8)": {"certificate_identity": ".*"},
    "an identity with a line break (S8)": {"certificate_identity": IDENTITY + "\n"},
    "an identity with a space": {"certificate_identity": IDENTITY + " "},
    "an identity with an escape": {"certificate_identity": IDENTITY + "\x1b[2J"},
    "an empty issuer": {"certificate_oidc_issuer": ""},
    "a root that is a key": {"fulcio_root": "rekor_key.pem"},
    "a key that is a root": {"rekor_key": "fulcio_root.pem"},
    "a root that is a folder": {"fulcio_root": "."},
    "a root that is not there": {"fulcio_root": "none.pem"},
    "a key that is empty": {"rekor_key": "/dev/null"},
    "a runner that there is not": {"runner_environment": "moon"},
}  # fmt: skip


@pytest.mark.parametrize("name", HALF)
def test_half_a_trust_is_an_error_before_anything_is_asked(name, scene):
    scene.signing = HALF[name]
    scene.replies["*"] = lambda path: pytest.fail(f"asked for {path}")
    outcome = scene.verify()
    assert outcome.code == CONFIG, outcome.err
    assert "\x1b" not in outcome.err


def test_a_private_instance_without_ct_log_is_asked_for_by_name_and_said(scene):
    scene.signing = {"ct_log_key": None, "without_ct_log": True}
    scene.set_sig(scene.sig(leaf=scene.leaf(ct_key=None)))
    outcome = scene.verify()
    assert outcome.code == OK, outcome.err
    assert "no SCT: this Sigstore instance has no CT log" in outcome.out


def as_a_mirror(scene, mirror):
    """Return the command that asks a mirror of origin.example/os."""
    scene.mirrors = (mirror,)
    path = scene.config()
    destination = f'destination = "{scene.host}/os"'
    path.write_text(path.read_text().replace(destination, 'destination = "origin.example/os"'))
    scene.site.next_reply = scene.reply
    return "verify", "--config", path, scene.reference


def test_a_mirror_is_no_beginning_of_a_word(scene):
    asked = as_a_mirror(scene, f"{scene.host}/o")
    scene.set_sig(scene.sig(scene.payload(repository="origin.example/oss/base-zfs")))
    assert command(asked).code == BROKEN


def test_a_declared_mirror_is_accepted_as_what_it_mirrors(scene):
    scene.set_sig(scene.sig(scene.payload(repository="origin.example/os/base-zfs")))
    asked = as_a_mirror(scene, f"{scene.host}/os")
    outcome = command(asked)
    assert outcome.code == OK, outcome.err
    assert "for origin.example/os/base-zfs" in outcome.out
    scene.set_sig(scene.sig(scene.payload(repository="origin.example/other/base-zfs")))
    assert command(asked).code == BROKEN


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


def test_a_server_that_speaks_no_tls_is_never_asked_in_the_clear(scene):
    with serving() as plain:
        scene.reference = f"{plain.url.removeprefix('http://')}/{PATH}:latest"
        outcome = scene.verify("--timeout", "2")
        assert outcome.code == UNKNOWN
        assert plain.requests == []


def test_a_certificate_that_is_not_trusted_is_no_answer(scene, monkeypatch):
    import ssl

    monkeypatch.setattr(
        "immutable_base.verify.tls_context", lambda ca: ssl.create_default_context()
    )
    outcome = scene.verify()
    assert outcome.code == UNKNOWN
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.err


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
        assert len(other.requests) == 3
        assert not [headers for headers in other.headers if "Authorization" in headers]


def test_a_token_that_could_end_a_header_is_refused(scene):
    guarded(scene, f'Bearer realm="{scene.site.url}/token"')
    real = scene.reply
    scene.reply = lambda path: (
        Reply(b'{"token":"abc\\r\\nX: y"}') if path == "/token" else real(path)
    )
    assert scene.verify().code == UNKNOWN


def test_what_the_configuration_demands_of_the_job_stays_when_the_same_signer_is_named(scene):
    scene.signing = {"project_id": "1"}
    assert scene.verify("--certificate-identity", IDENTITY).code == OTHERS
    assert scene.verify("--certificate-oidc-issuer", "https://gitlab.com").code == OTHERS


@pytest.mark.parametrize("text", ["", "x", "--help", "h.example/x:y", "h.example/x\n"])
def test_what_is_no_repository_was_not_signed_for(scene, text):
    scene.replies["*"] = lambda path: pytest.fail(f"asked for {path}")
    assert scene.verify(f"--signed-as={text}").code == CONFIG


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
    kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
    bundle = {"artifactType": kind, "mediaType": OCI, "digest": "sha256:" + "3" * 64, "size": 7}
    referrers = compact(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [bundle],
        }
    )
    scene.registry.manifests[scene.digest.replace(":", "-")] = referrers
    scene.replies[f"/v2/{PATH}/referrers/{scene.digest}"] = Reply(referrers)
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


def test_an_old_sbom_by_us_is_not_passed_off_as_new(scene):
    old = statement(scene.digest, {"bomFormat": "CycloneDX", "components": []})
    scene.set_att(scene.att(), scene.att(old, when=NOW + 1))
    assert "1 components" in scene.verify().out


def test_the_corpus_is_large():
    assert len(CASES) + len(BAD_REFERENCES) + len(HALF) >= 120

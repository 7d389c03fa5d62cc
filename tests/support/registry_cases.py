"""The corpus, third part: what a tag may name, a registry may answer, a configuration may demand."""

import json
import time

from support.corpus import Corpus
from support.forge import CLAIMS, NOW, compact, digest_of
from support.scene import BROKEN, NO_IMAGE, OK, OTHERS, REFUSED, UNKNOWN
from support.web import RESET, Reply

ESCAPES = b"\x1b[2J\x1b[32m verified  everything is fine \xc2\x9b31m \r\n\x07"
CASES = Corpus()


def add(name, expected, spoil, words=""):
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
    "has no signature",
)
add(
    "an index",
    REFUSED,
    lambda s: index(s, ("linux", "amd64"), ("linux", "arm64")),
    "index of several images",
)
add("an index without our platform", REFUSED, lambda s: index(s, ("linux", "arm64")), "it has none")
add(
    "an index of nonsense",
    REFUSED,
    lambda s: manifest(s, b'{"manifests": 7}'),
    "the index is not a list",
)
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
    "application/vnd.oci.empty.v1+json",
)
add(
    "no media type",
    REFUSED,
    lambda s: changed(s, mediaType=None),
    "the manifest's media type is not a text",
)
add(
    "another media type",
    REFUSED,
    lambda s: changed(s, mediaType="text/plain"),
    "it is a text/plain",
)
add(
    "a configuration that is a text",
    REFUSED,
    lambda s: changed(s, config="x"),
    "the manifest's configuration is not a JSON object",
)
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
    "the configuration's digest is not a SHA-256",
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
    "the configuration is too large",
)
add("no layers", REFUSED, lambda s: changed(s, layers=None), "the manifest's layers is not a list")
add(
    "a manifest that is no JSON",
    REFUSED,
    lambda s: manifest(s, b"hello"),
    "the manifest is not strict JSON",
)
add(
    "a manifest that is a list",
    REFUSED,
    lambda s: manifest(s, b"[]"),
    "the manifest is not a JSON object",
)
add("an empty manifest", REFUSED, lambda s: manifest(s, b""), "the manifest is not strict JSON")
add(
    "a manifest with a key twice",
    REFUSED,
    lambda s: manifest(
        s,
        s.registry.manifests[s.digest].replace(
            b'{"schemaVersion"', b'{"layers":[],"schemaVersion"'
        ),
    ),
    "the manifest is not strict JSON: a key stands twice in an object",
)
add(
    "a manifest with a key in another case",
    REFUSED,
    lambda s: changed(s, Config={}),
    "the manifest has keys that differ only in case",
)
add(
    "a manifest nested too deep",
    REFUSED,
    lambda s: manifest(s, b"[" * 100_000),
    "the manifest is nested deeper than 64 levels",
)
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
    "serves another configuration",
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
    "the registry answers 403",
)
add(
    "500 for the attestations only (S11)",
    UNKNOWN,
    lambda s: s.replies.update({s.path_of("att"): Reply(b"", 500)}),
    "the registry answers 500",
)
add(
    "Harbor's words for a missing tag",
    NO_IMAGE,
    answer("*", Reply(b'{"errors":[{"code":"NOT_FOUND"}]}', 404)),
    "there is no image",
)
add("401 without a challenge", UNKNOWN, answer("*", Reply(b"", 401)), "401")
add(
    "401 with a challenge that is nonsense",
    UNKNOWN,
    answer("*", Reply(b"", 401, {"WWW-Authenticate": "Bearer"})),
    "the registry answers 401",
)
add(
    "401 with a challenge that names no token server",
    UNKNOWN,
    answer("*", Reply(b"", 401, {"WWW-Authenticate": 'Bearer service="x"'})),
    "wants a token, and does not say who gives it",
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
add(
    "escapes in an error (S12)",
    UNKNOWN,
    answer("*", Reply(ESCAPES, 403)),
    "\\x1b[2J\\x1b[32m verified",
)
add(
    "escapes in an error by digest (S12)",
    UNKNOWN,
    lambda s: (by_digest(s), s.replies.update({"*": Reply(ESCAPES, 500)})),
    "\\x1b[2J\\x1b[32m verified",
)
add(
    "escapes in a redirection (S12)",
    UNKNOWN,
    answer("*", Reply(b"", 302, {"Location": "https://\x1b[2J/"})),
    "ValueError: Invalid IPv6 URL",
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
add("redirected to nowhere", UNKNOWN, answer("*", Reply(b"", 302)), "redirects more than 5 times")
add(
    "redirected to what is no address",
    UNKNOWN,
    answer("*", Reply(b"", 302, {"Location": "https://[::1/"})),
    "ValueError: Invalid IPv6 URL",
)
add("the connection is reset", UNKNOWN, answer("*", RESET), "cannot be asked")
add("an answer that is cut off", UNKNOWN, answer("*", Reply(b"{}", length=1000)), "IncompleteRead")
add("an answer of nine megabytes", UNKNOWN, answer("*", Reply(b"x" * (9 << 20))), "larger than")
add(
    "a blob that is longer than it says",
    BROKEN,
    lambda s: s.registry.blobs.update({s.sig().descriptor()["digest"]: b"x" * 100_000}),
    "the registry does not have what its manifest names",
)
add("an answer that is compressed", UNKNOWN, answer("*", Reply(b"x", headers={"Content-Encoding": "gzip"})), "nobody asked")  # fmt: skip
add(
    "a header of 100 kB", UNKNOWN, answer("*", Reply(b"", 200, {"X": "y" * 100_000})), "LineTooLong"
)
add(
    "two hundred headers",
    UNKNOWN,
    answer("*", Reply(b"", 200, {f"X-{n}": "y" for n in range(200)})),
    "got more than 100 headers",
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
    "another runner (S9)": claim(
        OTHERS,
        "signed with runner_environment gitlab-hosted, not self-hosted",
        runner_environment="self-hosted",
    ),
    "the right ref": claim(OK, source_ref="refs/heads/main"),
    "another ref (S9)": claim(
        OTHERS,
        "signed with source_ref refs/heads/main, not refs/heads/stable",
        source_ref="refs/heads/stable",
    ),
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
for what, told, demanded in (
    ("trigger", "build_trigger", {"build_triggers": ["schedule"]}),
    ("runner", "runner_environment", {"runner_environment": "gitlab-hosted"}),
    ("ref", "source_ref", {"source_ref": "refs/heads/main"}),
):

    def unsaid(s, told=told, demanded=demanded):
        s.signing.update(demanded)
        said = {name: value for name, value in CLAIMS.items() if name != told}
        s.set_sig(s.sig(leaf=s.leaf(claims=said)))

    add(f"no {what} in the certificate (S9)", OTHERS, unsaid, f"signed with {told} (none), not ")
add(
    "a job that may sign only attested (S9)",
    OTHERS,
    lambda s: (
        s.signing.update(build_triggers=["schedule"]),
        s.set_att(s.att(leaf=s.leaf(claims={**CLAIMS, "build_trigger": "push"}))),
    ),
    "signed with build_trigger push, not schedule",
)
add(
    "a mirror that is not declared (S2)",
    BROKEN,
    lambda s: s.set_sig(s.sig(s.payload(repository="origin.example/os/base-zfs"))),
    "made for origin.example/os/base-zfs, not for this repository",
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
    "/os/base-zfs, not for this repository",
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

"""Each trap of policy.json and what goes with it has a finding; what we render has none."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from immutable_base.model.facts import HostPolicyFacts, ProgramOutput
from immutable_base.policy.host_trust import HostTrust, Scope, key_files
from immutable_base.policy.lint import lint, lint_open
from immutable_base.policy.registries_file import read_registries
from immutable_base.policy.render import INSTALL, POLICY, SHARED_POLICY, render_files
from support.forge import public_pem
from support.sound_image import ADMISSION, FINE

PEM = public_pem(ec.generate_private_key(ec.SECP256R1())).decode()
NEXT = public_pem(ec.generate_private_key(ec.SECP256R1())).decode()
RSA = public_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)).decode()
OURS = "registry.gitlab.com/group/os"
TRUST = HostTrust(
    name="immutable-base",
    scopes=(Scope(name=OURS), Scope(name="mirror.example/os", mirrors=OURS)),
    keys=key_files("immutable-base", [PEM, NEXT]),
)
ADMITTED = HostTrust(name="immutable-base", scopes=(Scope(name=OURS),))
FLEET = HostTrust(
    name="immutable-base", scopes=(Scope(name=OURS),), keys=key_files("immutable-base", [PEM]),
    lookaside="https://admission.example",
)  # fmt: skip
INSTANCE = HostTrust(
    name="instance-x", scopes=(Scope(name="registry.gitlab.com/hosts/x"),),
    keys=key_files("instance-x", [PEM]), whole=False,
)  # fmt: skip
REACHED = ProgramOutput(status=1, text="initializing source: pinging container registry x")
ANY, NO = [{"type": "insecureAcceptAnything"}], [{"type": "reject"}]
REGISTRIES = TRUST.registries_file
KEY = TRUST.keys[0].path
STOCK = json.dumps({
    "default": ANY,
    "transports": {
        "docker": {
            "": ANY,
            "registry.redhat.io": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/etc/pki/x"}],
        },
        "docker-daemon": {"": ANY},
    },
})  # fmt: skip


def rules(files, trust=TRUST, skopeo=REACHED):
    facts = HostPolicyFacts(
        files={**ADMISSION, **files}, repository=OURS, skopeo=skopeo, admission=FINE
    )
    return {finding.rule for finding in lint(facts, trust)}


def policy(change, trust=TRUST):
    """What is rendered, with one change to policy.json."""
    files = render_files(trust, STOCK)
    document = json.loads(files[POLICY])
    change(document)
    return {**files, POLICY: json.dumps(document)}


@pytest.mark.parametrize("trust", [TRUST, ADMITTED, FLEET, INSTANCE])
@pytest.mark.parametrize("base", [None, STOCK, json.dumps({"default": NO})])
def test_what_we_render_has_no_finding_whatever_the_base_says(trust, base):
    assert rules(render_files(trust, base), trust) == set()


def docker(scope, demands):
    return lambda document: document["transports"]["docker"].update({scope: demands})


def of_ours(**changes):
    """Change our own requirement; None takes a key away."""

    def change(document):
        requirement = document["transports"]["docker"][OURS][0]
        requirement.update(changes)
        for name in [name for name, value in requirement.items() if value is None]:
            del requirement[name]

    return change


TRAPS = {
    "signing.md 2.2 (1): default alone is what bootc looks at": (docker("", ANY), "catch-all"),
    "a catch-all for many hosts": (docker("*.gitlab.com", ANY), "catch-all"),
    "a signature by anybody's key for everything": (docker("", [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/x"}]), "catch-all"),
    "default accepts": (lambda d: d.update(default=ANY), "default-accepts"),
    "two requirements that accept pass bootc's check": (lambda d: d.update(default=ANY * 2), "default-accepts"),
    "default demands any signature": (lambda d: d.update(default=[{"type": "sigstoreSigned", "keyPath": "/x"}]), "default-accepts"),
    "ours accept": (docker(OURS, ANY), "scope-accepts"),
    "ours are not named": (lambda d: d["transports"]["docker"].pop(OURS), "scope-missing"),
    "a variant is let in": (docker(f"{OURS}/base", ANY), "scope-opened"),
    "a tag of ours is let in": (docker(f"{OURS}/base:latest", ANY), "scope-opened"),
    "a variant is signed by somebody else": (docker(f"{OURS}/base", [{"type": "sigstoreSigned", "keyData": "eA=="}]), "scope-differs"),
    "a tag of ours is signed by somebody else": (docker(f"{OURS}/base:latest", [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/x"}]), "scope-differs"),
    "a variant is signed for any tag": (docker(f"{OURS}/base", [{"type": "sigstoreSigned", "keyPath": f"/{KEY}", "signedIdentity": {"type": "matchRepository"}}]), "scope-differs"),
    "another transport asks a registry": (lambda d: d["transports"].update(atomic={"registry.gitlab.com": ANY}), "other-transport"),
    "an unknown key kills the file": (of_ours(subjectURI="https://gitlab.com/x"), "unknown-key"),
    "an unknown requirement kills the file": (docker("x.example", [{"type": "cosignSigned"}]), "unknown-requirement"),
    "two sources of keys": (of_ours(keyPath="/x"), "key-sources"),
    "no source of keys": (of_ours(keyPaths=None), "key-sources"),
    "fulcio compares e-mail addresses": (
        docker("x.example", [{"type": "sigstoreSigned", "fulcio": {"caPath": "/x", "oidcIssuer": "y", "subjectEmail": "z"}}]), "fulcio-cannot-match",
    ),
    "any tag of the repository": (of_ours(signedIdentity={"type": "matchRepository"}), "any-tag"),
    "any tag of one repository": (of_ours(signedIdentity={"type": "exactRepository", "dockerRepository": OURS}), "any-tag"),
    "a key in /etc stays for ever": (of_ours(keyPaths=["/etc/pki/containers/a.pub"]), "key-in-etc"),
    "another key": (of_ours(keyPaths=["/usr/lib/pki/other.pub"]), "scope-differs"),
    "one key of two": (of_ours(keyPaths=[f"/{KEY}"]), "scope-differs"),
    "bootc cannot install": (lambda d: d["transports"].pop("containers-storage"), "local-refused"),
    "no layout can be deployed": (lambda d: d["transports"].update(oci={"": NO}), "local-refused"),
    "no list": (docker(OURS, {"type": "reject"}), "policy-unreadable"),
    "an empty list": (docker(OURS, []), "policy-unreadable"),
    "a key of its own at the top": (lambda d: d.update(comment="x"), "policy-unreadable"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "rule"), TRAPS.values(), ids=TRAPS.keys())
def test_a_trap_of_policy_json_is_found(change, rule):
    assert rule in rules(policy(change))


def test_a_part_of_ours_may_demand_the_same_and_nothing_may_be_taken_of_it():
    same = json.loads(render_files(TRUST, STOCK)[POLICY])["transports"]["docker"][OURS]
    assert rules(policy(docker(f"{OURS}/base", same))) == set()
    assert rules(policy(docker(f"{OURS}/base", NO))) == set()


def test_one_of_our_scopes_may_lie_in_another():
    scopes = (Scope(name=OURS), Scope(name=f"{OURS}/mirror", mirrors="origin.example/os"))
    trust = HostTrust(name=TRUST.name, scopes=scopes, keys=TRUST.keys)
    assert rules(render_files(trust, STOCK), trust) == set()


ATTACHED = render_files(TRUST, STOCK)[REGISTRIES]
FILES = {
    "no policy at all": ({POLICY: None}, "no-policy"),
    "only where older releases do not look": ({POLICY: None, SHARED_POLICY: "{}"}, "not-in-etc"),
    "not JSON": ({POLICY: "{"}, "policy-unreadable"),
    "a key twice: readers differ in which counts": ({POLICY: '{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}'}, "policy-unreadable"),
    "root's own policy": ({"root/.config/containers/policy.json": "{}"}, "overridden"),
    "root's own policy on ostree": ({"var/roothome/.config/containers/policy.json": "{}"}, "overridden"),
    "root's own registries.d": ({"root/.config/containers/registries.d/x.yaml": ""}, "registries-overridden"),
    "root's own registries.d, empty": ({"var/roothome/.config/containers/registries.d/": ""}, "registries-overridden"),
    "root's own registries.conf": ({"root/.config/containers/registries.conf": ""}, "registries-overridden"),
    "a policy by the environment": ({"etc/environment": "A=1\nCONTAINERS_POLICY_JSON=/tmp/x\n"}, "overridden-by-environment"),
    "a folder by the environment": ({"etc/systemd/system.conf.d/x.conf": "[Manager]\nDefaultEnvironment=XDG_CONFIG_HOME=/x\n"}, "overridden-by-environment"),
    "a folder by the environment, quoted": ({"etc/systemd/system.conf": '[Manager]\nDefaultEnvironment="A=1" "XDG_CONFIG_HOME=/x"\n'}, "overridden-by-environment"),
    "another program": ({"usr/lib/systemd/system/bootc-x.service.d/x.conf": "[Service]\nEnvironment=BOOTC_EXP_EXTERNAL_CONTAINER_TOOL=/x\n"}, "overridden-by-environment"),
    "a policy by the kernel's arguments": ({"usr/lib/bootc/kargs.d/x.toml": 'kargs = ["systemd.setenv=CONTAINERS_POLICY_JSON=/x"]\n'}, "overridden-by-environment"),
    "a policy by a shell": ({"etc/profile.d/x.sh": "export CONTAINERS_POLICY_JSON=/x\n"}, "overridden-by-environment"),
    "a policy by pam": ({"etc/security/pam_env.conf": "XDG_CONFIG_HOME DEFAULT=/x\n"}, "overridden-by-environment"),
    "a policy by pam, over one that is set": ({"etc/security/pam_env.conf": "CONTAINERS_POLICY_JSON OVERRIDE=/x\n"}, "overridden-by-environment"),
    "a narrower namespace where v5.40 looks as well": ({"etc/containers/registries.rootful.d/z.yaml": f"docker:\n  {OURS}/base:\n    lookaside: file:///x\n"}, "narrower-registries"),
    "signatures beside the image are not read": ({REGISTRIES: None}, "signatures-not-read"),
    "attachments are off": ({REGISTRIES: f'docker:\n  "{OURS}":\n    use-sigstore-attachments: false\n'}, "signatures-not-read"),
    "attachments are read, and another's lookaside as well": (
        {REGISTRIES: ATTACHED.replace("true\n", "true\n    lookaside: https://other.example\n", 1)}, "signatures-not-read",
    ),
    "a namespace in two files": ({"etc/containers/registries.d/other.yaml": f"docker:\n  {OURS}:\n    lookaside: file:///x\n"}, "namespace-twice"),
    "flow style": ({"etc/containers/registries.d/z.yaml": "docker: {registry.gitlab.com/group/os/base: {lookaside: file:///x}}\n"}, "registries-not-understood"),
    "flow style below a namespace": ({"etc/containers/registries.d/z.yaml": "docker:\n  x.example: {lookaside: file:///x}\n"}, "registries-not-understood"),
    "an anchor": ({"etc/containers/registries.d/z.yaml": "docker:\n  x.example: &a\n    lookaside: file:///x\n"}, "registries-not-understood"),
    "an escape in a name": ({"etc/containers/registries.d/z.yaml": 'docker:\n  "x\\x2eexample":\n    lookaside: file:///x\n'}, "registries-not-understood"),
    "a key of its own line": ({"etc/containers/registries.d/z.yaml": "docker:\n  ? x.example\n  : lookaside: file:///x\n"}, "registries-not-understood"),
    "a value on the next line": ({"etc/containers/registries.d/z.yaml": "docker:\n  x.example:\n    lookaside:\n      http://a.example\n"}, "registries-not-understood"),
    "deeper than anything is": ({"etc/containers/registries.d/z.yaml": "docker:\n  x.example:\n    lookaside: file:///x\n      more: y\n"}, "registries-not-understood"),
    "a tab": ({"etc/containers/registries.d/z.yaml": "docker:\n\tx.example:\n    lookaside: file:///x\n"}, "registries-not-understood"),
    "a namespace twice in one file": ({"etc/containers/registries.d/z.yaml": "docker:\n  x.example:\n    lookaside: file:///x\n  x.example:\n    lookaside: file:///y\n"}, "registries-not-understood"),
    "something else at the top": ({"etc/containers/registries.d/z.yaml": "atomic:\n  x.example:\n    lookaside: file:///x\n"}, "registries-not-understood"),
    "a namespace in two files of others": (
        {f"etc/containers/registries.d/{n}.yaml": "docker:\n  registry.redhat.io: # x\n    lookaside: x\n" for n in "ab"}, "namespace-twice",
    ),
    "a narrower namespace counts instead": ({"usr/share/containers/registries.d/z.yaml": f"docker:\n  '{OURS}/base':\n    lookaside: file:///x\n"}, "narrower-registries"),
    "a key is missing": ({KEY: None}, "key-missing"),
    "a key is none": ({KEY: "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n"}, "key-unreadable"),
    "a key of RSA": ({KEY: RSA}, "key-unreadable"),
    "a private key": ({KEY: "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"}, "key-unreadable"),
    "somebody else's key": ({KEY: NEXT}, "key-other"),
    "bootc is not told": ({INSTALL: None}, "not-enforced-by-bootc"),
    "a later file takes it back": ({"usr/lib/bootc/install/90-x.toml": "[install]\nenforce-container-sigpolicy = false\n"}, "not-enforced-by-bootc"),
    "a file of the host's takes it back": ({"etc/bootc/install/60.toml": "[install]\nenforce-container-sigpolicy = false\n"}, "not-enforced-by-bootc"),
    "a file of the same name in /etc": ({"etc/bootc/install/50-immutable-base.toml": ""}, "not-enforced-by-bootc"),
    "the install configuration is no TOML": ({"usr/lib/bootc/install/00.toml": "["}, "install-unreadable"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "rule"), FILES.values(), ids=FILES.keys())
def test_a_trap_of_the_other_files_is_found(changes, rule):
    files = {**render_files(TRUST, STOCK), **changes}
    assert rule in rules({name: text for name, text in files.items() if text is not None})


@pytest.mark.parametrize("below", [":latest", "@sha256:" + 64 * "0", "/part"])
def test_what_counts_for_one_tag_of_our_repository_only_is_found(below):
    (scope,) = INSTANCE.scopes
    text = f'docker:\n  "{scope.name}{below}":\n    use-sigstore-attachments: false\n'
    files = {**render_files(INSTANCE, STOCK), "etc/containers/registries.d/z.yaml": text}
    assert rules(files, INSTANCE) == {"narrower-registries"}


@pytest.mark.parametrize(
    "said",
    [
        'Error loading trust policy: invalid policy in "/etc/containers/policy.json": Unknown key',
        'Error parsing signature storage configuration: "docker" namespace "x" defined both in',
        "",
    ],
)
def test_what_the_image_s_skopeo_cannot_use_is_found(said):
    answer = ProgramOutput(status=1, text=said)
    assert rules(render_files(TRUST, STOCK), skopeo=answer) == {"skopeo-refuses"}


def test_an_image_without_skopeo_is_found():
    assert rules(render_files(TRUST, STOCK), skopeo=None) == {"no-skopeo"}


@pytest.mark.parametrize(
    "name", ["registry.gitlab.com", OURS, f"{OURS}/base", "registry.gitlab.com/group"]
)
def test_what_is_let_in_unsigned_must_not_be_ours(name):
    trust = HostTrust(name=TRUST.name, scopes=TRUST.scopes, keys=TRUST.keys, unsigned=(name,))
    assert "unsigned-ours" in rules(render_files(trust, None), trust)


def test_what_is_let_in_unsigned_may_be_another_s():
    trust = HostTrust(
        name=TRUST.name, scopes=TRUST.scopes, keys=TRUST.keys, unsigned=("docker.io/library",)
    )
    assert rules(render_files(trust, None), trust) == set()


def test_an_instance_is_not_asked_for_what_its_base_promises():
    assert rules(policy(lambda d: d.update(default=ANY), INSTANCE), INSTANCE) == set()


def test_an_instance_s_own_repository_is_asked_for():
    files = policy(
        lambda d: d["transports"]["docker"].update({"registry.gitlab.com/hosts/x": ANY}), INSTANCE
    )
    assert "scope-accepts" in rules(files, INSTANCE)


def test_without_a_key_the_host_s_own_admission_is_demanded_and_nothing_less():
    assert "scope-accepts" in rules(policy(docker(OURS, ANY), ADMITTED), ADMITTED)
    assert "signatures-not-read" in rules(
        {**render_files(ADMITTED, None), ADMITTED.registries_file: ""}, ADMITTED
    )


@pytest.mark.parametrize(
    "text",
    ["# XDG_CONFIG_HOME=/x\n", "export A=${XDG_CONFIG_HOME:-x}\n", "MY_XDG_CONFIG_HOME=/x\n", "A=$XDG_CONFIG_HOME=\n"],
)  # fmt: skip
def test_what_only_mentions_a_variable_sets_none(text):
    assert rules({**render_files(TRUST, None), "etc/profile.d/x.sh": text}) == set()


def test_a_host_that_is_told_to_enforce_what_takes_anything_can_never_upgrade():
    enforced = {INSTALL: render_files(TRUST, None)[INSTALL], POLICY: STOCK}
    assert [it.rule for it in lint_open(enforced, accepted=True)] == ["enforced-and-open"]
    assert lint_open({POLICY: STOCK}, accepted=True) == ()
    assert lint_open({**enforced, POLICY: json.dumps({"default": NO})}, accepted=True) == ()


def test_that_nothing_is_demanded_is_found_unless_it_is_meant():
    assert [it.rule for it in lint_open({POLICY: STOCK}, accepted=False)] == ["nothing-demanded"]


DISTRIBUTION = """\
# This is a default registries.d configuration file.
default-docker:
#  lookaside: https://privateserver.com/sigstore
#  lookaside-staging: /mnt/privateserver/sigstore
  lookaside-staging: file:///var/lib/containers/sigstore  # written to
---
"""
RED_HAT = "docker:\n     registry.redhat.io:\n         lookaside: https://registry.redhat.io/containers/sigstore\n"


def test_the_files_of_distributions_are_understood():
    files = {
        "default": DISTRIBUTION.removesuffix("---\n"),
        "redhat": RED_HAT,
        "empty": "",
        "none": "docker: {}\n",
    }
    named = {f"etc/containers/registries.d/{name}.yaml": text for name, text in files.items()}
    assert rules({**render_files(TRUST, None), **named}) == set()
    assert read_registries(RED_HAT).namespaces == ("registry.redhat.io",)
    assert read_registries(RED_HAT).of("registry.redhat.io") == {
        "lookaside": "https://registry.redhat.io/containers/sigstore"
    }
    assert read_registries(DISTRIBUTION).of("") == {
        "lookaside-staging": "file:///var/lib/containers/sigstore"
    }


def test_an_admitting_host_reads_nothing_that_lies_beside_an_image():
    """A default of the base's may say so, and what cannot be parsed there refuses the image."""
    for trust in (ADMITTED, FLEET):
        assert "use-sigstore-attachments: false" in render_files(trust, None)[trust.registries_file]


def lookaside(text):
    return {FLEET.registries_file: f'docker:\n  "{OURS}":\n    {text}\n'}


def registries_conf(prefix, name="registries.conf.d/x.conf"):
    return {f"etc/containers/{name}": f'[[registry]]\nprefix = "{prefix}"\ninsecure = true\n'}


FLEET_FILES = {
    "what lies beside an image is read": (lookaside("lookaside: https://admission.example"), {"signatures-not-read"}),
    "the lookaside is not read": (lookaside("use-sigstore-attachments: true"), {"signatures-not-read"}),
    "another lookaside": (lookaside("lookaside: https://other.example"), {"signatures-not-read"}),
    "without TLS": (lookaside("lookaside: http://admission.example"), {"signatures-not-read", "lookaside-not-https"}),
    "without TLS, by the earlier name": (lookaside('sigstore: "http://a.example"'), {"signatures-not-read", "lookaside-not-https"}),
    "a default without TLS": (
        {"etc/containers/registries.d/default.yaml": "default-docker:\n  lookaside: http://a.example\n"}, {"lookaside-not-https"},
    ),
    "a key that does not parse": ({KEY: PEM[:60]}, {"key-unreadable"}),
    "the private key": ({KEY: "-----BEGIN PRIVATE KEY-----\n"}, {"key-unreadable"}),
    "another machine's key": ({KEY: NEXT}, {"key-other"}),
    "no key": ({KEY: None}, {"key-missing"}),
    "a host's own key is demanded": ({POLICY: render_files(ADMITTED, None)[POLICY]}, {"scope-differs"}),
    "TLS is not checked": (registries_conf(OURS), {"lookaside-unchecked"}),
    "TLS is not checked, where v5.40 looks as well": (registries_conf(OURS, "registries.rootful.conf.d/x.conf"), {"lookaside-unchecked"}),
    "TLS is not checked for all of the registry": (registries_conf("registry.gitlab.com", "registries.conf"), {"lookaside-unchecked"}),
    "TLS is not checked for many registries": (registries_conf("*.gitlab.com"), {"lookaside-unchecked"}),
    "TLS is not checked for a variant": (registries_conf(f"{OURS}/base"), {"lookaside-unchecked"}),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "found"), FLEET_FILES.values(), ids=FLEET_FILES.keys())
def test_a_trap_of_a_fleet_s_lookaside_is_found(changes, found):
    files = {**render_files(FLEET, None), **changes}
    assert rules({name: text for name, text in files.items() if text is not None}, FLEET) == found


@pytest.mark.parametrize(
    "changes",
    [
        registries_conf("registry.gitlab.com.example"),
        registries_conf(f"{OURS}-other"),
        registries_conf("*.example"),
        {"etc/containers/registries.conf": "registry = 7"},
        {"etc/containers/registries.conf": "[["},
        {"etc/containers/registries.d/lab.yaml": "docker:\n  x.example:\n    lookaside: http://127.0.0.1:5000/x\n"},
    ],
)  # fmt: skip
def test_what_is_no_trap_of_a_fleet_has_no_finding(changes):
    assert rules({**render_files(FLEET, None), **changes}, FLEET) == set()


def test_an_insecure_registry_without_a_lookaside_over_https_is_another_matter():
    assert rules({**render_files(TRUST, None), **registries_conf(OURS)}) == set()

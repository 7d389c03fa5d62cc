"""What images get: scoped, strict, and with everything that the distribution says itself."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from immutable_base.build.admission_files import FOLDER
from immutable_base.build.host_files import write_host_trust, write_whom_to_admit
from immutable_base.config.fleet import Fleet
from immutable_base.config.load import load_settings
from immutable_base.config.trust import load_trust
from immutable_base.errors import CheckError, ConfigurationError
from immutable_base.policy.host_trust import (
    ADMISSION_KEY,
    HostTrust,
    Scope,
    instance_trust,
    key_files,
    variants_trust,
)
from immutable_base.policy.public_key import canonical_pem
from immutable_base.policy.render import INSTALL, POLICY, render_files, render_policy
from support.forge import public_pem
from support.paths import PRODUCT
from support.sound_image import KEYS, PEM, with_fleet, with_keys

SETTINGS = load_settings(PRODUCT)
OURS = SETTINGS.registry.destination
KEYED = variants_trust(with_keys(SETTINGS), [PEM])
ANY = [{"type": "insecureAcceptAnything"}]
REDHAT = [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/etc/pki/rpm-gpg/x"}]
STOCK = json.dumps({
    "default": ANY,
    "transports": {"docker": {"": ANY, "registry.redhat.io": REDHAT}, "docker-daemon": {"": ANY}},
})  # fmt: skip


def rendered(trust, base=STOCK):
    return json.loads(render_policy(trust, base))


def test_a_key_s_image_demands_its_key_and_refuses_what_nobody_names():
    found = rendered(KEYED)
    assert found["default"] == [{"type": "reject"}]
    assert found["transports"]["docker"][OURS] == [
        {
            "type": "sigstoreSigned",
            "keyPath": "/usr/lib/pki/immutable-base/immutable-base-current.pub",
            "signedIdentity": {"type": "matchRepoDigestOrExact"},
        }
    ]


def test_what_is_let_in_unsigned_never_replaces_a_demand_of_ours():
    """`lint` refuses it too; but nobody has to look first."""
    found = rendered(replace(KEYED, unsigned=(OURS, "docker.io/library")))["transports"]["docker"]
    assert found[OURS] == rendered(KEYED)["transports"]["docker"][OURS]
    assert found["docker.io/library"] == ANY


def test_the_distribution_s_own_entries_stay_and_its_catch_all_goes():
    found = rendered(KEYED)["transports"]
    assert found["docker"]["registry.redhat.io"] == REDHAT
    assert "" not in found["docker"]
    assert found["docker-daemon"] == {"": ANY}
    assert found["containers-storage"] == found["oci"] == {"": ANY}


def test_without_a_key_nothing_of_ours_is_taken_for_nothing():
    for base in (None, STOCK):
        found = rendered(variants_trust(SETTINGS), base)
        assert found["default"] == [{"type": "reject"}]
        (demand,) = found["transports"]["docker"][OURS]
        assert (demand["type"], demand["keyPath"]) == ("sigstoreSigned", ADMISSION_KEY)


def test_an_instance_adds_itself_and_changes_nothing_else():
    base = render_policy(KEYED, STOCK)
    trust = instance_trust("x", "registry.gitlab.com/hosts/x", with_keys(SETTINGS).signing, [PEM])
    before, after = json.loads(base), rendered(trust, base)
    added = after["transports"]["docker"].pop("registry.gitlab.com/hosts/x")
    assert added[0]["keyPath"] == "/usr/lib/pki/immutable-base/instance-x-current.pub"
    assert after == before
    assert INSTALL not in render_files(trust, base)


def test_a_mirror_takes_what_was_signed_for_what_it_mirrors():
    trust = HostTrust(
        name="x",
        scopes=(Scope(name="mirror.example/os", mirrors=OURS),),
        keys=key_files("x", [PEM]),
    )
    (demand,) = rendered(trust)["transports"]["docker"]["mirror.example/os"]
    assert demand["signedIdentity"] == {
        "type": "remapIdentity", "prefix": "mirror.example/os", "signedPrefix": OURS,
    }  # fmt: skip


FLEET = Fleet(lookaside="https://admission.example/", key_paths=("host.pub",))
FLEET_TRUST = variants_trust(with_fleet(SETTINGS, FLEET), [PEM])


def test_a_fleet_demands_the_key_of_the_machine_that_admits_and_reads_its_lookaside():
    files = render_files(FLEET_TRUST, STOCK)
    key = "usr/lib/pki/immutable-base/immutable-base-current.pub"
    assert json.loads(files[POLICY])["transports"]["docker"][OURS] == [
        {
            "type": "sigstoreSigned",
            "keyPath": f"/{key}",
            "signedIdentity": {"type": "matchRepoDigestOrExact"},
        }
    ]
    assert json.loads(files[POLICY])["default"] == [{"type": "reject"}]
    assert files[key] == PEM
    # Container tools add a slash themselves: with two many a server answers 404 for everything.
    assert files[FLEET_TRUST.registries_file].splitlines()[1:] == [
        "docker:", f'  "{OURS}":', "    lookaside: https://admission.example",
        "    use-sigstore-attachments: false",
    ]  # fmt: skip


def test_a_fleet_accepts_the_next_key_too():
    other = public_pem(ec.generate_private_key(ec.SECP256R1())).decode()
    two = Fleet(lookaside="https://admission.example", key_paths=("host.pub", "next.pub"))
    trust = variants_trust(with_fleet(SETTINGS, two), [PEM, other])
    (demand,) = rendered(trust)["transports"]["docker"][OURS]
    assert len(demand["keyPaths"]) == 2
    assert {*render_files(trust, STOCK).values()} >= {PEM, other}


def test_an_instance_reads_the_lookaside_that_it_names_itself():
    signing = with_fleet(SETTINGS, FLEET).signing
    trust = instance_trust("x", "registry.gitlab.com/hosts/x", signing, [PEM])
    text = render_files(trust, STOCK)[trust.registries_file]
    assert "lookaside: https://admission.example\n" in text


def test_an_admission_of_a_mirror_s_image_is_for_the_name_that_is_pulled():
    """Else a host refused from a mirror what it had admitted: "Signature for identity … is not accepted"."""
    own = HostTrust(name="x", scopes=(Scope(name="mirror.example/os", mirrors=OURS),))
    for trust in (own, replace(own, keys=key_files("x", [PEM]), lookaside="https://a.example")):
        (demand,) = rendered(trust)["transports"]["docker"]["mirror.example/os"]
        assert demand["signedIdentity"] == {"type": "matchRepoDigestOrExact"}


def test_a_key_s_place_does_not_change_in_a_rotation():
    """A host whose policy.json was changed by hand, and so is never updated, still follows."""
    other = public_pem(ec.generate_private_key(ec.SECP256R1())).decode()
    keys = KEYS.model_copy(update={"key_paths": ("a.pub", "b.pub")})
    before = render_files(variants_trust(with_keys(SETTINGS, keys), [PEM, other]), STOCK)
    after = render_files(variants_trust(with_keys(SETTINGS, keys), [other, PEM]), STOCK)
    assert before[POLICY] == after[POLICY]
    assert before != after


@pytest.mark.parametrize("text", ["", "[]", '{"transports": {}}', '{"default": 1}', "{" * 9000])
def test_a_base_whose_policy_cannot_be_read_is_no_base(text):
    with pytest.raises(CheckError, match="is no policy"):
        render_policy(KEYED, text)


@pytest.mark.parametrize(
    "raw", [b"", b"x", PEM.encode()[:60], b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"]
)
def test_what_is_no_public_key_is_refused(raw):
    with pytest.raises(ConfigurationError):
        canonical_pem(raw, "k.pub")


def test_of_two_keys_in_one_file_none_is_left_out_without_a_word():
    other = public_pem(ec.generate_private_key(ec.SECP256R1()))
    for second in (other, other[:60]):
        with pytest.raises(ConfigurationError, match="more than one key"):
            canonical_pem(PEM.encode() + second, "k.pub")


def test_another_curve_is_refused():
    with pytest.raises(ConfigurationError, match="P-256"):
        canonical_pem(public_pem(ec.generate_private_key(ec.SECP384R1())), "k.pub")


def test_files_are_written_into_the_image_and_never_through_a_link(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside.json"
    outside.write_text("outside")
    (root / "etc/containers").mkdir(parents=True)
    (root / "usr/share/containers").mkdir(parents=True)
    (root / "usr/share/containers/policy.json").write_text(STOCK)
    (root / POLICY).symlink_to("/usr/share/containers/policy.json")
    (root / "etc/containers/registries.d").mkdir()
    (root / KEYED.registries_file).symlink_to(outside)
    written = write_host_trust(root, KEYED)
    assert outside.read_text() == "outside"
    assert {name: (root / name).read_text() for name in written} == render_files(KEYED, STOCK)
    assert not (root / POLICY).is_symlink()
    assert all((root / name).stat().st_mode & 0o777 == 0o644 for name in written)


def test_whom_to_admit_is_written_in_place_of_a_link_and_not_through_it(tmp_path):
    """An instance's Containerfile may have moved the folder."""
    root, trust = tmp_path / "root", load_trust(PRODUCT)
    moved = root / "opt/admission"
    moved.mkdir(parents=True)
    (moved / "admission.toml").write_text("theirs")
    (root / FOLDER).parent.mkdir(parents=True)
    (root / FOLDER).symlink_to("../../../opt/admission")
    write_whom_to_admit(root, trust, PRODUCT.parent, 0)
    assert (moved / "admission.toml").read_text() == "theirs"
    assert not (root / FOLDER).is_symlink()
    assert trust.signing.certificate_identity in (root / FOLDER / "admission.toml").read_text()


def test_a_folder_that_leads_out_of_the_image_is_refused(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "etc").mkdir(parents=True)
    outside.mkdir()
    (root / "etc/containers").symlink_to(outside)
    with pytest.raises(CheckError, match="leads out of the image"):
        write_host_trust(root, KEYED)
    assert list(outside.iterdir()) == []

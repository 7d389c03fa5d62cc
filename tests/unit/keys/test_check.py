"""`keys check` over real HTTP, with real keys, signatures and packages: what does not fit is said."""

import hashlib
import tomllib

import pytest
import tomlkit

from immutable_base.cli.main import main
from immutable_base.config.load import load_settings
from immutable_base.keys.check import sources_of
from support import paths
from support.key_files import armour, binary, make_old_signer, revoke, version_6_key
from support.rpm_files import build_rpm, checksum, sign_rpm
from support.rpmmd import Rpm, make_signer, write_repository
from support.trust import document, exported

VERSIONED = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: GnuPG v2.0.22 (GNU/Linux)\n"


@pytest.fixture(scope="session")
def rpms(tmp_path_factory, signers):
    """A package that each owner has signed."""
    folder = tmp_path_factory.mktemp("rpms")
    found = {}
    for name, signer in signers.items():
        (folder / name).mkdir()
        found[name] = sign_rpm(build_rpm(folder / name, "tool"), signer)
    return found


@pytest.fixture
def vendor(site, signers, rpms, tmp_path, monkeypatch):
    """A key of two places that is not pinned, and a repository whose metadata it signs."""
    site.folder, site.signer = tmp_path, signers["ours"]
    site.settings = document(site.url, signers, vendor={"key": "ours", "metadata_key": "ours"})
    for name, repository in site.settings["repositories"].items():
        repository["key"] = "ours" if name == "vendor" else "foreign"
    site.settings["streams"]["el"]["repositories"] = ["vendor"]
    key = site.settings["keys"]["ours"]
    key["places"] = [f"{site.url}/ours.asc", f"{site.url}/repomd.xml.key"]
    del key["fingerprint"]
    site.key = key
    for place in ("/ours.asc", "/repomd.xml.key"):
        site.serve(place, site.signer.public.read_bytes())
    offer(site, rpms["ours"], site.signer)
    (tmp_path / "layers").mkdir()
    monkeypatch.setenv("IMMUTABLE_BASE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return site


def offer(site, rpm, signer):
    """Serve a repository with one package, whose metadata a signer has signed."""
    folder = site.folder / "www" / "vendor"
    described = Rpm("tool", "1-1", "noarch", location="tool.rpm", size=rpm.stat().st_size)
    described = Rpm(**{**described.__dict__, "checksum": checksum(rpm).hex})
    write_repository(folder, [described], signer)
    (folder / "tool.rpm").write_bytes(rpm.read_bytes())
    site.serve_folder(site.folder / "www")


def keys(site, *arguments):
    """Run `immutable-base keys` on the configuration as it is now; return the exit code."""
    config = site.folder / "immutable-base.toml"
    if not config.exists() or tomllib.loads(config.read_text()) != site.settings:
        config.write_text("# a comment at the top\n" + tomlkit.dumps(site.settings))
    return main(["keys", *arguments, "--config", str(config)])


def pinned(site):
    text = (site.folder / "immutable-base.toml").read_text()
    assert text.startswith("# a comment at the top\n")
    return tomllib.loads(text)["keys"]["ours"].get("fingerprint")


# ------------------------------------------------------------------ what must not be pinned


def test_an_unknown_key_is_an_error_in_words(vendor, capsys):
    assert keys(vendor, "check", "our") == 2
    assert "there is no key 'our'; did you mean 'ours'?" in capsys.readouterr().err


def refused(vendor, capsys, *despite):
    """Ask for the pin; return what was printed, and what was said against it."""
    assert keys(vendor, "check", "ours", "--package", "tool", "--pin", *despite) == 12
    assert pinned(vendor) is None
    printed = capsys.readouterr()
    assert "error: the key is not pinned: " in printed.err
    return printed.out, printed.err


def pinned_despite(vendor, finding):
    assert keys(vendor, "check", "ours", "--package", "tool", "--pin", "--despite", finding) == 0
    return pinned(vendor) == vendor.signer.fingerprint


def test_places_that_have_different_keys_are_not_pinned_unless_told_by_name(
    vendor, signers, capsys
):
    vendor.serve("/repomd.xml.key", exported(signers["foreign"]))
    out, err = refused(vendor, capsys)
    assert "NO  places    1 of 2 have this key" in out
    assert signers["foreign"].fingerprint in out
    assert "places did not fit" in err
    assert "--despite places" in err
    refused(vendor, capsys, "--despite", "witness")
    assert pinned_despite(vendor, "places")


def test_a_place_that_does_not_answer_is_said_with_its_reason(vendor, capsys):
    vendor.key["places"][1] = f"{vendor.url}/gone"
    out, _ = refused(vendor, capsys)
    assert f"{vendor.url}/gone: the key 'ours' cannot be fetched: the server answered 404" in out
    assert pinned_despite(vendor, "places")


def test_where_no_place_answers_nothing_is_known(vendor, capsys):
    vendor.key["places"] = [f"{vendor.url}/gone", "not-here.asc"]
    assert keys(vendor, "check", "ours", "--pin", "--despite", "places") == 6
    assert pinned(vendor) is None
    out = capsys.readouterr().out
    assert f"{vendor.url}/gone: " in out
    assert "not-here.asc: the key 'ours' cannot be read: No such file" in out
    assert "NO  key       none of its 2 places answers" in out, "of gpg there is nothing to say"


@pytest.mark.parametrize("content", [b"", b"<html>", armour(version_6_key())])
def test_where_no_place_has_a_key_that_can_be_read_nothing_is_pinned(vendor, capsys, content):
    for place in ("/ours.asc", "/repomd.xml.key"):
        vendor.serve(place, content)
    assert keys(vendor, "check", "ours", "--pin", "--despite", "places") == 12
    out = capsys.readouterr().out
    assert "NO  key       no place has a key that gpg can read" in out
    assert ("  1 key that gpg cannot read" in out) == bool(content.count(b"BEGIN"))
    assert pinned(vendor) is None


@pytest.mark.parametrize("state", ["revoked", "expired"])
def test_a_revoked_or_expired_key_is_never_pinned(vendor, capsys, tmp_path, state):
    signer = make_old_signer(tmp_path / state, expires="1y" if state == "expired" else "never")
    if state == "revoked":
        revoke(signer)
    for place in ("/ours.asc", "/repomd.xml.key"):
        vendor.serve(place, signer.public.read_bytes())
    everything = [
        f"--despite={name}" for name in ("places", "pin", "witness", "metadata", "package")
    ]
    out, err = refused(vendor, capsys, *everything)
    assert state in out
    assert "key did not fit" in err


def test_a_witness_that_names_another_key_stands_against_it(vendor, capsys):
    """As for D42D0685, which is the key of EL 8 and 9 and not that of 10."""
    vendor.key["witness_key_id"] = "D42D0685"
    out, err = refused(vendor, capsys)
    assert "NO  witness   public sources name a fingerprint that ends in D42D0685" in out
    assert "witness did not fit" in err
    assert pinned_despite(vendor, "witness")


def test_a_witness_of_another_file_stands_against_it(vendor, capsys):
    vendor.key["witness_sha256"] = "0" * 64
    out, _ = refused(vendor, capsys)
    assert "NO  witness   public sources name 0000" in out


def test_metadata_that_another_key_signed_stands_against_it(vendor, rpms, signers, capsys):
    offer(vendor, rpms["ours"], signers["foreign"])
    out, err = refused(vendor, capsys)
    assert "NO  metadata  repomd.xml of 'vendor'" in out
    assert "metadata, package did not fit" in err, "nothing of that repository is used"


def test_a_package_that_another_key_signed_stands_against_it(vendor, rpms, capsys):
    offer(vendor, rpms["foreign"], vendor.signer)
    out, _ = refused(vendor, capsys)
    assert "ok  metadata  repomd.xml of 'vendor': the signature is good" in out
    assert "NO  package   tool-1-1.noarch of 'vendor': it is not signed by this key" in out
    assert pinned_despite(vendor, "package")


def test_a_package_that_is_not_there_proves_nothing(vendor, capsys):
    assert keys(vendor, "check", "ours", "--package", "tools", "--pin") == 12
    assert "NO  package   tools: none of vendor has it" in capsys.readouterr().out
    assert pinned(vendor) is None


def test_a_file_with_several_keys_needs_to_be_told_which(vendor, signers, capsys):
    for place in ("/ours.asc", "/repomd.xml.key"):
        vendor.serve(place, exported(signers["foreign"], signers["ours"]))
    out, _ = refused(vendor, capsys)
    assert "NO  key       choose one with --fingerprint" in out
    assert all(signer.fingerprint in out for signer in signers.values())
    fingerprint = signers["ours"].fingerprint
    assert keys(vendor, "check", "ours", "--fingerprint", fingerprint, "--pin") == 0
    assert pinned(vendor) == fingerprint


def test_a_fingerprint_that_no_place_has_is_not_replaced_by_another(vendor, capsys):
    assert keys(vendor, "check", "ours", "--fingerprint", "A" * 40, "--pin") == 12
    assert pinned(vendor) is None


def test_a_key_that_is_pinned_already_is_not_pinned_anew_by_accident(vendor, signers, capsys):
    vendor.key["fingerprint"] = signers["foreign"].fingerprint
    assert keys(vendor, "check", "ours", "--pin") == 12
    printed = capsys.readouterr()
    assert f"NO  pin       the configuration pins {signers['foreign'].fingerprint}" in printed.out
    assert pinned(vendor) == signers["foreign"].fingerprint
    assert pinned_despite(vendor, "pin"), "as after a rotation"


def test_what_a_key_s_owner_is_called_does_nothing_to_a_terminal(vendor, tmp_path, capsys):
    signer = make_signer(tmp_path / "odd", "\u009b31mRed \u202eder\u2028 <x@example.invalid>")
    for place in ("/ours.asc", "/repomd.xml.key"):
        vendor.serve(place, signer.public.read_bytes())
    assert keys(vendor, "check", "ours") == 12
    out = capsys.readouterr().out
    assert "\\x9b31mRed" in out
    assert not [letter for letter in out if not letter.isprintable() and letter != "\n"]


@pytest.mark.parametrize("text", ["abc", "0x1234", "é" * 40, ""])
def test_what_is_no_fingerprint_is_an_error_in_words(vendor, capsys, text):
    assert keys(vendor, "check", "ours", "--fingerprint", text) == 2
    assert "is not 40 hexadecimal digits" in capsys.readouterr().err
    assert vendor.requests == []


def test_of_several_keys_the_one_that_was_named_is_looked_at_and_not_the_pinned_one(
    vendor, signers, capsys
):
    vendor.key["fingerprint"] = signers["foreign"].fingerprint
    for place in ("/ours.asc", "/repomd.xml.key"):
        vendor.serve(place, exported(signers["foreign"], signers["ours"]))
    fingerprint = signers["ours"].fingerprint
    assert keys(vendor, "check", "ours", "--fingerprint", fingerprint) == 12
    out = capsys.readouterr().out
    assert f"NO  pin       the configuration pins {signers['foreign'].fingerprint}" in out
    assert f"{fingerprint} is neither revoked nor expired" in out


def test_another_file_than_the_pinned_one_is_looked_at_to_the_end(vendor, capsys):
    vendor.key["sha256"] = "0" * 64
    assert keys(vendor, "check", "ours") == 12
    out = capsys.readouterr().out
    assert f"NO  pin       the configuration pins {'0' * 64}" in out
    assert "ok  metadata  repomd.xml of 'vendor': the signature is good" in out


def test_a_witness_that_agrees_in_its_end_alone_stands_against_it(vendor, capsys):
    end = vendor.signer.fingerprint[-8:]
    vendor.key["witness_key_id"] = ("0000" if end[:4] != "0000" else "1111") + end[4:]
    refused(vendor, capsys)


# ------------------------------------------------------------------ what must come out


def test_a_fingerprint_is_read_as_people_copy_it(vendor, signers):
    for place in ("/ours.asc", "/repomd.xml.key"):
        vendor.serve(place, exported(signers["foreign"], signers["ours"]))
    found = signers["ours"].fingerprint.lower()
    grouped = " ".join(found[start : start + 4] for start in range(0, 40, 4))
    assert keys(vendor, "check", "ours", "--fingerprint", grouped, "--pin") == 0
    assert pinned(vendor) == signers["ours"].fingerprint


def test_a_key_is_asked_for_its_own_signatures_alone(vendor, rpms, signers, capsys):
    """One key signs the packages, another one the metadata."""
    vendor.settings["repositories"]["vendor"]["metadata_key"] = "foreign"
    offer(vendor, rpms["ours"], signers["foreign"])
    vendor.serve("/foreign.asc", signers["foreign"].public.read_bytes())
    assert keys(vendor, "check", "ours", "--package", "tool") == 0
    out = capsys.readouterr().out
    assert "metadata" not in out
    assert "ok  package   tool-1-1.noarch of 'vendor'" in out
    assert keys(vendor, "check", "foreign", "--package", "tool") == 12
    out = capsys.readouterr().out
    assert "ok  metadata  repomd.xml of 'vendor'" in out
    assert not [line for line in out.splitlines() if " package " in line and "vendor" in line]


def test_what_fits_is_shown_and_pinned_only_when_asked(vendor, capsys):
    for place in ("/ours.asc", "/repomd.xml.key"):
        content = vendor.signer.public.read_bytes()
        vendor.serve(place, VERSIONED + content.split(b"\n", 1)[1])
    stripped = hashlib.sha256(vendor.signer.public.read_bytes()).hexdigest()
    vendor.key["witness_sha256"] = stripped
    vendor.key["witness_key_id"] = vendor.signer.fingerprint[-8:]
    assert keys(vendor, "check", "ours", "--package", "tool") == 0
    out = capsys.readouterr().out
    served = hashlib.sha256(vendor.replies["/ours.asc"][0].body).hexdigest()
    for words in (
        "ours: not pinned", f"sha256 {served}\n", f"sha256 {stripped} without Version lines",
        vendor.signer.fingerprint, "never expires", "ours <ours@example.invalid>",
        "a hint, not a proof", "docs/how-to/pin-a-key.md", "immutable-base keys check ours --pin",
        "ok  metadata  repomd.xml of 'vendor': the signature is good",
        "ok  package   tool-1-1.noarch of 'vendor': the signature is good",
    ):  # fmt: skip
        assert words in out
    assert "NO" not in out
    assert pinned(vendor) is None
    assert keys(vendor, "check", "ours", "--package", "tool", "--pin") == 0
    assert pinned(vendor) == vendor.signer.fingerprint
    assert "it is the pinned one" not in capsys.readouterr().out
    vendor.settings = tomllib.loads((vendor.folder / "immutable-base.toml").read_text())
    assert keys(vendor, "check", "ours") == 0
    assert "ok  pin       it is the pinned one" in capsys.readouterr().out


def test_a_key_beside_a_post_quantum_one_is_found(vendor, capsys):
    for place in ("/ours.asc", "/repomd.xml.key"):
        vendor.serve(place, armour(version_6_key() + binary(vendor.signer)))
    assert keys(vendor, "check", "ours", "--pin") == 0
    assert pinned(vendor) == vendor.signer.fingerprint
    assert "1 more that gpg cannot read" in capsys.readouterr().out


def test_all_keys_are_listed_and_nothing_is_fetched(vendor, capsys):
    vendor.key["sha256"] = "0" * 64
    assert keys(vendor, "list") == 0
    out = capsys.readouterr().out
    assert f"ours: file {'0' * 64}\n  {vendor.url}/ours.asc\n  {vendor.url}/repomd.xml.key\n" in out
    assert "signs packages and metadata of vendor" in out
    assert f"foreign: {vendor.settings['keys']['foreign']['fingerprint']}" in out
    assert vendor.requests == []


def test_repositories_of_a_compose_are_left_out_because_only_a_base_image_names_it():
    """The shipped key of CentOS signs some: asking about it must not end in a traceback."""
    found = sources_of(load_settings(paths.PRODUCT), "centos")
    assert {source.id for source in found} == {"baseos", "appstream"}

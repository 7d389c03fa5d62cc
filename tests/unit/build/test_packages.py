"""Really signed packages: what comes through is signed by the key of its own repository."""

import shutil

import pytest

from immutable_base.errors import CommandError, RemoteError, VerificationError
from immutable_base.model.checksum import Checksum
from support.rpm_files import build_rpm, checksum, sign_rpm
from support.rpmmd import make_signer
from support.trust import (
    add_subkey,
    document,
    exported,
    fetch_rpms,
    package_of,
    planned_keys,
    revoke_subkey,
)


@pytest.fixture(scope="session")
def rpms(tmp_path_factory, signers):
    """One package unsigned, and signed by each owner."""
    folder = tmp_path_factory.mktemp("rpms")
    plain = build_rpm(folder, "plain")
    found = {"unsigned": plain}
    for name, signer in signers.items():
        copy = folder / f"{name}-1-1.noarch.rpm"
        shutil.copy(plain, copy)
        found[name] = sign_rpm(copy, signer)
    return found


@pytest.fixture
def mirror(site, signers, tmp_path):
    """Repository `ours` with the key of that name, `theirs` with the foreign one."""
    for name, signer in signers.items():
        site.serve(f"/{name}.asc", signer.public.read_bytes())
    site.folder = tmp_path
    site.settings = document(site.url, signers, ours={"key": "ours"}, theirs={"key": "foreign"})
    return site


def offer(mirror, path, repository="ours", **changes):
    """Serve a package file, and return it as the metadata of a repository describes it."""
    url = mirror.serve(f"/{repository}/{path.name}", path.read_bytes())
    return package_of(path, url, repository, **changes)


def fetch(mirror, *packages):
    return fetch_rpms(mirror.folder, mirror.settings, packages)


def refused(mirror, *packages):
    """Fetch packages and return why the last one cannot be used."""
    store = fetch(mirror, *packages)
    with pytest.raises(VerificationError) as caught:
        store.path(packages[-1])
    return str(caught.value)


def test_a_package_signed_by_the_key_of_its_repository_is_there_with_its_own_bytes(mirror, rpms):
    package = offer(mirror, rpms["ours"])
    store = fetch(mirror, package)
    assert store.failures == {}
    assert store.path(package).read_bytes() == rpms["ours"].read_bytes()


@pytest.mark.parametrize("signed_by", ["unsigned", "foreign"])
def test_a_package_that_its_repositorys_key_did_not_sign_is_refused(mirror, rpms, signed_by):
    message = refused(mirror, offer(mirror, rpms[signed_by]))
    assert f"{signed_by if signed_by != 'unsigned' else 'plain'}-1-1.noarch of 'ours'" in message
    assert "is not signed by the key 'ours'" in message


def test_each_repository_has_its_own_key(mirror, rpms):
    ours, theirs = offer(mirror, rpms["ours"]), offer(mirror, rpms["foreign"], "theirs")
    assert fetch(mirror, ours, theirs).failures == {}
    swapped = offer(mirror, rpms["foreign"], "ours"), offer(mirror, rpms["ours"], "theirs")
    assert set(fetch(mirror, *swapped).failures) == {package.checksum for package in swapped}


def test_a_second_key_in_the_key_file_signs_no_packages(mirror, rpms, signers):
    mirror.serve("/ours.asc", exported(signers["ours"], signers["foreign"]))
    good, bad = offer(mirror, rpms["ours"]), offer(mirror, rpms["foreign"])
    assert "foreign-1-1.noarch" in refused(mirror, good, bad)
    assert set(fetch(mirror, good, bad).failures) == {bad.checksum}


def test_a_package_that_was_changed_after_it_was_signed_is_refused(mirror, rpms, tmp_path):
    """The metadata describes the changed file: of the two, only the signature objects."""
    changed = tmp_path / "changed-1-1.noarch.rpm"
    content = bytearray(rpms["ours"].read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    assert "is not signed by the key" in refused(mirror, offer(mirror, changed))


def test_a_header_that_was_changed_after_it_was_signed_is_refused(mirror, rpms, tmp_path):
    changed = tmp_path / "changed-1-1.noarch.rpm"
    content = rpms["ours"].read_bytes()
    assert b"A package of the tests" in content
    changed.write_bytes(content.replace(b"A package of the tests", b"A package of somebody."))
    assert "is not signed by the key" in refused(mirror, offer(mirror, changed))


@pytest.mark.parametrize("content", [b"", b"junk", b"\xed\xab\xee\xdb" + bytes(200)])
def test_what_is_no_package_is_refused(mirror, tmp_path, content):
    junk = tmp_path / "junk-1-1.noarch.rpm"
    junk.write_bytes(content)
    assert "junk-1-1.noarch" in refused(mirror, offer(mirror, junk, size=0))


def test_a_package_signed_by_a_revoked_subkey_is_refused(mirror, rpms, tmp_path):
    signer = make_signer(tmp_path / "with-subkey")
    subkey = add_subkey(signer)
    path = tmp_path / "subkey-1-1.noarch.rpm"
    shutil.copy(rpms["unsigned"], path)
    sign_rpm(path, signer, f"{subkey}!")
    mirror.settings["keys"]["ours"]["fingerprint"] = signer.fingerprint
    mirror.serve("/ours.asc", signer.public.read_bytes())
    package = offer(mirror, path)
    assert fetch(mirror, package).failures == {}
    revoke_subkey(signer)
    mirror.serve("/ours.asc", signer.public.read_bytes())
    assert "is not signed by the key 'ours'" in refused(mirror, package)


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_a_package_described_by_a_longer_checksum_is_held_to_it(mirror, rpms, algorithm):
    """NVIDIA describes its container toolkit by SHA-512."""
    good = checksum(rpms["ours"], algorithm)
    bad = good.model_copy(update={"hex": "0" * len(good.hex)})
    assert f"expected {algorithm}" in refused(mirror, offer(mirror, rpms["ours"], checksum=bad))
    package = offer(mirror, rpms["ours"], checksum=good)
    assert fetch(mirror, package).path(package).read_bytes() == rpms["ours"].read_bytes()


def test_another_checksum_than_the_metadatas_is_refused(mirror, rpms):
    assert "not the one that its repository describes" in refused(
        mirror, offer(mirror, rpms["ours"], checksum=Checksum.of("sha256", "0" * 64))
    )


def test_one_bad_package_among_many_is_named_and_the_others_are_used(
    mirror, rpms, signers, tmp_path
):
    many = [sign_rpm(build_rpm(tmp_path, f"good{n}"), signers["ours"]) for n in range(3)]
    packages = [offer(mirror, path) for path in many]
    packages.insert(1, offer(mirror, rpms["unsigned"]))
    packages.append(offer(mirror, rpms["foreign"], "theirs"))
    store = fetch(mirror, *packages)
    assert set(store.failures) == {packages[1].checksum}
    for package in (packages[0], *packages[2:]):
        assert store.path(package).is_file()


def test_a_package_that_is_not_there_fails_alone(mirror, rpms):
    missing, good = offer(mirror, rpms["unsigned"]), offer(mirror, rpms["ours"])
    del mirror.replies["/ours/plain-1-1.noarch.rpm"]
    store = fetch(mirror, missing, good)
    with pytest.raises(RemoteError, match="the server answered 404"):
        store.path(missing)
    assert store.path(good).is_file()


def test_packages_whose_key_the_plan_has_not_are_refused_alone(mirror, rpms):
    ours, theirs = offer(mirror, rpms["ours"]), offer(mirror, rpms["foreign"], "theirs")
    keys = [key for key in planned_keys(mirror.folder, mirror.settings) if key.name == "foreign"]
    store = fetch_rpms(mirror.folder, mirror.settings, [ours, theirs], keys)
    assert set(store.failures) == {ours.checksum}
    with pytest.raises(VerificationError, match="the plan has no key 'ours'"):
        store.path(ours)
    assert store.path(theirs).is_file()


def test_packages_are_held_to_the_key_that_the_plan_judged_whatever_its_place_serves_now(
    mirror, rpms, signers
):
    keys = planned_keys(mirror.folder, mirror.settings)
    mirror.serve("/ours.asc", exported(signers["foreign"]))
    asked = mirror.requests.count("/ours.asc")
    good, bad = offer(mirror, rpms["ours"]), offer(mirror, rpms["foreign"])
    store = fetch_rpms(mirror.folder, mirror.settings, [good, bad], keys)
    assert set(store.failures) == {bad.checksum}
    assert mirror.requests.count("/ours.asc") == asked, "no key is fetched half an hour later"


def test_a_plan_made_with_another_pin_verifies_nothing(mirror, rpms, signers):
    keys = planned_keys(mirror.folder, mirror.settings)
    mirror.settings["keys"]["ours"]["fingerprint"] = signers["foreign"].fingerprint
    package = offer(mirror, rpms["ours"])
    store = fetch_rpms(mirror.folder, mirror.settings, [package], keys)
    with pytest.raises(VerificationError, match="is not the one that the configuration pins"):
        store.path(package)


def test_a_package_of_an_earlier_run_is_checked_as_well(mirror, rpms):
    package = offer(mirror, rpms["foreign"])
    refused(mirror, package)
    assert "is not signed by the key" in refused(mirror, package)
    assert mirror.requests.count("/ours/foreign-1-1.noarch.rpm") == 1


def test_keys_of_this_machine_vouch_for_nothing(mirror, rpms, signers, tmp_path, monkeypatch):
    """A key in the machine's own rpm database signs no packages of ours."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (home / ".rpmmacros").write_text(f"%_dbpath {tmp_path}/machine\n")
    import subprocess

    subprocess.run(["rpmkeys", "--import", str(signers["foreign"].public)], check=True)
    assert (tmp_path / "machine").is_dir()
    assert "is not signed by the key" in refused(mirror, offer(mirror, rpms["foreign"]))


def test_a_program_that_fails_is_no_proof(mirror, rpms, monkeypatch, tmp_path):
    """`rpmkeys` of a broken machine ends with a failure, whatever the package is."""
    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "rpmkeys").write_text("#!/bin/sh\necho no database >&2\nexit 1\n")
    (broken / "rpmkeys").chmod(0o755)
    import os

    monkeypatch.setenv("PATH", f"{broken}:{os.environ['PATH']}")
    package = offer(mirror, rpms["ours"])
    store = fetch(mirror, package)
    with pytest.raises(CommandError, match="no database"):
        store.path(package)

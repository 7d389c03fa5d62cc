"""Repositories of the lab: described and signed as upstream's are, and made once."""

import pytest

from immutable_base.solver.pool import PackagePool
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.signing_key import signing_key
from immutable_base_lab.rpms import container_toolkit, signed_repository
from support.rpm_files import build_rpm, checksum
from support.rpmmd import Signer
from support.trust import document, fetch_metadata


def as_the_product_reads_it(site, folder, name, signer):
    """Return a repository's packages, and the checksum of its primary metadata."""
    settings = document(site.url, {"lab": signer}, **{name: {"key": "lab", "metadata_key": "lab"}})
    site.serve("/lab.asc", signer.public.read_bytes())
    site.serve_folder(folder)
    metadata = fetch_metadata(folder, settings, name)[name]
    pool = PackagePool([metadata], [], lambda _name: None)
    packages = [pool.package(pool.solvable(number)) for number in pool.ids([name])]
    return packages, metadata.files["primary"].checksum


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_packages_and_metadata_are_described_by_the_algorithm_that_was_asked_for(
    tmp_path, site, signers, algorithm
):
    rpm = build_rpm(tmp_path, "tool")
    signer = signers["ours"]

    class Key(Signer):
        sign_detached = Signer.sign

    key = Key(home=signer.home, fingerprint=signer.fingerprint, public=signer.public)
    www = tmp_path / "www"
    assert signed_repository.make_repository(www / "r", [rpm], key, checksum=algorithm)
    assert not signed_repository.make_repository(www / "r", [rpm], key, checksum=algorithm)
    other = "sha256" if algorithm == "sha512" else "sha512"
    ((package,), primary) = as_the_product_reads_it(site, www, "r", signer)
    assert package.checksum == checksum(rpm, algorithm)
    assert primary.algorithm == algorithm
    assert signed_repository.make_repository(www / "r", [rpm], key, checksum=other), "made anew"


def test_the_container_toolkit_is_described_by_sha512_as_nvidia_does(tmp_path, site, with_keys):
    paths = with_keys(LabPaths(root=tmp_path / "lab"))
    units = paths.programs.share / "nvidia-container-toolkit/deployments/systemd"
    units.mkdir(parents=True)
    (units / "nvidia-cdi-refresh.service").write_text("[Unit]\nDescription=x\n")
    paths.programs.bin.mkdir(parents=True)
    for name in container_toolkit.PROGRAMS:
        program = paths.programs.program(name)
        program.write_text("#!/bin/sh\necho version 1.20.1\n")
        program.chmod(0o755)
    container_toolkit.make_repository(paths)
    with signing_key(paths.rpm_key) as key:
        signer = Signer(home=key.home, fingerprint=key.fingerprint, public=key.public)
        name = container_toolkit.REPOSITORY
        ((package,), primary) = as_the_product_reads_it(site, paths.rpms, name, signer)
    assert package.name == "nvidia-container-toolkit-base"
    assert (package.checksum.algorithm, primary.algorithm) == ("sha512", "sha512")

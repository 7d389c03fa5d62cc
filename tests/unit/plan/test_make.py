"""The whole plan on the lab's case, without network."""

import dataclasses

import pytest

from immutable_base.model.plan import KernelAction, Plan, Verdict
from support.plan_world import digest_rpms, kernel_rpms, zfs_rpms
from support.rpmmd import Rpm


def layer(variant, name):
    return next(item for item in variant.layers if item.name == name)


# ------------------------------------------------------------------ what must not pass


def test_a_repository_that_is_down_fails_only_the_variants_that_need_it(world):
    world.answers = {"/openzfs/repodata/repomd.xml": 503}
    plan = world.plan()
    verdicts = {v.name: (v.verdict, v.exit_code) for v in plan.variants}
    assert verdicts == {
        "base": (Verdict.BUILD, 0),
        "base-zfs": (Verdict.FAIL, 6),
        "base-zfs-nvidia": (Verdict.FAIL, 6),
        "fedora-base": (Verdict.BUILD, 0),
    }
    assert "repository 'openzfs'" in plan.variants[1].reasons[0]
    assert world.requests.count("/openzfs/repodata/repomd.xml") == 3, (
        "transient errors are tried again"
    )


def test_a_repository_that_is_gone_is_asked_once(world):
    world.answers = {"/openzfs/repodata/repomd.xml": 404}
    assert world.variant("base-zfs").exit_code == 6
    assert world.requests.count("/openzfs/repodata/repomd.xml") == 1


def test_repomd_that_was_changed_after_signing_is_refused_by_name(world):
    world.write()
    path = world.folder / "www/baseos/repodata/repomd.xml"
    path.write_text(path.read_text().replace("<revision>1700000000", "<revision>1700000001"))
    variant = world.variant("base", write=False)
    assert (variant.verdict, variant.exit_code) == (Verdict.FAIL, 12)
    assert "baseos" in variant.reasons[0]
    assert world.signer.fingerprint in variant.reasons[0]
    assert any("BAD signature" in reason for reason in variant.reasons)


def test_repomd_signed_by_another_key_is_refused(world, tmp_path):
    from support.rpmmd import make_signer

    world.write()
    other = make_signer(tmp_path / "other")
    other.sign(world.folder / "www/baseos/repodata/repomd.xml")
    variant = world.variant("base", write=False)
    assert variant.exit_code == 12
    assert world.signer.fingerprint in variant.reasons[0]


def test_repomd_without_signature_is_refused_where_one_is_configured(world):
    world.write()
    (world.folder / "www/baseos/repodata/repomd.xml.asc").unlink()
    variant = world.variant("base", write=False)
    assert (variant.verdict, variant.exit_code) == (Verdict.FAIL, 6)
    assert "repomd.xml.asc" in variant.reasons[0]


def test_a_key_with_another_fingerprint_is_refused(world):
    world.document["keys"]["k"]["fingerprint"] = "A" * 40
    variant = world.variant("base")
    assert variant.exit_code == 12
    assert "A" * 40 in variant.reasons[0]
    assert world.signer.fingerprint in variant.reasons[0]


def test_a_key_file_that_is_no_key_is_refused(world):
    world.tampered = {"/key.asc": b"<html>login</html>"}
    variant = world.variant("base")
    assert variant.exit_code == 12
    assert "not an OpenPGP key" in variant.reasons[0]


def test_tampered_primary_is_refused_by_name(world):
    world.write()
    primary = next((world.folder / "www/baseos/repodata").glob("*primary*"))
    primary.write_bytes(primary.read_bytes() + b"x")
    variant = world.variant("base", write=False)
    assert variant.exit_code == 12
    assert "primary metadata of repository 'baseos'" in variant.reasons[0]
    assert not list((world.folder / "ws/cache/metadata").iterdir()), "nothing half-written stays"


def test_a_damaged_cache_is_not_believed(world):
    world.variant("fedora-base")
    for path in (world.folder / "ws/cache/metadata").iterdir():
        path.write_bytes(b"damaged")
    assert world.variant("fedora-base", write=False).verdict is Verdict.BUILD


def test_libsolvs_own_cache_is_used_and_not_believed_when_damaged(world):
    first = world.plan("fedora-base").to_json()
    (solv,) = (world.folder / "ws/cache/metadata").glob("*.solv")
    made = solv.stat().st_ino
    assert world.plan("fedora-base", write=False).to_json() == first
    assert solv.stat().st_ino == made
    solv.write_bytes(solv.read_bytes()[:-9])
    assert world.plan("fedora-base", write=False).to_json() == first
    assert solv.stat().st_ino != made


def test_metadata_that_was_not_used_for_long_is_removed(world):
    import os

    old = world.folder / "ws/cache/metadata/old.xml.gz"
    old.parent.mkdir(parents=True)
    old.touch()
    os.utime(old, (0, 0))
    world.plan("fedora-base")
    assert not old.exists()


def test_a_package_with_another_checksum_is_not_read(world):
    world.repositories["openzfs"] = zfs_rpms("2.3.9")  # made-up checksums
    variant = world.variant("base-zfs")
    assert variant.exit_code == 12
    assert "zfs-dkms-2.3.9-1.el10.noarch" in variant.reasons[0]


@pytest.mark.parametrize(
    ("kernels", "extra", "words"),
    [
        ((), (), "/usr/lib/modules has none"),
        (("6.12.105-1.x86_64", "6.12.94-1.x86_64"), (), "/usr/lib/modules has 2"),
        (("6.12.105-1.x86_64",), ("6.12.94",), "rpmdb has 2 (6.12.105-1.x86_64, 6.12.94-1.x86_64)"),
        (("6.12.94-1.x86_64",), (), "/usr/lib/modules has 1 (6.12.94-1.x86_64)"),
    ],
)
def test_a_base_without_exactly_one_kernel_is_refused(world, kernels, extra, words):
    world.kernels = kernels
    for version in extra:
        world.base += kernel_rpms(version)
    variant = world.variant("base")
    assert (variant.verdict, variant.exit_code) == (Verdict.FAIL, 5)
    assert words in variant.reasons[0]


def test_a_base_without_kernel_packages_is_refused(world):
    world.base = [Rpm("bash")]
    assert "rpmdb has none" in world.variant("base").reasons[0]


def test_packages_that_do_not_fit_together_fail_with_the_solvers_words(world):
    world.repositories["baseos"] += [Rpm("jq", "1.8-1", requires=("libmissing.so",))]
    variant = world.variant("base")
    assert (variant.verdict, variant.exit_code) == (Verdict.FAIL, 5)
    assert any("nothing provides libmissing.so" in reason for reason in variant.reasons)


@pytest.mark.parametrize("other", ["6.12.94-1", "6.12.117-1"])
def test_a_dependency_may_not_bring_another_kernel(world, other):
    """Neither in place of the image's, which nobody decided, nor beside it."""
    world.repositories["baseos"] += [Rpm("tree", "3-1", requires=(f"kernel-core = {other}",))]
    assert world.variant("base").verdict is Verdict.FAIL


def test_a_dependency_may_not_downgrade_what_the_base_has(world):
    world.base += [Rpm("lib", "2-1")]
    world.repositories["baseos"] += [Rpm("lib", "1-1"), Rpm("tree", "3-1", requires=("lib = 1-1",))]
    held = world.variant("base")
    assert (held.verdict, held.layers) == (Verdict.HOLD, ())
    world.repositories["baseos"] += [Rpm("lib", "2-1")]
    assert world.variant("base").verdict is Verdict.FAIL, "no newer repository would help"


def test_a_module_branch_that_nobody_offers_fails_with_what_is_offered(world):
    world.document["modules"]["zfs"]["branch"] = "2"  # every release of it
    assert world.variant("base-zfs").modules[0].version == "2.4.4"
    world.document["modules"]["zfs"]["branch"] = "2.5"
    variant = world.variant("base-zfs")
    assert variant.verdict is Verdict.FAIL
    assert any("2.4.4" in reason for reason in variant.reasons)


@pytest.mark.parametrize("algorithm", ["md5", "sha1"])
def test_packages_described_by_what_proves_nothing_fail_their_variants_by_name(world, algorithm):
    others = {name: list(rpms) for name, rpms in world.repositories.items() if name != "cuda"}
    digest_rpms(world, algorithm)
    world.repositories |= others
    plan = world.plan("base-zfs", "base-zfs-nvidia")
    assert [(item.verdict, item.exit_code) for item in plan.variants] == [
        (Verdict.BUILD, 0),
        (Verdict.FAIL, 12),
    ]
    assert f"{algorithm} is not accepted as a checksum" in plan.variants[1].reasons[0]


# ------------------------------------------------------------------ what must come out


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_repositories_that_describe_all_by_longer_checksums_are_planned(world, algorithm):
    """As NVIDIA's container toolkit is: `createrepo_c -s sha512` sets both."""
    world.checksum = algorithm
    digest_rpms(world, algorithm)
    variant = world.variant("base-zfs-nvidia")
    assert variant.verdict is Verdict.BUILD, variant.reasons
    fetched = [p for item in variant.layers for p in item.install if p.repository != "local"]
    assert {package.checksum.algorithm for package in fetched} == {algorithm}
    stored = {
        path.name.partition("-")[0] for path in (world.folder / "ws/cache/metadata").iterdir()
    }
    assert stored == {algorithm}


def test_both_directions(world):
    plan = world.plan()
    found = {
        v.name: (v.verdict, v.kernel.chosen, v.kernel.action, v.kernel.source)
        for v in plan.variants
    }
    assert found == {
        "base": (Verdict.BUILD, "6.12.105-1.x86_64", KernelAction.KEEP, "image"),
        "base-zfs": (Verdict.BUILD, "6.12.117-1.x86_64", KernelAction.UP, "repository"),
        "base-zfs-nvidia": (Verdict.BUILD, "6.12.94-1.x86_64", KernelAction.DOWN, "repository"),
        "fedora-base": (Verdict.BUILD, "6.12.105-1.x86_64", KernelAction.KEEP, "image"),
    }
    assert all(item.reason for v in plan.variants for item in v.kernel.rejected)
    rejected = {item.evr: item.reason for item in plan.variants[2].kernel.rejected}
    assert "pci_resize_resource" in rejected["6.12.117-1"]
    assert rejected["6.12.116-1"] == "incomplete: no kernel-devel, kernel-modules at this version"
    assert "no repository has kernel-devel" in rejected["6.12.105-1"]


def test_the_same_inputs_give_the_same_bytes_and_the_document_reads_back(world):
    first, second = world.plan(), world.plan(write=False)
    assert first.to_json() == second.to_json()
    assert Plan.model_validate_json(first.to_json()) == first


def test_layers_are_cumulative_and_exact(world):
    variant = world.variant("base-zfs-nvidia")
    assert [item.name for item in variant.layers] == ["base", "kernel", "zfs", "nvidia"]
    assert layer(variant, "base").request == ("jq-1.7-1.x86_64", "tree-2-1.x86_64")
    kernel = layer(variant, "kernel")
    assert kernel.erase == ("kernel", "kernel-core", "kernel-modules", "kernel-modules-core")
    assert kernel.request == tuple(f"{name}-6.12.94-1.x86_64" for name in kernel.erase)
    assert [p.nevra for p in layer(variant, "zfs").install] == [
        "kmod-zfs-prebuilt-2.3.10~rc1-1.6.12.94_1.x86_64.x86_64",
        "libzfs6-2.3.10~rc1-1.el10.x86_64",
        "zfs-2.3.10~rc1-1.el10.x86_64",
    ]
    nvidia = layer(variant, "nvidia")
    assert nvidia.request == (
        "kmod-nvidia-open-prebuilt-3:550.163.01-1.6.12.94_1.x86_64.x86_64",
        "nvidia-driver-cuda-3:550.163.01-1.el10.x86_64",
    )
    assert "nvidia-kmod-common" in [p.name for p in nvidia.install]
    assert not any("dkms" in p.name or p.name == "kernel-devel" for p in variant.packages)


def test_shared_layers_are_equal_among_the_variants_of_a_stream(world):
    plan = world.plan()
    assert len({layer(v, "base") for v in plan.variants if v.stream == "el"}) == 1


def test_layers_see_only_their_own_repositories(world):
    world.repositories["cuda"] += [Rpm("jq", "9-1"), Rpm("libzfs6", "9-1")]
    variant = world.variant("base-zfs-nvidia")
    assert {p.repository for p in layer(variant, "base").install} == {"baseos"}
    assert {p.repository for p in layer(variant, "zfs").install} == {"openzfs", "local"}


def test_timestamps_come_from_the_inputs(world):
    world.repositories["baseos"] = [
        dataclasses.replace(rpm, build_time=1_900_000_000) if rpm.name == "tree" else rpm
        for rpm in world.repositories["baseos"]
    ]
    variant = world.variant("base-zfs")
    assert [item.source_date_epoch for item in variant.layers] == [1_900_000_000] * 3
    assert variant.modules[0].source_date_epoch == variant.base.created


def test_what_is_obsoleted_is_named(world):
    world.base += [Rpm("net-tools", "2-1")]
    world.repositories["baseos"] += [Rpm("tree", "3-1", obsoletes=("net-tools",))]
    assert layer(world.variant("base"), "base").obsoleted == ("net-tools",)


def test_what_is_only_upgraded_is_not_obsoleted(world):
    world.base += [Rpm("lib", "1-1")]
    world.repositories["baseos"] += [Rpm("lib", "2-1"), Rpm("tree", "3-1", requires=("lib = 2-1",))]
    found = layer(world.variant("base"), "base")
    assert "lib" in {package.name for package in found.install}
    assert found.obsoleted == ()


def test_what_the_base_has_is_left_alone(world):
    world.base += [Rpm("jq", "1.6-1")]
    variant = world.variant("base")
    assert [p.name for p in layer(variant, "base").install] == ["tree"]


def test_a_name_that_only_a_provides_has_is_found(world):
    world.document["layers"]["base"]["packages"] = ["editor"]
    world.repositories["baseos"] += [Rpm("nano", "8-1", provides=("editor",))]
    assert layer(world.variant("base"), "base").request == ("nano-8-1.x86_64",)


def test_weak_dependencies_stay_away(world):
    world.repositories["baseos"] += [Rpm("tree", "3-1", recommends=("gcc",))]
    assert [p.name for p in layer(world.variant("base"), "base").install] == ["jq", "tree"]


def test_files_of_the_base_and_rich_dependencies_count(world):
    world.base += [Rpm("odd", requires=("(bash if jq)",))]
    world.repositories["baseos"] += [
        Rpm("tree", "3-1", requires=("/usr/bin/bash", "(bash or zsh)"))
    ]
    assert [p.evr for p in layer(world.variant("base"), "base").install] == ["1.7-1", "3-1"]


def test_filelists_are_fetched_only_when_a_path_is_in_no_short_list(world):
    world.variant("base")
    assert not any("filelists" in path for path in world.requests)
    world.repositories["baseos"] += [
        Rpm("tree", "3-1", requires=("/usr/share/data/x",)), Rpm("data", files=("/usr/share/data/x",)),
    ]  # fmt: skip
    assert "data" in [p.name for p in layer(world.variant("base"), "base").install]
    assert any("filelists" in path for path in world.requests)


@pytest.mark.parametrize("packer", ["gz", "xz", "bz2", "zst"])
def test_every_way_in_which_metadata_is_packed(world, packer):
    world.packer = packer
    world.repositories["fedora"] += [
        Rpm("tree", "3-1", requires=("/usr/share/data/x",)), Rpm("data", files=("/usr/share/data/x",)),
    ]  # fmt: skip
    variant = world.variant("fedora-base")
    assert "data" in [p.name for p in layer(variant, "base").install], variant.reasons


def test_other_architectures_are_not_seen(world):
    world.repositories["baseos"] += [
        Rpm("tree", "9-1", arch="i686"),
        Rpm("tree", "9-1", arch="aarch64"),
    ]
    assert [p.evr for p in layer(world.variant("base"), "base").install] == ["1.7-1", "2-1"]


def test_an_optional_kernel_package_follows_only_if_the_image_has_it(world):
    extra = [
        Rpm("kernel-modules-extra", f"{v}-1", requires=(f"kernel-uname-r = {v}-1.x86_64",))
        for v in ("6.12.105", "6.12.117")
    ]
    world.repositories["baseos"] += extra
    assert "kernel-modules-extra" not in {p.name for p in world.variant("base-zfs").packages}
    world.base += extra[:1]
    assert "kernel-modules-extra" in {p.name for p in world.variant("base-zfs").packages}
    assert (
        "incomplete: no kernel-modules-extra"
        in world.variant("base-zfs-nvidia").kernel.rejected[-1].reason
    )


def test_hold_says_what_would_release_it_and_the_others_go_on(world):
    world.document["kernel"]["allow_down"] = False
    plan = world.plan()
    held = plan.variants[2]
    assert [v.verdict for v in plan.variants] == [
        Verdict.BUILD,
        Verdict.BUILD,
        Verdict.HOLD,
        Verdict.BUILD,
    ]
    assert held.kernel.chosen is None
    assert held.exit_code == 0
    assert held.layers == held.modules == held.packages == ()
    assert "no repository has kernel-devel for" in held.reasons[0]
    assert "pci_resize_resource" in held.reasons[0]
    assert "released by: a complete kernel set at or under 7.2" in held.reasons[1]
    assert "kernel.allow_down" in held.kernel.rejected[-1].reason


def test_ceiling_of_the_package_itself(world):
    world.meta = "Name: zfs\nLinux-Maximum: 6.11\n"
    variant = world.variant("base-zfs")
    assert variant.verdict is Verdict.HOLD
    assert variant.kernel.ceiling == "6.11"
    assert (
        "above 6.11, the newest kernel that zfs 2.3.10~rc1 accepts"
        in variant.kernel.rejected[0].reason
    )


def test_a_package_that_would_compile_on_the_host_may_not_come_in_as_a_dependency(world):
    world.repositories["openzfs"] = [
        dataclasses.replace(rpm, requires=(*rpm.requires, "zfs-dkms")) if rpm.name == "zfs" else rpm
        for rpm in world.repositories["openzfs"]
    ]
    variant = world.variant("base-zfs")
    assert variant.verdict is Verdict.FAIL
    assert "layer zfs" in variant.reasons[0]


def test_a_layer_may_have_a_repository_of_its_own(world):
    world.repositories["cuda"] += [Rpm("htop", "3-1")]
    world.document["layers"]["base"]["packages"] = ["htop"]
    assert world.variant("base").verdict is Verdict.FAIL
    world.document["layers"]["base"]["repositories"] = ["cuda"]
    (htop,) = layer(world.variant("base"), "base").install
    assert (htop.name, htop.repository) == ("htop", "cuda")


def test_a_plan_says_whom_the_hosts_of_each_variant_will_believe_and_where_they_believe_anybody(
    world,
):
    world.document["layers"]["admission"] = {"packages": ["jq"]}
    world.document["variants"]["fedora-base"]["layers"] = ["base", "admission"]
    believed = {variant.name: variant.hosts_accept for variant in world.plan().variants}
    signing = world.document["signing"]
    signer = f"signer {signing['certificate_identity']} of {signing['certificate_oidc_issuer']}"
    others = dict.fromkeys(("base", "base-zfs", "base-zfs-nvidia"), "")
    assert believed == {**others, "fedora-base": signer}

"""What is stated of a variant is what its documents say, and what contradicts the plan is an error."""

import json
from dataclasses import replace

import pytest

from immutable_base.errors import VerificationError
from immutable_base.model.build import ImageBuild, ModuleBuild
from immutable_base.provenance.record import BuildJob, Material, base_material, predicate_of
from immutable_base.provenance.variant import VariantBuild, variant_record
from immutable_base.verification.attestation import PROVENANCE, Statement
from immutable_base.verification.complete.provenance import (
    BASE,
    FULL_SBOM,
    PARAMETERS,
    VARIANT,
    KnownOfImage,
    read_provenance,
)
from immutable_base.verification.skipped import Skipped
from support.forge import CLAIMS, IDENTITY, Instance
from support.plans import REPOSITORY, plan

PLAN = plan()
PLANNED = next(it for it in PLAN.variants if it.name == "base-zfs")
STEP = PLANNED.module_id(PLANNED.modules[0])
IMAGE = ImageBuild(
    rests_on={}, variant="base-zfs", image_id="a" * 64, layers=(), made_of="b" * 64,
    buildah="1.39.0", seconds=1.0,
)  # fmt: skip
MODULE = ModuleBuild(
    rests_on={}, id=STEP, name="zfs", version="2.3.9", kernel=PLANNED.kernel_release,
    package=PLANNED.modules[0].kmod.file_name, sha256="f" * 64, files=(), buildah="1.28.2",
    seconds=1.0, processor_seconds=1.0,
)  # fmt: skip
BUILD = VariantBuild(
    plan=PLAN, variant=PLANNED, repositories=("baseos", "unused"),
    destination="registry.example/os/base-zfs", image=IMAGE, modules={STEP: MODULE},
    byproducts={"plan.json": "1" * 64, FULL_SBOM: "2" * 64},
)  # fmt: skip
JOB = BuildJob(builder=IDENTITY, version="1.1", invocation=CLAIMS["job_url"])
LEAF = Instance().leaf()


def materials(build=BUILD):
    return {it.name: dict(it.digest) for it in variant_record(build).materials}


def read(predicate, **changes):
    """Return what a verifier makes of a predicate."""
    known = KnownOfImage(**{
        "bases": frozenset({PLANNED.base.digest}), "full_sbom": "2" * 64, **changes,
    })  # fmt: skip
    from immutable_base.verification.certificate import read_leaf

    statement = Statement(
        kind=PROVENANCE, predicate=predicate, leaf=read_leaf(LEAF.pem), signed_at=1, log_index=1
    )
    return read_provenance(statement, known)


def test_everything_that_was_resolved_is_named_with_its_sum():
    source = PLANNED.modules[0].source
    assert materials() == {
        "base": {"sha256": PLANNED.base.digest[7:]},
        "repository:baseos@eeeeeeeeeeee": {"sha256": "e" * 64},
        f"source:{source.nevra}": {"sha256": source.required.hex},
        f"kmod:{PLANNED.modules[0].kmod.nevra}": {"sha256": "f" * 64},
        "tool:buildah@1.28.2": {},
        "tool:buildah@1.39.0": {},
    }


def test_a_verifier_takes_what_is_stated_and_finds_the_same():
    record = variant_record(BUILD)
    found = read(json.loads(json.dumps(predicate_of(record, JOB))))
    assert found.build_type == VARIANT
    assert set(found.parameters) == PARAMETERS[VARIANT]
    assert found.parameters["base"] == PLANNED.base.reference
    assert found.base == PLANNED.base.digest
    assert found.byproducts == BUILD.byproducts
    assert found.invocation == CLAIMS["job_url"]
    assert record.is_of(found)


def test_the_same_documents_give_the_same_predicate():
    first, second = (predicate_of(variant_record(BUILD), JOB) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)
    names = [it["name"] for it in first["buildDefinition"]["resolvedDependencies"]]
    assert names == sorted(names)
    assert "metadata" in first["runDetails"]
    assert "finishedOn" not in first["runDetails"]["metadata"], "no time that nobody knows"


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "0" * 64}, {"version": "2.3.8"}, {"name": "spl"}, {"kernel": "6.1.0"},
        {"package": "other.rpm"},
    ],
)  # fmt: skip
def test_a_module_that_contradicts_the_plan_is_refused(changes):
    build = replace(BUILD, modules={STEP: MODULE.model_copy(update=changes)})
    if "sha256" in changes:
        assert materials(build)[f"kmod:{PLANNED.modules[0].kmod.nevra}"] == changes
        return
    with pytest.raises(VerificationError, match="contradicts the plan"):
        variant_record(build)


def test_a_module_that_nobody_has_compiled_is_refused():
    with pytest.raises(VerificationError, match="contradicts the plan") as caught:
        variant_record(replace(BUILD, modules={}))
    assert "nothing" in caught.value.details


def test_packages_of_a_repository_that_the_plan_has_not_read_are_refused():
    unread = PLAN.model_copy(update={"repositories": ()})
    with pytest.raises(VerificationError, match="knows no metadata: baseos"):
        variant_record(replace(BUILD, plan=unread))
    with pytest.raises(VerificationError, match="knows no metadata: baseos"):
        variant_record(replace(BUILD, repositories=("other",)))


def test_of_two_releases_of_one_repository_that_is_named_which_the_packages_are_of():
    other = {"url": "https://other.example/", "repomd_sha256": "d" * 64}
    two = (REPOSITORY, REPOSITORY.model_copy(update=other))
    build = replace(BUILD, plan=PLAN.model_copy(update={"repositories": two}))
    assert [it for it in materials(build) if it.startswith("repository:")] == [
        "repository:baseos@eeeeeeeeeeee"
    ]


def test_newer_metadata_and_tools_are_no_other_build_and_anything_else_is():
    found = read(predicate_of(variant_record(BUILD), JOB))
    newer = PLAN.model_copy(
        update={"repositories": (REPOSITORY.model_copy(update={"repomd_sha256": "9" * 64}),)}
    )
    image = IMAGE.model_copy(update={"buildah": "1.40"})
    assert variant_record(replace(BUILD, plan=newer, image=image)).is_of(found)
    module = MODULE.model_copy(update={"sha256": "0" * 64})
    assert not variant_record(replace(BUILD, modules={STEP: module})).is_of(found)
    assert not variant_record(replace(BUILD, destination="registry.example/x")).is_of(found)
    base = PLANNED.base.model_copy(update={"digest": f"sha256:{'0' * 64}"})
    moved = PLANNED.model_copy(update={"base": base})
    assert not variant_record(replace(BUILD, variant=moved)).is_of(found)


def test_what_contradicts_image_or_sbom_is_refused():
    predicate = predicate_of(variant_record(BUILD), JOB)
    with pytest.raises(Skipped, match="names the base"):
        read(predicate, bases=frozenset({PLANNED.base.digest, f"sha256:{'0' * 64}"}))
    with pytest.raises(Skipped, match="another full SBOM"):
        read(predicate, full_sbom="3" * 64)


def test_two_materials_of_one_name_are_an_error():
    record = variant_record(BUILD)
    twice = replace(record, materials=(*record.materials, Material(name=BASE, uri="x")))
    with pytest.raises(VerificationError, match="one name: base"):
        predicate_of(twice, JOB)


def test_a_base_is_named_by_its_digest_with_the_tag_that_was_asked_for():
    found = base_material(f"quay.io/a/bootc@sha256:{'a' * 64}", "quay.io/a/bootc:stream10")
    assert found.uri.startswith("pkg:oci/bootc@sha256")
    assert "repository_url=quay.io/a/bootc" in found.uri
    assert found.uri.endswith("tag=stream10")

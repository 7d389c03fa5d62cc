"""The jobs of the nightly pipeline: one for each module of a variant, six for each variant."""

import pytest
from ruamel.yaml import YAML

from immutable_base.cli.main import main
from immutable_base.config.load import load_settings
from immutable_base.errors import ConfigurationError
from immutable_base.pipeline import pipeline_jobs
from immutable_base.runner.pipeline import pipeline_drift
from support.paths import PRODUCT, ROOT


def jobs(text):
    return YAML(typ="safe").load(text)


@pytest.fixture(scope="module")
def found():
    return jobs(pipeline_jobs(load_settings(PRODUCT)))


def test_the_committed_jobs_are_those_of_the_configuration():
    assert (ROOT / "ci/variants.yml").read_text() == pipeline_jobs(load_settings(PRODUCT))
    assert main(["ci", "--config", str(PRODUCT), "--check", str(ROOT / "ci/variants.yml")]) == 0


def test_a_file_with_other_jobs_is_refused_with_the_command_that_mends_it(tmp_path, capsys):
    other = tmp_path / "variants.yml"
    for text in (None, b"# nothing\n", b"\xe4"):
        if text is not None:
            other.write_bytes(text)
        assert main(["ci", "--config", str(PRODUCT), "--check", str(other)]) == 2
        assert f"immutable-base ci --output {other}" in capsys.readouterr().err
    both = ["ci", "--config", str(PRODUCT), "--check", str(other), "--output", str(other)]
    assert (main(both), other.read_bytes()) == (2, b"\xe4"), "to check writes nothing"
    assert main(["ci", "--config", str(PRODUCT), "--output", str(other)]) == 0
    assert main(["ci", "--config", str(PRODUCT), "--check", str(other)]) == 0


def test_every_variant_has_every_stage_and_every_module_a_job(found):
    variants = ("base", "base-zfs", "base-zfs-nvidia", "fedora-base")
    stages = ("build", "inspect", "check", "sbom", "boot", "publish")
    compiled = {"zfs for base-zfs", "zfs for base-zfs-nvidia", "nvidia for base-zfs-nvidia"}
    assert set(found) == compiled | {f"{s} {v}" for s in stages for v in variants}
    for name, job in found.items():
        assert job["variables"]["VARIANT"] in name
        assert job["extends"] == (".compile" if " for " in name else f".{name.split()[0]}")


def test_an_image_waits_for_every_job_that_may_compile_its_modules_and_for_no_other(found):
    """On the kernel of base-zfs, that variant's job compiles OpenZFS for both."""
    assert found["build base"]["needs"] == ["plan"]
    assert found["build base-zfs"]["needs"] == ["plan", "zfs for base-zfs"]
    assert found["build base-zfs-nvidia"]["needs"] == [
        "plan", "zfs for base-zfs", "zfs for base-zfs-nvidia", "nvidia for base-zfs-nvidia",
    ]  # fmt: skip


def test_a_job_needs_everything_whose_documents_it_compares(found):
    for variant in ("base", "base-zfs-nvidia", "fedora-base"):
        before = found[f"build {variant}"]["needs"]
        for stage in ("inspect", "check", "sbom", "boot", "publish"):
            needs = found[f"{stage} {variant}"]["needs"]
            assert set(before) < set(needs)
        earlier = {f"{stage} {variant}" for stage in ("build", "inspect", "check", "sbom", "boot")}
        assert earlier < set(found[f"publish {variant}"]["needs"])


def test_only_the_jobs_that_publish_get_a_token(found):
    asking = {name for name, job in found.items() if "id_tokens" in job}
    assert asking == {name for name in found if name.startswith("publish ")}
    assert found["publish base"]["id_tokens"] == {"SIGSTORE_ID_TOKEN": {"aud": "sigstore"}}


def test_modules_are_shared_within_a_stream_only():
    settings = load_settings(PRODUCT)
    moved = settings.variants["base-zfs"].model_copy(update={"stream": "fedora-44"})
    other = settings.model_copy(update={"variants": {**settings.variants, "base-zfs": moved}})
    needs = jobs(pipeline_jobs(other))["build base-zfs-nvidia"]["needs"]
    assert needs == ["plan", "zfs for base-zfs-nvidia", "nvidia for base-zfs-nvidia"]


def many(count):
    """The configuration with so many variants in a row that all have OpenZFS."""
    settings = load_settings(PRODUCT)
    variants = {f"v{number}": settings.variants["base-zfs"] for number in range(count)}
    return settings.model_copy(update={"variants": variants})


def test_a_job_that_would_need_more_than_gitlab_allows_is_an_error_that_names_it():
    """The plan, a module's job for each variant, and the five stages before."""
    most = max(len(job.get("needs", ())) for job in jobs(pipeline_jobs(many(44))).values())
    assert most == 50
    with pytest.raises(ConfigurationError, match="'publish v44' needs 51 others") as error:
        pipeline_jobs(many(45))
    assert "45 of them" in error.value.details


def test_doctor_says_that_gitlab_would_refuse_the_pipeline(tmp_path):
    (tmp_path / "ci").mkdir()
    assert pipeline_drift(many(45), tmp_path) is None
    (tmp_path / "ci/variants.yml").write_text("")
    assert "GitLab would refuse" in pipeline_drift(many(45), tmp_path)
    (tmp_path / "ci/variants.yml").write_text(pipeline_jobs(many(44)))
    assert pipeline_drift(many(44), tmp_path) is None


def test_names_that_yaml_takes_for_numbers_stay_names():
    settings = load_settings(PRODUCT)
    other = settings.model_copy(update={"variants": {"1.0": settings.variants["base"]}})
    assert jobs(pipeline_jobs(other))["build 1.0"]["variables"] == {"VARIANT": "1.0"}

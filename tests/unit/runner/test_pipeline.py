"""The pipeline's jobs against the configuration's variants."""

from immutable_base.config.load import load_settings
from immutable_base.pipeline import pipeline_jobs
from immutable_base.runner.pipeline import pipeline_drift
from support.paths import PRODUCT


def test_jobs_of_other_variants_are_told_and_no_file_is_another_kind_of_pipeline(tmp_path):
    settings = load_settings(PRODUCT)
    assert pipeline_drift(settings, tmp_path) is None
    (tmp_path / "ci").mkdir()
    path = tmp_path / "ci/variants.yml"
    path.write_text(pipeline_jobs(settings))
    assert pipeline_drift(settings, tmp_path) is None
    fewer = {name: it for name, it in settings.variants.items() if name != "base-zfs"}
    changed = settings.model_copy(update={"variants": fewer})
    assert "ci/variants.yml" in pipeline_drift(changed, tmp_path)

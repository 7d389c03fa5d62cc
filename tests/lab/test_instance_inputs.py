"""What a repository downstream sets reaches every job, in both forms in which it may include the template."""

import pytest

from immutable_base.instance.contract import load_contract
from immutable_base.instance.doctor import examine_repository
from immutable_base.process import Command, run
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.pipelines.pipeline import FLAGS
from immutable_base_lab.pipelines.projects import git_environment, publish_templates
from immutable_base_lab.programs import gitlab_ci_local
from support.paths import ROOT
from support.pipelines import read_yaml
from support.repositories import Repository

pytestmark = pytest.mark.apart

GIVEN = {
    "image": "registry.example/jobs:1",
    "runner": "mine",
    "folder": "hosts/nas",
    "timeout": "2h",
}
"""Every input, with another value than its default."""
FORMS = {
    "project": ["  - project: immutable-base/immutable-base", "    file: instance/.gitlab-ci.yml", "    ref: v1"],
    "component": ["  - component: gitlab.com/immutable-base/immutable-base/instance@1"],
}  # fmt: skip
TOKEN = ["publish:", "  id_tokens:", "    SIGSTORE_ID_TOKEN: {aud: sigstore}"]


def jobs_of(repository, state, scratch):
    """Return the jobs as GitLab would make them of the file and all that it includes."""
    paths = LabPaths(root=scratch / "lab")
    publish_templates(paths, ROOT)
    command = Command(
        argv=(*gitlab_ci_local.ensure(LabPaths(root=state)), *FLAGS, "--fetch-includes", "--preview"),
        cwd=repository.folder, env={**git_environment(paths), "HOME": str(scratch)}, timeout=120,
    )  # fmt: skip
    (document,) = read_yaml(run(command).text)
    return {
        name: document[name] for name in ("detect-changes", "build", "check", "sbom", "publish")
    }


@pytest.mark.parametrize("form", FORMS)
def test_each_input_reaches_every_job_and_the_doctor_has_nothing_against_it(
    form, lab_folder, tmp_path
):
    assert set(GIVEN) == set(load_contract().inputs)
    inputs = ["    inputs:", *(f"      {name}: {value}" for name, value in GIVEN.items())]
    folder = tmp_path / "nas"
    folder.mkdir()
    (folder / ".gitlab-ci.yml").write_text(
        "\n".join(["include:", *FORMS[form], *inputs, *TOKEN, ""])
    )
    found = {it.name: it.problem for it in examine_repository(folder, "v1")}
    assert (found["include"], found["ref"], found["inputs"]) == ("", "", "")
    repository = Repository(folder, lab=None)
    repository.begin("acme/nas")
    for name, job in jobs_of(repository, lab_folder, tmp_path).items():
        assert job["image"]["name"] == GIVEN["image"], name
        assert job["tags"] == [GIVEN["runner"]], name
        assert job["timeout"] == GIVEN["timeout"], name
        assert f'"{GIVEN["folder"]}"' in job["script"][0], name

"""The pipelines that we ship: GitLab's schema, and what it does not know."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from immutable_base.doctor import PINNED, PROGRAMS
from immutable_base.instance.ci_job import FORCE, OLDER_BASE
from immutable_base.instance.contract import ci_lines, load_contract, own_ref
from immutable_base.instance.instance_documents import COMMANDS, InstanceDocuments
from immutable_base.report.instance import BASE, DECISION, REBUILD
from support.paths import PRODUCT, ROOT
from support.pipelines import complaints, read_jobs, read_yaml

NIGHTLY = (ROOT / ".gitlab-ci.yml", ROOT / "ci/variants.yml")
TEMPLATE = ROOT / "templates/instance.yml"
EXAMPLES = [path.parent for path in sorted((ROOT / "examples").glob("*/Containerfile"))]
INCLUDED = (TEMPLATE, ROOT / "instance/.gitlab-ci.yml")
"""What consumers include: as a component, and as a project's file."""
FILES = [*NIGHTLY, *(it / ".gitlab-ci.yml" for it in EXAMPLES)]


def require_gitlabs_schema(*files):
    """Ask once for all: to read the schema takes longest."""
    command = (
        sys.executable, "-m", "check_jsonschema", "--builtin-schema=vendor.gitlab-ci",
        "--data-transform=gitlab-ci", *map(str, files),
    )  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_passes_gitlabs_own_schema():
    require_gitlabs_schema(*FILES)


def test_what_consumers_include_passes_it_too_once_its_inputs_are_filled_in(tmp_path):
    """The schema knows no interpolation in numbers and times, so GitLab fills in before it looks."""
    for number, path in enumerate(INCLUDED):
        text = path.read_text().partition("\n---\n")[2]
        for name, described in inputs_of(path).items():
            text = text.replace(f"$[[ inputs.{name} ]]", described["default"])
        assert "$[[" not in text, "an input that nobody described"
        (tmp_path / f"{number}.yml").write_text(text)
    require_gitlabs_schema(*tmp_path.glob("*.yml"))


def inputs_of(path):
    """Return what `spec: inputs` of a file describes, by name."""
    spec, _ = read_yaml(path.read_text())
    return spec["spec"]["inputs"]


def test_both_forms_have_the_same_inputs_each_of_a_type():
    """Seen: the project's file had none, and GitLab gave none to the file below it."""
    template, file = (inputs_of(path) for path in INCLUDED)
    assert file == template
    assert {it["type"] for it in template.values()} == {"string"}
    _, document = read_yaml(INCLUDED[1].read_text())
    (include,) = document["include"]
    assert include["local"] == "/templates/instance.yml"
    assert include["inputs"] == {name: f"$[[ inputs.{name} ]]" for name in template}


def test_the_lint_finds_nothing_in_the_template():
    jobs = read_jobs(TEMPLATE)
    asking = {**jobs["publish"], "id_tokens": {"SIGSTORE_ID_TOKEN": {"aud": "sigstore"}}}
    assert complaints({**jobs, "publish": asking}) == []


def test_the_template_has_the_inputs_jobs_and_variables_of_its_contract():
    """What consumers rely on; a change of this test is a new contract, with a new number."""
    inputs = inputs_of(TEMPLATE)
    assert {name: it["default"] for name, it in inputs.items()} == {
        "image": "registry.gitlab.com/immutable-base/immutable-base/ci:latest",
        "runner": "saas-linux-medium-amd64",
        "folder": ".",
        "timeout": "1h",
    }
    assert all(it["description"] for it in inputs.values())
    jobs = read_jobs(TEMPLATE)
    assert list(jobs) == ["detect-changes", "build", "check", "sbom", "publish", "report"]
    contract = load_contract()
    assert (contract.version, contract.job) == (1, "publish")
    assert set(contract.inputs) == set(inputs)
    assert contract.variables == (FORCE, OLDER_BASE, "IMMUTABLE_BASE_CONFIG")
    assert contract.outputs == (REBUILD, DECISION, BASE)
    assert dict(contract.documents) == {
        "detect-changes": ("decision.json",), "build": ("build.json",), "check": ("inspect.json", "check.json"),
        "sbom": ("sbom.json", "sbom.cdx.json"), "publish": ("publish.json",), "report": ("report.json",),
    }  # fmt: skip
    assert list(contract.documents) == list(jobs)
    known = {*contract.inputs, *contract.variables}
    assert contract.deprecated.keys() <= known
    assert contract.removed.keys().isdisjoint(known)


def test_the_page_about_the_template_has_all_of_its_contract():
    contract = load_contract()
    page = (ROOT / "docs/reference/instance-template.md").read_text()
    assert f"**Contract {contract.version}.**" in page
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for name in (*contract.inputs, *contract.documents):
        assert any(row.startswith(f"| `{name}` |") for row in rows), name
    for job, documents in contract.documents.items():
        (row,) = (row for row in rows if row.startswith(f"| `{job}` |"))
        assert [name for name in documents if f"`{name}`" not in row] == []
    names = (*contract.variables, *contract.outputs)
    assert [name for name in names if f"`{name}" not in page] == []


def test_each_job_of_the_template_is_the_command_that_leaves_its_documents():
    documents = load_contract().documents
    for name, job in read_jobs(TEMPLATE).items():
        assert job["script"][0].split()[:3] == ["immutable-base", "instance", name]
        assert ".nights/instance" in job["artifacts"]["paths"][0]
    made = {document: job for job, names in documents.items() for document in names}
    assert made == {name: COMMANDS.get(name, "report") for name in made}
    assert {name for name, _ in InstanceDocuments.resting.values()} <= made.keys()


@pytest.mark.parametrize(
    ("folder", "fine"),
    [
        (".", True), ("hosts/web-1", True), ("a_b.c", True), ("$(id)", False), ("a`id`", False),
        ('a" || true; "', False), ("a b", False), ("-h", False), ("$HOME", False), ("a\nb", False), ("", False),
    ],
)  # fmt: skip
def test_a_folder_means_nothing_to_a_shell(folder, fine):
    """GitLab fills inputs in before the shell reads the line."""
    pattern = inputs_of(TEMPLATE)["folder"]["regex"]
    assert pattern[0] == "^"
    assert pattern[-1] == "$"
    assert bool(re.fullmatch(pattern[1:-1], folder)) is fine


def test_no_other_input_comes_before_a_shell():
    for job in read_jobs(TEMPLATE).values():
        for line in (*job["script"], *job.get("before_script", ())):
            assert set(re.findall(r"\$\[\[ inputs\.(\w+) ]]", line)) <= {"folder"}


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_the_seven_lines_that_init_writes(folder):
    lines = (folder / ".gitlab-ci.yml").read_text().splitlines()
    assert tuple(lines) == ci_lines(load_contract().project, own_ref())
    assert len(lines) == 7


def test_the_lint_finds_nothing_in_the_nightly_pipeline():
    jobs = read_jobs(*NIGHTLY)
    assert len(jobs) > 25
    assert complaints(jobs) == []


SOUND = {
    "timeout": "1h",
    "script": ["immutable-base publish --variant base --exit-held"],
    "rules": [{"if": '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_COMMIT_REF_PROTECTED == "true"'}],
    "interruptible": False,
    "resource_group": "publish",
    "id_tokens": {"SIGSTORE_ID_TOKEN": {"aud": "sigstore"}},
    "artifacts": {"paths": ["x"], "expire_in": "1 week"},
}  # fmt: skip


def test_the_lint_finds_nothing_in_a_sound_job():
    assert complaints({"publish": SOUND}) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"timeout": None}, "no timeout"),
        ({"artifacts": {"paths": ["x"]}}, "stay for ever"),
        ({"allow_failure": True}, "it is not red"),
        ({"needs": ["plan"]}, "needs plan, which is no job"),
        ({"rules": None}, "may not be the protected default branch"),
        ({"rules": [{"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"}]}, "protected default branch"),
        ({"rules": [*SOUND["rules"], {"if": "$CI_PIPELINE_SOURCE"}]}, "protected default branch"),
        ({"interruptible": True}, "a second pipeline may run into it"),
        ({"resource_group": None}, "a second pipeline may run into it"),
        ({"script": ["immutable-base publish || true"]}, "unrecognized arguments"),
        ({"script": ["immutable-base publish --no-such"]}, "unrecognized arguments"),
        ({"script": ["make publish"]}, "none of our commands"),
        ({"script": ["immutable-base plan", "immutable-base run"]}, "2 commands, not one"),
        ({"script": []}, "0 commands, not one"),
    ],
)  # fmt: skip
def test_the_lint_names_what_is_wrong(change, said):
    job = {key: value for key, value in {**SOUND, **change}.items() if value is not None}
    assert any(said in text for text in complaints({"publish": job})), complaints({"publish": job})


def test_an_instances_jobs_find_a_configuration_in_their_image():
    """A repository downstream has none; the checkout's has `layers/` and its keys beside it."""
    configuration = Path(load_contract().configuration)
    for name, job in read_jobs(TEMPLATE).items():
        assert job["variables"]["IMMUTABLE_BASE_CONFIG"] == str(configuration), name
    assert f"\nCOPY . {configuration.parent}\n" in last_stage()
    assert configuration.name == PRODUCT.name


def test_the_nights_jobs_take_the_configuration_of_their_checkout():
    """The image must not have the variable, which comes before what lies in the working folder."""
    assert "IMMUTABLE_BASE_CONFIG" not in last_stage()


def last_stage():
    """Return what the image of the jobs itself is made by."""
    text = (ROOT / "ci/Containerfile").read_text()
    return text[text.rindex("\nFROM ") :]


def test_the_image_of_the_jobs_has_what_doctor_asks_for():
    final = last_stage()
    installed = set(re.findall(r"^ {8}([a-z0-9-]+) ", final, re.MULTILINE))
    assert {package for _, package, _ in PROGRAMS} <= installed
    assert all(f"/bin/{program}" in final for program, _ in PINNED), "and what Debian has not"

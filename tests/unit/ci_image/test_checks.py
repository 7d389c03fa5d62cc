"""What the checks of the image of the jobs object to: each case changes one thing of a sound image."""

import json
from dataclasses import replace

import pytest

from immutable_base.ci_image.checks import CiImageSubject, check_ci_image
from immutable_base.ci_image.publish import require_sound
from immutable_base.ci_image.questions import CiImageFacts, find_secrets
from immutable_base.doctor import PINNED, PROGRAMS
from immutable_base.errors import CheckError
from immutable_base.model.check import CheckReport
from immutable_base.model.facts import ProgramOutput
from support.ci_images import BUILT

OCI = "org.opencontainers.image"
NAMES = [name for name, *_ in (*PROGRAMS, *PINNED)]


def doctor(**wrong):
    """Return what `doctor` says where the named things are missing."""
    rows = [*NAMES, "root", "namespaces", "space", "overlay"]
    document = {
        "ready": not wrong,
        "requirements": [
            {"name": it, "reason": "why", "ok": it not in wrong, "fix": wrong.get(it, "")}
            for it in rows
        ],
    }
    return ProgramOutput(status=4 if wrong else 0, text=json.dumps(document, indent=2))


SOUND = CiImageFacts(
    user="",
    environment={"PATH": "/opt/immutable-base/bin:/usr/bin"},
    labels={
        f"{OCI}.revision": "c" * 40, f"{OCI}.version": "1.2.3", f"{OCI}.base.digest": f"sha256:{'b' * 64}",
    },
    version=ProgramOutput(status=0, text="immutable-base 1.2.3"),
    doctor=doctor(),
    missing=(),
    secrets=(),
)  # fmt: skip


def objecting(**change):
    findings = check_ci_image(CiImageSubject(facts=replace(SOUND, **change), built=BUILT))
    return {it.id: " ".join((it.message, *it.evidence)) for it in findings if it.level == "error"}


def test_nothing_speaks_against_a_sound_image():
    assert objecting() == {}


def test_each_thing_that_doctor_misses_is_named_with_its_remedy():
    for name in NAMES:
        assert (
            f"{name}: why: install it" in objecting(doctor=doctor(**{name: "install it"}))["doctor"]
        )


def test_what_doctor_says_of_the_machine_and_not_of_the_image_is_no_objection():
    missing = {"namespaces": "x", "space": "x", "overlay": "x"}
    assert objecting(doctor=doctor(**missing)) == {}
    assert set(objecting(doctor=doctor(root="x"))) == {"doctor"}


def test_an_image_without_the_configuration_of_instances_is_refused():
    """Seen: a consumer's first job ended with exit code 2."""
    name = "/usr/share/immutable-base/immutable-base.toml"
    found = objecting(missing=(name,))
    assert set(found) == {"configuration"}
    assert f"there is no {name}" in found["configuration"]


def test_a_doctor_of_another_version_that_asks_for_less_is_not_believed():
    short = json.loads(doctor().text)
    short["requirements"] = [it for it in short["requirements"] if it["name"] != "cosign"]
    said = objecting(doctor=ProgramOutput(status=0, text=json.dumps(short)))
    assert "cosign: doctor does not ask for it" in said["doctor"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "error: no such file",
        "[]",
        "{}",
        '{"requirements": [1]}',
        '{"requirements": [{"name": "x"}]}',
    ],
)
def test_no_answer_is_no_good_answer(text):
    assert set(objecting(doctor=ProgramOutput(status=0, text=text))) == {"doctor"}


def test_what_doctor_logs_behind_its_answer_is_passed_over():
    text = f"{doctor().text}\nwarning: something"
    assert objecting(doctor=ProgramOutput(status=0, text=text)) == {}


@pytest.mark.parametrize(
    "text", ["immutable-base 1.2.30", "immutable-base 1.2", "", "bash: not found"]
)
def test_another_version_than_the_commits_is_refused(text):
    assert set(objecting(version=ProgramOutput(status=0, text=text))) == {"version"}


@pytest.mark.parametrize(
    ("user", "fine"),
    [("root", True), ("0", True), ("0:0", True), ("1000", False), ("nobody", False)],
)
def test_jobs_start_as_root(user, fine):
    assert set(objecting(user=user)) == (set() if fine else {"user"})


@pytest.mark.parametrize(
    "name", ["CI_JOB_TOKEN", "PIP_PASSWORD", "AWS_SECRET_ACCESS_KEY", "Api_Key"]
)
def test_a_variable_with_a_secret_is_refused_by_its_name(name):
    found = objecting(environment={**SOUND.environment, name: "glpat-1"})
    assert found == {"no-secrets": f"whoever may pull the image has them the variable {name}"}
    assert objecting(environment={**SOUND.environment, name: ""}) == {}


def test_files_with_secrets_are_refused_by_name():
    assert "root/.netrc: a login" in objecting(secrets=("root/.netrc: a login",))["no-secrets"]


@pytest.mark.parametrize("key", ["revision", "version", "base.digest"])
def test_a_label_that_is_not_what_was_built_is_refused(key):
    for labels in (
        {**SOUND.labels, f"{OCI}.{key}": "other"},
        {name: text for name, text in SOUND.labels.items() if not name.endswith(key)},
    ):
        assert set(objecting(labels=labels)) == {"labels"}


def test_an_image_to_which_a_check_objects_is_not_published():
    findings = check_ci_image(CiImageSubject(facts=replace(SOUND, user="nobody"), built=BUILT))
    report = CheckReport(rests_on={}, variant="ci", image_id="a" * 64, findings=findings)
    with pytest.raises(CheckError, match="1 checks object") as error:
        require_sound(report)
    assert "jobs would run as nobody" in error.value.details


# ------------------------------------------------------------------ files with secrets

KEY = (
    "-----BEGIN {}PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ" + "\n"
)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("root/.docker/config.json", "{}", "a login"),
        ("home/builder/.netrc", "machine x", "a login"),
        (".npmrc", "", "a login"),
        ("opt/key.pem", KEY.format(""), "a private key"),
        ("usr/share/key", KEY.format("OPENSSH "), "a private key"),
        ("root/id", KEY.format("RSA ").replace("\n", "\nProc-Type: 4,ENCRYPTED\n\n", 1), "a private key"),
        ("etc/pip.conf", "index-url = https://me:glpat-1@pypi.example/simple", "a login in an address"),
        ("etc/apt/sources.list", "deb http://me:secret@deb.example trixie main", "a login in an address"),
    ],
)  # fmt: skip
def test_a_secret_is_found_wherever_it_lies(tmp_path, name, text, why):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
    assert list(find_secrets(tmp_path)) == [f"{name}: {why}"]


def test_what_only_speaks_of_keys_is_no_secret(tmp_path):
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "etc/apt").mkdir(parents=True)
    (tmp_path / "usr/lib/ssh.py").write_text(
        'BEGIN = b"-----BEGIN OPENSSH PRIVATE KEY-----"\nEND = 1\n'
    )
    (tmp_path / "usr/lib/example.txt").write_text("https://user:password@example.com/")
    (tmp_path / "etc/apt/sources.list").write_text("deb http://deb.example:8080/debian trixie main")
    (tmp_path / "etc/link").symlink_to("/root/.netrc")
    assert list(find_secrets(tmp_path)) == []


def test_links_lead_nowhere_and_the_machines_own_folders_are_passed_over(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "key").write_text(KEY.format(""))
    root = tmp_path / "root"
    (root / "proc").mkdir(parents=True)
    (root / "proc/key").write_text(KEY.format(""))
    (root / "opt").symlink_to(outside)
    assert list(find_secrets(root)) == []

"""Whose login a registry gets: the entry that fits best, and never anybody else's."""

import base64
import json

import pytest

from immutable_base.verification.login import login_for

REPOSITORY = "registry.example:5000/group/project/base"


def auth(name):
    return base64.b64encode(f"{name}:secret".encode()).decode()


@pytest.fixture
def file(tmp_path):
    def write(content, name="auth.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps({"auths": content}))
        return {"REGISTRY_AUTH_FILE": str(path)}

    return write


def entries(*names):
    return {name: {"auth": auth(name.rpartition("/")[2] or name)} for name in names}


@pytest.mark.parametrize(
    "names",
    [
        (
            "registry.example:5000/group/project",
            "registry.example:5000/group",
            "registry.example:5000",
        ),
        ("registry.example:5000/group", "registry.example:5000"),
        ("registry.example:5000",),
    ],
)
def test_the_longest_entry_counts(file, names):
    assert login_for(REPOSITORY, file(entries(*reversed(names)))) == auth(
        names[0].rpartition("/")[2]
    )


@pytest.mark.parametrize(
    "name",
    ["registry.example", "registry.example:500", "evil.example", "registry.example:5000/gro", "registry.example:5000/group/project/base/x", "example:5000"],
)  # fmt: skip
def test_another_entry_is_not_sent(file, name):
    assert login_for(REPOSITORY, file(entries(name))) is None


@pytest.mark.parametrize(
    "content",
    ["", "hello", "[]", "{}", '{"auths": []}', '{"auths": {"registry.example:5000": 7}}', "[" * 100_000,
     '{"auths": {"registry.example:5000": {"auth": 7}}}', '{"auths": {"registry.example:5000": {"auth": "x\\r\\nX: y"}}}',
     '{"auths": {"registry.example:5000": {"auth": "eA=="}}}'],
)  # fmt: skip
def test_a_file_that_holds_no_login(file, content):
    assert login_for(REPOSITORY, file(content)) is None


def test_files_are_looked_at_in_the_order_of_the_other_programs(file, tmp_path):
    environment = {
        **file(entries("registry.example:5000/group/project")),
        "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path / "home"),
    }  # fmt: skip
    file(entries("registry.example:5000/group"), "containers/auth.json")
    file(entries("registry.example:5000"), "home/.docker/config.json")
    assert login_for(REPOSITORY, environment) == auth("project")
    del environment["REGISTRY_AUTH_FILE"]
    assert login_for(REPOSITORY, environment) == auth("group")
    del environment["XDG_RUNTIME_DIR"]
    assert login_for(REPOSITORY, environment) == auth("registry.example:5000")
    environment["DOCKER_CONFIG"] = str(tmp_path / "none")
    assert login_for(REPOSITORY, environment) is None
    assert login_for(REPOSITORY, {}) is None

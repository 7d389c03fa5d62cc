"""A run in which one repository has an unsigned package, and one a package signed by another key.

The variants that need them fail by name before anything is built.
"""

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
import tomllib

import pytest

from support.rpm_files import sign_rpm
from support.rpmmd import make_signer

pytestmark = pytest.mark.apart

VARIANT = "tiny"
VARIANTS = {"unsigned-package": "unsigned", "foreign-package": "foreign"}
"""Variants that must fail, and the repository that each has in the place of the good one."""
TABLES = """
[streams.{repository}]
base = "{base}"
release = "{release}"
repositories = {repositories}

[repositories.{repository}]
url = "{url}/{repository}/"
key = "{key}"

[variants.{variant}]
stream = "{repository}"
layers = ["tiny"]
description = "One package of '{repository}' must be refused"
"""


@pytest.fixture(scope="module")
def lab(tiny_lab):
    """Nothing here is about OpenZFS or NVIDIA."""
    return tiny_lab


@pytest.fixture(scope="module")
def package(lab, tmp_path_factory):
    """A package that the variant installs, as its plan has it."""
    workspace = tmp_path_factory.mktemp("plan")
    done = lab.product("plan", "--variant", VARIANT, "--format", "json", workspace=workspace)
    assert done.returncode == 0, done.stderr
    [variant] = json.loads(done.stdout)["variants"]
    [layer] = [it for it in variant["layers"] if it["name"] == "tiny"]
    return next(p for p in layer["install"] if p["arch"] == "x86_64")


def copy_repository(source, target, name):
    """Copy a repository by hard links, but for one package, which may be changed; return its path."""
    target.mkdir()
    for rpm in source.glob("*.rpm"):
        if rpm.name == name:
            shutil.copyfile(rpm, target / rpm.name)
        else:
            os.link(rpm, target / rpm.name)
    return target / name


def index(folder):
    subprocess.run(
        ["createrepo_c", "--quiet", "--general-compress-type=gz", "--no-database", folder],
        check=True,
    )


@pytest.fixture(scope="module")
def repositories(lab, package, tmp_path_factory):
    """Both repositories, with metadata that names the changed packages' checksums."""
    # On the lab's own file system, for hard links.
    folder = lab.scratch / "package-signatures"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    source = lab.state / "rpms" / package["repository"]
    name = package["url"].rpartition("/")[2]
    for repository in VARIANTS.values():
        rpm = copy_repository(source, folder / repository, name)
        subprocess.run(["rpmsign", "--delsign", rpm], check=True, capture_output=True)
        if repository == "foreign":
            signer = make_signer(tmp_path_factory.mktemp("key"), "Else <else@example.invalid>")
            sign_rpm(rpm, signer)
            subprocess.run(["gpgconf", "--homedir", signer.home, "--kill", "all"], check=True)
        index(folder / repository)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def address(repositories):
    """Where the repositories are served."""
    handler = functools.partial(QuietHandler, directory=str(repositories))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def done(lab, package, address, tmp_path_factory):
    path = lab.config_with(tmp_path_factory.mktemp("configuration"))
    document = tomllib.loads(path.read_text())
    stream = document["streams"][document["variants"][VARIANT]["stream"]]
    more = ""
    for variant, repository in VARIANTS.items():
        instead = [repository if r == package["repository"] else r for r in stream["repositories"]]
        more += TABLES.format(
            variant=variant, repository=repository, base=stream["base"], release=stream["release"],
            repositories=json.dumps(instead), url=address,
            key=document["repositories"][package["repository"]]["key"],
        )  # fmt: skip
    path.write_text(path.read_text() + more)
    selected = [part for name in VARIANTS for part in ("--variant", name)]
    # The base image is there from test_night_bad.py.
    workspace = lab.room("bad")
    return lab.product("run", "--config", path, *selected, "--format", "json", workspace=workspace)


def test_the_variants_that_need_them_fail(done):
    assert done.returncode == 12, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    rows = {v["name"]: v for v in json.loads(done.stdout)["variants"]}
    assert {name: (v["outcome"], v["exit_code"]) for name, v in rows.items()} == {
        "unsigned-package": ("failed", 12), "foreign-package": ("failed", 12),
    }  # fmt: skip


def test_package_repository_and_key_are_named(done, package):
    rows = {v["name"]: v for v in json.loads(done.stdout)["variants"]}
    for variant, repository in VARIANTS.items():
        error = rows[variant]["error"]
        assert package["name"] in error.splitlines()[0]
        assert f"'{repository}' is not signed by the key '" in error.splitlines()[0]


def test_nothing_of_them_is_published(lab, done):
    for variant in VARIANTS:
        assert lab.registry().tags(variant) == {}
    nodes = {node["id"]: node["outcome"] for node in json.loads(done.stdout)["nodes"]}
    assert nodes["fetch"] == "done", "a package that cannot be used stops only what needs it"
    for variant in VARIANTS:
        assert nodes[f"publish:{variant}"] == "skipped"

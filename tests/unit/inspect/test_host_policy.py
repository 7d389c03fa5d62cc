"""What an image says about whose images its hosts take is all read, links and masks included."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from immutable_base.inspect.host_policy import read_host_policy
from immutable_base.model.facts import ProgramOutput


@dataclass
class Image:
    """A mounted image whose programs answer with their own command line."""

    root: Path

    def ask(self, *argv):
        return ProgramOutput(status=0, text=" ".join(argv))

    def write(self, name, text=""):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def link(self, name, target):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    def files(self):
        return read_host_policy(self, "registry.example/os").files


@pytest.fixture
def image(tmp_path):
    return Image(root=tmp_path)


def test_an_administrator_s_settings_of_the_program_are_read(image):
    image.write("etc/immutable-base/admission.toml", "x = 1\n")
    assert image.files() == {"etc/immutable-base/admission.toml": "x = 1\n"}


@pytest.mark.parametrize("folder", ["etc", "usr/lib", "usr/local/lib"])
def test_a_masked_unit_is_read_as_an_empty_one(image, folder):
    name = f"{folder}/systemd/system/immutable-base-admission.service"
    image.link(name, "/dev/null")
    assert image.files() == {name: ""}


def test_what_changes_the_unit_is_read_too(image):
    name = "etc/systemd/system/immutable-base-admission.service.d/x.conf"
    image.write(name, "[Service]\nExecStart=\n")
    assert image.files() == {name: "[Service]\nExecStart=\n"}


def test_the_program_is_started_where_it_is_there_and_only_there(image):
    assert read_host_policy(image, "x").admission is None
    image.write("usr/bin/immutable-base-admission")
    assert read_host_policy(image, "x").admission.text == "immutable-base-admission --help"


def test_what_root_has_of_its_own_is_read_and_that_a_folder_is_there(image):
    name = "root/.config/containers/registries.d"
    image.write(f"{name}/x.yaml", "docker:\n")
    assert image.files() == {f"{name}/": "", f"{name}/x.yaml": "docker:\n"}


@pytest.mark.parametrize(
    "name",
    [
        *(
            f"{root}/containers/{name}"
            for root in ("etc", "usr/share")
            for name in (
                "policy.json", "registries.d/x.yaml", "registries.rootful.d/x.yaml", "registries.conf",
                "registries.conf.d/x.conf", "registries.rootful.conf.d/x.conf",
            )
        ),
        "usr/lib/bootc/install/x.toml", "etc/bootc/install/x.toml",
        "usr/lib/pki/immutable-base/x.pub",
        "usr/lib/immutable-base/admission/admission.toml",
        "usr/lib/systemd/system/bootc-fetch-apply-updates.service.d/10-immutable-base-admission.conf",
    ],
)  # fmt: skip
def test_every_file_that_a_rule_is_about_is_read(image, name):
    image.write(name, "x")
    assert image.files() == {name: "x"}


@pytest.mark.parametrize(
    "name",
    [
        "etc/environment", "etc/systemd/system.conf.d/x.conf", "usr/lib/systemd/system.conf",
        "etc/systemd/system/bootc-fetch-apply-updates.service.d/x.conf",
        "usr/lib/systemd/system/service.d/x.conf", "etc/profile.d/x.sh", "root/.bashrc",
        "usr/lib/systemd/system/rpm-ostreed.service", "usr/local/lib/systemd/system/ostree-x.service.d/x.conf",
        "etc/security/pam_env.conf", "etc/profile", "etc/default/x", "etc/sysconfig/x",
        "usr/lib/bootc/kargs.d/x.toml", "root/.bash_profile", "var/roothome/.profile",
    ],
)  # fmt: skip
def test_a_file_that_sets_a_variable_is_kept_and_no_other(image, name):
    image.write(name, "LANG=C\n")
    assert image.files() == {}
    image.write(name, "Environment=XDG_CONFIG_HOME=/x\n")
    assert list(image.files()) == [name]


def test_a_link_out_of_the_image_is_not_followed(image, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "policy.json"
    outside.write_text("{}")
    (image.root / "etc/containers").mkdir(parents=True)
    image.link("etc/containers/policy.json", f"../../../{outside.parent.name}/policy.json")
    assert image.files() == {}

"""What the how-to of a fleet has a machine do: units that systemd reads, commands that the program knows."""

import re
import shlex
import subprocess

import pytest

from immutable_base.admission import command
from immutable_base.admission.folder import open_folder
from immutable_base.admission.host_key import host_key
from immutable_base.admission.lookaside import Lookaside
from immutable_base.admission.settings import load_settings as admission_settings
from immutable_base.build.admission_files import settings_files
from immutable_base.config.load import load_settings
from support.admissions import admission
from support.fleet import COMMANDS, IMAGE, SETTINGS, STATE, Served, units
from support.paths import PRODUCT, ROOT

PROGRAM = "immutable-base-admission"


def sections(text):
    """Return section to its lines of key and value; a unit may have a key twice."""
    found, name = {}, ""
    for line in text.splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            continue
        key, equals, value = line.partition("=")
        assert equals, line
        found.setdefault(name, []).append((key, value))
    return found


def test_the_service_admits_and_then_expires_by_the_settings_that_the_page_writes():
    service = sections(units()["fleet-base.service"])["Service"]
    assert ("Type", "oneshot") in service, "or the lines that follow would not wait for the first"
    lines = [shlex.split(value) for key, value in service if key == "ExecStart"]
    asked = [command._parser().parse_args(words[1:]) for words in lines]
    assert [words[0] for words in lines] == [PROGRAM] * 2
    assert [it.command for it in asked] == ["admit", "expire"]
    assert asked[0].reference == IMAGE
    assert {str(it.settings) for it in asked} == {SETTINGS}


def test_the_timer_starts_that_service_and_can_be_enabled():
    timer = sections(units()["fleet-base.timer"])
    assert [key for key, _ in timer["Timer"]] == ["OnCalendar", "Persistent"]
    assert ("WantedBy", "timers.target") in timer["Install"]


def test_the_page_s_commands_end_with_what_the_service_does():
    last = shlex.split(COMMANDS.splitlines()[-1])
    service = sections(units()["fleet-base.service"])["Service"]
    assert last == next(shlex.split(value) for key, value in service if key == "ExecStart")
    assert f"/{STATE}" in COMMANDS


def test_the_roots_of_trust_stay_the_image_s(tmp_path):
    """A copy of them would be believed for ever, whatever the image brings later."""
    image = settings_files(load_settings(PRODUCT).trust(), ROOT, 0)
    for name, content in image.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    typed = re.sub(
        r"(?<![\w.])/(usr|etc|srv)/", rf"{tmp_path}/\1/", "\n".join(COMMANDS.splitlines()[:-1])
    )
    (tmp_path / "srv").mkdir()
    subprocess.run(["bash", "-euc", f"umask 022\n{typed}"], check=True)
    own = tmp_path / SETTINGS.lstrip("/")
    assert [path.name for path in own.parent.iterdir()] == ["admission.toml"]
    found = admission_settings(own)
    assert found.keep_days == 30
    assert found.state == tmp_path / STATE
    assert str(tmp_path / "usr/lib/immutable-base/admission/trusted_root.json") in own.read_text()


@pytest.fixture
def state(tmp_path):
    with open_folder(tmp_path / "state") as state, state.below("lookaside", make=True) as folder:
        Lookaside(folder=folder, key=host_key(state)).add(admission())
    return tmp_path / "state"


def test_what_is_served_is_signatures_and_no_key(state):
    served = Served(state / "lookaside")
    image = f"/os/base@{admission().digest.replace(':', '=')}"
    assert served(f"{image}/signature-1").status == 200
    assert served(f"{image}/signature-2").status == 404
    assert served("/host.key").status == served("/lock").status == 404
    assert served("/../host.key").status == 400

"""Scenarios: each is the product's configuration on another stream, with exactly one thing wrong."""

import subprocess
import tomllib
from pathlib import Path

import pytest
import tomlkit

from immutable_base.cli.main import main
from immutable_base.config.schema import Settings
from immutable_base.errors import ConfigurationError, HostError
from immutable_base.plan.sources import unpinned_keys
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.lab import SERVICES, Lab, merged_settings, port_names
from immutable_base_lab.programs.go_pins import GO_PROGRAMS
from immutable_base_lab.scenarios import pendulum
from immutable_base_lab.scenarios.configuration import (
    TINY_LAYERS,
    change,
    configuration_file,
    scenario_configuration,
    write_configuration,
)
from immutable_base_lab.scenarios.scenario import (
    FULL,
    NOTHING_LISTENS,
    SCENARIOS,
    Universe,
    find_scenario,
)
from immutable_base_lab.services.service import Surroundings
from support import paths
from support.lab_configuration import flat, replacements

PRODUCT = paths.PRODUCT.read_text()
PORTS = {name: 8001 + number for number, name in enumerate(port_names())}
AT = Surroundings(paths=LabPaths(root=Path("/lab")), ports=PORTS)
LAB = replacements(AT, merged_settings(AT))
TINY = find_scenario("tiny")
NAMES = [scenario.name for scenario in SCENARIOS]
FAULTS = [scenario for scenario in SCENARIOS if scenario not in (FULL, TINY)]


def configured(scenario) -> dict:
    return tomllib.loads(scenario_configuration(PRODUCT, LAB, scenario))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda it: it.name)
def test_every_configuration_is_valid_and_leaves_nothing_outside(scenario):
    settings = Settings.model_validate(configured(scenario))
    inside = (f"{AT.url('files')}/", NOTHING_LISTENS)
    assert all(r.url.startswith(inside) for r in settings.repositories.values())
    assert {s.base.split("/")[0] for s in settings.streams.values()} == {AT.address("registry")}
    pins = {name: key.fingerprint for name, key in settings.keys.items()}
    if scenario.name == "key-not-pinned":
        assert pins.pop("tiny-modules") is None
    assert set(pins.values()) == {LAB.key_fingerprint}
    assert settings.signing.rekor_url == AT.url("rekor")
    place = f"{AT.address('registry')}/immutable-base{scenario.namespace}"
    assert settings.registry.destination == place


def test_kernels_signing_and_tags_of_the_tiny_stream_are_the_products_own():
    full, tiny = configured(FULL), configured(TINY)
    assert tiny["signing"].pop("keys") == LAB.image_keys, "rehearsals have keys as well"
    for name in ("schema_version", "source", "vendor", "kernel", "registry", "signing", "publish"):
        assert tiny[name] == full[name]
    assert set(tiny["variants"]) == {"tiny", "tiny-metronome"}
    assert set(tiny) == set(full), "a table that the product gets is one that the tiny stream has"


@pytest.mark.parametrize("scenario", FAULTS, ids=lambda it: it.name)
def test_in_a_fault_only_what_it_names_is_different(scenario):
    sound, wrong = flat(configured(TINY)), flat(configured(scenario))
    differing = {key for key in sound.keys() | wrong.keys() if sound.get(key) != wrong.get(key)}
    moved = {"registry.destination"} if scenario.namespace else set()
    assert {_changed(scenario, key) for key in differing} == {*scenario.changes, *moved}
    assert scenario.changes or scenario.stopped, "nothing is wrong in it"


def _changed(scenario, key):
    """Return which change a differing key is of: a table may be changed as a whole."""
    return next((it for it in scenario.changes if f"{key}.".startswith(f"{it}.")), key)


def test_a_key_that_the_configuration_no_longer_has_is_no_fault():
    with pytest.raises(KeyError):
        change(tomlkit.parse("[streams.tiny]\nbase = 'x'\n"), {"streams.tiny.repository": []})


def test_a_key_that_is_left_out_is_not_there():
    document = tomlkit.parse("[keys.tiny]\nplaces = ['x']\nfingerprint = 'A'\n")
    change(document, {"keys.tiny.fingerprint": None})
    assert document.unwrap() == {"keys": {"tiny": {"places": ["x"]}}}


def test_a_key_that_is_not_pinned_is_needed_by_the_module_alone():
    settings = Settings.model_validate(configured(find_scenario("key-not-pinned")))
    assert unpinned_keys(settings, "tiny") == ()
    assert unpinned_keys(settings, "tiny-metronome") == ("tiny-modules",)


def test_what_the_base_has_newer_is_one_package_more_in_the_toolchain():
    sound, wrong = (
        configured(it)["modules"]["metronome"]["toolchain"]
        for it in (TINY, find_scenario("base-newer-than-repositories"))
    )
    assert wrong == [*sound, pendulum.DEVEL]


def test_what_is_stopped_is_a_service():
    known = {service.name for service in SERVICES}
    assert {name for scenario in SCENARIOS for name in scenario.stopped} <= known


def test_every_layer_of_the_tiny_stream_has_its_folder():
    # `admission` is the product's own, beside them in a scenario.
    layers = set(configured(TINY)["layers"]) - {"admission"}
    assert {folder.name for folder in TINY_LAYERS.iterdir()} == layers
    assert (paths.ROOT / "layers/admission/Containerfile").is_file()
    assert all((folder / "Containerfile").is_file() for folder in TINY_LAYERS.iterdir())


def test_the_tiny_stream_needs_every_program_but_nvidias():
    every = {program.name for program in GO_PROGRAMS}
    assert set(Universe.FULL.programs) == every
    assert every - set(Universe.TINY.programs) == {"nvidia-container-toolkit"}


def test_layers_beside_a_configuration_are_the_products_and_its_own(tmp_path):
    lab = LabPaths(root=tmp_path)
    for _ in range(2):
        write_configuration(lab, TINY, "text", paths.ROOT / "layers")
        write_configuration(lab, FULL, "text", paths.ROOT / "layers")
    beside = configuration_file(lab, TINY).parent / "layers"
    found = list(beside.iterdir())
    assert {"builder", "kernel", "scripts", "tiny", "metronome"} <= {it.name for it in found}
    assert all(path.resolve().exists() for path in found)
    assert (configuration_file(lab, FULL).parent / "layers").resolve() == paths.ROOT / "layers"


def test_list_shows_every_scenario_and_makes_nothing(tmp_path, capsys):
    state = tmp_path / "lab"
    assert main(["lab", "scenario", "list", "--state", str(state)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == NAMES
    assert all(len(line.split()) > 5 for line in lines)
    assert not state.exists()


@pytest.mark.parametrize("arguments", [["scenario", "tinny"], ["env", "--scenario", "tinny"]])
def test_an_unknown_scenario_is_refused_with_the_one_that_was_meant(tmp_path, capsys, arguments):
    code = main(["lab", *arguments, "--state", str(tmp_path / "lab")])
    assert code == ConfigurationError("x").exit_code
    told = capsys.readouterr().err
    assert "did you mean 'tiny'?" in told
    assert all(name in told for name in NAMES)


@pytest.fixture
def known_token(monkeypatch):
    monkeypatch.setattr(Lab, "token", lambda self, **claims: "token")


@pytest.mark.parametrize("name", ["full", "tiny"])
def test_a_shell_gets_no_configuration_that_is_not_there(tmp_path, with_keys, known_token, name):
    lab = Lab(with_keys(LabPaths(root=tmp_path / "lab")))
    lab.prepare()
    with pytest.raises(HostError, match=f"scenario `{name}` is not set up") as caught:
        lab.environment({}, scenario=find_scenario(name))
    assert f"lab scenario {name}" in str(caught.value.hint)


def test_scenarios_do_not_work_in_each_others_workspaces(tmp_path, with_keys, known_token):
    """A run removes what the last one in its workspace left, base images of others included."""
    lab = Lab(with_keys(LabPaths(root=tmp_path / "lab")))
    lab.prepare()
    found = {}
    for name in NAMES:
        scenario = find_scenario(name)
        write_configuration(lab.paths, scenario, "text", paths.ROOT / "layers")
        found[name] = lab.environment({}, scenario=scenario)
    assert "IMMUTABLE_BASE_WORKSPACE" not in found["full"], "the user's own choice counts"
    shared = found["full"]["IMMUTABLE_BASE_REGISTRY"]
    assert found["tiny"]["IMMUTABLE_BASE_REGISTRY"] == shared
    assert found["admission"]["IMMUTABLE_BASE_REGISTRY"] == f"{shared}/admission"
    others = [variables for name, variables in found.items() if name != "full"]
    assert len({it["IMMUTABLE_BASE_WORKSPACE"] for it in others}) == len(others)
    assert len({it["IMMUTABLE_BASE_CONFIG"] for it in found.values()}) == len(found)


def test_services_that_a_scenario_stops_are_ended_and_the_others_started(
    tmp_path, with_keys, monkeypatch
):
    calls = []
    monkeypatch.setattr(
        "immutable_base_lab.lab.Supervisor.ensure", lambda self, it: calls.append(("up", it.name))
    )
    monkeypatch.setattr(
        "immutable_base_lab.lab.Supervisor.end", lambda self, it: calls.append(("down", it.name))
    )
    from support.observers import Recorder

    Lab(with_keys(LabPaths(root=tmp_path / "lab"))).start_services(Recorder(), ("rekor",))
    assert [name for verb, name in calls if verb == "down"] == ["rekor"]
    others = [service.name for service in SERVICES if service.name != "rekor"]
    assert [name for verb, name in calls if verb == "up"] == others


def test_make_try_and_the_command_name_one_scenario():
    makefile = (paths.ROOT / "Makefile").read_text()
    recipe = makefile.partition("\ntry: ")[2].partition("\n\n")[0]
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", "try"],
        cwd=paths.ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "lab scenario tiny" in shown
    assert "lab env --scenario tiny" in shown
    assert "verify" in recipe

"""A fleet on real parts: one machine admits as its how-to says, and hosts have its public key and https.

What a host takes is decided by an image's own skopeo, under the files that `policy render` has written into
that image, and by nothing else.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import tomlkit

from immutable_base.admission.decide import DAY
from immutable_base.admission.folder import open_folder
from immutable_base.admission.host_key import host_key
from immutable_base.admission.lookaside import Lookaside
from immutable_base.config.load import load_settings
from immutable_base.errors import NotSignedError, VerificationError
from immutable_base.image.program import MountedImage, mounted_image
from immutable_base.inspect.host_policy import read_host_policy
from immutable_base.model.facts import ProgramOutput
from immutable_base.policy.lint import lint
from immutable_base.process import ANY_STATUS, run
from immutable_base.publish.as_host import REJECTED, AskedHost, require_host_agrees
from immutable_base.tls import set_up_tls
from immutable_base.tools import bwrap, skopeo
from immutable_base.trusted_keys import host_trust_of
from support.command_blocks import marked_block
from support.fleet import IMAGE, SETTINGS, STATE, Served, units
from support.foreign_images import push_twin
from support.web import RESET, Reply, Site, make_certificate, serving

NAME = "tiny"
NOT_ADMITTED = "A signature was required, but no signature exists"


@dataclass
class Machine:
    """The machine that admits: an image with the layer, started here, and what the page says."""

    root: Path
    latest: str

    @property
    def state(self) -> Path:
        return self.root / STATE

    def type(self, text: str) -> ProgramOutput:
        """Type what the page says, with the reader's own image."""
        argv = ("sh", "-e", "-c", text.replace(IMAGE, self.latest))
        done = bwrap.run_in_root(
            run, self.root, argv, ok=ANY_STATUS, surroundings=bwrap.SharedFiles()
        )
        return ProgramOutput(status=done.status, text=f"{done.text}{done.stderr_tail}")

    def command(self, *words: str) -> ProgramOutput:
        return self.type(" ".join(("immutable-base-admission", "--settings", SETTINGS, *words)))

    @contextmanager
    def lookaside(self) -> Iterator[Lookaside]:
        """Open what it has admitted, with its own key."""
        with open_folder(self.state) as state, state.below("lookaside") as folder:
            yield Lookaside(folder=folder, key=host_key(state))

    def forget(self) -> None:
        """Take all admissions away; the key stays."""
        for path in (self.state / "lookaside").iterdir():
            shutil.rmtree(path)


@dataclass
class Fleet:
    """The machine, its web server, and a host."""

    machine: Machine
    site: Site
    host: AskedHost
    image: MountedImage
    config: Path
    repository: str
    digest: str
    registry_ca: Path
    authority: Path
    """Of the lookaside."""

    @property
    def latest(self) -> str:
        return f"{self.repository}:latest"

    def refuses(self, reference: str, words: str) -> None:
        found = self.host.fetch(reference)
        assert found.status != 0, f"a host takes {reference}"
        assert REJECTED in found.text, found.text
        assert words in found.text, found.text

    def takes(self, reference: str) -> None:
        found = self.host.fetch(reference)
        assert found.status == 0, found.text

    @contextmanager
    def pointing_latest_at(self, pinned: str) -> Iterator[None]:
        skopeo.move_tag(run, pinned, self.latest, self.host.environment)
        try:
            yield
        finally:
            mine = f"{self.repository}@{self.digest}"
            skopeo.move_tag(run, mine, self.latest, self.host.environment)


@pytest.fixture(scope="module")
def place(tiny_lab, tiny_night, admission_image, tmp_path_factory) -> Iterator[Fleet]:
    """A machine that has typed the page's commands, and a host whose image has what they lead to."""
    folder = tmp_path_factory.mktemp("fleet")
    certificate = make_certificate(folder / "tls", "CA of the lookaside")
    repository, _, digest = tiny_night.variants[NAME]["reference"].partition("@")
    settings = load_settings(tiny_lab.configuration)
    registry_ca = Path(
        set_up_tls(settings.authority(tiny_lab.configuration.parent), folder).environment[
            "SSL_CERT_FILE"
        ]
    )
    both = folder / "both.pem"
    both.write_bytes(registry_ca.read_bytes() + certificate.authority.read_bytes())
    storage, image = admission_image
    with (
        serving(certificate) as site,
        mounted_image(storage, image) as first,
        mounted_image(storage, image) as second,
    ):
        machine = Machine(first.root, f"{repository}:latest")
        # /srv is a link to it, and systemd-tmpfiles makes it at each start.
        (first.root / "var/srv").mkdir(parents=True, exist_ok=True)
        done = machine.type(marked_block("how-to/admit-for-a-fleet.md", "tests/lab/test_fleet.py"))
        assert done.status == 0, done.text
        assert digest in done.text
        config = _configure(tiny_lab.configuration, folder, site.url, machine.state / "host.pub")
        rendered = tiny_lab.product("policy", "render", "--config", config, "--into", second.root)
        assert rendered.returncode == 0, rendered.stderr
        host = AskedHost(
            run=run, root=second.root, layout=tiny_night.workspace / "tonight/oci" / NAME,
            environment={"SSL_CERT_FILE": str(both)},
        )  # fmt: skip
        yield Fleet(
            machine,
            site,
            host,
            second,
            config,
            repository,
            digest,
            registry_ca,
            certificate.authority,
        )


def _configure(lab: Path, folder: Path, url: str, key: Path) -> Path:
    """Write the lab's configuration with a fleet in place of a key."""
    document = tomlkit.parse(lab.read_text())
    del document["signing"]["keys"]
    document["signing"]["fleet"] = {"lookaside": f"{url}/", "key_paths": ["host.pub"]}
    shutil.copyfile(key, folder / "host.pub")
    (folder / "layers").symlink_to(lab.parent / "layers")
    path = folder / "immutable-base.toml"
    path.write_text(tomlkit.dumps(document))
    return path


@pytest.fixture
def fleet(place) -> Fleet:
    """The same with the published image admitted, and nothing else."""
    place.site.next_reply = Served(place.machine.state / "lookaside")
    place.machine.forget()
    done = place.machine.command("admit", IMAGE)
    assert done.status == 0, done.text
    return place


# ------------------------------------------------------------------ what is refused


def test_what_is_not_admitted_is_refused_however_well_it_is_signed(fleet):
    fleet.machine.forget()
    fleet.refuses(fleet.latest, NOT_ADMITTED)
    fleet.refuses(f"{fleet.repository}@{fleet.digest}", NOT_ADMITTED)


def test_a_tag_that_has_moved_to_an_unsigned_image_is_refused_by_machine_and_host(fleet, tmp_path):
    twin = push_twin(
        fleet.host.layout, tmp_path / "fleet", fleet.repository, fleet.host.environment
    )
    with fleet.pointing_latest_at(twin):
        fleet.refuses(fleet.latest, NOT_ADMITTED)
        assert fleet.machine.command("admit", IMAGE).status == NotSignedError.exit_code
        fleet.refuses(fleet.latest, NOT_ADMITTED)
        fleet.takes(f"{fleet.repository}@{fleet.digest}")
    fleet.takes(fleet.latest)


def test_another_tag_of_the_admitted_image_is_refused(fleet):
    mine = f"{fleet.repository}@{fleet.digest}"
    skopeo.move_tag(run, mine, f"{fleet.repository}:of-a-fleet", fleet.host.environment)
    fleet.refuses(f"{fleet.repository}:of-a-fleet", "is not accepted")


def test_what_another_machine_has_admitted_is_refused(fleet, tmp_path):
    """The same program, the same image, the same name: another key."""
    with fleet.machine.lookaside() as lookaside:
        (found,) = lookaside.admissions()
    with open_folder(tmp_path / "state") as state, state.below("lookaside", make=True) as folder:
        Lookaside(folder=folder, key=host_key(state)).add(found)
    fleet.site.next_reply = Served(tmp_path / "state/lookaside")
    fleet.refuses(fleet.latest, "cryptographic signature verification failed")


def test_an_admission_that_has_ended_is_refused_and_no_older_image_comes_back(fleet):
    with fleet.machine.lookaside() as lookaside:
        (found,) = lookaside.admissions()
        lookaside.add(replace(found, admitted_at=int(time.time()) - 31 * DAY))
        later = replace(found, digest=f"sha256:{'7' * 64}", signed_at=found.signed_at + 60)
        lookaside.add(later)
    fleet.takes(fleet.latest)

    done = fleet.machine.command("expire")
    assert done.status == 0, done.text
    assert fleet.digest in done.text
    fleet.refuses(fleet.latest, NOT_ADMITTED)
    again = fleet.machine.command("admit", IMAGE)
    assert again.status == VerificationError.exit_code
    assert "is older than" in again.text
    fleet.refuses(fleet.latest, NOT_ADMITTED)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Reply(b"", 500), "status 500"),
        (Reply(b"", 503), "status 503"),
        (Reply(b"", 429), "status 429"),
        (Reply(b"", 403), "status 403"),
        (Reply(b"<html>welcome", 200), "unrecognized signature format"),
        (Reply(b"", 200), "empty signature blob"),
        (RESET, "/signature-1"),
    ],
    ids=["500", "503", "429", "403", "a page for people", "nothing", "cut off"],
)  # fmt: skip
def test_a_web_server_that_fails_lets_nothing_through(fleet, answer, words):
    fleet.site.next_reply = lambda _path: answer
    fleet.refuses(fleet.latest, words)


def test_without_the_web_server_nothing_is_taken(fleet):
    with closed_address() as url, pointed_at(fleet, url):
        fleet.refuses(fleet.latest, "connect: connection refused")
    fleet.takes(fleet.latest)


@contextmanager
def closed_address() -> Iterator[str]:
    """Yield an address at which nobody listens any more."""
    with serving() as site:
        url = site.url.replace("http:", "https:")
    yield url


@contextmanager
def pointed_at(fleet: Fleet, url: str) -> Iterator[None]:
    (file,) = fleet.host.root.glob("etc/containers/registries.d/50-*")
    before = file.read_text()
    assert fleet.site.url in before
    file.write_text(before.replace(fleet.site.url, url))
    try:
        yield
    finally:
        file.write_text(before)


def test_a_certificate_counts_by_the_system_s_authorities_and_by_those_of_the_registry(fleet):
    """Not by a folder of certs.d for the lookaside itself: the registry's client reads it."""
    host = replace(fleet.host, environment={"SSL_CERT_FILE": str(fleet.registry_ca)})
    folders = fleet.host.root / "etc/containers/certs.d"
    places = (fleet.site.url.removeprefix("https://"), fleet.repository.partition("/")[0])
    taken = []
    try:
        for name in (None, *places):
            if name:
                (folders / name).mkdir(parents=True)
                shutil.copyfile(fleet.authority, folders / name / "lookaside.crt")
            found = host.fetch(fleet.latest)
            assert found.status == 0 or (REJECTED in found.text and "x509" in found.text), (
                found.text
            )
            taken.append(found.status == 0)
    finally:
        shutil.rmtree(folders, ignore_errors=True)
    assert taken == [False, False, True]


def test_a_registry_whose_tls_is_not_checked_lets_any_lookaside_speak_and_lint_says_so(fleet):
    host = replace(fleet.host, environment={"SSL_CERT_FILE": str(fleet.registry_ca)})
    trust = host_trust_of(load_settings(fleet.config), fleet.config.parent)
    registry, _, namespace = fleet.repository.rpartition("/")[0].partition("/")
    file = fleet.host.root / "etc/containers/registries.conf.d/99-insecure.conf"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'[[registry]]\nlocation = "{registry}/{namespace}"\ninsecure = true\n')
    try:
        assert host.fetch(fleet.latest).status == 0
        found = lint(read_host_policy(fleet.image, f"{registry}/{namespace}"), trust)
        assert [it.rule for it in found] == ["lookaside-unchecked"]
    finally:
        file.unlink()


# ------------------------------------------------------------------ what is taken


def test_an_admitted_image_is_taken_by_its_tag_and_by_its_digest(fleet):
    before = len(fleet.site.requests)
    fleet.takes(fleet.latest)
    fleet.takes(f"{fleet.repository}@{fleet.digest}")
    path = fleet.repository.partition("/")[2]
    folder = f"/{path}@{fleet.digest.replace(':', '=')}"
    asked = fleet.site.requests[before:]
    assert {*asked} == {f"{folder}/signature-1", f"{folder}/signature-2"}


def test_before_tags_move_the_host_is_asked_what_it_can_know(fleet):
    """Whether the machine has admitted already or not, an unsigned copy is refused."""
    for _ in range(2):
        require_host_agrees(fleet.host, fleet.repository, fleet.digest, by_key=False, by_fleet=True)
        fleet.machine.forget()


def test_the_image_has_no_finding_and_says_what_policy_render_shows(fleet, tiny_lab):
    trust = host_trust_of(load_settings(fleet.config), fleet.config.parent)
    facts = read_host_policy(fleet.image, fleet.repository.rpartition("/")[0])
    assert [str(it) for it in lint(facts, trust)] == []
    shown = tiny_lab.product("policy", "render", "--config", fleet.config).stdout
    assert f"    lookaside: {fleet.site.url}\n" in shown
    policy = json.loads((fleet.host.root / "etc/containers/policy.json").read_text())
    assert policy["default"] == [{"type": "reject"}]


def test_the_units_of_the_page_are_in_order(fleet):
    for name, text in units().items():
        (fleet.machine.root / "etc/systemd/system" / name).write_text(text)
    # Of these units alone: the image has others, which are not the page's.
    done = fleet.machine.type(f"systemd-analyze verify --recursive-errors=no {' '.join(units())}")
    assert done.status == 0, done.text
    assert [line for line in done.text.splitlines() if "fleet" in line] == []

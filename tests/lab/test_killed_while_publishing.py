"""A real run is killed between push, signature, attestation and each tag; then `publish` publishes.

What the run left is whole, so that its last step can be done once more by itself; that a whole run
works after a kill is in test_night_bad.py.

Names and descriptions are new in every session, so that no image of them is in the registry before.
Every variant stops at a point of its own, so one kill is a kill at every point.
"""

import json
import os
import uuid
from dataclasses import dataclass, field
from unittest import mock

import pytest

from immutable_base.publish.publish import publish_variant
from immutable_base.publish.request import PublishRequest
from immutable_base.run.publisher import publisher_of
from immutable_base.run.verifier import verifier_of
from support.complete import complete, write_sboms
from support.contexts import context_for
from support.killing import kill, leftovers, start
from support.registry_watch import Witness
from support.small_images import write_layout
from support.stopping import StoppingPrograms

pytestmark = pytest.mark.apart

NEEDED = ("PATH", "SIGSTORE_ID_TOKEN", "IMMUTABLE_BASE_SIGNING_KEY", "COSIGN_PASSWORD")
"""Variables of the lab with which an image is signed."""
SESSION = uuid.uuid4().hex[:8]
POINTS = {
    f"killed-after-{point.replace(' ', '-')}-{SESSION}": point
    for point in (
        "push",
        "sign",
        "attest 1",
        "attest 2",
        "push 3",
        "tag 1",
        "tag 2",
        "tag 3",
        "tag 4",
    )
}
TAGS = 4
BEFORE = 6 + TAGS
WHOLE = ["push", "push", *["sign"] * (1 + TAGS), "attest", "attest", "push", *["tag"] * TAGS]
"""What a publication does: keyless, then with the key for each tag; the SBOM, then the provenance;
the second push is the unsigned copy that a host must refuse, the third the full SBOM."""
ENDS = dict(
    zip(
        POINTS,
        (1, 3, BEFORE - 2, BEFORE - 1, BEFORE, BEFORE + 1, BEFORE + 2, BEFORE + 3, len(WHOLE)),
        strict=True,
    )
)
"""How much of that was done where each variant was killed."""
FOLLOWED = "latest"
"""The tag that names an earlier image before the run: hosts follow it, so it moves last."""
VARIANT = """
[variants.{name}]
stream = "tiny"
layers = ["tiny"]
description = "Killed in session {session}"
"""


@dataclass
class Killed:
    """What a run left that was killed at every point, and what `publish` made of it."""

    programs: StoppingPrograms
    earlier: str
    """Digest that `latest` named before."""
    tags: dict = field(default_factory=dict)
    """After the kill: variant to {tag: digest}."""
    beside: dict = field(default_factory=dict)
    """After the kill: variant to the kinds that lie beside its digest."""
    again: dict = field(default_factory=dict)
    """What `publish` left of each variant."""
    violations: list = field(default_factory=list)
    looks: int = 0

    def digest(self, name: str) -> str:
        step, reference = self.programs.steps(name)[0]
        assert step == "push"
        return reference.rpartition("@")[2]


@pytest.fixture(scope="module")
def lab(tiny_lab):
    """Nothing here is about OpenZFS or NVIDIA."""
    return tiny_lab


@pytest.fixture(scope="module")
def registry(lab):
    return lab.registry()


@pytest.fixture(scope="module")
def config(lab, tmp_path_factory):
    """The lab's configuration with a variant for each point, none of which was ever built."""
    path = lab.config_with(tmp_path_factory.mktemp("configuration"))
    more = "".join(VARIANT.format(name=name, session=SESSION) for name in POINTS)
    path.write_text(path.read_text() + more)
    return path


@pytest.fixture(scope="module")
def earlier(lab, config, tmp_path_factory):
    """Let `latest` of every variant name an earlier image, published as any other is."""
    folder = tmp_path_factory.mktemp("earlier")
    context = context_for(config, folder / "workspace")
    digest = write_layout(folder / "layout", f"earlier than session {SESSION}")
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}
    sbom = write_sboms(folder / "sbom.json", document)
    with mock.patch.dict(os.environ, {name: lab.env[name] for name in NEEDED}):
        for name in POINTS:
            request = PublishRequest(
                epoch=0,
                variant=name, repository=context.repository_of(name), digest=digest,
                layout=folder / "layout", sbom=sbom, tags=(FOLLOWED,), rests_on={},
                **complete(context.repository_of(name), sbom),
            )  # fmt: skip
            publish_variant(publisher_of(context), request)
    return digest


@pytest.fixture(scope="module")
def killed(lab, config, earlier, registry, tmp_path_factory):
    """Run until every variant is at its point, and kill it there; then publish what it left."""
    folder = tmp_path_factory.mktemp("stopping")
    workspace = lab.room("killed")
    found = Killed(StoppingPrograms(folder, registry.programs, POINTS), earlier)
    # What stops at its point stays there until all have come to theirs.
    with Witness(registry, list(POINTS), interval=0.5) as witness:
        # A worker for each variant that waits at its point, and two for the rest.
        arguments = ("--config", config, "--workers", len(POINTS) + 2)
        env = {"PATH": found.programs.path}
        with (folder / "stderr").open("w") as stderr:
            process = start(lab, workspace, *POINTS, arguments=arguments, env=env, stderr=stderr)
            try:
                found.programs.wait_for_all(process, seconds=1800)
            finally:
                kill(process, workspace)
        for name in POINTS:
            found.tags[name] = registry.tags(name)
            digest = found.digest(name)
            found.beside[name] = [k for k in ("sig", "att") if registry.has_beside(name, digest, k)]
        done = lab.product("publish", "--config", config, "--format", "json", workspace=workspace)
    assert done.returncode == 0, done.stderr[-3000:]
    assert leftovers(workspace) == []
    for name in POINTS:
        document = workspace / "tonight/publish" / f"{name}.json"
        found.again[name] = json.loads(document.read_text())
    found.violations, found.looks = witness.violations, witness.looks
    return found


def test_each_variant_was_killed_where_it_should_be(killed):
    for name, end in ENDS.items():
        assert [step for step, _ in killed.programs.steps(name)] == WHOLE[:end], name


def test_what_the_kill_left_in_the_registry(killed, earlier):
    kinds = dict(zip(POINTS, [[], ["sig"], *[["sig", "att"]] * 7], strict=True))
    assert killed.beside == kinds
    for moved, name in zip((0, 0, 0, 0, 0, 1, 2, 3, TAGS), POINTS, strict=True):
        new, named = killed.digest(name), killed.tags[name]
        assert new != earlier
        assert list(named.values()).count(new) == moved, (name, named)
        assert named[FOLLOWED] == (new if moved == TAGS else earlier), (name, named)
        assert set(named.values()) <= {new, earlier}


def test_what_the_kill_left_can_be_published(killed, registry, config, tmp_path):
    context = context_for(config, tmp_path / "workspace")
    for name, publication in killed.again.items():
        digest = killed.digest(name)
        assert publication["digest"] == digest
        tags = registry.tags(name)
        assert len(publication["tags"]) == TAGS
        assert {tags[tag["name"]] for tag in publication["tags"]} == {digest}
        assert registry.objection(name, digest) is None
        verified = verifier_of(context).verify(context.repository_of(name), digest)
        assert len(verified.proof.sboms) == len(verified.complete.provenances) == 1, name
        assert verified.skipped == 0, name
        # After the last tag nothing is left to do.
        status = "unchanged" if POINTS[name] == "tag 4" else "published"
        assert publication["status"] == status, name


def test_no_tag_ever_named_what_does_not_verify(killed):
    assert killed.violations == []
    assert killed.looks > 10

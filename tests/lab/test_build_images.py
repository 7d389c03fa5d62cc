"""The built images of a real night, and buildah as we call it."""

import json
import os
import re

import pytest

from immutable_base.errors import CommandError, RemoteError
from immutable_base.image.program import mounted_image
from immutable_base.model.reference import Reference
from immutable_base.process import Command, run
from immutable_base.tools import buildah, skopeo
from support.contexts import context_for
from support.paths import ROOT
from support.questions import count_answers

pytestmark = pytest.mark.large
EPOCH = 1_700_000_000


@pytest.fixture(scope="module")
def context(lab, tmp_path_factory):
    config = lab.state / "immutable-base.toml"
    return context_for(config, tmp_path_factory.mktemp("workspace"), layers=ROOT / "layers")


@pytest.fixture(scope="module")
def base(context):
    """A real base image in our storage, by digest."""
    reference = context.settings.streams["centos-stream-10"].base
    trust = context.tls.environment
    pinned = Reference.parse(reference).pinned(skopeo.resolve(run, reference, trust).digest)
    buildah.pull(context.storage, pinned, trust)
    return pinned


@pytest.fixture
def request_for(context, base, tmp_path):
    def make(step: str, tag="localhost/immutable-base/test:built", **more):
        (tmp_path / "Containerfile").write_text(
            f"ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}}\nRUN {step}\n"
        )
        return buildah.BuildRequest(
            containerfile=tmp_path / "Containerfile", folder=tmp_path, tag=tag, epoch=EPOCH,
            log_file=tmp_path / "build.log", arguments={"BASE_IMAGE": base}, **more,
        )  # fmt: skip

    return make


def test_the_same_containerfile_gives_the_same_digest(context, request_for, tmp_path):
    digests = set()
    for name in ("one", "two"):
        buildah.build(
            context.storage,
            request_for(
                "date --utc > /usr/lib/when && rm /usr/lib/when && echo same > /usr/lib/same"
            ),
        )
        digests.add(
            buildah.write_layout(
                context.storage, "localhost/immutable-base/test:built", tmp_path / name
            )
        )
    assert len(digests) == 1


def test_a_step_has_no_network_and_its_failure_is_an_error(context, request_for, tmp_path):
    output = tmp_path / "output"
    output.mkdir()
    volume = buildah.Volume(source=output, target="/run/output", writable=True)
    # To a file: what a step prints may be cut off by buildah.
    step = "grep -c '^[a-z]' /proc/net/route >/run/output/routes; exit 7"
    with pytest.raises(CommandError, match=r"the build of .* failed"):
        buildah.build(context.storage, request_for(step, volumes=(volume,)))
    # The heading of the table begins with a capital.
    assert (output / "routes").read_text() == "0\n"


def test_a_mount_is_seen_during_a_step_and_leaves_no_trace(context, request_for, tmp_path):
    folder = tmp_path / "mount"
    folder.mkdir()
    (folder / "file").write_text("content\n")
    volume = buildah.Volume(source=folder, target="/run/immutable-base")
    step = "--mount=type=tmpfs,target=/run grep content /run/immutable-base/file && ! touch /run/immutable-base/x"
    image = buildah.build(context.storage, request_for(step, volumes=(volume,)))
    with buildah.mounted(context.storage, image) as root:
        assert not (root / "run" / "immutable-base").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["file"]


def test_what_is_left_of_an_earlier_run_is_removed_and_bases_stay(context, base, request_for):
    buildah.build(context.storage, request_for("true"))
    # As a killed run leaves it: a container that nobody removes.
    argv = buildah._buildah(context.storage, "from", "--pull-never", base)
    run(Command(argv=argv, timeout=60))
    buildah.clean(context.storage, keep=[base])
    assert [image.names for image in buildah.images(context.storage)] == [(base,)]
    with mounted_image(context.storage, base) as mounted:
        assert mounted.read("rpm", "--query", "kernel-core").startswith("kernel-core-")


def test_an_image_that_the_registry_does_not_have_is_named(context):
    pinned = f"{context.settings.registry.destination}/nothing@sha256:{'0' * 64}"
    with pytest.raises(RemoteError, match="nothing@sha256:000"):
        buildah.pull(context.storage, pinned, context.tls.environment)


@pytest.fixture
def facts(night):
    folder = night.workspace / "tonight" / "inspect"
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


@pytest.fixture
def plan(night):
    document = json.loads((night.workspace / "tonight" / "plan.json").read_text())
    return {variant["name"]: variant for variant in document["variants"]}


@pytest.mark.parametrize("name", ["base-zfs", "base-zfs-nvidia"])
def test_modules_are_compiled_for_the_planned_kernel_and_owned_by_packages(facts, plan, name):
    kernel = plan[name]["kernel"]["chosen"]
    found = {module["name"]: module for module in facts[name]["modules"]}
    wanted = {"spl", "zfs"}
    if name == "base-zfs-nvidia":
        wanted |= {"nvidia", "nvidia-drm", "nvidia-modeset", "nvidia-peermem", "nvidia-uvm"}
    assert found.keys() == wanted
    assert {module["vermagic"].split()[0] for module in found.values()} == {kernel}
    assert {module["owner"] for module in found.values()} <= {
        "kmod-zfs-prebuilt",
        "kmod-nvidia-open-prebuilt",
    }


def test_no_image_holds_a_compiler_or_a_second_kernel(facts, plan):
    tools = re.compile(
        r"gcc|make|dkms|kernel-devel|kernel-headers|zfs-dkms|kmod-nvidia-open-dkms|akmods"
    )
    for name, found in facts.items():
        assert [p["name"] for p in found["packages"] if tools.fullmatch(p["name"])] == []
        assert found["kernels"] == [plan[name]["kernel"]["chosen"]]


def test_a_module_is_compiled_once_for_all_variants_on_its_kernel(night, plan):
    documents = night.workspace.glob("tonight/modules/*/build.json")
    built = [json.loads(path.read_text()) for path in documents]
    pairs = [(module["name"], module["kernel"]) for module in built]
    wanted = {(m["name"], v["kernel"]["chosen"]) for v in plan.values() for m in v["modules"]}
    assert sorted(pairs) == sorted(wanted)


def test_no_scriptlet_of_a_dkms_package_ran_in_a_builder(night):
    """It would compile for the kernel of the build machine, and call it a success."""
    logs = list(night.workspace.glob("tonight/log/module_*.log"))
    assert len(logs) == 3
    for log in logs:
        text = log.read_text()
        assert "dkms build" in text or "Building module" in text, "nothing was compiled"
        assert not [x for x in text.splitlines() if "Running scriptlet:" in x and "-dkms" in x]


def test_no_answer_of_an_image_is_cut_off(context, base):
    """`make soak` asks 3,000 times; one answer in a thousand was cut off when buildah relayed them."""
    questions = int(os.environ.get("IMMUTABLE_BASE_SOAK_QUESTIONS", "300"))
    with mounted_image(context.storage, base) as mounted:
        found = count_answers(mounted, questions)
    assert len(found) == 1, f"numbers of lines, and how often: {found}"
    assert found.total() == questions

"""buildah as we call it, with a real base image."""

import os
import time

import pytest

from immutable_base.errors import CommandError, RemoteError
from immutable_base.image.program import mounted_image
from immutable_base.model.reference import Reference
from immutable_base.process import Command, run
from immutable_base.tools import buildah, skopeo
from support.contexts import context_for
from support.questions import count_answers

pytestmark = pytest.mark.apart

EPOCH = 1_700_000_000


@pytest.fixture(scope="module")
def context(tiny_lab, tmp_path_factory):
    """Nothing here is about OpenZFS or NVIDIA."""
    return context_for(tiny_lab.configuration, tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def base(context):
    """A real base image in our storage, by digest."""
    reference = context.settings.streams["tiny"].base
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
        time.sleep(1.1)  # The clock of files in an archive counts seconds.
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


def test_no_answer_of_an_image_is_cut_off(context, base):
    """`make soak` asks 3,000 times; one answer in a thousand was cut off when buildah relayed them."""
    questions = int(os.environ.get("IMMUTABLE_BASE_SOAK_QUESTIONS", "300"))
    with mounted_image(context.storage, base) as mounted:
        found = count_answers(mounted, questions)
    assert len(found) == 1, f"numbers of lines, and how often: {found}"
    assert found.total() == questions

"""`policy test` says of each way in which hosts can demand signatures what was seen, and no more."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from immutable_base.config.fleet import Fleet
from immutable_base.config.load import load_settings
from immutable_base.errors import VerificationError
from immutable_base.policy.demands import BY_CHOICE, NOT_DEMANDED
from immutable_base.run import host_policy
from immutable_base.run.host_policy import try_policy
from support.paths import PRODUCT
from support.sound_image import with_fleet, with_keys

SHIPPED = load_settings(PRODUCT)
FLEET = Fleet(lookaside="https://admission.example", key_paths=("host.pub",))
NAME, DIGEST = "base", "sha256:" + "1" * 64
REPOSITORY = "registry.example/os/base"


def signing(settings, **changes):
    return settings.model_copy(update={"signing": settings.signing.model_copy(update=changes)})


def without_admission(settings):
    variant = settings.variants[NAME].model_copy(update={"layers": ("base",)})
    return settings.model_copy(update={"variants": {**settings.variants, NAME: variant}})


@pytest.fixture
def tried(monkeypatch):
    """Return a function: what `policy test` says with these settings, and what a host was asked."""
    asked = []
    monkeypatch.setattr(host_policy, "open_host", lambda *_: nullcontext("host"))
    monkeypatch.setattr(
        host_policy, "Stages", lambda context: SimpleNamespace(local_image=lambda variant: "id")
    )
    monkeypatch.setattr(
        host_policy, "require_host_agrees", lambda *given, **how: asked.append((given, how))
    )

    def run(settings):
        documents = SimpleNamespace(
            variant=lambda name: name,
            read=lambda kind, variant: SimpleNamespace(digest=DIGEST),
            layout=lambda variant: Path("layout"),
        )
        context = SimpleNamespace(
            settings=settings, documents=documents, storage=None,
            tls=SimpleNamespace(environment={}), repository_of=lambda name: REPOSITORY,
        )  # fmt: skip
        return try_policy(context, NAME), asked

    return run


MODES = {
    "a key": (
        with_keys(SHIPPED), {"by_key": True, "by_fleet": False},
        "it takes itself by its key, and refuses an unsigned copy",
    ),
    "a key without the layer": (
        without_admission(with_keys(SHIPPED)), {"by_key": True, "by_fleet": False},
        "it takes itself by its key, and refuses an unsigned copy",
    ),
    "the layer admission": (
        SHIPPED, {"by_key": False, "by_fleet": False},
        "it takes itself once its own program has admitted it, not before, and refuses an unsigned copy",
    ),
    "a fleet": (
        with_fleet(SHIPPED, FLEET), {"by_key": False, "by_fleet": True},
        "it refuses an unsigned copy; whether the fleet's machine has admitted it was not asked",
    ),
    "a fleet without the layer": (
        without_admission(with_fleet(SHIPPED, FLEET)), {"by_key": False, "by_fleet": True},
        "it refuses an unsigned copy; whether the fleet's machine has admitted it was not asked",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "how", "said"), MODES.values(), ids=MODES)
def test_what_is_said_is_what_the_host_was_asked(tried, settings, how, said):
    assert tried(settings) == (said, [(("host", REPOSITORY, DIGEST), how)])


def test_a_host_that_can_check_nothing_is_not_asked_if_that_is_meant(tried):
    settings = signing(without_admission(SHIPPED), accept_everything=True)
    assert tried(settings) == (BY_CHOICE, [])


def test_a_host_that_can_check_nothing_is_a_failure_otherwise(tried):
    with pytest.raises(VerificationError, match="base would take an unsigned copy") as caught:
        tried(without_admission(SHIPPED))
    assert caught.value.details == NOT_DEMANDED

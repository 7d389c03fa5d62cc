"""Services that are not to be had are asked again for a while; what was refused is not."""

import pytest

from immutable_base.errors import (
    CommandError,
    NotSignedError,
    OtherSignerError,
    RemoteError,
    UnavailableError,
)
from immutable_base.model.publish import PublicationStatus
from immutable_base.publish.patience import Patience
from support.publish_fixtures import TAGS
from support.publish_world import DIGEST, OLD

DOWN = CommandError("`x` exited with status 1", details="503 Service Unavailable")


def failing(times, error, answer="done"):
    """Return an action that fails so many times, and how often it was asked."""
    asked = []

    def action():
        asked.append(len(asked))
        if len(asked) <= times:
            raise error
        return answer

    return action, asked


@pytest.mark.parametrize("error", [UnavailableError("down"), DOWN])
def test_it_is_asked_again_until_it_answers(error):
    action, asked = failing(3, error)
    patience = Patience(seconds=60, first_wait=0.0001)
    assert patience.ask(action) == "done"
    assert len(asked) == 4
    assert len(patience.waits) == 3


def test_each_wait_is_told_in_one_line_that_says_why(caplog):
    error = CommandError("`cosign sign` exited", details="Generating keys\n503 Service Unavailable")
    Patience(seconds=60, first_wait=0.0001).ask(failing(1, error)[0])
    assert caplog.messages == ["asked again in 0 s: 503 Service Unavailable"]


@pytest.fixture
def quick_attempts(monkeypatch):
    """No attempt takes any time, however slow this machine is: only waits do."""
    monkeypatch.setattr("immutable_base.publish.patience.time.monotonic", lambda: 0.0)


@pytest.mark.usefixtures("quick_attempts")
def test_waits_are_doubled_and_end_before_the_time_does():
    action, asked = failing(99, UnavailableError("down"))
    patience = Patience(seconds=0.1, first_wait=0.01)
    with pytest.raises(UnavailableError, match="down"):
        patience.ask(action)
    assert 3 <= len(asked) <= 5
    assert patience.waits == sorted(patience.waits)
    assert sum(patience.waits) <= 0.1


@pytest.mark.usefixtures("quick_attempts")
def test_the_time_is_that_of_the_whole_publication():
    patience = Patience(seconds=0.1, first_wait=0.03)
    for _ in range(2):
        with pytest.raises(UnavailableError):
            patience.ask(failing(99, UnavailableError("down"))[0])
    assert sum(patience.waits) <= 0.1


def test_a_service_that_hangs_is_not_asked_for_longer_than_one_that_refuses_at_once(monkeypatch):
    """cosign gives a transparency log that hangs three minutes; a token does not live for seven of them."""
    now = [0.0]
    monkeypatch.setattr("immutable_base.publish.patience.time.monotonic", lambda: now[0])
    patience, asked = Patience(seconds=60, first_wait=0.0001), []

    def hang():
        asked.append(now[0])
        now[0] += 25
        raise UnavailableError("deadline exceeded")

    with pytest.raises(UnavailableError):
        patience.ask(hang)
    assert asked == [0, 25, 50]
    with pytest.raises(UnavailableError):
        patience.ask(hang)
    assert len(asked) == 4, "what one step has lost is not there for the next"


@pytest.mark.parametrize(
    "error",
    [
        RemoteError("the registry answers 403"), NotSignedError("no"), OtherSignerError("no"),
        CommandError("x", details="unexpected status code 401 Unauthorized"),
        CommandError("x", details="x509: certificate signed by unknown authority"),
        CommandError("`cosign` did not end within 240 s"), ValueError("a bug"),
    ],
)  # fmt: skip
def test_a_refusal_is_final(error):
    action, asked = failing(99, error)
    with pytest.raises(type(error)):
        Patience(seconds=60, first_wait=0.0001).ask(action)
    assert len(asked) == 1


def test_who_is_being_interrupted_waits_for_nothing(monkeypatch):
    monkeypatch.setattr("immutable_base.publish.patience.is_interrupted", lambda: True)
    action, asked = failing(1, UnavailableError("down"))
    with pytest.raises(UnavailableError):
        Patience(seconds=60, first_wait=0.0001).ask(action)
    assert len(asked) == 1


def sometimes(world, step, says, times=2):
    """Let a step fail so many times."""
    real, left = getattr(world, step), [times]

    def fail(argv):
        if left[0]:
            left[0] -= 1
            raise CommandError("failed", details=says)
        return real(argv)

    setattr(world, step, fail)
    return left


@pytest.mark.parametrize("step", ["inspect", "push", "sign", "attest", "refer", "tag"])
@pytest.mark.parametrize("says", ["503 Service Unavailable", "connection reset by peer"])
@pytest.mark.usefixtures("patient")
def test_a_service_that_comes_back_makes_no_publication_fail(world, token, publish, step, says):
    world.yesterday("latest")
    left = sometimes(world, step, says)
    assert publish().status is PublicationStatus.PUBLISHED
    assert left == [0]
    assert world.tags == dict.fromkeys(TAGS, DIGEST)
    assert len(world.sboms()) == len(world.provenances()) == 1
    assert world.violations == []


@pytest.mark.parametrize("step", ["push", "sign", "attest", "refer", "tag"])
@pytest.mark.parametrize("says", ["401 Unauthorized", "denied: no write access", "x509: unknown"])
def test_what_is_refused_is_not_asked_again_and_no_tag_stays_moved(
    world, token, publish, step, says
):
    world.yesterday("latest")
    left = sometimes(world, step, says, times=5)
    with pytest.raises(RemoteError) as caught:
        publish()
    assert type(caught.value) is RemoteError
    assert left == [4], "asked once"
    assert world.tags["latest"] == OLD


@pytest.mark.usefixtures("patient")
def test_a_registry_that_does_not_let_itself_be_read_for_a_moment(world, token, publish):
    """Not a program: our own verification."""
    real, left = world.open_reader, [2]

    class Flaky:
        def __init__(self, reader):
            self.reader = reader

        def __getattr__(self, name):
            if name == "manifest" and world.writes() and left[0]:
                left[0] -= 1
                raise UnavailableError("nothing can be known: the registry answers 502")
            return getattr(self.reader, name)

    world.open_reader = lambda *where: Flaky(real(*where))
    assert publish(to=world).status is PublicationStatus.PUBLISHED
    assert left == [0]

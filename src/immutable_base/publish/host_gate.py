"""The two questions to a host on the image: before it is signed, and before its tags move."""

from __future__ import annotations

from collections.abc import Callable

from immutable_base.publish.as_host import (
    AskedHost,
    require_signed_taken,
    require_unsigned_refused,
)
from immutable_base.publish.patience import Patience
from immutable_base.publish.publisher import Publisher
from immutable_base.publish.request import PublishRequest, StepClock


def ask_for_unsigned_copy(request: PublishRequest, times: StepClock, patience: Patience) -> None:
    """Ask a host on an image that was pushed to take an unsigned copy; see `as_host`."""
    with times.step("ask as a host for an unsigned copy"):
        _ask(request, patience, lambda host: require_unsigned_refused(host, request.repository))


def ask_for_image(
    publisher: Publisher, request: PublishRequest, times: StepClock, patience: Patience
) -> None:
    """Ask a host on an image that was signed to take it; see `as_host`."""
    by_key, by_fleet = publisher.key is not None, publisher.by_fleet
    with times.step("ask as a host for the image"):
        _ask(
            request,
            patience,
            lambda host: require_signed_taken(
                host, request.pinned, by_key=by_key, by_fleet=by_fleet
            ),
        )


def _ask(
    request: PublishRequest, patience: Patience, question: Callable[[AskedHost], None]
) -> None:
    """Ask a new host each time: one that has admitted something is no longer as it was shipped."""
    if request.open_host is None:
        return
    opened = request.open_host

    def ask() -> None:
        with opened() as host:
            question(host)

    patience.ask(ask)

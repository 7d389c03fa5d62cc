"""The table [boot] of immutable-base.toml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from immutable_base.model.boot import BootPolicy
from immutable_base.model.document import Frozen


class BootSettings(Frozen):
    """How an image is started as a machine before it is published."""

    policy: BootPolicy = BootPolicy.REQUIRED
    """`required`: only an image that booted is published; `wanted`: one that cannot be booted on
    this host is published and reported as not boot-tested, one that does not come up is not; `off`:
    nothing is booted."""
    seconds: Annotated[int, Field(ge=10)] = 600
    """Time that a machine has from power on to power off."""
    memory_mib: Annotated[int, Field(ge=512)] = 2048
    """Memory of the machine, in MiB."""
    cores: Annotated[int, Field(ge=1)] = 2
    """Processors of the machine."""

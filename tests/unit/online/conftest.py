"""The small world of repositories and a base image, as `doctor --online` asks it."""

import pytest

from immutable_base.context import Context
from immutable_base.model.online import OnlineReport
from immutable_base.online.probe import probe
from immutable_base.online.services import Services
from immutable_base.process import Result
from support.forge import Instance
from support.plan_world import signer, world

__all__ = ["signer", "world"]


class Probed:
    """Change the world, then ask."""

    def __init__(self, world):
        self.world = world
        self.unsigned = ""
        """What rpmkeys says of packages; empty: they are signed."""

    def run(self, command):
        if command.argv[0] != "rpmkeys":
            return self.world.run(command)
        bad = self.unsigned and "--checksig" in command.argv
        return Result(status=int(bool(bad)), stdout=self.unsigned.encode(), stderr_tail="")

    def ask(self, *variants, write=True) -> OnlineReport:
        world = self.world
        if write:
            world.write()
        context = world.context()
        asked = Context(
            **{name: getattr(context, name) for name in ("settings", "config_path", "clock")},
            layers_folder=context.layers_folder, workspace=context.workspace, run=self.run,
        )  # fmt: skip
        services = Services(
            destination="127.0.0.1:1/x", authority=None,
            signing=asked.settings.signing.table(), roots=Instance().roots(),
        )  # fmt: skip
        with asked.open_plan_inputs() as inputs:
            return probe(inputs, services, variants or tuple(asked.settings.variants))

    def found(self, kind, name, *variants, write=True):
        (one,) = [
            item for item in self.ask(*variants, write=write).findings
            if (item.kind, item.name) == (kind, name)
        ]  # fmt: skip
        return one


@pytest.fixture
def online(world) -> Probed:
    return Probed(world)

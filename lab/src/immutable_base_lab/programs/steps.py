"""The programs that the lab builds before its services start, as nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from immutable_base.process import LineSink
from immutable_base.schedule import Node
from immutable_base_lab.core.nodes import make_node
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.programs import ostree
from immutable_base_lab.programs.go_build import GoBuilder
from immutable_base_lab.programs.go_pins import GO_PROGRAMS, GoProgram


def program_nodes(paths: LabPaths, names: Iterable[str]) -> Iterator[Node]:
    """Yield the steps that build those of the named programs that are missing."""
    wanted = set(names)
    builder = GoBuilder(tools=paths.tools)
    for program in GO_PROGRAMS:
        if program.name not in wanted or builder.is_built(program):
            continue
        yield make_node(
            f"download {program.name}",
            partial(_fetch, builder, program),
            lane="download",
            usual_seconds=program.usual_seconds / 3,
        )
        yield make_node(
            f"build {program.name}",
            partial(builder.build, program),
            lane="compile",
            needs=(f"download {program.name}",),
            usual_seconds=program.usual_seconds,
        )


def _fetch(builder: GoBuilder, program: GoProgram, _report: LineSink) -> None:
    builder.fetch(program)


def ostree_nodes(paths: LabPaths) -> Iterator[Node]:
    """Yield the step that builds bootc's container stack."""
    if not ostree.is_built(paths):
        yield make_node(
            f"build {ostree.PROGRAM}",
            partial(ostree.build, paths),
            lane="compile",
            usual_seconds=ostree.USUAL_SECONDS,
        )

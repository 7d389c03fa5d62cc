"""Everything that the lab makes before its services start, as one graph."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from immutable_base_lab.core.schedule import Node
from immutable_base_lab.programs import ostree
from immutable_base_lab.programs.go_build import GoBuilder
from immutable_base_lab.programs.go_pins import GO_PROGRAMS, GoProgram

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from immutable_base_lab.core.paths import LabPaths
    from immutable_base_lab.core.progress import Step


def program_nodes(paths: LabPaths, names: Iterable[str] = ()) -> Iterator[Node]:
    """Yield the steps that build the named programs, or all: downloads beside compiling."""
    wanted = set(names)
    builder = GoBuilder(tools=paths.tools)
    for program in GO_PROGRAMS:
        if (wanted and program.name not in wanted) or builder.is_built(program):
            continue
        yield Node(
            name=f"download {program.name}",
            work=partial(_fetch, builder, program),
            lane="download",
            usual_seconds=program.usual_seconds / 3,
        )
        yield Node(
            name=f"build {program.name}",
            work=partial(builder.build, program),
            lane="compile",
            needs=(f"download {program.name}",),
            usual_seconds=program.usual_seconds,
        )


def _fetch(builder: GoBuilder, program: GoProgram, _step: Step) -> None:
    builder.fetch(program)


def ostree_nodes(paths: LabPaths) -> Iterator[Node]:
    """Yield the step that builds bootc's container stack."""
    if not ostree.is_built(paths):
        yield Node(
            name=f"build {ostree.PROGRAM}",
            work=partial(ostree.build, paths),
            lane="compile",
            usual_seconds=ostree.USUAL_SECONDS,
        )


def missing(paths: LabPaths, programs: Iterable[str] = ()) -> list[Node]:
    """Return the steps for what is not made yet; only these programs, if any is named."""
    named = tuple(programs)
    if named:
        return list(program_nodes(paths, named))
    return [*ostree_nodes(paths), *program_nodes(paths)]

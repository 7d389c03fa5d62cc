"""The only room that starts programs."""

from immutable_base.process.command import ANY_STATUS, Command, LineSink, Result, Runner
from immutable_base.process.contained import NAMESPACES, is_contained, run_contained
from immutable_base.process.programs import (
    Programs,
    end_all,
    environment,
    heed_interrupts,
    is_interrupted,
    run,
)

__all__ = [
    "ANY_STATUS",
    "NAMESPACES",
    "Command",
    "LineSink",
    "Programs",
    "Result",
    "Runner",
    "end_all",
    "environment",
    "heed_interrupts",
    "is_contained",
    "is_interrupted",
    "run",
    "run_contained",
]

"""`immutable-base registry`: keep the registry small without losing what somebody needs."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from immutable_base.cli.make_context import make_context
from immutable_base.cli.options import (
    add_context_arguments,
    add_output_arguments,
    add_variant_argument,
    write_result,
)
from immutable_base.config.names import selected_variants
from immutable_base.context import Context
from immutable_base.errors import ConfigurationError
from immutable_base.model.prune import PrunePlan
from immutable_base.model.reference import REPOSITORY
from immutable_base.process import heed_interrupts, is_interrupted
from immutable_base.prune.decide import Rules
from immutable_base.prune.load import load_prune_plan
from immutable_base.prune.prune import Pruner, Request, require_same
from immutable_base.prune.repository import PrunableRepository
from immutable_base.report.prune import prune_plan_text, prune_report_text
from immutable_base.run.verifier import verifier_of
from immutable_base.verification.client import Client
from immutable_base.verification.complete.referrers import ReferrersRegistry
from immutable_base.verification.deadline import Deadline
from immutable_base.verification.tls_trust import TlsTrust

NIGHTS, DAYS, SECONDS = 14, 30, 1800
READ, WRITE = "pull", "pull,push,delete"
"""What a registry's token is asked for; `push` only to put back what it should not have deleted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    summary = "list what may go from the registry, and why everything else stays; or delete it"
    prune = actions.add_parser("prune", help=summary, description=summary)
    what = prune.add_mutually_exclusive_group()
    what.add_argument("--plan", action="store_true", help="list it, delete nothing (the default)")
    what.add_argument("--yes", action="store_true", help="delete exactly what the plan lists")
    prune.add_argument(
        "--from",
        dest="given",
        metavar="PLAN.json",
        type=Path,
        help="with --yes: delete what this plan lists (a document of --format json), unless the "
        "registry has changed since",
    )
    prune.add_argument(
        "--nights",
        type=_number(1, 10000),
        metavar="N",
        help=f"newest days in tags that stay (default: {NIGHTS})",
    )
    prune.add_argument(
        "--days",
        type=_number(0, 36500),
        metavar="N",
        help=f"how long hosts may want to roll back (default: {DAYS})",
    )
    prune.add_argument(
        "--instances",
        action="append",
        default=[],
        type=_repository,
        metavar="REPOSITORY",
        help="what the images in this repository are built on stays; may be repeated",
    )
    prune.add_argument(
        "--timeout",
        type=_number(1, 86400),
        default=SECONDS,
        metavar="SECONDS",
        help=f"time for the registry to answer everything (default: {SECONDS})",
    )
    add_variant_argument(prune)
    add_context_arguments(prune)
    add_output_arguments(prune)


def _number(least: int, most: int) -> Callable[[str], int]:
    """Return the reader of a whole number between two others."""

    def read(text: str) -> int:
        if re.fullmatch("[0-9]{1,9}", text) is None or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least} to {most}"
            )
        return int(text)

    return read


def _repository(text: str) -> str:
    if REPOSITORY.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not host[:port]/path, without a tag")
    return text


def run(namespace: argparse.Namespace) -> int:
    """List what may go, or delete it; the result holds the plan in either case."""
    given = _given(namespace)
    heed_interrupts()
    context = make_context(namespace)
    request = _request(namespace, context, given)
    with ExitStack() as stack:
        pruner = Pruner(
            open_repository=_opener(namespace, context, stack), verifier=verifier_of(context)
        )
        plan = pruner.plan(request)
        if not namespace.yes:
            words, document = prune_plan_text(plan), plan.to_json()
        else:
            if given is not None:
                require_same(given, plan)
            report = pruner.carry_out(plan, context.settings.publish.tags)
            words = prune_plan_text(plan) + "\n" + prune_report_text(report)
            document = report.to_json()
    write_result(document if namespace.format == "json" else words, namespace.output)
    return 0


def _opener(
    namespace: argparse.Namespace, context: Context, stack: ExitStack
) -> Callable[[str], PrunableRepository]:
    """Return what opens repositories, each once; they are closed with `stack`."""
    deadline = Deadline(seconds=namespace.timeout, interrupted=is_interrupted)
    tls = TlsTrust(context.tls.authority)

    @cache
    def open_repository(name: str) -> PrunableRepository:
        reader = ReferrersRegistry(
            client=Client(deadline=deadline, tls=tls),
            repository=name,
            environment=os.environ,
            actions=WRITE if namespace.yes else READ,
        )
        stack.callback(reader.close)
        return PrunableRepository(reader=reader)

    return open_repository


def _given(namespace: argparse.Namespace) -> PrunePlan | None:
    """Return the plan that is to be carried out, None if it is to be made."""
    if namespace.given is None:
        return None
    if not namespace.yes:
        raise ConfigurationError("--from is for --yes", hint="without it nothing is deleted")
    decided = ("nights", "days", "instances", "variant")
    if any(getattr(namespace, name) not in (None, []) for name in decided):
        raise ConfigurationError(
            "--from excludes --nights, --days, --instances and --variant",
            hint="the plan says all of these",
        )
    return load_prune_plan(namespace.given)


def _request(namespace: argparse.Namespace, context: Context, given: PrunePlan | None) -> Request:
    settings = context.settings
    published = tuple(map(settings.repository_of, settings.variants))
    # Where variants are published is never a repository of candidates.
    candidates = "" if settings.candidates in published else settings.candidates
    today = datetime.fromtimestamp(context.clock(), UTC).date()
    if given is None:
        names = selected_variants(settings, namespace.variant)
        repositories = tuple(map(settings.repository_of, names))
        repositories += (candidates,) if candidates and not namespace.variant else ()
        nights = NIGHTS if namespace.nights is None else namespace.nights
        days = DAYS if namespace.days is None else namespace.days
        instances = tuple(dict.fromkeys(namespace.instances))
    else:
        repositories = tuple(item.repository for item in given.repositories)
        nights, days, instances = given.nights, given.days, given.instances
        today = _day(given, today)
        foreign = sorted(set(repositories) - {*published, candidates})
        if foreign:
            raise ConfigurationError(f"the plan is for repositories that are not ours: {foreign}")
    rules = Rules(templates=settings.publish.tags, today=today, nights=nights, days=days)
    return Request(
        repositories=repositories,
        published=published,
        instances=instances,
        rules=rules,
        candidates=candidates,
    )


def _day(given: PrunePlan, today: date) -> date:
    """Return the day of a plan; one that is yet to come would let too much go."""
    try:
        day = date.fromisoformat(given.as_of)
    except ValueError as error:
        raise ConfigurationError(f"the plan's as_of is no day: {given.as_of}") from error
    if day > today:
        raise ConfigurationError(f"the plan is of {given.as_of}, which is yet to come")
    return day

"""`immutable-base doctor`: what a run needs of this host, and of everything remote."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence

from immutable_base import process
from immutable_base.cli.contained import must_be_contained, run_again_contained
from immutable_base.cli.make_context import make_context
from immutable_base.cli.options import (
    NARROWEST,
    add_context_arguments,
    add_output_arguments,
    add_variant_argument,
    wants_colour,
    write_result,
)
from immutable_base.config.load import load_settings
from immutable_base.config.names import selected_variants
from immutable_base.config.schema import Settings
from immutable_base.doctor import Requirement, examine, missing_to_ask
from immutable_base.errors import ConfigurationError, HostError
from immutable_base.model.boot import BootPolicy
from immutable_base.model.online import OnlineReport
from immutable_base.model.runner import RunnerReport
from immutable_base.report.doctor import requirements_document, requirements_text
from immutable_base.report.runner import runner_text
from immutable_base.secure_boot import examine_secure_boot


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_context_arguments(parser)
    parser.add_argument(
        "--online",
        action="store_true",
        help="also ask every remote address of the configuration what a night would ask it: "
        "keys, base images, repositories, registry, Sigstore; nothing is built",
    )
    parser.add_argument(
        "--ci",
        action="store_true",
        help="also try what a GitLab job needs: volume, variables, identity token, the registry's "
        "login, clock, GitLab's cleanup policy; in well under a minute",
    )
    parser.add_argument(
        "--secure-boot",
        action="store_true",
        help="on a host of these images: only whether it takes their modules, that is whether "
        "Secure Boot is on and the certificate of the modules is enrolled; needs no configuration",
    )
    add_variant_argument(parser)
    add_output_arguments(parser)


def run(namespace: argparse.Namespace) -> int:
    """Report each thing that a run needs, and end with the worst exit code of what is wrong.

    That is 0 if all are there, or held as in a plan.
    """
    if namespace.variant and not namespace.online:
        raise ConfigurationError(
            "--variant is for --online", hint="a host is ready for every variant, or for none"
        )
    if namespace.secure_boot:
        return _secure_boot(namespace)
    settings = load_settings(namespace.config.resolve())
    names = selected_variants(settings, namespace.variant)
    requirements = examine(
        process.run,
        namespace.workspace.resolve(),
        settings.minimum_free_gib,
        boots=settings.boot.policy is BootPolicy.REQUIRED,
    )
    able = not missing_to_ask(requirements)
    # Not all of it: that this host has no namespaces is one of the answers.
    if namespace.online and able and must_be_contained():
        return run_again_contained(namespace.arguments)
    runner = _runner(namespace, settings) if namespace.ci else None
    online = _online(namespace, names) if namespace.online and able else None
    write_result(_result(namespace, requirements, online, runner), namespace.output)
    ready = all(requirement.ok for requirement in requirements)
    codes = (report.exit_code for report in (online, runner) if report)
    return max((0 if ready else HostError.exit_code, *codes))


def _secure_boot(namespace: argparse.Namespace) -> int:
    if namespace.online or namespace.ci:
        raise ConfigurationError(
            "--secure-boot excludes --online and --ci",
            hint="it asks a host of these images; they ask a machine that builds them",
        )
    requirements = examine_secure_boot(process.run)
    if namespace.format == "json":
        text = json.dumps(requirements_document(requirements), indent=2) + "\n"
    else:
        text = requirements_text(requirements)
    write_result(text, namespace.output)
    return 0 if all(requirement.ok for requirement in requirements) else HostError.exit_code


def _runner(namespace: argparse.Namespace, settings: Settings) -> RunnerReport:
    from immutable_base.runner.examine import RunnerExamination  # noqa: PLC0415  only --ci needs it

    examination = RunnerExamination(
        settings=settings,
        folder=namespace.config.resolve().parent,
        workspace=namespace.workspace.resolve(),
    )
    return examination.report()


def _online(namespace: argparse.Namespace, names: Sequence[str]) -> OnlineReport:
    # Only this option needs them, and they need a while.
    from immutable_base.online.probe import probe  # noqa: PLC0415  see above
    from immutable_base.online.services import Services  # noqa: PLC0415  see above
    from immutable_base.run.publisher import publisher_of  # noqa: PLC0415  see above

    process.heed_interrupts()
    context = make_context(namespace)
    signing = context.settings.signing.table()
    services = Services(
        destination=context.settings.registry.destination,
        authority=context.tls.authority,
        signing=signing,
        # The publisher's: a key that cannot be read is told here, not when an image is signed.
        roots=publisher_of(context).verifier.roots,
    )
    with context.open_plan_inputs() as inputs:
        return probe(inputs, services, names)


def _result(
    namespace: argparse.Namespace,
    requirements: Sequence[Requirement],
    online: OnlineReport | None,
    runner: RunnerReport | None,
) -> str:
    if namespace.format == "json":
        document = requirements_document(requirements)
        if namespace.online:
            document["online"] = online.model_dump(mode="json") if online else None
        if runner is not None:
            document["ci"] = runner.model_dump(mode="json")
        return json.dumps(document, indent=2) + "\n"
    text = requirements_text(requirements)
    if runner is not None:
        text += runner_text(runner)
    if not namespace.online:
        return text
    if online is None:
        needed = ", ".join(missing_to_ask(requirements))
        return f"{text}\nonline: nothing was asked; that needs {needed}\n"
    from immutable_base.report.online import online_text  # noqa: PLC0415  only it needs rich

    width = max(shutil.get_terminal_size().columns, NARROWEST)
    return f"{text}\n{online_text(online, width=width, colour=wants_colour(namespace.output))}"

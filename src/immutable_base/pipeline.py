"""ci/variants.yml: the jobs of the nightly pipeline, as the configuration has modules and variants.

GitLab decides which jobs a pipeline has before any of them runs. A plan could make the jobs of a
child pipeline, but GitLab leaves the claim that names the pipeline out of a child's tokens, and it
cannot sign. So there is a job for whatever a plan may want; one without work tonight ends at once,
and says so. Source: https://docs.gitlab.com/ci/secrets/id_token_authentication/, "Token payload".
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from immutable_base.config.schema import Settings
from immutable_base.errors import ConfigurationError
from immutable_base.sign import AUDIENCE, TOKEN_VARIABLE

PLACE = "ci/variants.yml"
"""Where the pipeline includes it from."""
HEAD = """\
# Made by `immutable-base ci` from immutable-base.toml; do not edit.
# What each kind of job does is in .gitlab-ci.yml.
"""
STAGES = ("build", "inspect", "check", "sbom", "boot", "publish")
READS = {
    "build": (),
    "inspect": ("build",),
    "check": ("build", "inspect"),
    "sbom": ("build", "inspect"),
    "boot": ("build", "inspect"),
    "publish": ("build", "inspect", "check", "sbom", "boot"),
}
"""Jobs of the same variant whose documents a job reads, beside the plan and the modules."""
MOST_NEEDS = 50
"""Jobs that one job may need. Source: https://docs.gitlab.com/ci/yaml/, "needs": the limit of
GitLab.com, and of a self-managed server unless its administrator says otherwise."""


def pipeline_jobs(settings: Settings) -> str:
    """Return the text of ci/variants.yml: YAML with double-quoted names.

    Raises ConfigurationError if a job would need more others than GitLab allows.
    """
    jobs = [HEAD]
    for name in settings.variants:
        jobs += [_compile_job(module, name) for module in _modules(settings, name)]
        modules = tuple(_shared_jobs(settings, name))
        jobs += [_stage_job(stage, name, modules) for stage in STAGES]
    return "\n".join(jobs)


def _modules(settings: Settings, variant: str) -> tuple[str, ...]:
    layers = (settings.layers[layer] for layer in settings.variants[variant].layers)
    return tuple(layer.module for layer in layers if layer.module)


def _shared_jobs(settings: Settings, variant: str) -> Iterable[str]:
    """Yield the jobs that may compile this variant's modules.

    It may be on the kernel of an earlier variant of its stream, whose job then does it for both.
    """
    stream = settings.variants[variant].stream
    for module in _modules(settings, variant):
        for earlier in settings.variants:
            if settings.variants[earlier].stream == stream and module in _modules(
                settings, earlier
            ):
                yield _compile_name(module, earlier)
            if earlier == variant:
                break


def _compile_name(module: str, variant: str) -> str:
    return f"{module} for {variant}"


def _compile_job(module: str, variant: str) -> str:
    return (
        f'"{_compile_name(module, variant)}":\n'
        "  extends: .compile\n"
        f'  variables: {{MODULE: "{module}", VARIANT: "{variant}"}}\n'
    )


def _stage_job(stage: str, variant: str, modules: tuple[str, ...]) -> str:
    needs = ("plan", *modules, *(f"{other} {variant}" for other in READS[stage]))
    if len(needs) > MOST_NEEDS:
        raise ConfigurationError(
            f"GitLab would refuse the pipeline: the job '{stage} {variant}' needs {len(needs)} "
            f"others, and may need {MOST_NEEDS}",
            details=f"{len(modules)} of them may compile its modules: one for each of its modules "
            "in each variant of its stream up to it",
            hint=f"name {variant} before other variants with its modules, or build some of them in "
            "a project of their own",
        )
    job = (
        f'"{stage} {variant}":\n'
        f"  extends: .{stage}\n"
        f'  variables: {{VARIANT: "{variant}"}}\n'
        f"  needs: {json.dumps(needs)}\n"
    )
    if stage == "publish":
        job += f"  id_tokens: {{{TOKEN_VARIABLE}: {{aud: {AUDIENCE}}}}}\n"
    return job

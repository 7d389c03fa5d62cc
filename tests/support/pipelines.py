"""GitLab pipelines as a lint of our own reads them: what GitLab's schema does not know."""

import shlex
from functools import cache
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML

from immutable_base.cli.main import all_commands, build_parser
from immutable_base.errors import ConfigurationError

KEYWORDS = {"include", "stages", "workflow", "variables", "default", "spec"}
"""What is no job at the top of a pipeline."""
NOT_OURS = {"code"}
"""Jobs that may run other programs: the tests of the code."""
PROTECTED = ("$CI_COMMIT_REF_PROTECTED", "$CI_DEFAULT_BRANCH")


def read_yaml(text):
    """Return the documents of a pipeline; `!reference` becomes a list of its words."""
    reader = YAML(typ="safe")
    reader.constructor.add_constructor(
        "!reference", lambda loader, node: tuple(loader.construct_sequence(node))
    )
    return list(reader.load_all(StringIO(text)))


@cache
def documents_of(path: Path):
    """Return the documents of a file that is tracked; nobody may change them."""
    return read_yaml(path.read_text())


def read_jobs(*paths: Path):
    """Return every job of some files with what it extends laid under it, hidden ones left out."""
    found = {}
    for path in paths:
        for document in documents_of(path):
            found |= {name: job for name, job in document.items() if name not in KEYWORDS}
    return {name: _whole(found, name) for name in found if not name.startswith(".")}


def _whole(jobs, name):
    job = jobs[name]
    if "extends" not in job:
        return dict(job)
    below = _whole(jobs, job["extends"])
    both = {**below, **job}
    for key in ("variables", "artifacts"):
        if key in below and key in job:
            both[key] = {**below[key], **job[key]}
    return both


def started_jobs(*paths: Path, **variables: str):
    """Return the names of the jobs that GitLab starts in a pipeline with these variables.

    Source: GitLab, "Specify when jobs run with rules": the first rule that holds decides.
    """
    documents = [it for path in paths for it in documents_of(path)]
    (workflow,) = (it["workflow"] for it in documents if "workflow" in it)
    if _when(workflow["rules"], variables) == "never":
        return set()
    every = [{"when": "on_success"}]
    jobs = read_jobs(*paths).items()
    return {name for name, it in jobs if _when(it.get("rules", every), variables) != "never"}


def _when(rules, variables):
    for rule in rules:
        if "if" not in rule or _holds(rule["if"], variables):
            return rule.get("when", "on_success")
    return "never"


def _holds(expression, variables):
    return any(
        all(_is_so(term.strip(), variables) for term in part.split("&&"))
        for part in expression.split("||")
    )


def _is_so(term, variables):
    for sign in ("==", "!="):
        if sign in term:
            left, right = (_value(word.strip(), variables) for word in term.split(sign))
            return (left == right) is (sign == "==")
    return bool(_value(term, variables))


def _value(word, variables):
    return variables.get(word[1:], "") if word.startswith("$") else word.strip('"')


def complaints(jobs):
    """Return what is wrong with each job, as sentences."""
    found = []
    for name, job in jobs.items():
        found += [f"{name}: {text}" for text in _complaints(name, job, jobs)]
    return found


def _complaints(name, job, jobs):
    if "timeout" not in job:
        yield "it has no timeout"
    if "expire_in" not in job.get("artifacts", {"expire_in": ""}):
        yield "its artifacts stay for ever"
    manual = any(rule.get("when") == "manual" for rule in job.get("rules", ()))
    if job.get("allow_failure") is True and not manual:
        yield "whatever happens, it is not red"
    needs = [need if isinstance(need, str) else need["job"] for need in job.get("needs") or ()]
    yield from (f"it needs {need}, which is no job" for need in needs if need not in jobs)
    if "id_tokens" in job:
        yield from _about_signing(job)
    if name not in NOT_OURS:
        yield from _about_script(job.get("script") or [])


def _about_signing(job):
    allowing = [rule for rule in job.get("rules", ()) if rule.get("when") != "never"]
    if not allowing or any(
        word not in str(rule.get("if")) for rule in allowing for word in PROTECTED
    ):
        yield "it has an identity where the ref may not be the protected default branch"
    if job.get("interruptible") is not False or "resource_group" not in job:
        yield "a second pipeline may run into it"


def _about_script(script):
    lines = [script] if isinstance(script, str) else script
    if len(lines) != 1:
        yield f"its script has {len(lines)} commands, not one"
    for line in lines:
        words = shlex.split(line)
        if words[0] != "immutable-base":
            yield f"`{line}` is none of our commands"
            continue
        try:
            build_parser(all_commands(), [words[1]]).parse_args(words[1:])
        except ConfigurationError as error:
            yield f"`{line}`: {error.message}"

"""Write what is generated (reference documents, schemas), or check that it is up to date.

scripts/generate.py           write
scripts/generate.py --check   fail if a file differs
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.update(COLUMNS="100", XDG_STATE_HOME="$XDG_STATE_HOME")
for name in ("IMMUTABLE_BASE_CONFIG", "IMMUTABLE_BASE_WORKSPACE"):
    os.environ.pop(name, None)

from pydantic import BaseModel

from immutable_base.model.document import Frozen

# Descriptions of keys are the docstrings below them. To read those takes longer than many a command
# does altogether, so it is done here only.
Frozen.model_config["use_attribute_docstrings"] = True

from immutable_base import api, errors
from immutable_base.cli.main import all_commands, build_parser
from immutable_base.config.instance import InstanceSettings
from immutable_base.config.schema import Settings
from immutable_base.model.build import ImageBuild, ImageLayout, ModuleBuild
from immutable_base.model.check import CheckReport
from immutable_base.model.facts import ImageFacts
from immutable_base.model.instance import (
    InstanceBuild,
    InstanceDecision,
    InstanceFacts,
    InstanceReport,
    InstanceResult,
)
from immutable_base.model.online import OnlineReport
from immutable_base.model.plan import Plan
from immutable_base.model.plan_diff import PlanDiff
from immutable_base.model.prune import PrunePlan, PruneReport
from immutable_base.model.publish import Publication
from immutable_base.model.run import RunReport
from immutable_base.model.runner import RunnerReport
from immutable_base.model.sbom import SbomRecord
from immutable_base.model.stage import Failure, StageReport
from immutable_base.model.verify import VerificationReport

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support import host_verdicts

EXAMPLES = ROOT / "docs" / "reference" / "examples"
RECORDED = (
    "\nAs it was in the lab's tiny scenario (standard output; `scripts/record_examples.py`):\n\n"
)
MADE = "<!-- Made by scripts/generate.py; do not edit. -->\n\n"


def commands() -> str:
    """Return the reference of the command line, from its parser."""
    known = all_commands()
    parser = build_parser(known, known)
    parts = ["# Command line\n\n", MADE, "```text\n", parser.format_help(), "```\n"]
    table = next(a for a in parser._actions if a.dest == "command").choices  # noqa: SLF001  argparse shows them nowhere else
    for name, command in table.items():
        parts += [f"\n## {name}\n\n```text\n", command.format_help(), "```\n"]
        for words, text in nested_actions(command):
            parts += [f"\n### {name} {words}\n\n```text\n", text, "```\n"]
        example = EXAMPLES / f"{name}.txt"
        if example.is_file():
            parts += [RECORDED, "```text\n", example.read_text(), "```\n"]
    return "".join(parts)


def nested_actions(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Yield the words and the help of each action of a command, and of each action of those."""
    for action in parser._actions:  # noqa: SLF001  argparse shows them nowhere else
        if not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  as above
            continue
        # An action without a summary is not for people: `--help` does not list it either.
        for shown in action._choices_actions:  # noqa: SLF001  as above
            nested = action.choices[shown.dest]
            yield shown.dest, nested.format_help()
            yield from ((f"{shown.dest} {words}", text) for words, text in nested_actions(nested))


def configuration_schema() -> dict:
    """Return the JSON Schema of immutable-base.toml, as strict about names as the product."""
    schema = Settings.model_json_schema()
    for value in schema["properties"].values():
        if "patternProperties" in value:
            value["additionalProperties"] = False
    return schema


def inlined(schema: dict) -> dict:
    """Return a schema in which definitions that are no tables, such as words, stand in place."""
    defined = schema["$defs"]

    def whole(value: dict) -> dict:
        inner = defined.get(str(value.get("$ref")).rpartition("/")[2], {"properties": {}})
        if "properties" in inner:
            return value
        return {**inner, **{key: it for key, it in value.items() if key != "$ref"}}

    def table(found: dict) -> dict:
        properties = {key: whole(value) for key, value in found.get("properties", {}).items()}
        return {**found, "properties": properties} if properties else found

    return {**table(schema), "$defs": {key: table(value) for key, value in defined.items()}}


def configuration(file: str, name: str, schema: dict) -> str:
    """Return the reference of a configuration, from its schema: one section for each table."""
    schema = inlined(schema)
    parts = [
        f"# {file}\n\n",
        MADE,
        f"For editors and validators: [its JSON Schema](../../schema/{name}.schema.json).\n\n",
        section("Top level", schema, schema["description"]),
    ]
    parts += sections(schema, schema, set(map(table_name, schema["properties"].values())))
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def sections(schema: dict, table: dict, known: set[str | None], above: str = "") -> Iterator[str]:
    """Yield the section of each table in a table, then of those in it that no other section has."""
    for key, value in table["properties"].items():
        name = table_name(value)
        inner = schema["$defs"].get(name, {})
        if "properties" not in inner or (above and name in known):
            continue
        known.add(name)
        title = heading(f"{above}{key}", value)
        yield section(f"`[{title}]`", inner, inner["description"], f"{title}.")
        yield from sections(schema, inner, known, f"{title}.")


def section(title: str, table: dict, description: str, above: str = "") -> str:
    """Return the section about one table of the file; `above` begins the names of tables in it."""
    required = set(table.get("required", ()))
    rows = [
        f"| `{key}` | {type_text(f'{above}{key}', value)} "
        f"| {'required' if key in required else default_text(value)} "
        f"| {' '.join(value.get('description', '').split())} |"
        for key, value in table["properties"].items()
    ]
    head = "| key | type | default | meaning |\n|---|---|---|---|\n"
    return f"## {title}\n\n{description}\n\n{head}" + "\n".join(rows)


def default_text(value: dict) -> str:
    """Return a property's default as TOML writes it."""
    default = value.get("default")
    return "not set" if default is None else f"`{json.dumps(default)}`"


def table_name(value: dict) -> str | None:
    """Return the definition of a property that is a table, or a table of tables; else None."""
    patterns = [
        *value.get("patternProperties", {}).values(),
        value.get("additionalProperties"),
        *value.get("anyOf", ()),
    ]
    for candidate in (value, *patterns):
        if isinstance(candidate, dict) and "$ref" in candidate:
            return str(candidate["$ref"]).rpartition("/")[2]
    return None


def heading(key: str, value: dict) -> str:
    """Return a table as TOML names it: `kernel`, or `variants.NAME` for a table of tables."""
    return key if "$ref" in value or "anyOf" in value else f"{key}.NAME"


def type_text(key: str, value: dict) -> str:
    """Return a property's type as a person says it."""
    if table_name(value):
        single = "$ref" in value or "anyOf" in value
        return f"{'table' if single else 'tables'} `[{heading(key, value)}]`"
    if "anyOf" in value:
        return " or ".join(
            type_text(key, item) for item in value["anyOf"] if item != {"type": "null"}
        )
    if value.get("type") == "array":
        return f"list of {type_text(key, value['items'])}s"
    choices = value.get("enum") or [value[word] for word in ("const",) if word in value]
    return " or ".join(f"`{json.dumps(item)}`" for item in choices) or value["type"]


EXIT_CODES = f"""# Exit codes

{MADE}`plan` and `run` end with the highest code of their variants; a held variant counts as 0.

| code | error | meaning |
|--:|---|---|
"""


def exit_codes() -> str:
    """Return the reference of exit codes, from the classes of errors."""
    rows = [
        (0, "", "Done."),
        (errors.EXIT_BUG, "", "A bug in immutable-base; please report it."),
        (errors.EXIT_HELD, "", "With `--exit-held`: nothing failed, and a variant is held."),
        (
            errors.EXIT_INTERRUPTED,
            "",
            "Interrupted by SIGINT or SIGTERM, or nobody reads the output.",
        ),
    ]
    rows += [
        (error.exit_code, f"`{name}`", (error.__doc__ or "").splitlines()[0])
        for name, error in vars(errors).items()
        if isinstance(error, type)
        and issubclass(error, errors.ImmutableBaseError)
        and error is not errors.ImmutableBaseError
    ]
    lines = (f"| {code} | {name} | {meaning} |\n" for code, name, meaning in sorted(rows))
    return EXIT_CODES + "".join(lines)


PYTHON_API = f"""# Python API

{MADE}"""
CLASSES = """## Classes

Documents are frozen pydantic models: `to_json()` gives the text that commands write,
`model_validate_json(text)` reads it. Their fields are in `schema/`.

"""
EXAMPLE = "examples/what_changes.py"


def python_api() -> str:
    """Return the reference of the library, from `immutable_base.api` and the example."""
    parts = [
        PYTHON_API,
        inspect.getdoc(api) or "",
        "\n\n```python\nfrom immutable_base import api\n```\n",
    ]
    documents = []
    for name in api.__all__:
        item = getattr(api, name)
        if isinstance(item, type):
            documents.append(f"| `api.{name}` | {(item.__doc__ or '').splitlines()[0]} |\n")
        else:
            signature = str(inspect.signature(item)).replace("'", "")
            text = inspect.getdoc(item)
            parts.append(f"\n## {name}\n\n```python\napi.{name}{signature}\n```\n\n{text}\n")
    parts += ["\n", CLASSES, "| class | meaning |\n|---|---|\n", *documents]
    code = (ROOT / EXAMPLE).read_text()
    parts += [f"\n## Example\n\n`{EXAMPLE}`:\n\n", f"```python\n{code}```\n"]
    return "".join(parts)


HOST_VERDICTS = f"""# What hosts say of the verifier's corpus

{MADE}"""


def schemas() -> dict[str, dict]:
    """Return the JSON Schema of every document, by its name."""
    documents: dict[str, type[BaseModel]] = {
        "plan": Plan,
        "plan-diff": PlanDiff,
        "prune-plan": PrunePlan,
        "prune-report": PruneReport,
        "module": ModuleBuild,
        "build": ImageBuild,
        "layout": ImageLayout,
        "inspect": ImageFacts,
        "check": CheckReport,
        "sbom": SbomRecord,
        "publish": Publication,
        "failed": Failure,
        "stage": StageReport,
        "run": RunReport,
        "verify": VerificationReport,
        "online": OnlineReport,
        "instance-config": InstanceSettings,
        "instance-decision": InstanceDecision,
        "instance-build": InstanceBuild,
        "instance-inspect": InstanceFacts,
        "instance-result": InstanceResult,
        "instance-report": InstanceReport,
        "runner": RunnerReport,
    }
    found = {name: model.model_json_schema() for name, model in documents.items()}
    return {"config": configuration_schema(), **found}


def generated() -> dict[Path, str]:
    """Return every generated file and its text."""
    reference = ROOT / "docs" / "reference"
    texts = {
        ROOT / "schema" / f"{name}.schema.json": json.dumps(schema, indent=2) + "\n"
        for name, schema in schemas().items()
    }
    return {
        reference / "commands.md": commands(),
        reference / "configuration.md": configuration(
            "immutable-base.toml", "config", configuration_schema()
        ),
        reference / "instance-configuration.md": configuration(
            "immutable-base-instance.toml",
            "instance-config",
            InstanceSettings.model_json_schema(),
        ),
        reference / "exit-codes.md": exit_codes(),
        reference / "python-api.md": python_api(),
        reference / "host-verdicts.md": HOST_VERDICTS + host_verdicts.document(),
        **texts,
    }


def main() -> int:
    """Write, or check."""
    stale = []
    for path, text in generated().items():
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif not path.is_file() or path.read_text() != text:
            stale.append(str(path.relative_to(ROOT)))
    if stale:
        print(f"not up to date: {', '.join(stale)}; run `make generate`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())

"""Write what is generated (reference documents, schemas), or check that it is up to date.

scripts/generate.py           write
scripts/generate.py --check   fail if a file differs
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.update(COLUMNS="100", XDG_STATE_HOME="$XDG_STATE_HOME")
for name in ("IMMUTABLE_BASE_CONFIG", "IMMUTABLE_BASE_WORKSPACE"):
    os.environ.pop(name, None)

from immutable_base import errors
from immutable_base.cli.main import all_commands, build_parser
from immutable_base.config.schema import Settings
from immutable_base.model.build import BuildRecord
from immutable_base.model.check import CheckReport
from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import Plan
from immutable_base.model.publish import Publications
from immutable_base.model.run import RunReport

ROOT = Path(__file__).resolve().parents[1]
MADE = "<!-- Made by scripts/generate.py; do not edit. -->\n\n"


def commands() -> str:
    """Return the reference of the command line, from its parser."""
    known = all_commands()
    parser = build_parser(known, known)
    parts = ["# Command line\n\n", MADE, "```text\n", parser.format_help(), "```\n"]
    table = next(a for a in parser._actions if a.dest == "command").choices  # noqa: SLF001
    for name, command in table.items():
        parts += [f"\n## {name}\n\n```text\n", command.format_help(), "```\n"]
        nested = [a for a in command._actions if getattr(a, "choices", None) and a.dest == "action"]  # noqa: SLF001
        for sub, parser_of_sub in (
            nested[0].choices.items() if nested and isinstance(nested[0].choices, dict) else ()
        ):
            parts += [f"\n### {name} {sub}\n\n```text\n", parser_of_sub.format_help(), "```\n"]
    return "".join(parts)


def configuration() -> str:
    """Return the reference of immutable-base.toml, from its schema."""
    schema = Settings.model_json_schema()
    parts = ["# immutable-base.toml\n\n", MADE]
    tables = {"Settings": schema, **schema["$defs"]}
    for name, table in tables.items():
        title = "The file" if name == "Settings" else name
        parts.append(f"## {title}\n\n{table.get('description', '').strip()}\n\n")
        parts.append("| key | type | meaning |\n|---|---|---|\n")
        required = set(table.get("required", ()))
        for key, value in table["properties"].items():
            default = (
                "required" if key in required else f"default `{json.dumps(value.get('default'))}`"
            )
            parts.append(
                f"| `{key}` | {type_words(value)}, {default} | {value.get('description', '')} |\n"
            )
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"


def type_words(value: dict) -> str:
    """Return a property's type as a person says it."""
    if "$ref" in value:
        return value["$ref"].rpartition("/")[2]
    if "anyOf" in value:
        return " or ".join(type_words(item) for item in value["anyOf"])
    if value.get("type") == "array":
        return f"list of {type_words(value.get('items', {}))}"
    if value.get("type") == "object":
        return f"table of {type_words(value.get('additionalProperties', {}))}"
    choices = value.get("enum") or [value[key] for key in ("const",) if key in value]
    return ", ".join(f"`{item}`" for item in choices) or value.get("type", "any")


def exit_codes() -> str:
    """Return the reference of exit codes, from the classes of errors."""
    rows = {0: "done", 1: "a bug in immutable-base; please report it", 130: "interrupted"}
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.ImmutableBaseError):
            words = (error.__doc__ or "").splitlines()[0]
            if error is not errors.ImmutableBaseError and error.exit_code not in rows:
                rows[error.exit_code] = words
    lines = "".join(f"| {code} | {words} |\n" for code, words in sorted(rows.items()))
    return f"# Exit codes\n\n{MADE}| code | meaning |\n|--:|---|\n{lines}"


def generated() -> dict[Path, str]:
    """Return every generated file and its text."""
    reference = ROOT / "docs" / "reference"
    documents = {
        "plan": Plan,
        "build": BuildRecord,
        "facts": ImageFacts,
        "check": CheckReport,
        "publish": Publications,
        "run": RunReport,
    }
    schemas = {
        ROOT / "schema" / f"{name}.schema.json": json.dumps(model.model_json_schema(), indent=2)
        + "\n"
        for name, model in documents.items()
    }
    return {
        reference / "commands.md": commands(),
        reference / "configuration.md": configuration(),
        reference / "exit-codes.md": exit_codes(),
        **schemas,
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

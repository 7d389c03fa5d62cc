"""From a file to Settings; each mistake is named with its place and, if close, the right name."""

from __future__ import annotations

from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from immutable_base.config.schema import UNDEFINED, Settings
from immutable_base.config.toml import did_you_mean, read_toml
from immutable_base.errors import ConfigurationError

Table = TypeVar("Table", bound=BaseModel)


def load_settings(path: Path) -> Settings:
    """Read and validate immutable-base.toml.

    Raises ConfigurationError: it cannot be read, is not TOML, or does not fit `Settings`.
    """
    return validate(Settings, read_toml(path), path)


def validate(model: type[Table], document: dict[str, Any], path: Path) -> Table:
    """Return what a file holds; ConfigurationError names every mistake."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        lines = [_explain(item, model) for item in error.errors(include_url=False)]
        raise ConfigurationError(
            f"{path} has {error.error_count()} mistake(s)", details="\n".join(lines)
        ) from error


def _explain(item: ErrorDetails, model: type[BaseModel]) -> str:
    from immutable_base.config.forms import explain  # noqa: PLC0415  for a mistake only

    location = item["loc"]
    path = ".".join(str(part) for part in location)
    if item["type"] == "extra_forbidden":
        return (
            f"{path}: unknown key{did_you_mean(str(location[-1]), _keys_at(model, location[:-1]))}"
        )
    if item["type"] == "missing":
        return f"{path}: this key is missing"
    if item["type"] == UNDEFINED:
        return str(item["msg"]) + did_you_mean(item["ctx"]["name"], item["ctx"]["known"])
    message = explain(item)
    return f"{path}: {message}" if path else message


def _keys_at(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Return the keys that a model knows at a place in the document."""
    parts = [part for part in location if isinstance(part, str)]
    index = 0
    while index < len(parts):
        annotation = model.model_fields[parts[index]].annotation
        is_table = get_origin(annotation) is dict
        candidate: object = get_args(annotation)[-1] if is_table else annotation
        if isinstance(candidate, UnionType):
            candidate = get_args(candidate)[0]
        if not (isinstance(candidate, type) and issubclass(candidate, BaseModel)):
            return []
        model = candidate
        index += 2 if is_table else 1
    return list(model.model_fields)

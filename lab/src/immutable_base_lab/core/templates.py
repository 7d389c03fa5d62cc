"""Text files made from Jinja templates."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def load_templates(package: str, *, keep_trailing_newline: bool = False) -> Environment:
    """Return the templates of a package's folder `templates/`; an unknown name is an error."""
    return Environment(  # noqa: S701  specs and configuration files are no HTML
        loader=PackageLoader(package),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=keep_trailing_newline,
    )

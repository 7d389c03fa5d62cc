"""Tags with a day in their name, by the templates of `publish.tags`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from functools import cache

from immutable_base.model.reference import DIGITS, TAG

DATE, KERNEL, DIGEST = "{date}", "{kernel}", "{digest}"


def fixed_tags(templates: Iterable[str]) -> tuple[str, ...]:
    """Return the templates that are tags as they stand, such as `latest`."""
    fields = (DATE, KERNEL, DIGEST)
    return tuple(text for text in templates if not any(field in text for field in fields))


def day_of(tag: str, templates: Iterable[str]) -> date | None:
    """Return the day that a tag's name states, None unless it is one that publishing makes."""
    for template in templates:
        found = _pattern(template).fullmatch(tag) if DATE in template else None
        if found is None or TAG.fullmatch(tag) is None:
            continue
        try:
            return datetime.strptime(found["day"], "%Y%m%d").date()  # noqa: DTZ007  a day alone
        except ValueError:
            continue
    return None


@cache
def _pattern(template: str) -> re.Pattern[str]:
    text = re.escape(template)
    first, again = "(?P<day>[0-9]{8})", "(?P=day)"
    text = text.replace(re.escape(DATE), first, 1).replace(re.escape(DATE), again)
    text = text.replace(re.escape(DIGEST), f"[0-9a-f]{{{DIGITS}}}")
    return re.compile(text.replace(re.escape(KERNEL), "[A-Za-z0-9._-]+"))

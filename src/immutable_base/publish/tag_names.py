"""Names of the tags that a variant gets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from immutable_base.config.schema import Settings
from immutable_base.errors import ConfigurationError
from immutable_base.model.plan import VariantPlan
from immutable_base.model.reference import TAG, fill_tag

NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9._-]")


def tag_names(templates: Iterable[str], *, epoch: int, kernel: str, digest: str) -> tuple[str, ...]:
    """Fill the templates in; a character that a tag cannot have becomes `_`.

    `epoch` is in seconds since 1970 (UTC); `kernel` is what `uname -r` prints; `digest` is the
    image's, whole.
    Raises ConfigurationError if what results is still no tag.
    """
    day = datetime.fromtimestamp(epoch, UTC).strftime("%Y%m%d")
    names = [
        NOT_IN_TAGS.sub("_", fill_tag(text, date=day, kernel=kernel, digest=digest))
        for text in templates
    ]
    for name in names:
        if TAG.fullmatch(name) is None:
            raise ConfigurationError(
                f"publish.tags: '{name}' cannot be a tag",
                hint="a tag has 1 to 128 characters and starts with a letter, a digit or _",
            )
    return tuple(dict.fromkeys(names))


def tags_of(settings: Settings, variant: VariantPlan, digest: str) -> tuple[str, ...]:
    """Return the tags of a variant's image; `{date}` is the day of its newest input."""
    kernel = variant.kernel.chosen or variant.kernel.image
    epoch = variant.source_date_epoch
    return tag_names(settings.publish.tags, epoch=epoch, kernel=kernel, digest=digest)

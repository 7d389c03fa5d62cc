"""Names of images in registries."""

from __future__ import annotations

import re
from dataclasses import dataclass

from immutable_base.errors import ConfigurationError

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
"""Source: OCI Distribution Specification 1.1, "Pulling manifests"."""
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
"""Of the registered algorithms the one that registries use. Source: OCI Image Specification 1.1,
"Digests"."""
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
PORT = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
"""From 1 to 65535."""
REPOSITORY = re.compile(
    rf"{_LABEL}([.]{_LABEL})*(:({PORT}))?"
    r"(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)+"
)
"""No part begins with a dash. Source of the path: OCI Distribution Specification 1.1, "Pulling
manifests"."""

LONGEST = 255
"""Characters of a repository; source: distribution/reference, NameTotalLengthMax."""


DIGITS = 12
"""Of a digest, in a tag: enough to tell two images of one day apart."""
CANDIDATE_TAG = "{date}-{digest}"
"""What `build --candidate` calls an image, with the day on which it was left there."""


def fill_tag(template: str, *, date: str, kernel: str, digest: str) -> str:
    """Return the template with `{date}`, `{kernel}` and `{digest}` replaced; other braces stay.

    `digest` is whole (`sha256:...`); the tag gets the first `DIGITS` of its hexadecimal digits.
    """
    digits = digest.removeprefix("sha256:")[:DIGITS]
    filled = template.replace("{date}", date).replace("{kernel}", kernel)
    return filled.replace("{digest}", digits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """`host[:port]/path[:tag][@sha256:...]`, taken apart."""

    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Take a reference apart; `docker://` in front is allowed.

        Raises ConfigurationError if it is not a full reference.
        """
        if text.removeprefix("docker://").startswith("["):
            raise ConfigurationError(
                f"'{text}' is not the reference of an image: IPv6 addresses are not supported",
                hint="name the registry by its host name",
            )
        name, _, digest = text.removeprefix("docker://").partition("@")
        head, slash, last = name.rpartition("/")
        last, colon, tag = last.partition(":")
        repository = f"{head}{slash}{last}"
        fine = len(repository) <= LONGEST and REPOSITORY.fullmatch(repository) is not None
        fine &= not colon or TAG.fullmatch(tag) is not None
        fine &= "@" not in text or DIGEST.fullmatch(digest) is not None
        if not fine:
            raise ConfigurationError(
                f"'{text}' is not the reference of an image",
                hint="write registry/path:tag or registry/path@sha256:...",
            )
        return cls(repository=repository, tag=tag or None, digest=digest or None)

    def pinned(self, digest: str) -> str:
        """Return `repository@sha256:...`, which names exactly one image."""
        return f"{self.repository}@{digest}"

    @property
    def names_registry(self) -> bool:
        """Whether it says which registry; container tools look for `a/b` at Docker Hub."""
        host = self.repository.partition("/")[0]
        return "." in host or ":" in host or host == "localhost"

    def __str__(self) -> str:
        """Return the reference as it is written."""
        tag = f":{self.tag}" if self.tag else ""
        return self.repository + tag + (f"@{self.digest}" if self.digest else "")

"""A rotation of the key that hosts accept: its next step, and whether hosts survive it. Pure.

Steps: `announce` the next key, `switch` to it, `retire` the old one. Each of them is published
before the next one is made, and hosts take an image in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from immutable_base.config.signing_keys import SigningKeys
from immutable_base.errors import ConfigurationError

Step = Literal["announce", "switch", "retire"]
BEFORE = {
    "announce": "nothing: hosts go on with the key that they know",
    "switch": "every host must have taken an image that was built after `announce`: it names both "
    "keys",
    "retire": "every host must have taken an image that was signed with the next key; images that "
    "only the old key has signed are refused from then on, rollbacks fetched anew included",
}
"""What must be so before each step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One step, and the table `signing.keys` after it."""

    step: Step
    keys: SigningKeys


def next_step(keys: SigningKeys) -> Step:
    """Return what comes next."""
    if len(keys.key_paths) == 1:
        return "announce"
    return "switch" if keys.signing_with == "current" else "retire"


def rotated(keys: SigningKeys, *, key: str | None, new_path: str | None) -> Rotation:
    """Return the next step: `key` is the next private key's reference, `new_path` a public key's.

    Raises ConfigurationError if the step needs one of them, or cannot use it.
    """
    step = next_step(keys)
    if step == "announce":
        if new_path is None:
            raise ConfigurationError(
                "the next step is `announce`, and nobody says which key is the next one",
                hint="name its public half: --next FILE",
            )
        _refuse(step, "--key", key)
        after = keys.model_copy(update={"key_paths": (*keys.key_paths, new_path)})
    elif step == "switch":
        if key is None:
            raise ConfigurationError(
                "the next step is `switch`, and nobody says where the next private key is",
                hint="name it as cosign does: --key env://VARIABLE, hashivault://..., ...",
            )
        _refuse(step, "--next", new_path)
        after = keys.model_copy(update={"key": key, "signing_with": "next"})
    else:
        _refuse(step, "--key", key)
        left = (keys.key_paths[1], *((new_path,) if new_path else ()))
        after = keys.model_copy(update={"key_paths": left, "signing_with": "current"})
    return Rotation(step=step, keys=SigningKeys.model_validate(after.model_dump()))


def _refuse(step: Step, option: str, value: str | None) -> None:
    if value is not None:
        raise ConfigurationError(
            f"the next step is `{step}`, which has no use for {option}",
            hint="a rotation is made in steps, and each of them is published: "
            "docs/how-to/rotate-the-signing-key.md",
        )

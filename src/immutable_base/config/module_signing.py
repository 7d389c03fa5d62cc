"""The table `[module_signing]` of immutable-base.toml: what hosts with Secure Boot enrol."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from immutable_base.model.document import Frozen


class ModuleSigning(Frozen):
    """The certificate of the key that signs modules; the key itself is never configured here."""

    certificate: Annotated[str, Field(min_length=1)]
    """File with the certificate (PEM or DER) whose key signs modules, relative to this file. The
    key comes by the variable `IMMUTABLE_BASE_MODULE_KEY`."""
    next_certificate: str = ""
    """File with the certificate that will sign after it: images carry both, so that hosts can enrol
    it beforehand. Empty: none."""

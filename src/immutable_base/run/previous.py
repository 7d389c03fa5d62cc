"""File-level differences between two runs of the same plan, on the same files and settings."""

from __future__ import annotations

import shutil
from pathlib import Path

from immutable_base.context import Context
from immutable_base.documents import BUILDS, LAYOUTS, PLAN, Documents, name_of
from immutable_base.inspect.compare import Difference, compare_layouts
from immutable_base.model.build import ImageBuild
from immutable_base.model.document import read_document
from immutable_base.model.plan import Plan, VariantPlan
from immutable_base.workspace import write_atomically


def set_aside(context: Context) -> None:
    """Move the last run's plan and images out of the way, to compare this run's with them.

    For a killed run this is whatever it had produced.
    """
    before = _folder(context)
    shutil.rmtree(before, ignore_errors=True)
    if (context.run_folder / LAYOUTS).is_dir() and (context.run_folder / PLAN).is_file():
        before.mkdir(parents=True)
        for name in (PLAN, BUILDS, LAYOUTS):
            if (context.run_folder / name).exists():
                (context.run_folder / name).rename(before / name)


def difference(context: Context, variant: VariantPlan) -> Path | None:
    """Compare a new image with the last run's from the same plan; return the list of what differs.

    None where the images are equal, the plan is not or what else they are made of (a label, a file
    of a layer), or there is no earlier image. The earlier image is removed.
    """
    earlier = _folder(context) / LAYOUTS / variant.name
    try:
        if not (earlier / "index.json").is_file() or not _is_made_again(context, variant):
            return None
        found = compare_layouts(earlier, context.documents.layout(variant))
    finally:
        shutil.rmtree(earlier, ignore_errors=True)
    if not found:
        return None
    document = difference_of(context.documents, variant)
    write_atomically(document, "".join(f"{_line(item)}\n" for item in found))
    return document


def difference_of(documents: Documents, variant: VariantPlan) -> Path:
    """Return where the list of what differs is, if anything does."""
    return documents.folder / "difference" / f"{variant.name}.txt"


def _folder(context: Context) -> Path:
    return context.workspace / "before"


def _is_made_again(context: Context, variant: VariantPlan) -> bool:
    """Tell whether the last run made the image of the same plan and of the same files."""
    before, name = _folder(context), name_of(ImageBuild, variant)
    try:
        plan = read_document(Plan, (before / PLAN).read_bytes())
        built = read_document(ImageBuild, (before / name).read_bytes())
    except (OSError, ValueError):  # pydantic's and a decoder's errors are ValueErrors
        return False  # of an earlier release, or not whole
    now = context.documents.read(ImageBuild, variant)
    return variant in plan.variants and built.made_of == now.made_of


def _line(item: Difference) -> str:
    return f"{item.where}: {item.path or '-'}: {item.message}"

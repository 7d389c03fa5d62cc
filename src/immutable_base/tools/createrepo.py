"""createrepo_c: a folder of packages becomes a repository that dnf reads."""

from __future__ import annotations

from pathlib import Path

from immutable_base.process import Command, Runner

TIMEOUT = 600.0


def create_repository(run: Runner, folder: Path, *, epoch: int) -> None:
    """Write `repodata/` for the packages in `folder`, the same bytes for the same packages.

    `epoch` is the revision, in seconds since 1970. Raises CommandError if createrepo_c fails.
    """
    argv = (
        "createrepo_c", "--quiet", "--no-database", "--simple-md-filenames",
        "--general-compress-type=gz", f"--revision={epoch}", "--set-timestamp-to-revision",
        str(folder),
    )  # fmt: skip
    run(Command(argv=argv, timeout=TIMEOUT, env={"SOURCE_DATE_EPOCH": str(epoch)}))

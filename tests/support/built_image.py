"""An image whose root is a folder and whose programs give the answers that a test names.

It stands behind the `Runner` of a storage: buildah mounts the folder, bubblewrap runs the answers.
"""

from __future__ import annotations

import json
from pathlib import Path

from immutable_base.errors import CommandError
from immutable_base.process import Result
from immutable_base.tools import buildah

IMAGE_ID = "f" * 64
NO_FILES = "rpm --query --all --queryformat [%{FILEMODES"
"""How the question for the files of packages begins."""


class BuiltImage:
    """`answers` is {first words of a command line: (status, output)}; `base_answers` is the base's.

    `base` is the base's rpmdb.
    """

    def __init__(self, folder: Path, *, base: str, answers: dict[str, tuple[int, str]]):
        self.root = folder / "root"
        self.root.mkdir(parents=True)
        self.base_root = folder / "base"
        self.base_root.mkdir()
        self.answers = {NO_FILES: (0, "(none)\n"), **answers}
        self.base_answers = {"rpm": (0, base), "dnf --quiet check": (0, "")}
        self.labels = {"containers.bootc": "1"}
        self.annotations = {"base.name": "b"}
        self.asked: list[str] = []
        """Command lines that ran in the image, in their order."""
        self.asked_of_base: list[str] = []
        self.storage = buildah.Storage(run=self.run, root=folder / "storage")

    def file(self, path: str, content: str = "", mode: int = 0o644, *, base: bool = False) -> Path:
        target = (self.base_root if base else self.root) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        target.chmod(mode)
        return target

    def run(self, command, *, on_line=None):
        argv = list(command.argv)
        status, text = self._bwrap(argv) if argv[0] == "bwrap" else (0, self._buildah(argv))
        if status not in command.ok:
            raise CommandError(f"`{argv[0]}` exited with status {status}", details=text)
        return Result(status=status, stdout=text.encode(), stderr_tail="")

    def _buildah(self, argv: list[str]) -> str:
        if "from" in argv:
            return "of-the-base" if "@sha256:" in argv[-1] else "of-the-image"
        if "mount" in argv:
            return str(self.base_root if argv[-1] == "of-the-base" else self.root)
        if "inspect" in argv and any(part.startswith("--format") for part in argv):
            return IMAGE_ID
        if "inspect" in argv:
            config = {"config": {"Labels": self.labels}}
            return json.dumps({"OCIv1": config, "ImageAnnotations": self.annotations})
        return ""

    def _bwrap(self, argv: list[str]) -> tuple[int, str]:
        root = argv[argv.index("--bind") + 1]
        line = " ".join(argv[argv.index("--", 1) + 1 :])
        is_base = root == str(self.base_root)
        (self.asked_of_base if is_base else self.asked).append(line)
        # A program of the image writes: what is looked at afterwards is not what was built.
        self.file("var/log/written-by-a-program", base=is_base)
        answers = self.base_answers if is_base else self.answers
        matching = [key for key in answers if line.startswith(key)]
        assert matching, f"nobody has an answer to: {line}"
        return answers[max(matching, key=len)]

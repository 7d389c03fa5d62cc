"""A build without buildah: every command is recorded, and answered as the real programs would."""

import hashlib
import json
import shutil
from pathlib import Path

from immutable_base.build.graph import build_graph
from immutable_base.build.nodes import build_nodes
from immutable_base.build.packages import Store
from immutable_base.config.load import load_settings
from immutable_base.context import Context
from immutable_base.documents import PLAN
from immutable_base.errors import CommandError
from immutable_base.process import Command, Result
from immutable_base.run.build_inputs import build_inputs_of
from support.paths import PRODUCT, ROOT
from support.small_images import write_image

MODULE = b"\x7fELF"
"""How a compiled module begins."""


class BuildWorld:
    """Runs the nodes of a plan's build, and keeps what each of them started."""

    def __init__(self, folder: Path, plan) -> None:
        self.folder = folder
        self.commands: list[Command] = []
        self.seen: dict[str, dict[str, tuple[str, ...]]] = {}
        """Build step's tag to the files of its input folder, as they were when it ran."""
        self.roots: dict[str, Path] = {}
        """Container to its root."""
        self.images: list[dict] = []
        """What is in the storage, as `buildah images --json` lists it."""
        self.labels: dict[str, str] = {}
        """Labels of every image that buildah is asked about; `annotations` likewise."""
        self.annotations: dict[str, str] = {}
        self.base_files: tuple[str, ...] = ()
        """Files in /etc of the base image, empty ones."""
        self.pushed: dict[str, Path] = {}
        """`repository@sha256:...` to the layout that was pushed there."""
        self.compiled: tuple[str, ...] = ("spl", "zfs")
        """Modules that the builder leaves."""
        self.packed: dict[str, dict[str, bytes]] = {}
        """Step to the files that its second build was given."""
        self.tagged: dict[str, str] = {}
        """`repository:tag` to what it was made to name."""
        self.wrong_package = ""
        """File name that the builder makes instead of the promised one."""
        settings = load_settings(PRODUCT)
        described = {v.name: settings.variants["base"] for v in plan.variants}
        self.context = Context(
            settings=settings.model_copy(update={"variants": described}), config_path=PRODUCT, layers_folder=ROOT / "layers",
            workspace=folder / "ws", run=self.run,
        )  # fmt: skip
        self.configurations: dict[str, bytes] = {}
        """Image id to the configuration of which it is the SHA-256."""
        self.context.documents.write(PLAN, plan)
        self.graph = build_graph(plan)
        self.build, self.nodes = build_nodes(build_inputs_of(self.context, self.graph), self.graph)
        self.build.store = self.fetch(self.build.inputs, self.graph.packages, self.graph.keys, None)

    @staticmethod
    def fetch(inputs, packages, _keys, _report) -> Store:
        """Stand in for `fetch_packages`: every package is had."""
        store = Store(folder=inputs.run_folder / "packages")
        store.folder.mkdir(parents=True, exist_ok=True)
        for package in packages:
            store.path(package).write_text(package.nevra)
        return store

    def run_all(self) -> None:
        """Carry out every node but the fetch, in an order that their needs allow."""
        done = {"fetch"}
        waiting = [node for node in self.nodes if node.id not in done]
        while waiting:
            node = next(node for node in waiting if done.issuperset(node.needs))
            node.action(lambda _line: None)
            done.add(node.id)
            waiting.remove(node)

    def run(self, command: Command) -> Result:
        self.commands.append(command)
        argv = command.argv
        if argv[0] == "createrepo_c":
            return self._answer("")
        if argv == ("buildah", "--version"):
            return self._answer("buildah version 1.39.0")
        if argv[:2] == ("skopeo", "copy"):
            return self._carry(*argv[-2:])
        assert "buildah" in argv, argv
        start = argv.index("overlay") + 1
        verb = argv[start]
        return self._answer(getattr(self, f"_{verb}", lambda _argv: f"id-of-{verb}")(argv[start:]))

    def _carry(self, source: str, target: str) -> Result:
        """Copy between a layout and a registry that has what was pushed to it."""
        if source.startswith("docker://") and target.startswith("docker://"):
            self.tagged[target.removeprefix("docker://")] = source.removeprefix("docker://")
        elif target.startswith("docker://"):
            kept = self.folder / f"pushed-{len(self.pushed)}"
            shutil.copytree(source.removeprefix("oci:"), kept)
            self.pushed[target.removeprefix("docker://")] = kept
        elif source.removeprefix("docker://") in self.pushed:
            kept = self.pushed[source.removeprefix("docker://")]
            shutil.copytree(kept, target.removeprefix("oci:"))
        else:
            raise CommandError("skopeo ended with status 1", details="manifest unknown")
        return self._answer("")

    @staticmethod
    def _answer(text: str) -> Result:
        return Result(status=0, stdout=text.encode(), stderr_tail="")

    def _build(self, argv) -> str:
        flags = dict(
            word.removeprefix("--").split("=", 1)
            for word in argv
            if word.startswith("--") and "=" in word
        )
        volumes = {
            target: Path(source)
            for source, target, _ in (w.removeprefix("--volume=").split(":") for w in argv if w.startswith("--volume="))
        }  # fmt: skip
        if flags["file"].endswith(".pack"):
            return self._pack(volumes["/run/output"], flags)
        place = volumes["/run/build/input"]
        self.seen[flags["tag"]] = {
            name: tuple((place / name).read_text().split())
            for name in ("request", "erase", "request-noscripts")
            if (place / name).exists()
        } | {
            name: tuple(sorted(path.name for path in (place / name).glob("*.rpm")))
            for name in ("packages", "local")
        }
        if "/run/output" in volumes:
            self._compile(volumes["/run/output"], flags["tag"])
        return self._made(flags)

    def _made(self, flags) -> str:
        Path(flags["iidfile"]).write_text(f"sha256:{self.image_of(flags['tag'])}")
        return ""

    def image_of(self, tag: str) -> str:
        """Return the id of the image that a build or commit with this tag makes."""
        configuration = json.dumps({"made as": tag}).encode()
        found = hashlib.sha256(configuration).hexdigest()
        self.configurations[found] = configuration
        return found

    def _commit(self, argv) -> str:
        return self.image_of(argv[-1])

    def _push(self, argv) -> str:
        layout = Path(argv[-1].removeprefix("oci:"))
        digest = write_image(layout, self.configurations[argv[-2]])
        (flag,) = (word for word in argv if word.startswith("--digestfile="))
        Path(flag.partition("=")[2]).write_text(digest)
        return ""

    def _compile(self, output: Path, _tag: str) -> None:
        (output / "compiled").mkdir()
        for name in self.compiled:
            (output / "compiled" / f"{name}.ko").write_bytes(MODULE + name.encode())
        (output / "processor-ticks").write_text("700\n")

    def _pack(self, output: Path, flags) -> str:
        """Do as pack-module does; what it was given is kept."""
        step = next(s for s in self.build.graph.modules if flags["tag"].endswith(f":{s.kernel}"))
        self.packed[step.id] = {
            str(path.relative_to(output)): path.read_bytes()
            for path in output.rglob("*")
            if path.is_file()
        }
        (output / (self.wrong_package or step.module.kmod.file_name)).write_text("kmod")
        (output / "modules.sha256").write_text(f"{'e' * 64}  zfs.ko\n")
        return self._made(flags)

    def _inspect(self, _argv) -> str:
        config = {"config": {"Labels": self.labels}}
        return json.dumps({"OCIv1": config, "ImageAnnotations": self.annotations})

    def _images(self, _argv) -> str:
        return json.dumps(self.images)

    def _from(self, argv) -> str:
        name = f"container-{len(self.roots)}"
        self.roots[name] = self.folder / name
        (self.folder / name / "etc").mkdir(parents=True)
        etc = self.folder / name / "etc"
        if "@sha256:" not in argv[-1]:  # buildah's own, in a layer
            (etc / "hosts").touch()
            (etc / "resolv.conf").write_text("nameserver 192.0.2.1\n")
        for file in self.base_files:
            (etc / file).touch()
        return name

    def _mount(self, argv) -> str:
        return str(self.roots[argv[-1]])

    @property
    def builds(self) -> list[Command]:
        """Return the commands that built a Containerfile."""
        return [command for command in self.commands if "build" in command.argv]


def flags_of(command: Command, name: str) -> list[str]:
    """Return the values of a flag that a command has more than once."""
    return [w.partition("=")[2] for w in command.argv if w.startswith(f"--{name}=")]

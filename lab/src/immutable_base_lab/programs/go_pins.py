"""Which Go programs the lab builds, and how; versions stand in `go/<name>/go.mod`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One text in one source file, replaced before compiling."""

    file: str
    """Relative to the module's root."""
    old: str
    """Must stand in the file exactly once."""
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoProgram:
    """A Go module of which we compile one or more programs.

    Its whole representation, names of fields included, is part of the cache key: what is renamed
    here is compiled again.
    """

    name: str
    """Also the folder that holds go.mod and go.sum: each program keeps its own dependencies."""
    module: str
    packages: tuple[str, ...]
    """Import paths below the module; "" is the module itself."""
    usual_seconds: float
    """Download and compilation, two cores, build cache shared with those before it."""
    version_variable: str | None = None
    """The string variable that holds the version that the program prints."""
    version_prefix: str = "v"
    """What the project's own releases print before the number."""
    cgo: bool = False
    kept: tuple[str, ...] = ()
    """Files or folders of the module's source that are kept below `share/<name>/`."""
    patches: tuple[Patch, ...] = ()

    @property
    def imports(self) -> tuple[str, ...]:
        """Full import paths of the programs."""
        return tuple(f"{self.module}/{package}".rstrip("/") for package in self.packages)


_RELEASE_UTILS = "sigs.k8s.io/release-utils/version.gitVersion"

# The two services open a port for metrics on every interface and have no option against it; all
# services of the lab listen on loopback only.
_REKOR_METRICS = Patch(file="cmd/rekor-server/app/serve.go", old='":2112"', new='"127.0.0.1:0"')
_FULCIO_METRICS = Patch(
    file="cmd/app/serve.go",
    old='fmt.Sprintf(":%v", viper.GetString("metrics-port"))',
    new='fmt.Sprintf("127.0.0.1:%v", viper.GetString("metrics-port"))',
)

GO_PROGRAMS = (
    GoProgram(
        name="nvidia-container-toolkit",
        module="github.com/NVIDIA/nvidia-container-toolkit",
        packages=("cmd/nvidia-ctk", "cmd/nvidia-cdi-hook"),
        usual_seconds=60,
        version_variable="github.com/NVIDIA/nvidia-container-toolkit/internal/info.version",
        version_prefix="",
        cgo=True,
        kept=("deployments/systemd",),
    ),
    GoProgram(
        name="cosign",
        module="github.com/sigstore/cosign/v2",
        packages=("cmd/cosign",),
        usual_seconds=110,
        version_variable=_RELEASE_UTILS,
    ),
    GoProgram(
        name="syft",
        module="github.com/anchore/syft",
        packages=("cmd/syft",),
        usual_seconds=110,
        version_variable="main.version",
        version_prefix="",
    ),
    GoProgram(
        name="registry",
        module="github.com/distribution/distribution/v3",
        packages=("cmd/registry",),
        usual_seconds=20,
        version_variable="github.com/distribution/distribution/v3/version.version",
    ),
    GoProgram(
        name="trillian",
        module="github.com/google/trillian",
        packages=("cmd/trillian_log_server", "cmd/trillian_log_signer", "cmd/createtree"),
        usual_seconds=20,
        kept=("storage/mysql/schema/storage.sql",),
    ),
    GoProgram(
        name="ctlog",
        module="github.com/google/certificate-transparency-go",
        packages=("trillian/ctfe/ct_server",),
        usual_seconds=10,
    ),
    GoProgram(
        name="rekor",
        module="github.com/sigstore/rekor",
        packages=("cmd/rekor-server",),
        usual_seconds=25,
        version_variable=_RELEASE_UTILS,
        patches=(_REKOR_METRICS,),
    ),
    GoProgram(
        name="fulcio",
        module="github.com/sigstore/fulcio",
        packages=("",),
        usual_seconds=10,
        version_variable=_RELEASE_UTILS,
        patches=(_FULCIO_METRICS,),
    ),
)

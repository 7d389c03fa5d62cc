"""What of the Go programs the lab never uses, and does not wait for: no part of a cache key.

Files below `go/<program>/_instead/` take the place of the program's own at the same path.
"""

from __future__ import annotations

from dataclasses import dataclass

from immutable_base_lab.programs.go_pins import Patch


@dataclass(frozen=True, slots=True, kw_only=True)
class Omission:
    """What the lab never uses of a program, and does not wait for."""

    tags: tuple[str, ...] = ()
    """Build tags of the project that leave it out."""
    patches: tuple[Patch, ...] = ()


def _without(file: str, *packages: str) -> tuple[Patch, ...]:
    """Return patches that remove blank imports, by which drivers register themselves."""
    return _without_lines(file, *(f'\t_ "{package}"' for package in packages))


def _without_lines(file: str, *texts: str) -> tuple[Patch, ...]:
    return tuple(Patch(file=file, old=text, new="") for text in texts)


def _comment_out(file: str, first: str, last: str) -> tuple[Patch, ...]:
    """Return patches that make a comment of all from `first` to `last`."""
    return (
        Patch(file=file, old=first, new=f"/* {first}"),
        Patch(file=file, old=last, new=f"{last} */"),
    )


_KMS = "github.com/sigstore/sigstore/pkg/signature/kms"
_CLOUDS = ("aws", "azure", "gcp", "hashivault")
_LOGINS = (
    "cmd/cosign/cli/options/registry.go",
    '\tecr "github.com/awslabs/amazon-ecr-credential-helper/ecr-login"\n',
    '\t"github.com/chrismellard/docker-credential-acr-env/pkg/credhelper"\n',
    '\talibabaacr "github.com/mozillazg/docker-credential-acr-helper/pkg/credhelper"\n',
    "authn.NewKeychainFromHelper(ecr.NewECRHelper(ecr.WithLogger(io.Discard))),",
    "authn.NewKeychainFromHelper(credhelper.NewACRCredentialsHelper()),",
    "authn.NewKeychainFromHelper(alibabaacr.NewACRHelper().WithLoggerOut(io.Discard)),",
)
"""A file of cosign's, and what goes out of it."""
_DRIVERS = "github.com/distribution/distribution/v3/registry/storage/driver"
_REGISTRY_APP = "registry/handlers/app.go"
_REKOR_SIGNER = "pkg/signer/signer.go"
_FULCIO_SERVE = "cmd/app/serve.go"
_CT_SERVER = "trillian/ctfe/ct_server/main.go"
_CT_CONFIG = "trillian/ctfe/config.go"
_MIDDLEWARE = "github.com/grpc-ecosystem/go-grpc-middleware"

OMISSIONS = {
    # Keys that lie in a cloud, a cluster or a project's secrets, the logins of cloud registries,
    # and the languages of policies: half of its packages. Signing without keys, attesting and
    # verifying are whole.
    "cosign": Omission(
        patches=(
            *_without("cmd/cosign/main.go", *(f"{_KMS}/{name}" for name in _CLOUDS)),
            *_without_lines(*_LOGINS),
        ),
    ),
    # Images lie in a folder: no driver for anybody's cloud. What is cached is cached in memory.
    "registry": Omission(
        patches=(
            *_without(
                "cmd/registry/main.go",
                *(f"{_DRIVERS}/{it}" for it in ("azure", "gcs", "middleware/cloudfront", "s3-aws")),
            ),
            *_without_lines(
                _REGISTRY_APP,
                '\t"crypto/tls"\n\t"crypto/x509"\n\t"expvar"\n',
                '\t"github.com/redis/go-redis/extra/redisotel/v9"\n',
                '\t"github.com/redis/go-redis/v9"\n',
            ),
            Patch(file=_REGISTRY_APP, old="redis redis.UniversalClient", new="redis any"),
            *_comment_out(
                _REGISTRY_APP,
                "opts := redis.UniversalOptions{",
                "return redis.NewUniversalClient(&cfg)",
            ),
        )
    ),
    # MariaDB, and one signer that is the master by decree. Source: trillian v1.7.3,
    # cmd/internal/provider.
    "trillian": Omission(tags=("mysql", "etcd")),
    # Attestations are stored nowhere, nobody subscribes to new entries or searches them by hash,
    # and the key is a file.
    "rekor": Omission(
        patches=(
            *_without(
                "pkg/storage/storage.go", *(f"gocloud.dev/blob/{it}blob" for it in ("gcs", "s3"))
            ),
            *_without("pkg/api/api.go", "github.com/sigstore/rekor/pkg/pubsub/gcp"),
            *_without_lines(
                "pkg/api/api.go", '\t"crypto/tls"\n', '\t"github.com/redis/go-redis/v9"\n'
            ),
            *_comment_out(
                "pkg/api/api.go",
                "func NewRedisClient() *redis.Client {",
                "return redis.NewClient(opts)\n}",
            ),
            *_without(_REKOR_SIGNER, *(f"{_KMS}/{it}" for it in ("aws", "azure", "hashivault"))),
            *_without_lines(
                _REKOR_SIGNER,
                f'\tgrpc_retry "{_MIDDLEWARE}/v2/interceptors/retry"\n',
                '\t"crypto"\n\t"slices"\n\t"strings"\n\t"time"\n',
                f'\t"{_KMS}"\n',
                f'\t"{_KMS}/gcp"\n',
                '\t"google.golang.org/api/option"\n',
                '\t"google.golang.org/grpc"\n',
            ),
            *_comment_out(
                _REKOR_SIGNER,
                "case slices.ContainsFunc(kms.SupportedProviders(),",
                "return kms.Get(ctx, signer, crypto.SHA256, opts...)",
            ),
        )
    ),
    # The key of the CA is a file.
    "fulcio": Omission(
        patches=(
            *_without_lines(
                _FULCIO_SERVE,
                f'\tgrpc_retry "{_MIDDLEWARE}/retry"\n',
                f'\t"{_KMS}/gcp"\n',
                '\t"google.golang.org/api/option"\n',
            ),
            *_comment_out(
                _FULCIO_SERVE,
                "opts := make([]signature.RPCOption, 0)",
                "UnaryClientInterceptor(callOpts...)))))",
            ),
            Patch(file=_FULCIO_SERVE, old="certs, opts...)", new="certs)"),
        )
    ),
    # Chains lie in Trillian, and nobody traces the log in a cloud.
    "ctlog": Omission(
        patches=(
            *_without_lines(_CT_SERVER, '\t"github.com/google/trillian/monitoring/opencensus"\n'),
            *_comment_out(
                _CT_SERVER,
                "handler, err = opencensus.EnableHTTPServerTracing(",
                'initialize stackdriver / opencensus tracing: %v", err)\n\t\t}',
            ),
            *_without_lines(_CT_CONFIG, '\t"github.com/jackc/pgx/v5/pgconn"\n'),
            *_comment_out(
                _CT_CONFIG,
                "if _, err := pgconn.ParseConfig(",
                'parse ctfe_storage_connection_string for postgresql pgx driver")\n\t\t\t}',
            ),
        )
    ),
}
"""By program. No part of the cache key: what the lab uses of a program is the same without."""

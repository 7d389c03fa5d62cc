"""What of the Go programs the lab never uses, and does not wait for: no part of a cache key."""

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
    return tuple(Patch(file=file, old=f'\t_ "{package}"', new="") for package in packages)


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
_PRIVATE_KEY = """\
	case strings.HasPrefix(keyRef, kubernetes.KeyReference):
		s, err := kubernetes.GetKeyPairSecret(ctx, keyRef)
		if err != nil {
			return nil, err
		}

		if len(s.Data) > 0 {
			return cosign.LoadPrivateKey(s.Data["cosign.key"], s.Data["cosign.password"], \
defaultLoadOptions)
		}
"""
_PUBLIC_KEY = """\
	if strings.HasPrefix(keyRef, kubernetes.KeyReference) {
		s, err := kubernetes.GetKeyPairSecret(ctx, keyRef)
		if err != nil {
			return nil, err
		}

		if len(s.Data) > 0 {
			return LoadPublicKeyRaw(s.Data["cosign.pub"], hashAlgorithm)
		}
	}
"""
_DRIVERS = "github.com/distribution/distribution/v3/registry/storage/driver"
_KUBERNETES = '\t"github.com/sigstore/cosign/v2/pkg/cosign/kubernetes"\n'
_KEYS = "pkg/signature/keys.go"
_GENERATE = "cmd/cosign/cli/generate/generate_key_pair.go"

OMISSIONS = {
    # Keys that lie in a cloud or a cluster, and the logins of cloud registries: nearly a third of
    # its packages. Signing without keys, attesting and verifying are whole.
    "cosign": Omission(
        patches=(
            *_without("cmd/cosign/main.go", *(f"{_KMS}/{name}" for name in _CLOUDS)),
            *(Patch(file=_LOGINS[0], old=text, new="") for text in _LOGINS[1:]),
            Patch(file=_GENERATE, old=_KUBERNETES, new=""),
            Patch(
                file=_GENERATE,
                old="return kubernetes.KeyPairSecret(ctx, targetRef, GetPass)",
                new="",
            ),
            Patch(file=_KEYS, old=_KUBERNETES, new=""),
            Patch(file=_KEYS, old=_PRIVATE_KEY, new=""),
            Patch(file=_KEYS, old=_PUBLIC_KEY, new=""),
        )
    ),
    # Images lie in a folder: no driver for anybody's cloud.
    "registry": Omission(
        patches=_without(
            "cmd/registry/main.go",
            *(f"{_DRIVERS}/{name}" for name in ("azure", "gcs", "middleware/cloudfront", "s3-aws")),
        )
    ),
    # MariaDB, and one signer that is the master by decree. Source: trillian v1.7.3,
    # cmd/internal/provider.
    "trillian": Omission(tags=("mysql", "etcd")),
    # Attestations are stored nowhere, and nobody subscribes to new entries.
    "rekor": Omission(
        patches=(
            *_without(
                "pkg/storage/storage.go", *(f"gocloud.dev/blob/{it}blob" for it in ("gcs", "s3"))
            ),
            *_without("pkg/api/api.go", "github.com/sigstore/rekor/pkg/pubsub/gcp"),
        )
    ),
}
"""By program. No part of the cache key: what the lab uses of a program is the same without."""

"""What a stand-in base says of itself, as the bases of CentOS and Fedora do.

Source: the Containerfiles of gitlab.com/redhat/centos-stream/containers/bootc and
gitlab.com/fedora/bootc/base-images.
"""

from __future__ import annotations

from datetime import UTC, datetime

from immutable_base_lab.debian.catalogue import Distribution

COMPOSES = {"centos": "CentOS-Stream-{release}-{day}.0", "fedora": "Fedora-{release}-{day}.n.0"}
"""How a distribution calls its composes, by the `ID` of its os-release."""


def base_labels(stream: Distribution, epoch: int) -> dict[str, str]:
    """Return the labels of a base; `epoch`: when its newest package was built, since 1970."""
    day = f"{datetime.fromtimestamp(epoch, UTC):%Y%m%d}"
    compose = COMPOSES[stream.id].format(release=stream.version_id, day=day)
    return {
        "bootc.diskimage-builder": "quay.io/centos-bootc/bootc-image-builder",
        "containers.bootc": "1",
        "org.opencontainers.image.version": f"{stream.version_id}.{day}.0",
        "ostree.bootable": "1",
        "redhat.compose-id": compose,
        "redhat.id": stream.id,
        "redhat.version-id": stream.version_id,
    }

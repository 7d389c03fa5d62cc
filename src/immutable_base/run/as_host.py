"""`verify --as-host`: the image's own skopeo, under the image's own policy, fetches the image.

Where that policy demands it, the image's own admission program has admitted the image before.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from immutable_base.config.trust import load_trust
from immutable_base.process import run
from immutable_base.publish.as_host import open_host, require_admitted, require_taken
from immutable_base.tls import set_up_tls
from immutable_base.tools import buildah, skopeo
from immutable_base.verify import VerifiedImage
from immutable_base.workspace import exclusive


def require_taken_by_host(
    verified: VerifiedImage, configuration: Path | None, workspace: Path
) -> None:
    """Require that a host on this very image takes it, by the tag that was asked for or by digest.

    The whole image is fetched for that. Raises VerificationError if a host would refuse it,
    RemoteError if nothing can be known, HostError if another run works in the workspace.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    settings = load_trust(configuration) if configuration else None
    authority = settings.authority(configuration.parent) if settings and configuration else None
    environment = set_up_tls(authority, workspace).environment
    with exclusive(workspace), tempfile.TemporaryDirectory(dir=workspace) as scratch:
        layout = Path(scratch) / "layout"
        skopeo.fetch(run, verified.pinned, layout, environment)
        storage = buildah.Storage(run, workspace / "storage")
        image = buildah.pull_layout(storage, layout)
        asked = f"{verified.repository}:{verified.tag}" if verified.tag else verified.pinned
        with open_host(storage, image, layout, environment) as host:
            if host.admits:
                require_admitted(host, asked)
            require_taken(host, asked)

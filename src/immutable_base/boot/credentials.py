"""What is handed to a machine from outside: the script that answers, never a change of the image.

Source: systemd.exec(5), systemd.system-credentials(7); `systemd.extra-unit.*` and
`systemd.unit-dropin.*` need systemd 256, which CentOS Stream 10 and Fedora have.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path

from immutable_base.boot.questions import GuestQuestion, as_text

PROBE = Path(__file__).with_name("guest") / "probe.sh"
UNIT = "immutable-base-boot.service"
_UNIT = """\
[Unit]
Description=Answers of the boot gate
After=multi-user.target

[Service]
# Not oneshot: the machine is up only when no job is left, this one's start included.
Type=exec
ImportCredential=immutable-base.*
ExecStart=/bin/sh ${CREDENTIALS_DIRECTORY}/immutable-base.probe
"""


def credentials(
    asked: Iterable[GuestQuestion], *, nonce: str, ssh_key: str | None
) -> dict[str, str]:
    """Return the credentials of one boot, by name; `ssh_key`: the public key that may log in."""
    found = {
        f"systemd.extra-unit.{UNIT}": _UNIT,
        "systemd.unit-dropin.multi-user.target": f"[Unit]\nWants={UNIT}\n",
        "immutable-base.nonce": nonce,
        "immutable-base.questions": as_text(asked),
        "immutable-base.probe": PROBE.read_text(),
    }
    if ssh_key is not None:
        found["ssh.authorized_keys.root"] = ssh_key
    return found


def write_credentials(found: dict[str, str], folder: Path) -> tuple[Path, ...]:
    """Write each credential to a file as QEMU hands it to systemd; return the files."""
    paths = []
    for number, (name, text) in enumerate(found.items()):
        encoded = b64encode(text.encode()).decode()
        path = folder / f"credential-{number}"
        path.write_text(f"io.systemd.credential.binary:{name}={encoded}")
        paths.append(path)
    return tuple(paths)

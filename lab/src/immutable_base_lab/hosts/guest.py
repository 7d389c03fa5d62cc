"""What a host gets of the lab at each start, as credentials: no image is changed for it. Pure.

The registry seems to be on the host's own loopback, as it is on this machine, so that the same
reference names the same image on both. Source: systemd.system-credentials(7), and for the address
of this machine in QEMU's user network https://www.qemu.org/docs/master/system/devices/net.html.
"""

from __future__ import annotations

from base64 import b64encode

THIS_MACHINE = "10.0.2.2"
UP = "up"
"""What the port says when `multi-user.target` is reached."""
_PORT = "/dev/virtio-ports/immutable-base"
_UP_UNIT, _REGISTRY = "lab-host-up.service", "lab-registry"
_ANNOUNCE = f"""\
[Unit]
Description=Tell the lab that the host is up
After=multi-user.target

[Service]
Type=exec
ExecStart=/bin/sh -c 'echo {UP} > {_PORT}'
"""
_SOCKET = """\
[Unit]
Description=The lab's registry, as if it were here

[Socket]
ListenStream=127.0.0.1:{port}
"""
_PROXY = """\
[Service]
ExecStart=/usr/lib/systemd/systemd-socket-proxyd {machine}:{port}
"""
_SHELL = """\
[Service]
Environment=HOME=/root TERM=vt220
WorkingDirectory=-/root
ExecStart=
ExecStart=-/bin/bash --login
"""
"""Who may read the folder of a host may do anything with it: its console asks for no password."""
_WANTED = f"[Unit]\nWants={_UP_UNIT} {_REGISTRY}.socket sshd.service\n"


def host_credentials(name: str, *, ssh_key: str, registry: str, authority: bytes) -> dict[str, str]:
    """Return what is handed to a host, by name of the credential.

    `ssh_key`: the public key that may log in as root; `registry`: `127.0.0.1:port`; `authority`:
    its CA, in PEM.
    """
    port = registry.rpartition(":")[2]
    folder = f"/etc/containers/certs.d/{registry}"
    encoded = b64encode(authority).decode()
    return {
        "system.hostname": name,
        "ssh.authorized_keys.root": ssh_key,
        "tmpfiles.extra": f"d {folder} 0755\nf+~ {folder}/ca.crt 0644 - - - {encoded}\n",
        f"systemd.extra-unit.{_UP_UNIT}": _ANNOUNCE,
        f"systemd.extra-unit.{_REGISTRY}.socket": _SOCKET.format(port=port),
        f"systemd.extra-unit.{_REGISTRY}.service": _PROXY.format(machine=THIS_MACHINE, port=port),
        "systemd.unit-dropin.multi-user.target": _WANTED,
        "systemd.unit-dropin.serial-getty@ttyS0.service": _SHELL,
    }

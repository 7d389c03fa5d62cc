"""What a host is handed at its start."""

from base64 import b64decode

from immutable_base_lab.hosts.guest import UP, host_credentials

REGISTRY = "127.0.0.1:20698"
FOUND = host_credentials(
    "web", ssh_key="ssh-ed25519 AAAA", registry=REGISTRY, authority=b"-----BEGIN\n"
)


def test_the_registry_has_the_same_name_as_here_and_its_authority_is_trusted_for_it_alone():
    folder, file = FOUND["tmpfiles.extra"].splitlines()
    assert folder == f"d /etc/containers/certs.d/{REGISTRY} 0755"
    words = file.split()
    assert words[:3] == ["f+~", f"/etc/containers/certs.d/{REGISTRY}/ca.crt", "0644"]
    assert b64decode(words[-1]) == b"-----BEGIN\n"
    assert "ListenStream=127.0.0.1:20698\n" in FOUND["systemd.extra-unit.lab-registry.socket"]
    assert "10.0.2.2:20698\n" in FOUND["systemd.extra-unit.lab-registry.service"]


def test_each_unit_that_is_handed_in_is_wanted():
    (wants,) = [
        line.removeprefix("Wants=").split()
        for line in FOUND["systemd.unit-dropin.multi-user.target"].splitlines()
        if line.startswith("Wants=")
    ]
    units = {name.removeprefix("systemd.extra-unit.") for name in FOUND if "extra-unit" in name}
    assert units - {"lab-registry.service"} <= set(wants), "a socket starts its service"
    assert "sshd.service" in wants


def test_it_says_when_it_is_up_and_its_console_is_a_shell():
    unit = FOUND["systemd.extra-unit.lab-host-up.service"]
    assert f"echo {UP} >" in unit
    assert "After=multi-user.target" in unit
    shell = FOUND["systemd.unit-dropin.serial-getty@ttyS0.service"].splitlines()
    assert shell[-2:] == ["ExecStart=", "ExecStart=-/bin/bash --login"]
    assert FOUND["system.hostname"] == "web"
    assert FOUND["ssh.authorized_keys.root"] == "ssh-ed25519 AAAA"

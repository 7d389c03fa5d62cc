"""What OpenSSH's client is told about a machine behind a port of this host."""

from pathlib import Path

from immutable_base.errors import CommandError
from immutable_base.tools import ssh

KEY = Path("/w/key")


def options(argv):
    words = [argv[number + 1] for number, word in enumerate(argv) if word == "-o"]
    return dict(word.split("=", 1) for word in words)


def test_nothing_of_this_hosts_own_configuration_is_read_and_nobody_is_asked():
    argv = ssh.login(KEY, 2222)
    assert argv[:3] == ("ssh", "-F", "none")
    assert options(argv)["BatchMode"] == "yes"
    assert argv[-1] == "root@127.0.0.1"


def test_the_host_key_of_a_machine_that_stays_is_remembered_whatever_its_port():
    found = options(ssh.login(KEY, 2222, known_hosts=Path("/w/known_hosts")))
    assert found["StrictHostKeyChecking"] == "accept-new", "another key later is refused"
    assert found["UserKnownHostsFile"] == "/w/known_hosts"
    assert found["HostKeyAlias"] == "machine"


def test_the_host_key_of_a_machine_of_one_boot_is_not_looked_at():
    found = options(ssh.login(KEY, 2222))
    assert found["StrictHostKeyChecking"] == "no"
    assert found["UserKnownHostsFile"] == "/dev/null"
    assert "HostKeyAlias" not in found


def test_a_command_that_fails_is_no_success():
    def fails(command):
        raise CommandError(f"{command.argv[-1]} failed")

    assert ssh.tell(fails, KEY, 2222, "false") is False
    assert ssh.tell(lambda command: None, KEY, 2222, "true") is True

"""A host of the night before: installed, upgraded through the registry as hosts are, rolled back.

The machine keeps its disk over three boots. bootc's own container stack does the upgrade, inside the
machine, from the lab's registry, under the policy that the image ships.
"""

from __future__ import annotations

import pytest

from support.publisher import Publisher

pytestmark = pytest.mark.long

LEAVE = "echo mine > /etc/of-the-host && echo kept > /var/of-the-host && sync"
FIND = "cat /etc/of-the-host /var/of-the-host"
STATE = "systemctl is-system-running --wait"
MODULE = "modprobe metronome && grep -c ^metronome /proc/modules"


def test_an_upgrade_keeps_what_is_the_hosts_and_a_rollback_brings_the_old_image_back(
    tiny_lab, tmp_path
):
    publisher = Publisher.make(
        tiny_lab, "tiny-metronome", tiny_lab.configuration, tmp_path / "config", "upgrade"
    )
    before = publisher.night()
    host = publisher.host(before, tmp_path / "host")
    after = publisher.night()
    assert before.digest != after.digest
    with host.up():
        assert host.booted() == before.digest
        assert host.ask(LEAVE).status == 0
        done = host.upgrade(after.latest)
        assert done.status == 0, done.text
    for digest, entry in ((after.digest, 0), (before.digest, 1)):
        host.choose(entry)
        with host.up():
            assert host.booted() == digest
            assert host.ask(FIND).text == "mine\nkept"
            assert host.ask(STATE).text == "running"
            assert host.ask(MODULE).text == "1"

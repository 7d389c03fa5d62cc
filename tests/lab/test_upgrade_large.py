"""A host with a pool, upgraded to another kernel and rolled back: the pool comes back each time by itself.

The night before took the base's kernel down, this one takes it up; OpenZFS is compiled for both.
"""

from __future__ import annotations

import json

import pytest

from immutable_base.boot.questions import POOL, POOL_DISK
from support.changed_configuration import ONE_KERNEL
from support.machines import with_pool_disk
from support.publisher import Publisher

pytestmark = [pytest.mark.large, pytest.mark.long]

NAME = "base-zfs"
LEAVE = (
    f"zpool create {POOL} {POOL_DISK} && zfs create {POOL}/data && "
    f"echo kept > /{POOL}/data/file && echo mine > /etc/of-the-host && echo kept > /var/of-the-host"
)
FIND = f"cat /etc/of-the-host /var/of-the-host /{POOL}/data/file"
POOLS = "zpool list -H -o name,health"
STATE = "systemctl is-system-running --wait"


def test_a_pool_imports_by_itself_after_an_upgrade_to_another_kernel_and_after_the_rollback(
    lab, tmp_path
):
    publisher = Publisher.make(
        lab, NAME, lab.configuration, tmp_path / "config", "upgrade", ONE_KERNEL
    )
    before = publisher.night()
    host = publisher.host(before, tmp_path / "host")
    host.machine = with_pool_disk(host.machine, tmp_path)
    text = publisher.configuration.read_text()
    publisher.configuration.write_text(text.replace(ONE_KERNEL[1], ONE_KERNEL[0]))
    after = publisher.night()
    old, new = (_kernel(it) for it in (before, after))
    assert old != new
    with host.up():
        assert host.ask("uname -r").text == old
        assert host.ask(LEAVE).status == 0
        done = host.upgrade(after.latest)
        assert done.status == 0, done.text
    for published, kernel, entry in ((after, new, 0), (before, old, 1)):
        host.choose(entry)
        with host.up():
            assert host.booted() == published.digest
            assert host.ask("uname -r").text == kernel
            assert host.ask(STATE).text == "running"
            assert host.ask(POOLS).text.split() == [POOL, "ONLINE"]
            assert host.ask(FIND).text == "mine\nkept\nkept"


def _kernel(published) -> str:
    plan = json.loads((published.tonight / "plan.json").read_text())
    (variant,) = (it for it in plan["variants"] if it["name"] == NAME)
    return variant["kernel"]["chosen"]

"""NVIDIA's services on a host without a card, or with the card out: skipped, not failed."""

import subprocess

import pytest

from support.paths import ROOT

UNITS = ROOT / "layers/nvidia/files/usr/lib/systemd/system"
DROP_INS = sorted(UNITS.glob("*.service.d/*.conf"))
DEVICES = "/sys/bus/pci/devices"


def condition(path):
    """Return the command of a drop-in's ExecCondition=, which is in its section [Service]."""
    section, found = "", []
    for line in path.read_text().splitlines():
        section = line if line.startswith("[") else section
        if line.startswith("ExecCondition="):
            assert section == "[Service]"
            found.append(line.removeprefix("ExecCondition="))
    [command] = found
    return command


def test_both_services_have_a_drop_in():
    assert {path.parent.name for path in DROP_INS} == {
        "nvidia-persistenced.service.d", "nvidia-cdi-refresh.service.d",
    }  # fmt: skip


@pytest.mark.parametrize("path", DROP_INS, ids=lambda path: path.parent.name)
@pytest.mark.parametrize(
    ("vendors", "starts"),
    [((), False), (("0x8086",), False), (("0x8086", "0x10de"), True), (("0x110de",), False)],
)
def test_the_service_starts_where_a_device_of_nvidias_is(tmp_path, path, vendors, starts):
    for number, vendor in enumerate(vendors):
        folder = tmp_path / f"0000:00:{number:02}.0"
        folder.mkdir()
        (folder / "vendor").write_text(f"{vendor}\n")
    command = condition(path)
    assert DEVICES in command
    done = subprocess.run(["sh", "-c", command.replace(DEVICES, str(tmp_path))])
    # systemd.service(5): 1 to 254 skip a service; 255 would be a failure.
    assert (done.returncode == 0) is starts
    assert done.returncode < 255

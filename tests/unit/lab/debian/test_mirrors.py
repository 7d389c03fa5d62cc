"""Where the lab takes Debian from, as apt is configured on real machines."""

import pytest

from immutable_base.process import Result
from immutable_base_lab.debian import archive


@pytest.fixture
def apt(monkeypatch):
    """Answer as apt-get does; return the commands and the lines to answer with."""
    asked, lines = [], []

    def run(command):
        asked.append(command.argv)
        return Result(status=0, stdout="\n".join(lines).encode(), stderr_tail="")

    monkeypatch.setattr(archive, "run", run)
    monkeypatch.setattr(
        archive.platform, "freedesktop_os_release", lambda: {"VERSION_CODENAME": "bookworm"}
    )
    return asked, lines


def test_only_debians_own_sources_are_asked_for(apt):
    asked, lines = apt
    lines += [
        "bookworm http://mirror.invalid/debian/",
        "bookworm-security http://mirror.invalid/s/",
    ]
    assert archive.machine_mirrors().of("trixie") == "http://mirror.invalid/debian"
    assert "Origin: Debian" in asked[0]


def test_a_list_of_mirrors_in_a_file_gives_its_first(apt, tmp_path):
    """As in Debian's cloud images."""
    listed = tmp_path / "debian.list"
    listed.write_text(
        "# ours\n\nhttps://mirror.invalid/debian/ priority:1\nhttps://other.invalid/\n"
    )
    apt[1].extend([f"bookworm mirror+file://{listed}/", f"bookworm-security mirror+file:{listed}"])
    mirrors = archive.machine_mirrors()
    assert mirrors.archive == mirrors.security == "https://mirror.invalid/debian"

"""The scripts that write down what hosts need in /var, and which accounts: real bash, real rpm.

What they write is read back by systemd's own programs where the machine has them.
"""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from immutable_base.check.hosts import accounts_declared, var_declared
from immutable_base.check.interface import Subject
from immutable_base.inspect.accounts import declared_accounts, read_accounts
from immutable_base.inspect.var import read_var
from support.paths import ROOT
from support.sound_image import FACTS, PLAN, SETTINGS

SCRIPTS = ROOT / "layers/scripts"
TMPFILES = "usr/lib/tmpfiles.d/zz-immutable-base-var.conf"
SYSUSERS = "usr/lib/sysusers.d/zz-immutable-base-accounts.conf"
SPEC = """\
Name: x
Version: 1
Release: 1
Summary: x
License: MIT
BuildArch: noarch
%description
x
%install
mkdir -p %{buildroot}/var/lib/x %{buildroot}/var/lib/ghost %{buildroot}/usr/bin
ln -s spool/mail %{buildroot}/var/mail
touch %{buildroot}/var/lib/x/file
%files
%dir %attr(2750, root, mail) /var/lib/x
/var/lib/x/file
%ghost %dir /var/lib/ghost
/var/mail
/usr/bin
"""
GHOST = 64
"""RPMFILE_GHOST of rpm's rpmfiles.h."""


def row(path, *, mode=0o40755, user="root", group="root", flags=0, target=""):
    """A file of a package as the script asks rpm for it."""
    return f"{mode:o}\t{flags}\t{user}\t{group}\t{path}\t{target}\n"


class Image:
    """A root folder with an rpm database beside it."""

    def __init__(self, folder: Path):
        self.folder, self.root = folder, folder / "root"
        for name in ("etc", "usr/lib/tmpfiles.d", "usr/lib/sysusers.d"):
            (self.root / name).mkdir(parents=True)
        self.file("etc/passwd", "root:x:0:0:Super User:/root:/bin/bash\n")
        self.file("etc/group", "root:x:0:\nmail:x:8:\n")
        self.file("usr/lib/sysusers.d/basic.conf", 'u root 0 "Super User" /root\ng mail 8\n')
        self.environment = dict(os.environ)

    def file(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def has(self, *rows: str) -> None:
        """Let rpm answer with these files of packages."""
        (self.folder / "answer").write_text("".join(rows))
        self.rpm(f'cat "{self.folder}/answer"')

    def rpm(self, command: str) -> None:
        """Let `rpm` be this command of the shell."""
        programs = self.folder / "bin"
        programs.mkdir(exist_ok=True)
        (programs / "rpm").write_text(f"#!/bin/sh\n{command}\n")
        (programs / "rpm").chmod(0o755)
        self.environment["PATH"] = f"{programs}:{os.environ['PATH']}"

    def start(self, *argv) -> str:
        done = subprocess.run(argv, capture_output=True, text=True, env=self.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def declare(self, what: str) -> list[str]:
        """Run a script and return the lines that it wrote, without comments."""
        self.start(SCRIPTS / f"declare-{what}", self.root)
        made = self.root / {"var": TMPFILES, "accounts": SYSUSERS}[what]
        if not made.exists():
            return []
        assert stat.S_IMODE(made.stat().st_mode) == 0o644
        return [it for it in made.read_text().splitlines() if not it.startswith("#")]


@pytest.fixture
def image(tmp_path):
    return Image(tmp_path)


def test_what_a_package_has_is_made_with_modes_owners_and_targets_as_rpm_knows_them(image):
    spec = image.folder / "x.spec"
    spec.write_text(SPEC)
    options = (
        "--define",
        f"_topdir {image.folder}/top",
        "--define",
        f"_rpmdir {image.folder}/made",
    )
    image.start("rpmbuild", "-bb", "--quiet", *options, spec)
    image.rpm(f'exec {shutil.which("rpm")} --dbpath "{image.folder}/db" "$@"')
    flags = ("--install", "--justdb", "--nodeps", "--noscripts", "--nosignature")
    image.start("rpm", *flags, *(image.folder / "made").rglob("*.rpm"))
    assert image.declare("var") == [
        "d /var/lib/x 2750 root mail - -",
        "L /var/mail - - - - spool/mail",
    ]


def test_an_rpm_that_fails_is_no_image_without_folders(image):
    image.rpm("exit 1")
    done = subprocess.run([SCRIPTS / "declare-var", image.root], env=image.environment)
    assert done.returncode != 0


@pytest.mark.parametrize(
    "line",
    [
        "d /var/lib/x 0755 root root -",
        "d! /var/lib/x - - - -",
        'D "/var/lib/x" - - - -',
        "d /var/lib/x/",
        "d %S/x 0755 root root -",
        "q /var/lib/\\x78 - - - -",
        "C+ /var/lib/x - - - - /usr/share/x",
        "L+\t/var/lib/x\t-\t-\t-\t-\t../x",
    ],
)
def test_what_a_file_of_the_packages_own_makes_is_left_to_it(image, line):
    image.has(row("/var/lib/x"))
    image.file("usr/lib/tmpfiles.d/x.conf", line)  # no line end: the last line counts, too
    assert image.declare("var") == []


@pytest.mark.parametrize(
    "line",
    [
        "# d /var/lib/x", "z /var/lib/x 0750 root root", "x /var/lib/x", "r! /var/lib/x",
        "e /var/lib/x - - - 10d", "d /var/lib/xy", "d /var/lib/x/y", "d", "",
    ],
)  # fmt: skip
def test_a_line_that_makes_it_not_is_no_reason_to_leave_it_out(image, line):
    image.has(row("/var/lib/x"))
    image.file("usr/lib/tmpfiles.d/x.conf", line + "\n")
    assert image.declare("var") == ["d /var/lib/x 0755 root root - -"]


def test_a_file_that_one_in_etc_replaces_makes_nothing(image):
    image.has(row("/var/lib/x"))
    image.file("usr/lib/tmpfiles.d/x.conf", "d /var/lib/x\n")
    (image.root / "etc/tmpfiles.d").mkdir()
    (image.root / "etc/tmpfiles.d/x.conf").symlink_to("/dev/null")
    assert image.declare("var") == ["d /var/lib/x 0755 root root - -"]


def test_what_is_made_by_the_program_or_lies_in_run_is_nobodys(image):
    image.has(
        row("/var/lib/ghost", flags=GHOST | 16), row("/var/run/x"), row("/var/lock/x"), row("/var/run"),
        row("/var/lock", mode=0o120777, target="../run/lock"), row("/var"), row("/usr/var/x"),
        row("/var/lib/file", mode=0o100644), row("/x", mode=0o120777, target="/var/lib/x"),
        row("/var/runner"),
    )  # fmt: skip
    assert image.declare("var") == ["d /var/runner 0755 root root - -"]


def test_an_owner_that_no_host_has_is_root_as_rpm_itself_does(image):
    image.file("usr/lib/passwd", "chrony:x:990:990::/:/sbin/nologin\n")
    image.file("usr/lib/sysusers.d/x.conf", "u! sshd - - - -\ng wheel\n")
    image.has(
        row("/var/a", user="chrony", group="wheel"), row("/var/b", user="sshd", group="sshd"),
        row("/var/c", user="nobodys", group="nobodys"),
    )  # fmt: skip
    assert image.declare("var") == [
        "d /var/a 0755 chrony wheel - -", "d /var/b 0755 sshd sshd - -", "d /var/c 0755 root root - -",
    ]  # fmt: skip


AS_ROOT = () if os.geteuid() == 0 else ("unshare", "--map-root-user")
"""systemd's programs change owners."""
NAMES = ["a b", 'quo"te', "quo'te", "per%cent", "back\\slash"]


def test_paths_are_escaped_so_that_systemd_makes_exactly_them(image):
    image.has(*(row(f"/var/{name}") for name in NAMES))
    lines = image.declare("var")
    assert [line.removeprefix("d ").removesuffix(" 0755 root root - -") for line in lines] == [
        '"/var/a b"', r"/var/back\\slash", "/var/per%%cent", r'"/var/quo\"te"', '"/var/quo\'te"',
    ]  # fmt: skip


def test_systemd_makes_exactly_the_paths_that_were_escaped(image):
    image.has(*(row(f"/var/{name}") for name in NAMES))
    image.declare("var")
    image.start(
        *AS_ROOT, "systemd-tmpfiles", f"--root={image.root}", "--create", image.root / TMPFILES
    )
    assert {path.name for path in (image.root / "var").iterdir()} == set(NAMES)


def test_the_same_packages_give_the_same_bytes_in_any_order(image):
    rows = [
        row("/var/b"),
        row("/var/a"),
        row("/var/a", mode=0o40700),
        row("/var/b-c"),
        row("/var/b/c"),
    ]
    texts = set()
    for order in (rows, rows[::-1]):
        image.has(*order)
        image.declare("var")
        image.declare("var")  # its own earlier file is nobody's
        texts.add((image.root / TMPFILES).read_text())
    [text] = texts
    assert text.startswith("# Made by the image build")
    assert text.count(" /var/a ") == 1


def test_nothing_to_say_is_no_file_also_where_there_was_one(image):
    image.file(TMPFILES, "d /var/lib/old\n")
    image.file(SYSUSERS, "u old\n")
    image.has(row("/usr/bin"))
    assert (image.declare("var"), image.declare("accounts")) == ([], [])
    assert not (image.root / TMPFILES).exists()
    assert not (image.root / SYSUSERS).exists()


# ------------------------------------------------------------------ accounts

PASSWD = """\
root:x:0:0:Super User:/root:/bin/bash
tcpdump:x:72:72::/:/sbin/nologin
persist:x:987:985:The "good" daemon, 100%:/var/run/x:/sbin/nologin
guest:x:988:8::/home/guest:/bin/sh

+::::::
"""
GROUP = """\
root:x:0:
mail:x:8:guest,tcpdump
tcpdump:x:72:
persist:x:985:
video:x:39:persist
+:::
"""


def test_accounts_that_scriptlets_made_get_their_numbers_groups_and_places(image):
    image.file("etc/passwd", PASSWD)
    image.file("etc/group", GROUP)
    image.file("usr/lib/sysusers.d/video.conf", "g video -\nm guest mail\n")  # also a member
    assert image.declare("accounts") == [
        "g persist 985",
        "g tcpdump 72",
        "m persist video",
        "m tcpdump mail",
        "u guest 988:8 - /home/guest /bin/sh",
        "u persist 987 \"The 'good' daemon, 100%%\" /var/run/x /sbin/nologin",
        "u tcpdump 72 - / /sbin/nologin",
    ]


def test_a_user_that_sysusers_has_brings_its_group(image):
    image.file("etc/passwd", "root:x:0:0::/:\nsshd:x:74:74::/:\nlocked:x:75:75::/:\n")
    image.file("etc/group", "root:x:0:\nsshd:x:74:\nlocked:x:75:\n")
    image.file("usr/lib/sysusers.d/x.conf", 'u "sshd" 74\nu! locked 75')
    assert image.declare("accounts") == []


def test_what_was_declared_before_is_declared_again(image):
    """Every layer writes the whole file: the one of the layer below is not somebody else's."""
    image.file("etc/group", "root:x:0:\nmail:x:8:\nnew:x:9:\n")
    assert image.declare("accounts") == image.declare("accounts") == ["g new 9"]


def test_systemd_makes_the_same_accounts_of_it(image):
    image.file("etc/passwd", PASSWD.replace("\n+::::::", ""))
    image.file("etc/group", GROUP.replace("+:::\n", ""))
    image.declare("accounts")
    image.file("etc/passwd", "")
    image.file("etc/group", "")
    image.start(*AS_ROOT, "systemd-sysusers", f"--root={image.root}")
    lines = (image.root / "etc/passwd").read_text().splitlines()
    made = {line.partition(":")[0]: line.split(":")[2:] for line in lines}
    assert made["persist"][:3] == ["987", "985", "The 'good' daemon, 100%"]
    assert made["guest"] == ["988", "8", "", "/home/guest", "/bin/sh"]
    groups = (image.root / "etc/group").read_text().splitlines()
    assert {"mail:x:8:guest,tcpdump", "persist:x:985:"} <= set(groups)
    [video] = [line for line in groups if line.startswith("video:")]
    assert video.endswith(":persist")


# ------------------------------------------------------------------ read back by our own checks


class Answering:
    """A mounted image whose rpm is the shim."""

    def __init__(self, image):
        self.image, self.root = image, image.root

    def read(self, *argv):
        return self.image.start(*argv)


def test_what_the_scripts_write_satisfies_the_checks_and_nothing_less_does(image):
    image.file("etc/passwd", PASSWD)
    image.file("etc/group", GROUP)
    rows = [
        row("/var/lib/x", mode=0o42750, user="persist", group="nobodys"),
        row("/var/lib/y", user="nobodys", group="mail"),
        row("/var/mail", mode=0o120777, target="spool/100% mail"),
        *(row(f"/var/{name}") for name in NAMES),
    ]

    def objections():
        # The check asks for the packages' names as well.
        image.has(*(line.replace("\t", "\tx\t", 2).replace("\tx\t", "\t", 1) for line in rows))
        accounts = declared_accounts(image.root)
        facts = FACTS.model_copy(
            update={
                "var": read_var(Answering(image), accounts),
                "accounts": read_accounts(image.root, accounts),
            }
        )
        assert len(facts.var) == len(rows)
        subject = Subject(facts=facts, plan=PLAN, settings=SETTINGS)
        return [check(subject) for check in (var_declared, accounts_declared)]

    assert all(objections()), "nothing is declared yet"
    image.has(*rows)
    image.declare("accounts")
    image.declare("var")
    assert objections() == [None, None]


def test_clean_writes_everything_down_before_it_empties_var():
    lines = [line for line in (SCRIPTS / "clean").read_text().splitlines() if line[:1] != "#"]
    steps = ('"$scripts/declare-accounts"', '"$scripts/declare-var"', "find /var -xdev")
    places = [next(n for n, line in enumerate(lines) if line.startswith(step)) for step in steps]
    assert places == sorted(places)
    assert 'scripts=$(dirname "$0")' in lines[: places[0]]

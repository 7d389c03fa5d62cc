"""The rules find what they look for: each of these lines would break one."""

import pytest

from support.rules import (
    HIDDEN_FAILURES,
    KERNEL_OF_THE_MACHINE,
    found_in,
    questions_to_the_build_machine,
    shell_lines,
    unquoted_semicolons,
    ways_to_start_programs,
)


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess",
        "import subprocess as s",
        "from subprocess import run",
        "import pty",
        "import multiprocessing.pool",
        "from multiprocessing import Process",
        "def f():\n    import subprocess",
        "import os\nos.system('x')",
        "import os as o\no.popen('x')",
        "from os import system",
        "from os import execv as e",
        "import os\nos.execvpe('x', [], {})",
        "import os\nos.posix_spawn('x', [], {})",
        "import os\nos.spawnlp(0, 'x')",
        "import os\nos.fork()",
        "import asyncio\nasyncio.create_subprocess_exec('x')",
        "from asyncio import create_subprocess_shell",
        "from asyncio.subprocess import create_subprocess_exec",
        "from concurrent.futures import ProcessPoolExecutor",
    ],
)
def test_every_way_to_start_a_program_is_found(source):
    assert ways_to_start_programs(source)


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.kill(1, 2)",
        "from immutable_base.process import run",
        "'subprocess'",
        "self.system()",
    ],
)
def test_what_starts_nothing_is_not_found(source):
    assert ways_to_start_programs(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.uname()",
        "from os import uname",
        "import os as o\no.uname().release",
        "import platform\nplatform.release()",
        "from platform import uname as u",
        "import natsort",
        "p = '/proc/sys/kernel/osrelease'",
        "argv = ('uname', '-r')",
        "argv = ('sort', '--version-sort')",
    ],
)
def test_every_question_to_the_build_machine_is_found(source):
    assert questions_to_the_build_machine(source)


def test_a_text_that_speaks_of_uname_asks_nothing():
    assert questions_to_the_build_machine("'what `uname -r` prints'\n# os.uname()") == []


@pytest.mark.parametrize(
    "line",
    [
        "k=$(uname -r)",
        "k=`uname -r`",
        "uname -sr",
        "uname -a",
        "uname",
        "uname --kernel-release",
        "uname -m -r",
        'echo "${x#y}"; uname -r',
        "ls /usr/lib/modules | sort -V | tail -n 1",
        "ls | sort -rV",
        "ls | sort --version-sort",
        "ls | sort --reverse --version-sort",
        "ls -v /usr/lib/modules",
        "cat /proc/sys/kernel/osrelease",
        "read -r k </proc/version",
        "depmod --all && x",
        "depmod -a; echo $KERNEL_RELEASE",
        "    depmod --all \\\n    && echo ${KERNEL_RELEASE}",
        'dkms build -m zfs -v "$MODULE_VERSION"',
        "dkms autoinstall",
        'dkms install zfs/2.3.9; : -k "$KERNEL_RELEASE"',
        "dracut --force",
        "kernel-install add 6.12 vmlinuz",
    ],
)
def test_every_way_to_take_the_build_machines_kernel_is_found(tmp_path, line):
    path = tmp_path / "x"
    path.write_text(f"#!/bin/bash\n# a remark\n{line}\n")
    assert found_in(path, KERNEL_OF_THE_MACHINE, tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "arch=$(uname -m)",
        "# uname -r is the build machine's",
        "x # and not `uname -r`",
        "Requires: kernel-uname-r = %{kernel_release}",
        'depmod --all "${KERNEL_RELEASE}" && \\',
        'dkms build -m "$MODULE" -k "$KERNEL_RELEASE" -j "$(nproc)"',
        "dkms add -m x",
        'dracut --force --zstd \\\n    --kver "${KERNEL_RELEASE}" x',
        "cp -v x y | sort -u",
        "[ -e /etc/dracut.conf.d ]",
    ],
)
def test_what_names_its_kernel_is_not_found(tmp_path, line):
    path = tmp_path / "x"
    path.write_text(f"{line}\n")
    assert found_in(path, KERNEL_OF_THE_MACHINE, tmp_path) == []


@pytest.mark.parametrize(
    "line",
    [
        "x || true",
        "x || :",
        "x || exit 0",
        "x || { true; }",
        "x || /bin/true",
        "x || echo failed",
        "x || echo failed; y",
        'x || printf "%s" y',
        "(x || true)",
        "x || true && \\\n y",
        "x ||\\\n    true",
        "set +e",
        "set -u +e",
        "set +o pipefail",
        "set +ue",
        "x; true",
        "x ; exit 0",
        "(x; :)",
        "if ! x; then :; fi",
        "if x; then true; fi",
        "! x",
        'sh -c "x; true"',
    ],
)
def test_every_way_to_hide_a_failure_is_found(tmp_path, line):
    path = tmp_path / "x"
    path.write_text(f"{line}\n")
    assert found_in(path, HIDDEN_FAILURES, tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "set -euo pipefail",
        "x || fail 'no kernel'",
        "x || exit 1",
        "x || status=$?",
        '[ -e "$log" ] || log=$(find x)',
        "# x || true",
        "case $x in a) y ;; esac",
        'if [ ! -e "$x" ]; then',
        "trueness=1; x",
    ],
)
def test_what_hides_no_failure_is_not_found(tmp_path, line):
    path = tmp_path / "x"
    path.write_text(f"{line}\n")
    assert found_in(path, HIDDEN_FAILURES, tmp_path) == []


def test_a_hash_inside_a_word_or_quotes_hides_nothing_and_lines_are_joined():
    text = "# all\na \"${x#y}\" b # c\nd '# e' f\ng \\\n  # between\n  h\n"
    assert [(n, " ".join(line.split())) for n, line in shell_lines(text)] == [
        (2, 'a "${x#y}" b'),
        (3, "d '# e' f"),
        (4, "g h"),
    ]


def test_commands_of_a_run_are_joined_by_what_stops_at_the_first_failure():
    assert unquoted_semicolons("RUN a; b")
    assert not unquoted_semicolons("RUN a && find x -exec y {} \\; && echo 'a; b'")

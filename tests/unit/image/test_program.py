"""An image is asked in its mounted root, by our own pipe; what it does not answer is an error."""

import pytest

from immutable_base.errors import CheckError, CommandError
from immutable_base.image.program import MountedImage
from immutable_base.process import Result


class Bwrap:
    """Answers as a program in a root does."""

    def __init__(self, status=0, stdout="", stderr=""):
        self.status, self.stdout, self.stderr, self.commands = status, stdout, stderr, []

    def __call__(self, command):
        self.commands.append(command)
        if self.status not in command.ok:
            raise CommandError("failed", details=self.stderr)
        return Result(status=self.status, stdout=self.stdout.encode(), stderr_tail=self.stderr)


def image(tmp_path, **answer):
    return MountedImage(run=Bwrap(**answer), root=tmp_path)


def test_a_question_goes_to_the_root_without_network_or_our_environment(tmp_path):
    mounted = image(tmp_path, stdout="x\n")
    assert mounted.read("rpm", "-qa") == "x\n"
    (command,) = mounted.run.commands
    argv = command.argv
    assert argv[0] == "bwrap"
    assert argv[-3:] == ("--", "rpm", "-qa")
    at = argv.index("--bind")
    assert argv[at : at + 3] == ("--bind", str(tmp_path), "/")
    assert {"--unshare-net", "--unshare-pid", "--clearenv", "--die-with-parent"} <= set(argv)


def test_a_failure_is_an_error_in_the_programs_own_words(tmp_path):
    with pytest.raises(CheckError, match="`rpm` of the image failed") as caught:
        image(tmp_path, status=1, stdout="x\n", stderr="rpmdb is broken").read("rpm", "-qa")
    assert caught.value.details == "rpmdb is broken"


@pytest.mark.parametrize("text", ["", "\n", "  \n"])
def test_an_empty_answer_is_an_error(tmp_path, text):
    with pytest.raises(CheckError, match="`rpm` of the image gave an empty answer"):
        image(tmp_path, stdout=text).read("rpm", "-qa")


def test_a_status_that_is_part_of_the_answer_is_kept(tmp_path):
    found = image(tmp_path, status=1, stdout="missing /x\n", stderr="and so on").ask("rpm", "-V")
    assert (found.status, found.text) == (1, "missing /x\nand so on")

"""syft's command line: the image's rpm database, nothing else, and no network."""

from pathlib import Path

from immutable_base.process import Result
from immutable_base.tools import syft


def command_for(root, target):
    commands = []

    def run(command):
        commands.append(command)
        return Result(status=0, stdout=b"", stderr_tail="")

    syft.scan_rpms(run, root, target)
    [command] = commands
    return command


def test_syft_has_no_network_and_asks_for_no_newer_version():
    command = command_for(Path("/image"), Path("/out.json"))
    assert command.argv[:3] == ("unshare", "--net", "--")
    assert command.env["SYFT_CHECK_FOR_APP_UPDATE"] == "false"
    assert command.timeout > 0


def test_syft_reads_the_rpm_database_of_the_root_only():
    command = command_for(Path("/image"), Path("/out.json"))
    assert command.argv[3:6] == ("syft", "scan", "dir:/image")
    # Without it a link to an absolute path in the image is followed on the build machine.
    assert "--base-path=/image" in command.argv
    assert "--override-default-catalogers=rpm-db-cataloger" in command.argv
    assert command.env["SYFT_FILE_METADATA_SELECTION"] == "none"


def test_the_document_is_cyclonedx_1_6_in_the_file_that_was_asked_for():
    assert (
        "--output=cyclonedx-json@1.6=/out.json" in command_for(Path("/i"), Path("/out.json")).argv
    )

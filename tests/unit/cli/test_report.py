"""`report`, which only reads."""

from immutable_base.cli.main import main


def test_a_workspace_that_is_not_there_is_told_and_not_made(tmp_path, capsys):
    assert main(["report", "--workspace", str(tmp_path / "nope")]) == 2
    assert "`immutable-base plan --save` makes it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

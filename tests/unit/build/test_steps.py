"""What a build step says when it fails."""

from immutable_base.build.steps import _compiler_output


def test_the_compilers_words_come_from_the_file_that_dkms_wrote(tmp_path):
    lines = ["CC nv.o", "nv-pci.c:237: error: too few arguments", *(f"line {n}" for n in range(99))]
    (tmp_path / "make.log").write_text("\n".join([*lines, "make: *** [Makefile:1] Error 2"]))
    found = _compiler_output(tmp_path).splitlines()
    assert found[0] == "nv-pci.c:237: error: too few arguments"
    assert found[-1] == "make: *** [Makefile:1] Error 2"
    assert len(found) < 60


def test_a_builder_that_did_not_come_to_the_compiler_left_no_words(tmp_path):
    assert _compiler_output(tmp_path) == ""

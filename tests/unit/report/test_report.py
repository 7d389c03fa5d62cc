"""What a person reads during and after a night."""

from immutable_base.model.run import VariantOutcome
from immutable_base.report.run import run_text
from support.run_reports import BAD, GOOD, report


def test_table_shows_kernel_direction_digest_signer_and_next_steps():
    text = run_text(report(GOOD), width=160, colour=False)
    for words in ("base-zfs", "published", "6.12.117 (up)", "zfs 2.3.9", "412", "300 MiB", "abababababab",
                  "no kernel-devel for 6.12.105", "signed by https://gitlab.com/acme/os//.gitlab-ci.yml@refs/heads/main",
                  "/var/nights", "immutable-base verify 127.0.0.1:5000/immutable-base/base-zfs:latest"):  # fmt: skip
        assert words in text


def row(text, name):
    """Return the cells of a variant's first line in the table."""
    [line] = [line for line in text.splitlines() if line.startswith(f"│ {name} ")]
    return [cell.strip() for cell in line.strip("│").split("│")]


def below(text):
    """Return the lines below the table."""
    return text.partition("└")[2].splitlines()[1:]


def shown(*variants, width=140):
    return run_text(report(*variants), width=width, colour=False)


def test_a_published_variant():
    text = shown(GOOD)
    assert row(text, "base-zfs") == [
        "base-zfs", "published", "6.12.117 (up)", "zfs 2.3.9", "412", "300 MiB", "137 KiB", "26 s", "abababababab",
        "61",
    ]  # fmt: skip
    assert text.splitlines()[0].rstrip() == "The run of 2026-11-23T02:00:00+00:00"
    assert below(text) == [
        "base-zfs: kernel 6.12.105 up to 6.12.117: no kernel-devel for 6.12.105",
        "signed by https://gitlab.com/acme/os//.gitlab-ci.yml@refs/heads/main",
        "",
        "Documents and logs: /var/nights",
        "Try next:",
        "  immutable-base verify 127.0.0.1:5000/immutable-base/base-zfs:latest",
        "  immutable-base plan --format json | jq '.variants[] | {name, kernel}'",
        "  immutable-base run      # the same inputs again: published (unchanged)",
    ]


def test_an_unchanged_variant_is_told_from_one_whose_tags_moved():
    same = GOOD.model_copy(update={"unchanged": True, "name": "same"})
    text = shown(GOOD, same)
    assert row(text, "same")[1] == "published (unchanged)"
    assert row(text, "base-zfs")[1] == "published"


HELD = GOOD.model_copy(
    update={"boot": None,
        "name": "held", "outcome": VariantOutcome.HELD, "kernel": None, "action": None, "packages": 0,
        "size": 0, "sbom_size": 0, "reference": None, "tags": (), "signer": None, "seconds": 0.0,
        "reason": "held: no kernel fits zfs; released by: kernel-devel for 6.12.105 in a repository",
    }
)  # fmt: skip


def test_another_run_is_promised_to_be_unchanged_only_if_all_is_published():
    assert not any("the same inputs again" in line for line in below(shown(GOOD, HELD)))


def test_a_held_variant_has_a_reason_and_nothing_to_verify():
    text = shown(HELD)
    assert row(text, "held") == ["held", "held", "-", "zfs 2.3.9", "-", "-", "-", "-", "-", "0"]
    assert below(text) == [
        "held: held: no kernel fits zfs; released by: kernel-devel for 6.12.105 in a repository",
        "",
        "Documents and logs: /var/nights",
    ]


def test_a_failed_variant_is_shown_with_its_whole_error():
    text = shown(BAD)
    assert row(text, "base")[1:3] == ["failed", "6.12.117 (up)"]
    assert row(text, "base")[8] == "-"
    assert below(text)[2:6] == [
        "",
        "base: `dkms build` exited with status 3",
        "  | too few arguments",
        "hint: see make.log",
    ]
    assert "immutable-base verify" not in text


def test_the_error_of_a_variant_that_could_not_be_planned_is_shown_once():
    reason = "repository 'baseos' is down"
    text = shown(BAD.model_copy(update={"reason": reason, "error": reason, "signer": None}))
    assert text.count(reason) == 1
    assert below(text)[:2] == ["", f"base: {reason}"]


def test_an_image_that_is_not_that_of_last_time_is_named_with_the_list_of_what_differs():
    document = "/var/lib/immutable-base/nights/tonight/difference/base-zfs.txt"
    text = shown(GOOD.model_copy(update={"difference": document, "signer": None}))
    assert below(text)[1] == (f"base-zfs: differs from the last image of the same plan: {document}")
    assert "differs" not in shown(GOOD)


def test_what_is_there_to_be_copied_is_on_one_line_however_narrow_the_terminal():
    reference = "registry.example/a-very-long-group/with-a-project/of-a-long-name/base-zfs"
    text = shown(GOOD.model_copy(update={"reference": f"{reference}@sha256:{'ab' * 32}"}), width=60)
    assert f"  immutable-base verify {reference}:latest" in text.splitlines()


def test_no_name_is_cut_off_however_narrow_the_terminal():
    kernel = "6.12.0-124.8.1.el10_1.x86_64"
    text = shown(GOOD.model_copy(update={"kernel": kernel}), width=100)
    cells = [line.strip("│").split("│") for line in text.splitlines() if line.startswith("│")]
    assert "…" not in "".join(map(str, cells))
    assert "".join(row[2].strip() for row in cells) == f"{kernel}(up)"


def test_the_next_step_names_a_tag_that_was_set():
    text = shown(GOOD.model_copy(update={"tags": ("stable", "20261123")}))
    assert "  immutable-base verify 127.0.0.1:5000/immutable-base/base-zfs:stable" in below(text)
    digest = GOOD.reference.rpartition("@")[2]
    text = shown(GOOD.model_copy(update={"tags": ()}))
    assert f"  immutable-base verify 127.0.0.1:5000/immutable-base/base-zfs@{digest}" in below(text)


def test_a_signer_is_named_once_and_each_signer():
    other = GOOD.model_copy(update={"name": "other", "signer": "https://a.example/x"})
    lines = below(shown(GOOD, other, GOOD.model_copy(update={"name": "third"})))
    assert [line for line in lines if line.startswith("signed by")] == [
        "signed by https://a.example/x",
        "signed by https://gitlab.com/acme/os//.gitlab-ci.yml@refs/heads/main",
    ]


def test_colour_is_for_terminals_only():
    assert "\x1b[" not in shown(GOOD, BAD, HELD)
    coloured = run_text(report(GOOD, BAD, HELD), width=140, colour=True)
    for code in ("\x1b[32mpublished", "\x1b[31mfailed", "\x1b[33mheld"):
        assert code in coloured

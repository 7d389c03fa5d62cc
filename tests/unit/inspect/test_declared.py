"""tmpfiles.d and sysusers.d of an image: what a host gets by them."""

import pytest

from immutable_base.errors import CheckError
from immutable_base.inspect.accounts import declared_accounts, known_names, read_accounts
from immutable_base.inspect.var import declared_paths, read_var
from immutable_base.inspect.words import split


@pytest.fixture
def root(tmp_path):
    return tmp_path


def write(root, path, text):
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def test_words_are_unquoted_and_without_escapes_and_the_rest_stays_as_it_is():
    assert split(r'd "/var/a \"b\"" \x41 - the  rest \x41', 4) == (
        ["d", '/var/a "b"', "A", "-"], r"the  rest \x41",
    )  # fmt: skip
    assert split("d '/var/a b'", 6) == (["d", "/var/a b"], "")
    assert split("", 3) == ([], "")


@pytest.mark.parametrize(
    "line",
    ["d /var/lib/x 0755", "D! '/var/lib/x'", "q %S/x", "C+ /var/lib/x/ - - - - /usr/x", r"f /var/lib/\x78", "L /var/lib/x - - - - ../y"],
)  # fmt: skip
def test_a_line_that_makes_something_below_var_is_known(root, line):
    write(root, "usr/lib/tmpfiles.d/x.conf", f"# a comment\n\n{line}\n")
    assert set(declared_paths(root)) == {"/var/lib/x"}


@pytest.mark.parametrize(
    "line",
    ["z /var/lib/x", "e /var/lib/x", "r /var/lib/x", "x /var/lib/x", "d /run/x", "d", "#d /var/lib/x", "d /var"],
)  # fmt: skip
def test_a_line_that_does_not_is_not(root, line):
    write(root, "usr/lib/tmpfiles.d/x.conf", line)
    assert declared_paths(root) == {}


def test_fields_are_those_of_the_line_and_what_is_left_open_is_a_dash(root):
    write(root, "usr/lib/tmpfiles.d/x.conf", "d /var/a 0750 u g 10d -\nL+ /var/b - - - - ../100%%\nd /var/c\n")  # fmt: skip
    found = declared_paths(root)
    assert found["/var/a"].model_dump(exclude={"target"}) == {
        "file": "usr/lib/tmpfiles.d/x.conf", "kind": "d", "mode": "0750", "user": "u", "group": "g",
    }  # fmt: skip
    assert (found["/var/b"].kind, found["/var/b"].target) == ("L+", "../100%")
    assert (found["/var/c"].mode, found["/var/c"].user, found["/var/c"].target) == ("-", "-", "")


def test_the_first_file_counts_and_one_in_etc_replaces_its_namesake(root):
    write(root, "usr/lib/tmpfiles.d/b.conf", "d /var/x 0700\n")
    write(root, "etc/tmpfiles.d/a.conf", "d /var/x 0750\n")
    write(root, "usr/lib/tmpfiles.d/c.conf", "d /var/gone\n")
    (root / "etc/tmpfiles.d/c.conf").symlink_to("/dev/null")
    write(root, "usr/lib/tmpfiles.d/readme", "d /var/no\n")
    found = declared_paths(root)
    assert set(found) == {"/var/x"}
    assert (found["/var/x"].file, found["/var/x"].mode) == ("etc/tmpfiles.d/a.conf", "0750")


class Mounted:
    def __init__(self, root, text):
        self.root, self.text = root, text

    def read(self, *argv):
        return self.text


def rows(*lines):
    return "".join("\t".join(line) + "\n" for line in lines)


def var_of(root, text):
    return read_var(Mounted(root, text), declared_accounts(root))


def test_folders_and_links_below_var_are_read_once_each_and_sorted(root):
    text = rows(
        ("40755", "0", "b", "root", "root", "/var/z", ""),
        ("120777", "0", "setup", "root", "root", "/var/mail", "spool/mail"),
        ("40755", "0", "b", "root", "root", "/var/lib/x", ""),
        ("40700", "16", "a", "u", "g", "/var/lib/x", ""),
        ("40755", "64", "b", "root", "root", "/var/ghost", ""),
        ("40755", "80", "b", "root", "root", "/var/config-ghost", ""),
        ("100644", "0", "b", "root", "root", "/var/file", ""),
        ("40755", "0", "b", "root", "root", "/var/run/x", ""),
        ("120777", "0", "b", "root", "root", "/var/lock", "../run/lock"),
        ("40755", "0", "b", "root", "root", "/usr/var/x", ""),
        ("40755", "0", "b", "root", "root", "/var", ""),
    ) + "(none)\n"  # fmt: skip
    found = var_of(root, text)
    assert [(it.path, it.package, it.kind, it.mode, it.user, it.target) for it in found] == [
        ("/var/lib/x", "a", "folder", "0700", "u", ""), ("/var/mail", "setup", "link", "0777", "root", "spool/mail"),
        ("/var/z", "b", "folder", "0755", "root", ""),
    ]  # fmt: skip


def test_an_owner_is_known_by_files_of_accounts_or_by_sysusers(root):
    write(root, "etc/passwd", "a:x:1:1::/:\n")
    write(root, "usr/lib/passwd", "b:x:1:1::/:\n")
    write(root, "usr/lib/group", "bg:x:1:\n")
    write(root, "usr/lib/sysusers.d/x.conf", "u! c\ng d\n")
    users, groups = known_names(root, declared_accounts(root))
    assert (users, groups) == ({"a", "b", "c"}, {"bg", "c", "d"})


@pytest.mark.parametrize(
    "line",
    ["40755\t0\tx\troot\troot\t/var/x", "dir\t0\tx\troot\troot\t/var/x\t", "40755\t-\tx\troot\troot\t/var/x\t", "4\t0\tx\tr\tr\t/\t\t"],
)  # fmt: skip
def test_an_answer_of_another_form_is_refused(root, line):
    with pytest.raises(CheckError, match="in a form that was not asked for"):
        var_of(root, f"{line}\n")


def test_accounts_of_etc_are_told_with_the_file_that_makes_them(root):
    write(root, "etc/passwd", "root:x:0:0::/:\nx:x:9:9::/:\n\n+::::::\n")
    write(root, "etc/group", "root:x:0:\nx:x:9:\nmail:x:8:x,root\nshort:x:7\n")
    write(
        root, "usr/lib/sysusers.d/a.conf", 'u root 0 "Super User" /root\nm root mail\nr - 500-900\n'
    )
    write(root, "usr/lib/sysusers.d/b.conf", "u root\ng mail\n")
    found = read_accounts(root, declared_accounts(root))
    a, b = "usr/lib/sysusers.d/a.conf", "usr/lib/sysusers.d/b.conf"
    assert [(it.kind, it.name, it.declared_in) for it in found] == [
        ("user", "root", a), ("user", "x", ""), ("group", "root", a), ("group", "x", ""),
        ("group", "mail", b), ("member", "x mail", ""), ("member", "root mail", a), ("group", "short", ""),
    ]  # fmt: skip


def test_an_image_without_files_of_accounts_has_none(root):
    assert read_accounts(root, declared_accounts(root)) == ()


@pytest.mark.parametrize("absolute", [True, False])
def test_a_file_that_is_a_link_is_read_in_the_image_and_never_on_this_machine(root, absolute):
    outside = root / "outside.conf"
    write(root, "image/usr/share/x/inside.conf", "d /var/inside\n")
    outside.write_text("d /var/outside\n")
    image, folder = root / "image", root / "image/usr/lib/tmpfiles.d"
    folder.mkdir(parents=True)
    target = "/usr/share/x/inside.conf" if absolute else "../../share/x/inside.conf"
    (folder / "a.conf").symlink_to(target)
    (folder / "b.conf").symlink_to(outside)
    (folder / "loop.conf").symlink_to("loop.conf")
    assert set(declared_paths(image)) == {"/var/inside"}

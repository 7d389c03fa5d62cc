"""A lookaside that is full, unwritable, shared, or has been tampered with: nothing is written through."""

import errno
import os
import stat

import pytest

from immutable_base.admission import folder as folder_module
from immutable_base.admission.folder import open_folder
from immutable_base.admission.host_key import host_key
from immutable_base.admission.lookaside import MOST_NAMES, Lookaside
from immutable_base.errors import HostError
from support.admissions import REFERENCE, admission
from support.admitting_host import BrokenLookasideError, would_take
from support.forge import NOW

PATH = "os/base@sha256=" + admission().digest.removeprefix("sha256:")


@pytest.fixture
def opened(tmp_path):
    """A lookaside of ours."""
    with open_folder(tmp_path / "state") as state:
        key = host_key(state)
        with state.below("lookaside", make=True) as folder:
            yield Lookaside(folder=folder, key=key)


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


def takes(state, item=None, reference=None):
    item = item or admission()
    return would_take(
        state / "lookaside", state / "host.pub", reference or item.reference, item.digest
    )


# ------------------------------------------------------------------ what is taken


def test_an_admitted_image_is_taken_under_its_name_only(opened, state):
    assert not takes(state)
    opened.add(admission())
    assert takes(state)
    assert not takes(state, admission(2))
    assert not takes(state, reference="registry.example/os/base:stable")
    assert not takes(state, reference="other.example/os/base:latest")
    assert takes(state, reference=f"registry.example/os/base@{admission().digest}")


def test_an_image_that_is_admitted_by_digest_is_not_taken_by_tag(opened, state):
    by_digest = admission(reference=f"registry.example/os/base@{admission().digest}")
    opened.add(by_digest)
    assert takes(state, by_digest)
    assert not takes(state, reference=REFERENCE)


def test_two_names_of_one_image_stay_both(opened, state):
    other = admission(reference="registry.example/os/base:stable")
    opened.add(admission())
    opened.add(other)
    opened.add(admission(signed_at=NOW + 77))
    assert takes(state)
    assert takes(state, other)
    assert len(opened.admissions()) == 2
    opened.remove([admission(signed_at=NOW + 77)])
    assert not takes(state)
    assert takes(state, other)


def test_what_expired_is_refused_and_leaves_nothing(opened, state):
    opened.add(admission())
    opened.add(admission(2))
    opened.remove([admission()])
    assert not takes(state)
    assert takes(state, admission(2))
    assert not (state / "lookaside" / PATH).exists()


def test_a_web_server_reads_the_lookaside_and_nothing_else_of_ours(tmp_path):
    """It is another user; the private key does not even lie below what it serves."""
    state, before = tmp_path / "state", os.umask(0o077)
    try:
        with open_folder(state) as folder, folder.alone(lambda: 1.0):
            key = host_key(folder)
            with folder.below("lookaside", make=True) as below:
                Lookaside(folder=below, key=key).add(admission())
    finally:
        os.umask(before)
    modes = {str(it.relative_to(state)): stat.S_IMODE(it.stat().st_mode) for it in state.rglob("*")}
    assert stat.S_IMODE(state.stat().st_mode) == 0o755
    served = {name for name in modes if name.startswith("lookaside")}
    assert served == {
        "lookaside",
        "lookaside/os",
        f"lookaside/{PATH}",
        f"lookaside/{PATH}/signature-1",
    }
    assert {name: mode for name, mode in modes.items() if name not in served} == {
        "host.key": 0o600, "host.pub": 0o644, "lock": 0o600,
    }  # fmt: skip
    folders = {name for name in served if not name.endswith("signature-1")}
    assert {modes[name] for name in folders} == {0o755}
    assert modes[f"lookaside/{PATH}/signature-1"] == 0o644


def test_more_names_than_container_tools_read_are_refused(opened, monkeypatch):
    monkeypatch.setattr("immutable_base.admission.lookaside.MOST_NAMES", 2)
    assert MOST_NAMES == 128
    for tag in ("a", "b"):
        opened.add(admission(reference=f"registry.example/os/base:{tag}"))
    with pytest.raises(HostError, match="more than 2 names"):
        opened.add(admission(reference="registry.example/os/base:c"))


# ------------------------------------------------------------------ what lies there already


@pytest.mark.parametrize(
    "name", ["signature-1", "signature-2", "signature-9", ".new", "index.html"]
)
def test_what_is_broken_does_not_stay_beside_an_admission(opened, state, name):
    """One file that cannot be parsed would refuse the image for good."""
    place = state / "lookaside" / PATH / name
    place.parent.mkdir(parents=True)
    place.write_bytes(b"hello")
    if name == "signature-1":
        with pytest.raises(BrokenLookasideError):
            takes(state)
    opened.add(admission())
    assert takes(state)
    assert [path.name for path in place.parent.iterdir()] == ["signature-1"]


@pytest.mark.parametrize("change", ["other key", "other folder", "one bit"])
def test_what_our_key_has_not_signed_for_this_image_is_no_admission(
    opened, state, tmp_path, change
):
    opened.add(admission())
    place = state / "lookaside" / PATH / "signature-1"
    if change == "other key":
        (state / "host.key").unlink()
        with open_folder(state) as folder:
            opened = Lookaside(folder=opened.folder, key=host_key(folder))
    elif change == "other folder":
        place.parent.rename(place.parent.with_name("base@sha256=" + "8" * 64))
    else:
        raw = bytearray(place.read_bytes())
        raw[-10] ^= 1
        place.write_bytes(raw)
    assert opened.admissions() == []
    opened.remove([])
    assert list((state / "lookaside/os").iterdir()) == [], "nothing needs it any more"


# ------------------------------------------------------------------ links


@pytest.mark.parametrize("part", ["os", PATH, f"{PATH}/signature-1"])
def test_nothing_is_written_through_a_link(opened, state, tmp_path, part):
    outside = tmp_path / "outside"
    outside.mkdir()
    target = outside if "signature" not in part else outside / "file"
    link = state / "lookaside" / part
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
    with pytest.raises(HostError, match="is a link"):
        opened.add(admission())
    with pytest.raises(HostError, match="is a link"):
        opened.admissions()
    assert list(outside.iterdir()) == []
    assert link.is_symlink()


def test_a_link_that_appears_at_the_last_moment_is_replaced_and_not_followed(
    opened, state, tmp_path
):
    target = tmp_path / "target"
    target.write_text("untouched")
    with opened.folder.below("os", make=True) as folder:
        (state / "lookaside/os/file").symlink_to(target)
        folder.write("file", b"ours")
    assert target.read_text() == "untouched"
    assert not (state / "lookaside/os/file").is_symlink()


def test_a_link_in_place_of_a_temporary_file_is_not_followed(opened, state, tmp_path):
    target = tmp_path / "target"
    target.write_text("untouched")
    with opened.folder.below("os", make=True) as folder:
        (state / "lookaside/os/.new").symlink_to(target)
        folder.write("file", b"ours")
    assert target.read_text() == "untouched"


def use(path):
    """Do what every command begins with."""
    with (
        open_folder(path) as state,
        state.alone(lambda: 1.0),
        state.below("lookaside", make=True) as folder,
    ):
        return Lookaside(folder=folder, key=host_key(state)).admissions()


def test_a_link_that_appears_after_the_look_is_not_followed_either(
    opened, state, tmp_path, monkeypatch
):
    target = tmp_path / "target"
    target.write_text("untouched")
    with opened.folder.below("os", make=True) as folder:
        (state / "lookaside/os/.new").symlink_to(target)
        monkeypatch.setattr(folder_module.os, "unlink", lambda *_, **__: None)
        with pytest.raises(HostError):
            folder.write("file", b"ours")
    assert target.read_text() == "untouched"


@pytest.mark.parametrize("name", ["state", "state/lookaside", "state/lock", "state/host.key"])
def test_a_link_in_the_state_is_refused(tmp_path, name):
    link = tmp_path / name
    link.parent.mkdir(exist_ok=True)
    (tmp_path / "elsewhere").mkdir()
    link.symlink_to(tmp_path / "elsewhere" / ("file" if name.endswith(("lock", "key")) else ""))
    with pytest.raises(HostError, match="is a link"):
        use(tmp_path / "state")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["", "lookaside", "lookaside/os", f"lookaside/{PATH}"])
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_folder_into_which_others_may_write_is_refused(opened, state, name, mode):
    opened.add(admission())
    (state / name).chmod(mode)
    with pytest.raises(HostError, match="others may write"):
        use(state)


def test_a_folder_in_place_of_a_file_is_refused(opened, state):
    (state / "lookaside" / PATH / "signature-1").mkdir(parents=True)
    with pytest.raises(HostError, match="does not belong there"):
        opened.add(admission())


def test_a_pipe_is_refused_and_not_waited_for(opened, state):
    (state / "lookaside" / PATH).mkdir(parents=True)
    os.mkfifo(state / "lookaside" / PATH / "signature-1")
    with pytest.raises(HostError, match="neither a file nor a folder"):
        opened.add(admission())


def test_a_file_of_another_user_is_refused(opened, state, monkeypatch):
    opened.add(admission())
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(HostError, match="belongs to the user"):
        opened.admissions()


# ------------------------------------------------------------------ a disk that refuses


@pytest.mark.parametrize(
    "refused", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.EDQUOT]
)
@pytest.mark.parametrize("step", ["open", "fsync", "rename", "mkdir"])
def test_a_disk_that_refuses_changes_nothing(opened, state, monkeypatch, refused, step):
    other = admission(reference="registry.example/os/base:stable")
    if step != "mkdir":
        opened.add(other)
    real = getattr(os, step)

    def refuse(*arguments, **keywords):
        if step == "open" and not arguments[1] & os.O_CREAT:
            return real(*arguments, **keywords)
        raise OSError(refused, os.strerror(refused))

    monkeypatch.setattr(folder_module.os, step, refuse)
    with pytest.raises(HostError) as caught:
        opened.add(admission())
    monkeypatch.undo()
    assert "nothing was admitted" in caught.value.hint
    assert not takes(state)
    if step != "mkdir":
        assert takes(state, other)
        assert [path.name for path in (state / "lookaside" / PATH).iterdir()] == ["signature-1"]

"""The sum over what an image is made of beside its plan: each of these makes another image."""

import pytest

from immutable_base.build.made_of import image_sum, layer_sum
from immutable_base.policy.host_trust import HostTrust, Scope


@pytest.fixture
def layer(tmp_path):
    folder = tmp_path / "run/context/base"
    (folder / "files/etc").mkdir(parents=True)
    (folder / "Containerfile").write_text("FROM ${BASE_IMAGE}\n")
    (folder / "files/etc/motd").write_text("hello\n")
    (folder / "files/link").symlink_to("etc/motd")
    return folder


def changed(path, text):
    path.write_text(text)


CHANGES = {
    "a byte": lambda layer: changed(layer / "files/etc/motd", "hellO\n"),
    "a name": lambda layer: (layer / "files/etc/motd").rename(layer / "files/etc/issue"),
    "an executable bit": lambda layer: (layer / "files/etc/motd").chmod(0o755),
    "an empty folder": lambda layer: (layer / "files/var").mkdir(),
    "a file": lambda layer: changed(layer / "files/new", ""),
    "where a link leads": lambda layer: ((layer / "files/link").unlink(), (layer / "files/link").symlink_to("etc")),
    "a file for a link": lambda layer: ((layer / "files/link").unlink(), changed(layer / "files/link", "etc/motd")),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_with_another_file_it_is_another_layer(layer, change):
    before = layer_sum([layer])
    assert layer_sum([layer]) == before
    change(layer)
    assert layer_sum([layer]) != before


def test_which_folder_a_file_is_in_counts_and_one_that_is_not_there_has_none(layer, tmp_path):
    elsewhere = layer.rename(tmp_path / "run/context/zfs")
    assert layer_sum([elsewhere]) != layer_sum([elsewhere.rename(layer)])
    assert layer_sum([layer, tmp_path / "none"]) == layer_sum([layer])
    assert layer_sum([]) != layer_sum([layer])


TRUST = HostTrust(name="x", scopes=(Scope(name="registry.example/os"),))


@pytest.mark.parametrize(
    "other",
    [
        (["2"], {"title": "base"}, TRUST),
        (["1", "1"], {"title": "base"}, TRUST),
        (["1"], {"title": "other"}, TRUST),
        (["1"], {"title": None}, TRUST),
        (["1"], {"title": "base"}, HostTrust(name="y", scopes=TRUST.scopes)),
        (["1"], {"title": "base"}, None),
    ],
)
def test_with_another_layer_label_or_policy_it_is_another_image(other):
    assert image_sum(["1"], {"title": "base"}, TRUST) != image_sum(*other)


def test_the_order_of_labels_does_not_count():
    one, other = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}
    assert image_sum(["1"], one, TRUST) == image_sum(["1"], other, TRUST)

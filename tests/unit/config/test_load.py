"""A mistake in immutable-base.toml is named with its place and the right word."""

import json
import re

import pytest

from immutable_base.config.forms import FORMS
from immutable_base.config.instance import InstanceSettings
from immutable_base.config.load import load_settings
from immutable_base.config.schema import Settings
from immutable_base.errors import ConfigurationError
from support.paths import PRODUCT

URL_LINE = 'url = "https://h.invalid/"\n'


def broken(tmp_path, old, new):
    text = PRODUCT.read_text()
    assert old in text
    path = tmp_path / "immutable-base.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_the_products_own_configuration_is_valid():
    settings = load_settings(PRODUCT)
    assert list(settings.variants) == ["base", "base-zfs", "base-zfs-nvidia", "fedora-base"]


def test_the_products_own_configuration_signs_on_protected_refs_only():
    assert load_settings(PRODUCT).signing.protected_ref


def test_unknown_key_says_did_you_mean(tmp_path):
    words = broken(tmp_path, "allow_down = true", "alow_down = true")
    assert "kernel.alow_down: unknown key; did you mean 'allow_down'?" in words


def test_unknown_key_in_a_table_of_tables(tmp_path):
    words = broken(tmp_path, 'dkms_name = "zfs"', 'dkmsname = "zfs"')
    assert "modules.zfs.dkmsname: unknown key; did you mean 'dkms_name'?" in words
    assert "modules.zfs.dkms_name: this key is missing" in words


def test_unknown_reference_says_did_you_mean(tmp_path):
    words = broken(tmp_path, 'stream = "fedora-44"', 'stream = "fedora44"')
    assert (
        "variants.fedora-base.stream: 'fedora44' is not defined; did you mean 'fedora-44'?" in words
    )


def test_a_compose_is_never_needed(tmp_path):
    """It is gone after some weeks, and no other base image has one."""
    words = broken(tmp_path, "optional = true", "optional = false")
    assert "repositories.compose-baseos" in words
    assert "optional = true" in words
    archive = 'archive = "https://archive.invalid/{compose}/"\n'
    words = broken(tmp_path, "[repositories.epel]\n", f"[repositories.epel]\n{archive}")
    assert "repositories.epel" in words


@pytest.mark.parametrize("days", ["0", "-1", '"x"'])
def test_a_limit_of_age_is_some_days(tmp_path, days):
    line = f"[repositories.epel]\nmaximum_age_days = {days}\n"
    words = broken(tmp_path, "[repositories.epel]\n", line)
    assert "repositories.epel.maximum_age_days" in words


def test_the_next_fedora_is_ready():
    """Its repositories, in the same order, and a key of its own: one word of the variant changes."""
    settings = load_settings(PRODUCT)
    now, after = (settings.streams[f"fedora-{number}"] for number in (44, 45))
    assert settings.variants["fedora-base"].stream == "fedora-44"
    for old, new in zip(now.repositories, after.repositories, strict=True):
        before, later = settings.repositories[old], settings.repositories[new]
        assert (before.url, before.archive) == (later.url, later.archive)
        assert settings.keys[later.key].fingerprint != settings.keys[before.key].fingerprint
        assert "archives.fedoraproject.org" in (later.archive or "")


def test_malformed_toml(tmp_path):
    assert "is not TOML" in broken(tmp_path, "schema_version = 1", "schema_version = = 1")


def test_unknown_tag_field(tmp_path):
    assert "publish.tags" in broken(tmp_path, '"{date}"', '"{dat}"')


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('"{date}"', '".x{date}"', "publish.tags"),
        ("[publish]\ntags = [", "[publish]\ntags = []\n# [", "publish.tags"),
        ('destination = "', 'destination = "https://', "registry.destination"),
    ],
)
def test_what_would_fail_after_hours_is_refused_at_once(tmp_path, old, new, key):
    assert key in broken(tmp_path, old, new)


def test_fingerprint_must_be_whole(tmp_path):
    words = broken(tmp_path, "7DC7299DCF7C7FD9CD87701BA599FD5E9DB84141", "9DB84141")
    assert "keys.openzfs.fingerprint" in words


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("places = []", "places"),
        ('url = "https://x/key"', "url: unknown key"),
        ('places = ["ftp://x/key"]', "places"),
        ('places = ["file://key.asc"]', "places"),
        ('places = ["https://"]', "places"),
        ('places = [""]', "places"),
        (f'places = ["x"]\nsha256 = "{"A" * 64}"', "sha256"),
        (f'places = ["x"]\nsha256 = "{"a" * 63}"', "sha256"),
        ('places = ["x"]\nwitness_key_id = "0xCDF6BA43"', "witness_key_id"),
        ('places = ["x"]\nwitness_key_id = "BA43"', "witness_key_id"),
    ],
)
def test_a_key_without_places_or_with_half_a_pin_is_refused(tmp_path, table, key):
    words = broken(tmp_path, "[keys.centos]\n", f"[keys.extra]\n{table}\n\n[keys.centos]\n")
    assert f"keys.extra.{key}" in words


MISTAKES = {
    'destination = "': ('destination = "https://', "registry.destination: 'https://registry.gitlab.com/immutable-base/immutable-base' is not host[:port]/path in small letters, without https:// and without a tag"),
    "7DC7299DCF7C7FD9CD87701BA599FD5E9DB84141": ("7DC7 299D", "keys.openzfs.fingerprint: '7DC7 299D' is not 40 hexadecimal digits, capitals, without spaces"),
    'witness_key_id = "CDF6BA43"': ('sha256 = "AF"', "keys.cuda.sha256: 'AF' is not 64 hexadecimal digits, small letters"),
    '"https://nvidia.github.io/libnvidia-container/gpgkey"': ('"ftp://x/k"', "keys.container-toolkit.places.0: 'ftp://x/k' is not https://..., file:///... or a path"),
    'base = "quay.io/fedora/fedora-bootc:44"': ('base = "docker://quay.io/a/b:c"', "streams.fedora-44.base: 'docker://quay.io/a/b:c' is not registry/path:tag, without docker:// in front"),
    'packages = ["zfs"]': ('packages = "zfs"', "layers.zfs.packages: this has to be a list"),
    "[keys.openzfs]": ('[keys]\nopenzfs = "x"\n[ignored]', "keys.openzfs: this has to be a table"),
    'tags = ["latest"': ('tags = []\n# ["latest"', "publish.tags: this must not be empty"),
}  # fmt: skip


@pytest.mark.parametrize("old", MISTAKES)
def test_a_text_of_another_form_is_explained_in_words(tmp_path, old):
    """A pattern of a hundred characters says nothing to whoever typed an address wrongly."""
    new, said = MISTAKES[old]
    words = broken(tmp_path, old, new)
    assert said in words
    assert "pattern" not in words


@pytest.mark.parametrize("model", [Settings, InstanceSettings])
def test_every_form_of_a_text_has_its_words(model):
    patterns = set(re.findall(r'"pattern": "(.*?)"[,}]', json.dumps(model.model_json_schema())))
    assert {json.loads(f'"{pattern}"') for pattern in patterns} <= FORMS.keys()


@pytest.mark.parametrize("value", ['"true"', '"no"', "1"])
def test_yes_and_no_are_no_texts(tmp_path, value):
    words = broken(tmp_path, "[signing]\n", f"[signing]\nwithout_ct_log = {value}\n")
    assert "signing.without_ct_log: this has to be true or false" in words


def test_a_long_text_of_another_form_is_not_repeated_whole(tmp_path):
    words = broken(tmp_path, "7DC7299DCF7C7FD9CD87701BA599FD5E9DB84141", "A" * 5000)
    assert len(words) < 500


@pytest.mark.parametrize("place", ["url", "archive"])
@pytest.mark.parametrize("field", ["{relase}", "{release", "$releasever}", "{}"])
def test_an_address_with_an_unknown_field_is_refused_before_a_server_is_asked_for_it(
    tmp_path, place, field
):
    line = f'[repositories.fedora]\n{place} = "https://h.invalid/{field}/"\n'
    text = PRODUCT.read_text()
    old = text[text.index("[repositories.fedora]") :].split("\n\n")[0]
    words = broken(tmp_path, old, f'{line}{"" if place == "url" else URL_LINE}key = "fedora"')
    assert f"repositories.fedora.{place}: " in words
    assert "an address may hold {release} and {compose} only" in words


def test_missing_file(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot read the configuration"):
        load_settings(tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    "tag", ["{date.x}", "{kernel:>99999999999}", "{date!r}", "{0}", "{}", "{", "}", "{{date}}"]
)
def test_only_date_kernel_and_digest_can_be_filled_into_a_tag(tmp_path, tag):
    message = broken(tmp_path, '"{date}"', f'"{tag}"')
    assert (
        f"publish.tags: '{tag}': a tag may hold {{date}}, {{kernel}} and {{digest}} only" in message
    )


@pytest.mark.parametrize(
    "content", [b'schema_version = 1\nvendor = "\xe9"\n', b"x = " + b"[" * 20_000]
)
def test_a_file_that_cannot_be_toml_is_refused_with_its_name(tmp_path, content):
    path = tmp_path / "immutable-base.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"immutable-base\.toml is not TOML"):
        load_settings(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('module = "zfs"', 'module = "zsf"', "layers.zfs.module: 'zsf' is not defined; did you mean 'zfs'?"),
        ('"admission", "zfs"]', '"admission", "zsf"]', "layers: 'zsf' is not defined; did you mean 'zfs'?"),
        ('key = "openzfs"', 'key = "openzsf"', "key: 'openzsf' is not defined; did you mean 'openzfs'?"),
        ('repositories = ["openzfs"]', 'repositories = ["openzsf"]', "repositories: 'openzsf' is not defined; did you mean 'openzfs'?"),
        ('url = "http', 'url = "ftp', "url"),
    ],
)  # fmt: skip
def test_a_name_that_nothing_defines_is_refused_wherever_it_stands(tmp_path, old, new, message):
    assert message in broken(tmp_path, old, new)


def test_candidates_are_beside_the_variants_unless_they_have_a_place_of_their_own(tmp_path):
    settings = load_settings(PRODUCT)
    assert settings.candidates == f"{settings.registry.destination}/candidates"
    path = tmp_path / "immutable-base.toml"
    text = PRODUCT.read_text()
    path.write_text(text.replace("[registry]\n", '[registry]\ncandidates = "h.example/x/c"\n', 1))
    assert load_settings(path).candidates == "h.example/x/c"
    for wrong in ("h.example/x:tag", "https://h.example/x", "h.example/X"):
        line = f'[registry]\ncandidates = "{wrong}"\n'
        assert "registry.candidates" in broken(tmp_path, "[registry]\n", line)

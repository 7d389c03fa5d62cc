"""The document that is attested is small, and nothing of what it says is lost."""

import json
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace

import pytest
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from immutable_base.config.load import load_settings
from immutable_base.errors import CheckError
from immutable_base.sbom.make import image_component, read_bom, render, require_size
from support.paths import PRODUCT
from support.syft_document import many_packages

EPOCH = 1_764_000_000
VARIANT = SimpleNamespace(
    base=SimpleNamespace(pinned="quay.io/x/y@sha256:" + "0" * 64),
    kernel=SimpleNamespace(chosen="6.12.0-1.el10.x86_64", image="6.12.0-1.el10.x86_64"),
    stream="centos-stream-10",
)


def rendered(document):
    image = image_component("registry/x/base", VARIANT, image_id="0" * 64, epoch=EPOCH)
    return render(read_bom(json.dumps(document).encode()), image=image, epoch=EPOCH)


@cache
def rendered_packages(count):
    """Return the document about so many packages: to make it takes a second for some hundred."""
    return rendered(many_packages(count))


def bytes_of_the_long_form(document):
    """What the same packages took until 1.0: syft's references, every edge, indentation."""
    bom = read_bom(json.dumps(document).encode())
    kept = {
        item["bom-ref"]: [p for p in item["properties"] if p["name"].startswith("syft:metadata:")]
        for item in document["components"]
    }
    image = image_component("registry/x/base", VARIANT, image_id="0" * 64, epoch=EPOCH)
    bom.metadata.component = image
    bom.metadata.timestamp = datetime.fromtimestamp(EPOCH, UTC)
    bom.register_dependency(image, bom.components)
    long = json.loads(JsonV1Dot6(bom).output_as_string(indent=1))
    for item in long["components"]:
        item["properties"] = kept[item["bom-ref"]]
    return len(json.dumps(long, indent=1).encode())


@pytest.mark.parametrize("count", [60, 300])
def test_it_has_at_most_two_fifths_of_the_long_forms_bytes(count):
    """The share is the same for 600, in four times the time."""
    share = len(rendered_packages(count).encode()) / bytes_of_the_long_form(many_packages(count))
    print(f"{count} packages: {share:.0%}")
    assert share <= 0.4


def test_it_is_valid_and_says_of_each_package_what_syft_said():
    document, text = many_packages(300), rendered_packages(300)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found = {item["purl"]: item for item in json.loads(text)["components"]}
    assert len(found) == 300
    for item in document["components"]:
        here = found[item["purl"]]
        for key in ("type", "name", "version", "publisher"):
            assert here[key] == item[key]
        assert {json.dumps(it, sort_keys=True) for it in here["licenses"]} == {
            json.dumps(it, sort_keys=True) for it in item["licenses"]
        }


def test_a_packages_reference_is_its_nevra_and_every_edge_of_syfts_is_there():
    document, parsed = many_packages(50), json.loads(rendered_packages(50))
    nevra = {
        item["bom-ref"]: f"{item['name']}-{item['version']}.x86_64"
        for item in document["components"]
    }
    assert {item["bom-ref"] for item in parsed["components"]} == set(nevra.values())
    expected = {
        nevra[entry["ref"]]: sorted(nevra[ref] for ref in entry["dependsOn"])
        for entry in document["dependencies"]
    }
    assert {it["ref"]: it["dependsOn"] for it in parsed["dependencies"]} == expected


def test_what_says_nothing_is_left_out():
    text = rendered_packages(50)
    parsed = json.loads(text)
    assert text.count("\n") == 1, "no indentation"
    assert '": ' not in text
    assert all(entry["dependsOn"] for entry in parsed["dependencies"])
    image = parsed["metadata"]["component"]["bom-ref"]
    assert image not in {entry["ref"] for entry in parsed["dependencies"]}
    assert "syft:metadata" not in text


def test_an_epoch_is_part_of_a_reference_and_what_is_no_package_keeps_its_own():
    document = many_packages(1)
    document["components"][0]["version"] = "1:0.0-0.el10"
    document["components"].append(
        {"bom-ref": "os:centos@10", "type": "operating-system", "name": "centos", "version": "10"}
    )
    references = {item["bom-ref"] for item in json.loads(rendered(document))["components"]}
    assert references == {"lib-of-number-0-1:0.0-0.el10.x86_64", "os:centos@10"}


def test_a_package_that_is_installed_twice_has_two_references():
    document = many_packages(2)
    twin = {**document["components"][0], "bom-ref": document["components"][0]["bom-ref"] + "&x=1"}
    twin["purl"] += "&x=1"
    document["components"].append(twin)
    document["dependencies"] = [
        {"ref": twin["bom-ref"], "dependsOn": [document["components"][1]["bom-ref"]]}
    ]
    parsed = json.loads(rendered(document))
    references = sorted(item["bom-ref"] for item in parsed["components"])
    assert references == [
        "lib-of-number-0-0.0-0.el10.x86_64", "lib-of-number-0-0.0-0.el10.x86_64#2",
        "lib-of-number-1-1.1-1.el10.x86_64",
    ]  # fmt: skip
    assert [it["ref"] for it in parsed["dependencies"]] == ["lib-of-number-0-0.0-0.el10.x86_64#2"]


# ------------------------------------------------------------------ the log's limit


@pytest.fixture
def settings():
    return load_settings(PRODUCT)


def test_what_fits_exactly_passes_and_one_byte_more_is_refused_with_both_numbers(settings):
    limit = settings.signing.sbom_limit_kib
    require_size(limit * 1024, settings.signing, name="base")
    with pytest.raises(CheckError) as caught:
        require_size(limit * 1024 + 1, settings.signing, name="base")
    assert f"the SBOM of base has {limit + 1} KiB" in caught.value.message
    assert f"{limit} KiB" in caught.value.message
    assert "signing.sbom_limit_kib" in caught.value.hint
    assert settings.signing.rekor_url in caught.value.hint
    assert caught.value.exit_code == 10


def test_the_default_is_far_below_what_the_public_log_has_refused(settings):
    assert settings.signing.sbom_limit_kib * 1024 < 2 << 20

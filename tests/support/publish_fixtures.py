"""A publication's surroundings, without network."""

import dataclasses
import json

import pytest

from immutable_base.config.load import load_settings
from immutable_base.context import Context
from immutable_base.model.plan import (
    BasePlan,
    KernelAction,
    KernelPlan,
    LayerPlan,
    VariantPlan,
    Verdict,
)
from immutable_base.publish.publish import publish_variant
from immutable_base.publish.request import PublishRequest
from immutable_base.run.publisher import publisher_of
from support.complete import complete, write_sboms
from support.paths import PRODUCT
from support.publish_world import DIGEST, MANIFEST, OLD, World, token_for, trust_files
from support.scene import write_config

TAGS = ("latest", "20251124", "6.12.107_deb13-amd64")


@pytest.fixture
def config(tmp_path):
    """The product's configuration, with a private Sigstore: that of the world."""
    folder = tmp_path / "config"
    folder.mkdir()
    product = load_settings(PRODUCT)
    signing = {
        "certificate_identity": product.signing.certificate_identity,
        "certificate_oidc_issuer": product.signing.certificate_oidc_issuer,
        **trust_files(folder),
    }
    return write_config(folder, signing, {"destination": product.registry.destination})


@pytest.fixture
def settings(config):
    return load_settings(config)


@pytest.fixture
def world(settings):
    return World(settings)


@pytest.fixture
def context(settings, world, config, tmp_path):
    return Context(
        settings=settings,
        config_path=config,
        layers_folder=tmp_path,
        workspace=tmp_path / "workspace",
        run=world.run,
        open_reader=world.open_reader,
    )


@pytest.fixture
def token(settings, monkeypatch):
    text = token_for(settings)
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", text)
    return text


@pytest.fixture
def variant():
    layer = LayerPlan(name="base", request=(), install=(), source_date_epoch=1_764_000_000)
    return VariantPlan(
        name="base-zfs",
        stream="centos-stream-10",
        verdict=Verdict.BUILD,
        base=BasePlan(reference="quay.io/x/y:z", digest=OLD, created=0),
        kernel=KernelPlan(
            image="6.12.105+deb13-amd64",
            image_evr="6.12.105-1",
            chosen="6.12.107+deb13-amd64",
            chosen_evr="6.12.107-1",
            action=KernelAction.UP,
            source="repository",
            ceiling="7.2",
            rejected=(),
        ),
        modules=(),
        layers=(layer,),
        packages=(),
        reasons=(),
    )


@pytest.fixture
def image(tmp_path):
    """The layout and the SBOM of tonight's image."""
    layout = tmp_path / "layout"
    layout.mkdir()
    (layout / "index.json").write_text(json.dumps({"manifests": [{"digest": DIGEST}]}))
    manifest = layout / "blobs" / DIGEST.replace(":", "/")
    manifest.parent.mkdir(parents=True)
    manifest.write_bytes(MANIFEST)
    return layout, write_sboms(tmp_path / "sbom.json", {"bomFormat": "CycloneDX", "components": []})


@pytest.fixture
def publish(context, variant, image):
    """Publish the image; `to` is another world than the fixture's, `context` other settings."""
    layout, sbom = image

    def call(tags=TAGS, to=None, context=context, renew=None):
        where = (
            dataclasses.replace(context, run=to.run, open_reader=to.open_reader) if to else context
        )
        request = PublishRequest(
            variant=variant.name,
            repository=where.repository_of(variant.name),
            digest=DIGEST,
            epoch=variant.source_date_epoch,
            layout=layout,
            sbom=sbom,
            **complete(where.repository_of(variant.name), sbom),
            tags=tags,
            rests_on={},
            renew=renew,
        )
        return publish_variant(publisher_of(where), request)

    return call

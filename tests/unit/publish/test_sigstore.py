"""Trust comes from the configuration, whole; an SCT is waived only where none can be."""

import dataclasses

import pytest

from immutable_base.config.load import load_settings
from immutable_base.errors import ConfigurationError
from immutable_base.publish.publisher import sigstore_of
from immutable_base.run.publisher import publisher_of
from immutable_base.trusted import roots_of
from immutable_base.verify import NO_CT_LOG
from support.paths import PRODUCT


def with_signing(context, **keys):
    settings = context.settings
    signing = settings.signing.model_copy(update=keys)
    return dataclasses.replace(context, settings=settings.model_copy(update={"signing": signing}))


def test_the_public_instance_needs_no_files_and_demands_the_sct():
    signing = load_settings(PRODUCT).signing
    sigstore, roots = sigstore_of(signing, PRODUCT.parent, {}), roots_of(signing, PRODUCT.parent)
    assert sigstore.check_sct
    assert not sigstore.environment
    assert roots.sct_checked
    assert len(roots.authorities) == 2
    assert (
        "rekor c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d"
        in roots.fingerprints
    )


def test_private_roots_are_passed_by_environment(context):
    publisher, signing = publisher_of(context), context.settings.signing
    assert publisher.sigstore.check_sct
    assert publisher.sigstore.environment == {
        "SIGSTORE_ROOT_FILE": signing.fulcio_root,
        "SIGSTORE_REKOR_PUBLIC_KEY": signing.rekor_key,
        "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": signing.ct_log_key,
    }
    assert [line.partition(" ")[0] for line in publisher.verifier.roots.fingerprints] == [
        "fulcio",
        "rekor",
        "ct",
    ]


def test_a_private_fulcio_without_ct_log_is_said(context, token, publish):
    private = with_signing(context, ct_log_key="", without_ct_log=True)
    publication = publish(("latest",), context=private)
    assert publication.notes == (NO_CT_LOG,)


@pytest.mark.parametrize("key", ["fulcio_root", "rekor_key", "ct_log_key"])
def test_a_key_that_is_not_there(context, tmp_path, key):
    with pytest.raises(ConfigurationError, match="which does not exist"):
        publisher_of(with_signing(context, **{key: str(tmp_path / "nothing.pem")}))


@pytest.mark.parametrize("content", ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])  # fmt: skip
@pytest.mark.parametrize("key", ["fulcio_root", "rekor_key", "ct_log_key"])
def test_a_file_that_holds_no_trust(context, tmp_path, key, content):
    path = tmp_path / "key.pem"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=f"signing.{key}"):
        publisher_of(with_signing(context, **{key: str(path)}))

"""Trust comes from the configuration, and an SCT is waived only where none can be."""

import dataclasses

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.verify import NO_CT_LOG


def with_signing(context, **keys):
    settings = context.settings
    signing = settings.signing.model_copy(update=keys)
    return dataclasses.replace(context, settings=settings.model_copy(update={"signing": signing}))


@pytest.fixture
def pem(tmp_path):
    path = tmp_path / "key.pem"
    path.write_text("x")
    return str(path)


def test_the_public_instance_needs_no_files_and_demands_the_sct(context):
    sigstore = context.verifier().sigstore
    assert sigstore.check_sct
    assert not sigstore.environment


def test_private_roots_are_passed_by_environment(context, pem):
    private = with_signing(context, fulcio_root=pem, rekor_key=pem, ct_log_key=pem)
    sigstore = private.verifier().sigstore
    assert sigstore.check_sct
    assert sigstore.environment == {
        "SIGSTORE_ROOT_FILE": pem,
        "SIGSTORE_REKOR_PUBLIC_KEY": pem,
        "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": pem,
    }


def test_a_private_fulcio_without_ct_log_is_said(context, pem, token, publish):
    private = with_signing(context, fulcio_root=pem, rekor_key=pem)
    publication = publish(("latest",), context=private)
    assert publication.notes == (NO_CT_LOG,)


def test_a_key_that_is_not_there(context, tmp_path):
    with pytest.raises(ConfigurationError, match="which does not exist"):
        with_signing(context, rekor_key=str(tmp_path / "nothing.pem")).verifier()

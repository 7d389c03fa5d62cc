"""Checksums: algorithm and digest travel together, and only those that prove something."""

import pytest
from pydantic import ValidationError

from immutable_base.errors import VerificationError
from immutable_base.model.checksum import Checksum

DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha", "sha224", "SHA256", "blake2b", ""])
def test_an_algorithm_that_proves_nothing_or_that_nobody_knows_is_refused_by_name(algorithm):
    with pytest.raises(VerificationError, match=f"{algorithm or 'none'} is not accepted"):
        Checksum.of(algorithm, "0" * 64)


@pytest.mark.parametrize("algorithm", DIGITS)
def test_a_digest_of_another_length_than_its_algorithms_is_none(algorithm):
    for digits in set(DIGITS.values()) - {DIGITS[algorithm]} | {0, 1}:
        with pytest.raises(ValidationError):
            Checksum.of(algorithm, "0" * digits)
    assert Checksum.of(algorithm, "0" * DIGITS[algorithm]).hex == "0" * DIGITS[algorithm]


@pytest.mark.parametrize("text", ["g" * 64, "../" + "0" * 61, "A" * 64])
def test_what_is_no_digest_is_refused(text):
    with pytest.raises(ValueError, match="hex"):
        Checksum.of("sha256", text)


def test_a_file_is_named_under_algorithm_and_digest():
    names = {Checksum.of(name, "0" * digits).file_stem for name, digits in DIGITS.items()}
    assert names == {f"{name}-{'0' * digits}" for name, digits in DIGITS.items()}


def test_two_algorithms_with_the_same_beginning_are_two_checksums():
    assert Checksum.of("sha256", "0" * 64) != Checksum.of("sha512", "0" * 128)
    assert len({Checksum.of("sha256", "0" * 64), Checksum.of("sha256", "0" * 64)}) == 1

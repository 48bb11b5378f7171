"""RS256 with nothing but Python: PKCS #1 v1.5 over SHA-256, for the key in a Google key file.

https://www.rfc-editor.org/rfc/rfc8017#section-8.2.1. For one signature in a pod of the
key's own users: nobody is there to time it.
"""

from __future__ import annotations

import base64
import hashlib

_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30
# The DER of `DigestInfo` up to the digest of SHA-256.
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def signature(pem: str, message: bytes) -> bytes:
    """Raises ValueError for what is no RSA key in PKCS #8 (`BEGIN PRIVATE KEY`)."""
    modulus, exponent = _key(pem)
    size = (modulus.bit_length() + 7) // 8
    digest = _DIGEST_INFO + hashlib.sha256(message).digest()
    if size < len(digest) + 11:
        raise ValueError("the key is too short")
    padded = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
    return pow(int.from_bytes(padded, "big"), exponent, modulus).to_bytes(size, "big")


def _key(pem: str) -> tuple[int, int]:
    """Modulus and private exponent."""
    lines = [line.strip() for line in pem.strip().splitlines()]
    if len(lines) < 3 or lines[0] != "-----BEGIN PRIVATE KEY-----":
        raise ValueError("it is not in PKCS #8")
    try:
        outer = _inside(base64.b64decode("".join(lines[1:-1]), validate=True), _SEQUENCE)
        wrapped = next(content for tag, content in outer if tag == _OCTETS)
        numbers = [content for tag, content in _inside(wrapped, _SEQUENCE) if tag == _INTEGER]
        return int.from_bytes(numbers[1], "big"), int.from_bytes(numbers[3], "big")
    except (IndexError, StopIteration):
        raise ValueError("it holds no RSA key") from None


def _inside(der: bytes, tag: int) -> list[tuple[int, bytes]]:
    """What the one element of a kind consists of."""
    ((found, content),) = _elements(der)
    if found != tag:
        raise ValueError("it is no key")
    return _elements(content)


def _elements(der: bytes) -> list[tuple[int, bytes]]:
    found, place = [], 0
    while place < len(der):
        tag, length, place = der[place], der[place + 1], place + 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(der[place : place + size], "big")
            place += size
        found.append((tag, der[place : place + length]))
        place += length
    return found

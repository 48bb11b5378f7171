"""The keys with which clouds, clusters and users sign what others verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


def new() -> RSAPrivateKey:
    """An RSA key of its own; slow, so that it is made when it is first needed."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)

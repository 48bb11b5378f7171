"""Short keys that stand-ins take turns with. Nobody is kept out by them.

To make new ones for each is most of a stand-in's start, and a key of full length takes each SDK
ten times as long to load.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import rsa


def short_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


def in_turn() -> Callable[[], rsa.RSAPrivateKey]:
    """To be put in the place of `rsa_keys.new`."""
    made = itertools.cycle([short_key() for _ in range(8)])
    return lambda: next(made)

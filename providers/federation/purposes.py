"""What an identity that takes the place of a store's keys is there for."""

from __future__ import annotations

from anyscale_k8s_cli.purpose import Fate, Purpose

PURPOSES = (
    Purpose(
        "federated-identity",
        "federated-identity/<identity>",
        "your identity at the store's cloud",
        "Pods become it with tokens of their own, and get into the bucket without keys.",
        "Nothing can be written to the bucket or read from it any more.",
        Fate.UNTOUCHED,
    ),
)

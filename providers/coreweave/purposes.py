"""What the objects at CoreWeave are there for. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli.providers.objectstore.purposes import PURPOSES as OF_BUCKETS
from anyscale_k8s_cli.purpose import Purpose

PURPOSES = (
    *OF_BUCKETS,
    Purpose(
        "coreweave-access-policy",
        "coreweave:access-policy/<name>",
        "organisation access policy for the bucket",
        "It lets the keys of whoever sets up get into this one bucket.",
        "No key opens the bucket any more, and says no more than that.",
    ),
    Purpose(
        "coreweave-token-exchange",
        "coreweave:token-exchange/<name>",
        "the exchange of the cluster's tokens, which you let in",
        "The operator and Ray's pods get into the bucket by it, with no key.",
        "Nothing in the cluster gets into the bucket any more.",
    ),
    Purpose(
        "storage-access-key",
        "coreweave:access-key/<name>",
        "access key of the object store",
        "The operator and Ray's pods get into the bucket with it.",
        "Nothing gets into the bucket until a setup has another one issued.",
    ),
)

"""What the objects in Google Cloud are there for. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli.providers.gcs.purposes import PURPOSES as OF_BUCKETS
from anyscale_k8s_cli.purpose import Purpose

PURPOSES = (
    *OF_BUCKETS,
    Purpose(
        "service-account",
        "gcp:service-account/<name>",
        "service account of the operator",
        "The operator and Ray's pods act as it, by the cluster's workload identity.",
        "The operator is not known at Anyscale any more, and nothing gets into the bucket.",
    ),
    Purpose(
        "gcs-bucket-access",
        "gcp:bucket-access/<bucket>/<account>",
        "roles of the operator's account on the bucket",
        "They let the account use the objects of this one bucket, and look at its settings.",
        "Nothing can be written to the bucket or read from it any more.",
    ),
)

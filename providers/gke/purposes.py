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
        "service-account",
        "gcp:service-account/<name>-ray",
        "service account of Ray's pods",
        "With --workload-identity separate Ray's pods act as it, and cannot be taken for the "
        "operator.",
        "No job gets into the bucket; the operator goes on.",
    ),
    Purpose(
        "gcs-bucket-access",
        "gcp:bucket-access/<bucket>/<account>",
        "roles of the operator's account on the bucket",
        "They let the account use the objects of this one bucket, and look at its settings.",
        "Nothing can be written to the bucket or read from it any more.",
    ),
    Purpose(
        "gcs-bucket-access",
        "gcp:bucket-access/<bucket>/<account>-ray",
        "roles of the account of Ray's pods on the bucket",
        "They let this account use the objects of this one bucket, and nothing else.",
        "No job gets into the bucket; the operator goes on.",
    ),
)

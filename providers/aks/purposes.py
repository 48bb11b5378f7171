"""What the objects in Azure are there for. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli.purpose import Fate, Purpose

PURPOSES = (
    Purpose(
        "storage-account",
        "azure:storage-account/<name>",
        "storage account with its container",
        "Logs, artifacts and the code of jobs are kept in its container.",
        "Jobs do not start, and all that was in it is lost.",
        Fate.KEPT,
    ),
    Purpose(
        "managed-identity",
        "azure:managed-identity/<name>",
        "managed identity of the operator",
        "The operator and Ray's pods become it, by a credential that trusts the cluster's tokens.",
        "The operator is not known at Anyscale any more, and nothing gets into the container.",
    ),
    Purpose(
        "managed-identity",
        "azure:managed-identity/<name>-workloads",
        "managed identity of Ray's pods",
        "With --workload-identity separate Ray's pods become it, and cannot be taken for the "
        "operator.",
        "No job gets into the container; the operator goes on.",
    ),
    Purpose(
        "role-assignment",
        "azure:role-assignment/<account>/<identity>",
        "role of the operator's identity on the storage account",
        "It lets the identity read, write and delete the account's blobs.",
        "Nothing can be written to the container or read from it any more.",
    ),
    Purpose(
        "role-assignment",
        "azure:role-assignment/<account>/<identity>-workloads",
        "role of the identity of Ray's pods on the container",
        "It lets this identity read, write and delete the blobs of this one container.",
        "No job gets into the container; the operator goes on.",
    ),
)

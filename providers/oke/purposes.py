"""What the objects at Oracle are there for. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli.purpose import Fate, Purpose

PURPOSES = (
    Purpose(
        "oci-bucket",
        "oci:bucket/<name>",
        "Object Storage bucket",
        "Logs, artifacts and the code of jobs are kept in it.",
        "Jobs do not start, and all that was in it is lost.",
        Fate.KEPT,
    ),
    Purpose(
        "oci-user",
        "oci:user/<name>",
        "user of the bucket",
        "The customer secret key that pods use is its, and so no person's.",
        "Its key ends with it: nothing gets into the bucket.",
    ),
    Purpose(
        "oci-group",
        "oci:group/<name>",
        "group of the bucket's user",
        "Policies let groups in and no users, so the user is in one of its own.",
        "The policy lets nobody in: the key is still known and opens nothing.",
    ),
    Purpose(
        "oci-policy",
        "oci:policy/<name>",
        "policy for the bucket",
        "Its statements let the group use the objects of this one bucket.",
        "The key is still known and opens nothing.",
    ),
    Purpose(
        "storage-access-key",
        "oci:customer-secret-key/<name>",
        "customer secret key of the object store",
        "The operator and Ray's pods get into the bucket with it.",
        "Nothing gets into the bucket until a setup has another one made.",
    ),
)

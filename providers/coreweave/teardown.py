"""What is an install's own in the organisation, for teardown with no ledger and no cluster."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.coreweave import keys
from anyscale_k8s_cli.providers.coreweave.bucket import LeftBucket
from anyscale_k8s_cli.providers.coreweave.coreweave import CoreWeave
from anyscale_k8s_cli.providers.coreweave.keys import CoreWeaveKeys
from anyscale_k8s_cli.providers.coreweave.policy import (
    BucketPolicy,
    bucket_of,
    default_name,
    is_ours,
)
from anyscale_k8s_cli.providers.objectstore import bucket
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.storage_keys import IssuedKeys


def find_owned(coreweave: CoreWeave, install: Install) -> list[Resource[Any]]:
    """Policy and keys by what they carry. The policy tells the bucket that it is for.

    A bucket whose policy is gone cannot be looked into, so it is not found.
    """
    policies, key_list = side_by_side(
        coreweave.storage.policies, lambda: CoreWeaveKeys(coreweave, install, "", {}).keys()
    )
    ours = next((item for item in policies if is_ours(item, install)), None)
    storage = (bucket_of(ours) if ours is not None else "") or bucket.default_name(install)
    policy_name = ours.name if ours is not None else default_name(install)
    access = BucketPolicy(coreweave, install, policy_name, storage)
    issuer = CoreWeaveKeys(coreweave, install, storage, {})
    issued = IssuedKeys(install, issuer, key=keys.key(install), needs=(access,))
    found: list[Resource[Any]] = []
    if ours is not None:
        found += [LeftBucket(coreweave, install, storage, needs=(access,)), access]
    return [*found, issued] if key_list else found

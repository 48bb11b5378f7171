"""What somebody may do to an install at its platform, with the platform's own API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import httpx

from tests.e2e.planted.site import CORE, Plant, Site
from tests.google_by_hand import GoogleByHand
from tests.processes import eventually

POLICIES = "/v1/cwobject/access-policy"


def bucket_of(site: Site) -> str:
    """Its name, without scheme and account."""
    url = str(site.registered["object_storage"]["bucket_name"])
    return url.partition("://")[2].partition("@")[0]


# -- Amazon ------------------------------------------------------------------------------


def role_of(site: Site) -> str:
    arn = site.registered["kubernetes_config"]["anyscale_operator_iam_identity"]
    return str(arn).rpartition("/")[2]


def no_versions(site: Site) -> None:
    site.hand.aws("s3").put_bucket_versioning(
        Bucket=bucket_of(site), VersioningConfiguration={"Status": "Suspended"}
    )


def no_cors(site: Site) -> None:
    site.hand.aws("s3").delete_bucket_cors(Bucket=bucket_of(site))


def no_role_policy(site: Site) -> None:
    iam, role = site.hand.aws("iam"), role_of(site)
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=name)


def denied(site: Site) -> Callable[[], object]:
    """A policy of the bucket keeps the operator out: the operator alone can tell."""
    s3, bucket = site.hand.aws("s3"), bucket_of(site)
    arn = site.registered["kubernetes_config"]["anyscale_operator_iam_identity"]
    deny = {
        "Effect": "Deny",
        "Principal": {"AWS": arn},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    document = {"Version": "2012-10-17", "Statement": [deny]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
    eventually(lambda: site.reported == "UNHEALTHY")

    def admit() -> None:
        s3.delete_bucket_policy(Bucket=bucket)
        eventually(lambda: site.reported == "HEALTHY")

    return admit


# -- Google ------------------------------------------------------------------------------


def google_bucket(change: dict[str, Any]) -> Plant:
    def plant(site: Site) -> None:
        google = GoogleByHand(site.sandbox.environment)
        google.call("storage", "PATCH", f"/b/{bucket_of(site)}", change)

    return plant


# -- CoreWeave ---------------------------------------------------------------------------


def denied_by_policy(site: Site) -> Callable[[], object]:
    """Somebody of the organisation denies everybody what is in the bucket."""
    said = site.sandbox.environment
    api = httpx.Client(
        base_url=said["COREWEAVE_API_ENDPOINT"],
        headers={"Authorization": f"Bearer {said['COREWEAVE_API_TOKEN']}"},
        trust_env=False,
    )
    bucket = bucket_of(site)
    statement = {
        "name": "hands-off",
        "effect": "Deny",
        "actions": ["s3:*"],
        "resources": [bucket, f"{bucket}/*"],
        "principals": ["*"],
    }
    policy = {"version": "v1alpha1", "name": "quarantine", "statements": [statement]}
    api.post(POLICIES, json={"policy": policy}).raise_for_status()
    return lambda: api.delete(f"{POLICIES}/quarantine").raise_for_status()


# -- any store that speaks as S3 does ------------------------------------------------------


def own_store(site: Site) -> Any:
    said = site.sandbox.environment
    return boto3.client(
        "s3",
        endpoint_url=said["ANYSCALE_K8S_STORAGE_ENDPOINT"],
        region_name=said["ANYSCALE_K8S_STORAGE_REGION"],
        aws_access_key_id=said["ANYSCALE_K8S_STORAGE_ACCESS_KEY_ID"],
        aws_secret_access_key=said["ANYSCALE_K8S_STORAGE_SECRET_ACCESS_KEY"],
    )


def emptied(site: Site) -> None:
    """The bucket is deleted, with all that is in it."""
    s3, bucket = own_store(site), bucket_of(site)
    for item in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
        s3.delete_object(Bucket=bucket, Key=item["Key"])
    s3.delete_bucket(Bucket=bucket)


def other_keys(site: Site) -> None:
    """Somebody writes keys of nobody's into the Secret that the pods read."""
    path = f"{CORE}/secrets/anyscale-aws-credentials"
    site.patch(path, {"stringData": {"credentials": "[default]\naws_access_key_id = NOBODYS\n"}})


def no_keys(site: Site) -> None:
    site.delete(f"{CORE}/secrets/anyscale-aws-credentials")

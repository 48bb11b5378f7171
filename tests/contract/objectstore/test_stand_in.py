"""The stand-in for S3 stores, as Amazon's SDK meets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from anyscale_k8s_cli.sandbox.objectstore.state import Quirk
from tests.contract.objectstore.conftest import RunningStore

Start = Callable[..., RunningStore]
BUCKET = "models"
RULE = {"ID": "console", "AllowedMethods": ["GET"], "AllowedOrigins": ["https://*.example.com"]}


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_a_plain_store_does_all_that_the_sdk_asks(running: Start, style: str) -> None:
    s3 = running().sdk(s3={"addressing_style": style}, named=True)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="a b/ü+c", Body=b"content")
    assert s3.get_object(Bucket=BUCKET, Key="a b/ü+c")["Body"].read() == b"content"
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="big")["UploadId"]
    part = s3.upload_part(Bucket=BUCKET, Key="big", UploadId=upload, PartNumber=1, Body=b"one")
    parts = [{"ETag": part["ETag"], "PartNumber": 1}]
    s3.complete_multipart_upload(
        Bucket=BUCKET, Key="big", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    listed = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [item["Key"] for item in listed] == ["a b/ü+c", "big"]
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [RULE]})
    assert s3.get_bucket_cors(Bucket=BUCKET)["CORSRules"] == [RULE]
    assert refusal(lambda: s3.delete_bucket(Bucket=BUCKET)) == "BucketNotEmpty"
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "big"}, {"Key": "a b/ü+c"}]})
    s3.delete_bucket(Bucket=BUCKET)
    assert s3.list_buckets()["Buckets"] == []


def test_long_lists_come_in_pages(running: Start) -> None:
    there = running()
    s3 = there.sdk()
    s3.create_bucket(Bucket=BUCKET)
    for number in range(5):
        s3.put_object(Bucket=BUCKET, Key=f"{number}", Body=b"")
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=BUCKET, PaginationConfig={"PageSize": 2}
    )
    assert [len(page["Versions"]) for page in pages] == [2, 2, 1]


@pytest.mark.parametrize(
    ("quirk", "wrong", "code"),
    [
        (Quirk.VIRTUAL_HOSTED_ONLY, {"s3": {"addressing_style": "path"}}, "InvalidRequest"),
        (Quirk.PATH_ONLY, {"s3": {"addressing_style": "virtual"}}, "502"),
        (Quirk.CHECKSUM_REFUSED, {}, "InvalidArgument"),
        (Quirk.KEYS_DELAYED, {}, "AccessDenied"),
        (Quirk.ORGANISATION_POLICY, {}, "AccessDenied"),
    ],
)
def test_each_quirk_alone_refuses_what_it_is_about(
    running: Start, quirk: Quirk, wrong: dict[str, Any], code: str
) -> None:
    there = running(quirk)
    there.store.create_bucket(BUCKET)
    s3 = there.sdk(named=True, **wrong)
    found = refusal(lambda: s3.put_object(Bucket=BUCKET, Key="a", Body=b""))
    assert found in (code, "BadGateway" if code == "502" else code)


def test_a_signature_for_another_region_is_refused(running: Start) -> None:
    s3 = running(Quirk.SIGNING_REGION_CHECKED).sdk(region="elsewhere")
    assert refusal(s3.list_buckets) == "AuthorizationHeaderMalformed"


def test_a_store_without_cors_says_so(running: Start) -> None:
    there = running(Quirk.NO_CORS)
    there.store.create_bucket(BUCKET)
    assert refusal(lambda: there.sdk().get_bucket_cors(Bucket=BUCKET)) == "NotImplemented"


def test_new_keys_are_known_after_a_while(running: Start) -> None:
    s3 = running(Quirk.KEYS_DELAYED).sdk()
    for _ in range(2):
        assert refusal(s3.list_buckets) == "AccessDenied"
    assert s3.list_buckets()["Buckets"] == []


def test_revoked_and_forged_keys_are_refused(running: Start) -> None:
    there = running()
    assert refusal(there.sdk(secret="forged").list_buckets) == "SignatureDoesNotMatch"
    there.store.revoke(there.key.id)
    assert refusal(there.sdk().list_buckets) == "InvalidAccessKeyId"


def test_a_key_reaches_the_buckets_that_it_is_for(running: Start) -> None:
    there = running()
    for name in (BUCKET, "others"):
        there.store.create_bucket(name)
    key = there.store.issue(buckets=frozenset({BUCKET}))
    s3 = there.sdk(access_key=key.id, secret=key.secret)
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"")
    assert refusal(lambda: s3.put_object(Bucket="others", Key="a", Body=b"")) == "AccessDenied"


def test_the_record_names_operations_and_no_secret(running: Start) -> None:
    there = running()
    there.sdk().create_bucket(Bucket=BUCKET)
    [call] = there.wire.calls(writes_only=True)
    assert (call.operation.name, call.operation.resource) == ("CreateBucket", BUCKET)
    assert call.operation.principal == there.key.id
    assert there.key.secret not in str(call.as_json())

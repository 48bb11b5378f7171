"""S3 as a client sees it: names, owners, regions, browsers, versions."""

from __future__ import annotations

import io
from typing import Any

import httpx
import pytest

from anyscale_k8s_cli.sandbox.aws.seed import ACCOUNT_ID, OTHER_ACCOUNT_ID

WEST = {"LocationConstraint": "us-west-2"}
ORIGIN = "https://console.example.com"
CORS = {
    "CORSRules": [
        {
            "AllowedOrigins": [ORIGIN],
            "AllowedMethods": ["GET", "PUT"],
            "AllowedHeaders": ["*"],
            "ExposeHeaders": ["Accept-Ranges", "Content-Range"],
            "MaxAgeSeconds": 3600,
        }
    ]
}


@pytest.fixture
def s3(aws: Any) -> Any:
    return aws.client("s3")


def test_new_bucket_has_what_s3_gives_every_bucket_and_its_tags(s3: Any) -> None:
    s3.create_bucket(
        Bucket="fresh",
        CreateBucketConfiguration={**WEST, "Tags": [{"Key": "team", "Value": "ml"}]},
    )
    assert s3.get_bucket_tagging(Bucket="fresh")["TagSet"] == [{"Key": "team", "Value": "ml"}]
    block = s3.get_public_access_block(Bucket="fresh")["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    encryption = s3.get_bucket_encryption(Bucket="fresh")["ServerSideEncryptionConfiguration"]
    algorithm = encryption["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
    assert algorithm == "AES256"
    owner = s3.get_bucket_ownership_controls(Bucket="fresh")["OwnershipControls"]["Rules"]
    assert owner == [{"ObjectOwnership": "BucketOwnerEnforced"}]


@pytest.mark.parametrize("name", ["Upper-Case", "under_score", "ab", "10.0.0.1", "a..b", "x-"])
def test_bad_names_are_refused(aws: Any, refused: Any, name: str) -> None:
    endpoint = aws.client("s3")
    endpoint.meta.events.unregister("before-parameter-build.s3")
    with refused("InvalidBucketName"):
        endpoint.create_bucket(Bucket=name, CreateBucketConfiguration=WEST)


def test_location_rules(aws: Any, refused: Any) -> None:
    with refused("IllegalLocationConstraintException", "unspecified"):
        aws.client("s3").create_bucket(Bucket="no-place")
    with refused("IllegalLocationConstraintException", "eu-west-1"):
        aws.client("s3").create_bucket(
            Bucket="no-place", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
    oldest = aws.client("s3", "us-east-1")
    with refused("InvalidLocationConstraint"):
        oldest.create_bucket(
            Bucket="no-place", CreateBucketConfiguration={"LocationConstraint": "us-east-1"}
        )
    oldest.create_bucket(Bucket="oldest")
    assert oldest.get_bucket_location(Bucket="oldest")["LocationConstraint"] is None


def test_owning_a_bucket_already(aws: Any, s3: Any, refused: Any) -> None:
    with refused("BucketAlreadyOwnedByYou"):
        s3.create_bucket(Bucket="team-data", CreateBucketConfiguration=WEST)
    aws.client("s3", "us-east-1").create_bucket(Bucket="oldest")
    aws.client("s3", "us-east-1").create_bucket(Bucket="oldest")


def test_name_of_another_account_is_taken_and_closed(s3: Any, refused: Any) -> None:
    with refused("BucketAlreadyExists"):
        s3.create_bucket(Bucket="somebody-elses", CreateBucketConfiguration=WEST)
    with refused("403"):
        s3.head_bucket(Bucket="somebody-elses")
    with refused("AccessDenied"):
        s3.list_objects_v2(Bucket="somebody-elses")
    with refused("404"):
        s3.head_bucket(Bucket="nobodys")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["team-data"]


def test_name_whose_bucket_is_being_deleted(aws: Any, s3: Any, refused: Any) -> None:
    aws.stand_in.name_being_deleted("not-yet", 2)
    for _ in range(2):
        with refused("OperationAborted"):
            s3.create_bucket(Bucket="not-yet", CreateBucketConfiguration=WEST)
    s3.create_bucket(Bucket="not-yet", CreateBucketConfiguration=WEST)


def test_expected_owner_is_honoured(s3: Any, refused: Any) -> None:
    s3.get_bucket_tagging(Bucket="team-data", ExpectedBucketOwner=ACCOUNT_ID)
    with refused("403"):
        s3.head_bucket(Bucket="team-data", ExpectedBucketOwner=OTHER_ACCOUNT_ID)
    with refused("AccessDenied"):
        s3.put_object(Bucket="team-data", Key="k", Body=b"", ExpectedBucketOwner=OTHER_ACCOUNT_ID)


def test_client_of_another_region_is_sent_to_the_right_one(aws: Any) -> None:
    elsewhere = aws.client("s3", "eu-central-1")
    assert elsewhere.head_bucket(Bucket="team-data")["BucketRegion"] == "us-west-2"
    assert elsewhere.list_objects_v2(Bucket="team-data")["KeyCount"] == 2


def test_preflight_and_headers_follow_the_buckets_cors(aws: Any, s3: Any) -> None:
    url = f"{aws.stand_in.url}/team-data/reports/2025.csv"
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
    assert httpx.options(url, headers=asked).status_code == 403
    s3.put_bucket_cors(Bucket="team-data", CORSConfiguration=CORS)
    answer = httpx.options(url, headers={**asked, "Access-Control-Request-Headers": "x-any"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-headers"] == "x-any"
    assert answer.headers["access-control-max-age"] == "3600"
    for wrong in (
        {"Origin": "https://evil.example.com"},
        {"Access-Control-Request-Method": "DELETE"},
    ):
        assert httpx.options(url, headers={**asked, **wrong}).status_code == 403
    presigned = s3.generate_presigned_url(
        "get_object", Params={"Bucket": "team-data", "Key": "reports/2025.csv"}
    )
    answer = httpx.get(presigned, headers={"Origin": ORIGIN})
    assert answer.headers["access-control-expose-headers"] == "Accept-Ranges, Content-Range"
    answer = httpx.get(presigned, headers={"Origin": "https://evil.example.com"})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_urls(aws: Any, version: str) -> None:
    s3 = aws.client("s3", signature_version=version)
    where = {"Bucket": "team-data", "Key": "up/löad 1"}
    put = s3.generate_presigned_url("put_object", Params=where)
    assert httpx.put(put, content=b"body").status_code == 200
    get = s3.generate_presigned_url("get_object", Params=where, ExpiresIn=60)
    assert httpx.get(get).content == b"body"
    assert httpx.put(get, content=b"body").status_code == 403
    assert "SignatureDoesNotMatch" in httpx.get(get.replace("team-data", "team-dato")).text
    aws.clock.offset += aws.clock.now().resolution * 61_000_000
    late = httpx.get(get)
    assert (late.status_code, "Request has expired" in late.text) == (403, True)


def test_nobody_gets_in_without_a_signature(aws: Any) -> None:
    answer = httpx.get(f"{aws.stand_in.url}/team-data/reports/2025.csv")
    assert answer.status_code == 403
    assert "<Code>AccessDenied</Code>" in answer.text


def test_versions_markers_and_uploads_must_go_before_the_bucket(s3: Any, refused: Any) -> None:
    s3.create_bucket(Bucket="full", CreateBucketConfiguration=WEST)
    s3.put_bucket_versioning(Bucket="full", VersioningConfiguration={"Status": "Enabled"})
    for content in (b"one", b"two"):
        s3.put_object(Bucket="full", Key="k", Body=content)
    s3.delete_object(Bucket="full", Key="k")
    with refused("BucketNotEmpty"):
        s3.delete_bucket(Bucket="full")
    versions = s3.list_object_versions(Bucket="full")
    assert (len(versions["Versions"]), len(versions["DeleteMarkers"])) == (2, 1)
    every = versions["Versions"] + versions["DeleteMarkers"]
    objects = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in every]
    assert len(s3.delete_objects(Bucket="full", Delete={"Objects": objects})["Deleted"]) == 3
    upload = s3.create_multipart_upload(Bucket="full", Key="big")["UploadId"]
    assert s3.list_multipart_uploads(Bucket="full")["Uploads"][0]["UploadId"] == upload
    s3.abort_multipart_upload(Bucket="full", Key="big", UploadId=upload)
    s3.delete_bucket(Bucket="full")
    with refused("NoSuchBucket"):
        s3.list_objects_v2(Bucket="full")


def test_large_objects_go_up_in_parts(s3: Any) -> None:
    size = 9 << 20
    s3.upload_fileobj(io.BytesIO(b"x" * size), "team-data", "big")
    assert s3.head_object(Bucket="team-data", Key="big")["ContentLength"] == size


def test_lifecycle_is_kept_as_it_was_given(s3: Any) -> None:
    rule = {
        "ID": "old",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    s3.put_bucket_lifecycle_configuration(
        Bucket="team-data", LifecycleConfiguration={"Rules": [rule]}
    )
    rules = s3.get_bucket_lifecycle_configuration(Bucket="team-data")["Rules"]
    assert rules == [rule]


def test_customers_key_must_exist_when_it_is_used(aws: Any, s3: Any, refused: Any) -> None:
    def encrypt(key: str) -> None:
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        s3.put_bucket_encryption(
            Bucket="team-data",
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
            },
        )

    encrypt("00000000-0000-0000-0000-000000000000")
    with refused("KMS.NotFoundException"):
        s3.put_object(Bucket="team-data", Key="k", Body=b"")
    described = aws.client("kms").describe_key(KeyId="alias/team-data")["KeyMetadata"]
    encrypt(described["Arn"])
    assert s3.put_object(Bucket="team-data", Key="k", Body=b"")["SSEKMSKeyId"] == described["Arn"]


def test_a_customer_makes_a_key_and_finds_it_again(aws: Any, s3: Any, refused: Any) -> None:
    kms = aws.client("kms")
    key = kms.create_key(Description="data")["KeyMetadata"]
    kms.create_alias(AliasName="alias/own", TargetKeyId=key["KeyId"])
    with refused("AlreadyExistsException"):
        kms.create_alias(AliasName="alias/own", TargetKeyId=key["KeyId"])
    with refused("NotFoundException"):
        kms.create_alias(AliasName="alias/other", TargetKeyId="none")
    assert kms.describe_key(KeyId="alias/own")["KeyMetadata"] == key
    (alias,) = kms.list_aliases(KeyId=key["Arn"])["Aliases"]
    assert (alias["AliasName"], alias["TargetKeyId"]) == ("alias/own", key["KeyId"])
    assert len(kms.list_aliases()["Aliases"]) == 2
    assert len(kms.list_keys()["Keys"]) == 2
    assert aws.client("kms", "eu-west-1").list_keys()["Keys"] == []
    by_key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key["Arn"]}
    assert s3.put_object(Bucket="team-data", Key="k", **by_key)["SSEKMSKeyId"] == key["Arn"]


def test_snapshot_sees_every_change(aws: Any, s3: Any) -> None:
    before = aws.stand_in.snapshot()
    assert aws.stand_in.snapshot() == before
    s3.put_object(Bucket="team-data", Key="new", Body=b"")
    changed = aws.stand_in.snapshot()
    assert changed != before
    assert len(changed["buckets"]["team-data"]["versions"]) == 3
    assert changed["roles"] == before["roles"]

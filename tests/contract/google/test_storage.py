"""Buckets and objects, through google-cloud-storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests
from google.cloud.exceptions import Forbidden, NotFound
from google.cloud.storage.exceptions import InvalidResponse

from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings

KEY = "projects/demo/locations/us-central1/keyRings/data/cryptoKeys/team-data"
CLOSED_KEY = KEY.replace("team-data", "closed")
ALL = "/storage/v1/b?project=demo"
ORIGIN = "https://console.anyscale.com"


@pytest.fixture
def settings(settings: GoogleSettings) -> GoogleSettings:
    return replace(settings, kms_keys=(KEY,))


def new_bucket(google_cloud: Any, name: str = "anyscale-demo", **fields: Any) -> Any:
    client = google_cloud.storage()
    bucket = client.bucket(name)
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.iam_configuration.public_access_prevention = "enforced"
    for field, value in fields.items():
        setattr(bucket, field, value)
    return client.create_bucket(bucket, location="us-central1")


def role_on_bucket(google_cloud: Any, bucket: Any, role: str, member: str) -> None:
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": role, "members": {member}})
    bucket.set_iam_policy(policy)
    google_cloud.settle(google_cloud.stand_in.buckets.get(bucket.name).policy)


# -- settings ---------------------------------------------------------------------------


def test_settings_of_a_bucket_are_kept(google_cloud: Any) -> None:
    rule = {"origin": [ORIGIN], "method": ["GET"], "responseHeader": ["*"], "maxAgeSeconds": 60}
    new_bucket(
        google_cloud,
        versioning_enabled=True,
        labels={"anyscale-cloud-id": "cld_1"},
        cors=[rule],
        lifecycle_rules=[{"action": {"type": "Delete"}, "condition": {"numNewerVersions": 3}}],
        default_kms_key_name=KEY,
    )
    found = google_cloud.storage().get_bucket("anyscale-demo")
    assert found.location == "US-CENTRAL1"
    assert found.location_type == "region"
    assert found.iam_configuration.uniform_bucket_level_access_enabled is True
    assert found.iam_configuration.public_access_prevention == "enforced"
    assert (found.versioning_enabled, found.labels) == (True, {"anyscale-cloud-id": "cld_1"})
    assert found.cors == [rule]
    assert [dict(rule)["action"] for rule in found.lifecycle_rules] == [{"type": "Delete"}]
    assert found.default_kms_key_name == KEY
    assert found.soft_delete_policy.retention_duration_seconds == 7 * 24 * 3600
    assert (found.project_number, found.metageneration) == (418205339162, 1)
    shown = google_cloud.stand_in.snapshot()["buckets"]["anyscale-demo"]
    assert shown["public_access_prevention"] == "enforced"


def test_patch_changes_only_what_it_names(google_cloud: Any, refused: Any) -> None:
    bucket = new_bucket(google_cloud, labels={"a": "1"}, versioning_enabled=True)
    bucket.labels = {"a": "1", "b": "2"}
    bucket.patch()
    other = google_cloud.storage().get_bucket("anyscale-demo")
    assert other.labels == {"a": "1", "b": "2"}
    assert (other.versioning_enabled, other.metageneration) == (True, 2)
    other.labels = {"b": "3"}
    with refused(412):
        other.patch(if_metageneration_match=1)
    other.patch(if_metageneration_match=2)
    assert google_cloud.storage().get_bucket("anyscale-demo").labels == {"b": "3"}


def test_names_are_global(google_cloud: Any, refused: Any) -> None:
    with refused(409, "already own it"):
        new_bucket(google_cloud, "team-data-demo")
    with refused(409, "not available"):
        new_bucket(google_cloud, "somebody-elses")
    with refused(403, "storage.buckets.get"):
        google_cloud.storage().get_bucket("somebody-elses")
    with refused(404):
        google_cloud.storage().get_bucket("nobody-has-this")


@pytest.mark.parametrize(
    "name", ["ab", "Upper", "-x-", "a" * 64, "goog-x", "my-google-x", "10.0.0.1", "aa_"]
)
def test_invalid_names(google_cloud: Any, name: str) -> None:
    # The SDK would find some of them itself.
    answer = google_cloud.call("POST", "storage", ALL, json={"name": name})
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, "invalid")


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": {"Upper": "x"}},
        {"labels": {"1st": "x"}},
        {"labels": {"a": "with.dot"}},
        {"labels": {"a": "x" * 64}},
        {"labels": {f"k{number}": "" for number in range(65)}},
        {"cors": [{"method": ["GET"]}]},
        {"default_kms_key_name": "key"},
        {"default_kms_key_name": KEY.replace("us-central1", "europe-west1")},
    ],
)
def test_invalid_settings(google_cloud: Any, refused: Any, fields: dict[str, Any]) -> None:
    with refused(400):
        new_bucket(google_cloud, **fields)


def test_key_that_the_storage_service_may_not_use(google_cloud: Any, refused: Any) -> None:
    with refused(403, "Cloud KMS key"):
        new_bucket(google_cloud, default_kms_key_name=CLOSED_KEY)


def test_buckets_must_be_empty_to_go_and_can_come_back(google_cloud: Any, refused: Any) -> None:
    bucket = new_bucket(google_cloud, versioning_enabled=True)
    for content in (b"one", b"two"):
        bucket.blob("a/b").upload_from_string(content)
    bucket.delete_blob("a/b")
    with refused(409, "not empty"):
        bucket.delete()
    client = google_cloud.storage()
    versions = list(client.list_blobs(bucket, versions=True))
    assert [version.name for version in versions] == ["a/b", "a/b"]
    for version in versions:
        bucket.delete_blob(version.name, generation=version.generation)
    bucket.delete()
    assert client.lookup_bucket("anyscale-demo") is None
    (gone,) = client.list_buckets(soft_deleted=True)
    assert (gone.name, gone.generation) == ("anyscale-demo", bucket.generation)
    again = new_bucket(google_cloud)
    assert again.generation != bucket.generation
    with refused(409):
        client.restore_bucket("anyscale-demo", generation=bucket.generation)
    again.delete()
    client.restore_bucket("anyscale-demo", generation=bucket.generation)
    assert client.get_bucket("anyscale-demo").versioning_enabled is True
    google_cloud.clock.offset += timedelta(days=8)
    assert again.name not in [b.name for b in google_cloud.stand_in.buckets.soft_deleted()]


# -- policies -------------------------------------------------------------------------------


def test_first_policy_is_for_the_project(google_cloud: Any) -> None:
    policy = new_bucket(google_cloud).get_iam_policy()
    assert policy["roles/storage.legacyBucketOwner"] == {
        "projectEditor:demo",
        "projectOwner:demo",
    }
    assert "roles/storage.legacyObjectReader" in list(policy)


def test_policy_is_replaced_by_etag(google_cloud: Any, refused: Any) -> None:
    bucket = new_bucket(google_cloud)
    email = google_cloud.account()
    first, second = bucket.get_iam_policy(), bucket.get_iam_policy()
    first["roles/storage.objectAdmin"] = {f"serviceAccount:{email}"}
    bucket.set_iam_policy(first)
    second["roles/storage.objectViewer"] = {f"serviceAccount:{email}"}
    with refused(412):
        bucket.set_iam_policy(second)
    assert "roles/storage.objectAdmin" in list(bucket.get_iam_policy())


def test_members_must_exist_and_may_not_be_everybody(google_cloud: Any, refused: Any) -> None:
    bucket = new_bucket(google_cloud)
    email = google_cloud.account(settle=False)
    policy = bucket.get_iam_policy()
    policy["roles/storage.objectAdmin"] = {f"serviceAccount:{email}"}
    with refused(400, f"Service account {email} does not exist."):
        bucket.set_iam_policy(policy)
    bucket.set_iam_policy(policy)
    policy = bucket.get_iam_policy()
    policy["roles/storage.objectViewer"] = {"allUsers"}
    with refused(412, "public access prevention"):
        bucket.set_iam_policy(policy)
    policy = bucket.get_iam_policy()
    policy["roles/container.admin"] = {f"serviceAccount:{email}"}
    with refused(400, "not supported"):
        bucket.set_iam_policy(policy)


def _works(attempt: Callable[[], Any]) -> bool:
    """Whether a call is let through; else it must be refused for want of a permission."""
    try:
        attempt()
    except (Forbidden, InvalidResponse) as denied:
        return "does not have storage." not in str(denied)
    return True


@pytest.mark.parametrize(
    ("role", "can"),
    [
        ("roles/storage.objectAdmin", {"create", "get", "list", "delete"}),
        ("roles/storage.objectUser", {"create", "get", "list", "delete"}),
        ("roles/storage.objectViewer", {"get", "list"}),
        ("roles/storage.legacyBucketReader", {"list", "bucket"}),
        ("roles/storage.admin", {"create", "get", "list", "delete", "bucket", "policy"}),
    ],
)
def test_roles_on_a_bucket(google_cloud: Any, role: str, can: set[str]) -> None:
    bucket = new_bucket(google_cloud)
    bucket.blob("there").upload_from_string(b"x")
    email = google_cloud.account()
    role_on_bucket(google_cloud, bucket, role, f"serviceAccount:{email}")
    own = google_cloud.storage(google_cloud.token_of(email)).bucket("anyscale-demo")
    attempts = {
        "create": lambda: own.blob("new").upload_from_string(b"y"),
        "get": lambda: own.blob("there").download_as_bytes(),
        "list": lambda: list(own.list_blobs()),
        "delete": lambda: own.blob("there").delete(),
        "bucket": own.reload,
        "policy": own.get_iam_policy,
    }
    done = {name for name, attempt in attempts.items() if _works(attempt)}
    assert done == can
    asked = ["storage.objects.get", "storage.buckets.get", "storage.buckets.delete"]
    held = own.test_iam_permissions(asked)
    assert ("storage.objects.get" in held) == ("get" in can)
    assert ("storage.buckets.get" in held) == ("bucket" in can)


def test_a_new_binding_needs_time(google_cloud: Any) -> None:
    bucket = new_bucket(google_cloud)
    email = google_cloud.account()
    policy = bucket.get_iam_policy()
    policy["roles/storage.objectAdmin"] = {f"serviceAccount:{email}"}
    bucket.set_iam_policy(policy)
    own = google_cloud.storage(google_cloud.token_of(email)).bucket("anyscale-demo")
    seen = [own.test_iam_permissions(["storage.objects.get"]) for _ in range(2)]
    assert seen == [[], ["storage.objects.get"]]


# -- objects -------------------------------------------------------------------------------------


def test_objects_by_prefix_and_version(google_cloud: Any) -> None:
    bucket = new_bucket(google_cloud, versioning_enabled=True)
    for name in ("a/1", "a/2", "b/1", "top"):
        bucket.blob(name).upload_from_string(name.encode(), content_type="text/plain")
    client = google_cloud.storage()
    assert [blob.name for blob in client.list_blobs(bucket, prefix="a/")] == ["a/1", "a/2"]
    listing = client.list_blobs(bucket, delimiter="/")
    assert [blob.name for blob in listing] == ["top"]
    assert listing.prefixes == {"a/", "b/"}
    assert len(list(client.list_blobs(bucket, page_size=1))) == 4
    blob = bucket.get_blob("a/1")
    assert (blob.content_type, blob.size) == ("text/plain", 3)
    assert blob.download_as_bytes(start=1, end=2) == b"/1"
    old = blob.generation
    blob.upload_from_string(b"newer")
    assert bucket.blob("a/1", generation=old).download_as_bytes() == b"a/1"
    assert bucket.blob("a/1").download_as_bytes() == b"newer"
    with pytest.raises(NotFound):
        bucket.blob("nothing").download_as_bytes()


def test_preconditions_on_objects(google_cloud: Any, refused: Any) -> None:
    blob = new_bucket(google_cloud).blob("once")
    blob.upload_from_string(b"x", if_generation_match=0)
    with refused(412):
        blob.upload_from_string(b"y", if_generation_match=0)
    assert blob.download_as_bytes() == b"x"


def test_resumable_upload(google_cloud: Any) -> None:
    bucket = new_bucket(google_cloud)
    content = bytes(range(256)) * 2048
    blob = bucket.blob("large", chunk_size=256 * 1024)
    with blob.open("wb") as out:
        out.write(content)
    assert bucket.blob("large").download_as_bytes() == content
    names = [call.operation.name for call in google_cloud.wire.calls()]
    assert names.count("storage.objects.insert") >= 3


def test_content_of_objects_is_not_recorded(google_cloud: Any) -> None:
    new_bucket(google_cloud).blob("x").upload_from_string(b"a secret")
    assert "a secret" not in str([call.as_json() for call in google_cloud.wire.calls()])
    create, _ = google_cloud.wire.calls(writes_only=True)
    assert (create.operation.name, create.operation.resource) == (
        "storage.buckets.insert",
        "anyscale-demo",
    )


# -- signed addresses and browsers ---------------------------------------------------------


def signed(google_cloud: Any, bucket: Any, method: str, **named: Any) -> str:
    return str(
        bucket.blob("dir/a file~1").generate_signed_url(
            version="v4",
            expiration=timedelta(minutes=10),
            method=method,
            api_access_endpoint=google_cloud.stand_in.endpoint("storage"),
            credentials=google_cloud.credentials,
            **named,
        )
    )


def test_signed_addresses(google_cloud: Any) -> None:
    bucket = new_bucket(google_cloud)
    put = signed(google_cloud, bucket, "PUT", content_type="text/plain")
    headers = {"Content-Type": "text/plain"}
    assert requests.put(put, data=b"hello", headers=headers, timeout=10).status_code == 200
    get = signed(google_cloud, bucket, "GET")
    assert requests.get(get, timeout=10).content == b"hello"

    def code(answer: requests.Response) -> tuple[int, str]:
        return answer.status_code, answer.text.partition("<Code>")[2].partition("<")[0]

    assert code(requests.put(put, data=b"x", timeout=10)) == (403, "SignatureDoesNotMatch")
    assert code(requests.get(get.replace("file", "fire"), timeout=10)) == (
        403,
        "SignatureDoesNotMatch",
    )
    google_cloud.clock.offset = timedelta(minutes=20)
    assert code(requests.get(get, timeout=10)) == (400, "ExpiredToken")
    google_cloud.clock.offset = timedelta()
    plain = f"{google_cloud.stand_in.endpoint('storage')}/anyscale-demo/dir/x"
    assert code(requests.get(plain, timeout=10)) == (401, "AccessDenied")


def test_signature_is_worth_what_its_account_may_do(google_cloud: Any) -> None:
    bucket = new_bucket(google_cloud)
    bucket.blob("dir/a file~1").upload_from_string(b"x")
    address = signed(google_cloud, bucket, "GET")
    google_cloud.stand_in.set_admin_permissions(["storage.buckets.get"])
    answer = requests.get(address, timeout=10)
    assert answer.status_code == 403
    assert "storage.objects.get" in answer.text


@pytest.mark.parametrize("pattern", ["https://*.anyscale.com", ORIGIN, "*"])
def test_cors(google_cloud: Any, pattern: str) -> None:
    exposed = ["Content-Range", "Content-Length"]
    rule = {"origin": [pattern], "method": ["GET"], "responseHeader": exposed, "maxAgeSeconds": 9}
    bucket = new_bucket(google_cloud, cors=[rule])
    bucket.blob("dir/a file~1").upload_from_string(b"x")
    address = signed(google_cloud, bucket, "GET")
    answer = requests.get(address, headers={"Origin": ORIGIN}, timeout=10)
    assert answer.headers["Access-Control-Allow-Origin"] == ("*" if pattern == "*" else ORIGIN)
    assert answer.headers["Access-Control-Expose-Headers"] == "Content-Range, Content-Length"
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    preflight = requests.options(address, headers=asked, timeout=10)
    assert preflight.headers["Access-Control-Max-Age"] == "9"
    put = {**asked, "Access-Control-Request-Method": "PUT"}
    refused = requests.options(address, headers=put, timeout=10)
    assert "Access-Control-Allow-Origin" not in refused.headers
    stranger = requests.get(address, headers={"Origin": "https://evil.example.com"}, timeout=10)
    assert ("Access-Control-Allow-Origin" in stranger.headers) == (pattern == "*")

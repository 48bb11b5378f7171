"""Who calls: key files, JWTs that accounts sign themselves, impersonation, Kubernetes' tokens."""

from __future__ import annotations

import base64
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import google.auth.exceptions
import jwt
import pytest
import requests
from google.auth import impersonated_credentials
from google.auth.transport.requests import Request
from google.oauth2 import id_token, service_account
from google.oauth2.credentials import Credentials

from anyscale_k8s_cli.sandbox.google.seed import AUTOMATION, email_of
from anyscale_k8s_cli.sandbox.google.tokens import BadToken, SigningKey

KSA = "serviceAccount:demo.svc.id.goog[ns/sa]"
USER = "roles/iam.workloadIdentityUser"
CREATOR = "roles/iam.serviceAccountTokenCreator"
PLATFORM = "https://www.googleapis.com/auth/cloud-platform"


# -- keys -----------------------------------------------------------------------------


def test_key_file_of_the_administrator(default_credentials: Any, google_cloud: Any) -> None:
    credentials, project = default_credentials
    assert project == "demo"
    client = google_cloud.storage(credentials)
    names = [bucket.name for bucket in client.list_buckets()]
    assert names == ["team-data-demo"]
    token, listing = google_cloud.wire.calls()
    assert (token.operation.name, token.operation.body) == ("oauth2.token", None)
    assert listing.operation.principal == "demo-admin@demo.iam.gserviceaccount.com"
    assert listing.operation.name == "storage.buckets.list"


def test_key_file_is_for_its_user_alone(google_cloud: Any, tmp_path: Path) -> None:
    environment = google_cloud.stand_in.environment(tmp_path)
    path = Path(environment["GOOGLE_APPLICATION_CREDENTIALS"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER"] == (
        f"{google_cloud.stand_in.url}/container/"
    )


def test_self_signed_jwt_is_for_one_service(google_cloud: Any) -> None:
    clusters = google_cloud.clusters()
    clusters.get_cluster(name="projects/demo/locations/us-central1/clusters/demo")
    (call,) = google_cloud.wire.calls()
    assert call.operation.principal == "demo-admin@demo.iam.gserviceaccount.com"

    key = google_cloud.stand_in.key_file()
    now = datetime.now(UTC)
    claims = {
        "iss": key["client_email"],
        "sub": key["client_email"],
        "aud": "https://container.googleapis.com/",
        "iat": now,
        "exp": now + timedelta(hours=1),
    }

    def ask(service: str, path: str, **changed: Any) -> int:
        token = jwt.encode({**claims, **changed}, key["private_key"], "RS256")
        headers = {"Authorization": f"Bearer {token}"}
        url = google_cloud.stand_in.endpoint(service) + path
        return requests.get(url, headers=headers, timeout=10).status_code

    path = "/v1/projects/demo/locations/-/clusters"
    assert ask("container", path) == 200
    assert ask("cloudresourcemanager", "/v3/projects/demo") == 401
    assert ask("container", path, exp=now + timedelta(hours=5)) == 401
    assert ask("container", path, iss="nobody@demo.iam.gserviceaccount.com") == 401
    scoped = {"aud": None, "scope": PLATFORM}
    assert ask("cloudresourcemanager", "/v3/projects/demo", **scoped) == 200


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"private_key": SigningKey().pem}, "Invalid JWT Signature"),
        ({"client_email": "nobody@demo.iam.gserviceaccount.com"}, "account not found"),
        ({"scopes": ()}, "Invalid OAuth scope"),
    ],
)
def test_refused_keys(google_cloud: Any, changed: dict[str, Any], words: str) -> None:
    scopes = changed.pop("scopes", (PLATFORM,))
    credentials = service_account.Credentials.from_service_account_info(
        {**google_cloud.stand_in.key_file(), **changed}, scopes=scopes
    )
    with pytest.raises(google.auth.exceptions.RefreshError, match=words):
        credentials.refresh(Request())


def test_without_a_token_or_with_a_wrong_one(google_cloud: Any) -> None:
    url = f"{google_cloud.stand_in.endpoint('cloudresourcemanager')}/v3/projects/demo"
    answer = requests.get(url, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["error"]["details"][0]["reason"] == "CREDENTIALS_MISSING"
    headers = {"Authorization": "Bearer ya29.nonsense"}
    answer = requests.get(url, headers=headers, timeout=10)
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"


def test_tokens_expire(google_cloud: Any) -> None:
    credentials = google_cloud.token_of("demo-admin@demo.iam.gserviceaccount.com")
    project = ("GET", "cloudresourcemanager", "/v3/projects/demo")
    assert google_cloud.call(*project, credentials=credentials).status_code == 200
    google_cloud.clock.offset = timedelta(hours=2)
    with pytest.raises(google.auth.exceptions.RefreshError):
        google_cloud.call(*project, credentials=credentials)


def test_scopes_limit_a_token(google_cloud: Any) -> None:
    key = google_cloud.stand_in.key_file()
    readonly = service_account.Credentials.from_service_account_info(
        key, scopes=["https://www.googleapis.com/auth/devstorage.read_only"]
    )
    client = google_cloud.storage(readonly)
    assert (client.get_bucket("team-data-demo")).labels["team"] == "ml"
    answer = google_cloud.call(
        "POST",
        "storage",
        "/storage/v1/b?project=demo",
        credentials=readonly,
        json={"name": "new-one"},
    )
    assert answer.status_code == 403
    assert "insufficient authentication scopes" in answer.json()["error"]["message"]


# -- acting as an account ---------------------------------------------------------------


def test_impersonation(google_cloud: Any) -> None:
    automation = email_of(AUTOMATION)
    credentials = impersonated_credentials.Credentials(
        google_cloud.credentials,
        automation,
        [PLATFORM],
        iam_endpoint_override=(
            f"{google_cloud.stand_in.endpoint('iamcredentials')}/v1/projects/-/serviceAccounts/"
            f"{automation}:generateAccessToken"
        ),
    )
    projects = google_cloud.projects(credentials)
    found = projects.get_project(name="projects/demo")
    assert (found.name, found.project_id) == ("projects/418205339162", "demo")
    assert found.state.name == "ACTIVE"
    assert google_cloud.wire.calls()[-1].operation.principal == automation


def test_impersonation_needs_the_permission(google_cloud: Any) -> None:
    email = google_cloud.account()
    body = {"scope": [PLATFORM], "lifetime": "600s"}
    admin = google_cloud.credentials
    answer = google_cloud.act_as(email, admin, "generateAccessToken", **body)
    error = answer.json()["error"]
    assert answer.status_code == 403
    assert error["details"][0]["reason"] == "IAM_PERMISSION_DENIED"
    assert "iam.serviceAccounts.getAccessToken" in error["message"]
    google_cloud.grant(email, (CREATOR, f"serviceAccount:{admin.signer_email}"))
    answer = google_cloud.act_as(email, admin, "generateAccessToken", **body)
    assert answer.status_code == 200
    late = google_cloud.act_as(
        email, admin, "generateAccessToken", scope=[PLATFORM], lifetime="7200s"
    )
    assert late.status_code == 400


def test_new_accounts_and_bindings_need_time(google_cloud: Any) -> None:
    email = google_cloud.account(settle=False)
    admin = google_cloud.credentials
    member = f"serviceAccount:{admin.signer_email}"
    google_cloud.grant(email, (CREATOR, member), settle=False)
    seen = []
    for _ in range(3):
        answer = google_cloud.act_as(email, admin, "generateAccessToken", scope=[PLATFORM])
        seen.append(answer.status_code)
    assert seen == [404, 403, 200]


def test_id_tokens_and_signatures_of_an_account_for_itself(google_cloud: Any) -> None:
    email = google_cloud.account()
    own = google_cloud.token_of(email)
    ask = {"audience": "https://console.example.com", "includeEmail": True}
    answer = google_cloud.act_as(email, own, "generateIdToken", **ask)
    assert answer.status_code == 403
    google_cloud.grant(email, (CREATOR, f"serviceAccount:{email}"))
    answer = google_cloud.act_as(email, own, "generateIdToken", **ask)
    token = answer.json()["token"]

    certs = f"{google_cloud.stand_in.endpoint('www')}/oauth2/v3/certs"
    keys = jwt.PyJWKClient(certs)
    key = keys.get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, ["RS256"], audience=ask["audience"])
    assert (claims["email"], claims["iss"]) == (email, "https://accounts.google.com")
    assert google_cloud.stand_in.verify_id_token(token, ask["audience"])["email"] == email
    with pytest.raises(BadToken, match="audience"):
        google_cloud.stand_in.verify_id_token(token, "https://elsewhere.example.com")
    info = f"{google_cloud.stand_in.endpoint('oauth2')}/tokeninfo"
    answer = requests.get(info, params={"id_token": token}, timeout=10)
    assert answer.json()["email"] == email

    payload = base64.b64encode(b"to be signed").decode()
    answer = google_cloud.act_as(email, own, "signBlob", payload=payload)
    signature = base64.b64decode(answer.json()["signedBlob"])
    assert google_cloud.stand_in.project.google_key.verifies(signature, b"to be signed")
    assert token not in str([call.as_json() for call in google_cloud.wire.calls()])


def test_id_token_by_key(google_cloud: Any) -> None:
    credentials = service_account.IDTokenCredentials.from_service_account_info(
        google_cloud.stand_in.key_file(), target_audience="https://console.example.com"
    )
    credentials.refresh(Request())
    certs = f"{google_cloud.stand_in.endpoint('www')}/oauth2/v3/certs"
    claims = id_token.verify_token(
        credentials.token, Request(), audience="https://console.example.com", certs_url=certs
    )
    assert claims["email"] == "demo-admin@demo.iam.gserviceaccount.com"


# -- Kubernetes service accounts -----------------------------------------------------------


def test_workload_identity(google_cloud: Any) -> None:
    email = google_cloud.account()
    federated = google_cloud.federated()
    body = {"scope": [PLATFORM]}
    answer = google_cloud.act_as(email, federated, "generateAccessToken", **body)
    assert answer.status_code == 403
    google_cloud.grant(email, (USER, KSA))
    answer = google_cloud.act_as(email, federated, "generateAccessToken", **body)
    assert answer.status_code == 200
    other = google_cloud.federated("system:serviceaccount:ns:other")
    answer = google_cloud.act_as(email, other, "generateAccessToken", **body)
    assert answer.status_code == 403


def test_workload_identity_by_principal(google_cloud: Any) -> None:
    principal = (
        "principal://iam.googleapis.com/projects/418205339162/locations/global/"
        "workloadIdentityPools/demo.svc.id.goog/subject/ns/ns/sa/sa"
    )
    bucket = google_cloud.storage().get_bucket("team-data-demo")
    policy = bucket.get_iam_policy()
    policy["roles/storage.objectViewer"] = {principal}
    bucket.set_iam_policy(policy)
    google_cloud.settle(google_cloud.stand_in.buckets.get("team-data-demo").policy)
    client = google_cloud.storage(google_cloud.federated())
    blob = client.bucket("team-data-demo").blob("models/base.bin")
    assert blob.download_as_bytes() == b"weights"


@pytest.mark.parametrize(
    ("token", "form", "error"),
    [
        ({"audience": "sts.amazonaws.com"}, {}, "invalid_grant"),
        ({"issuer": "https://elsewhere.example.com"}, {}, "invalid_grant"),
        ({"lifetime": timedelta(hours=-1)}, {}, "invalid_grant"),
        ({"key": "another"}, {}, "invalid_grant"),
        ({"subject": "somebody"}, {}, "invalid_grant"),
        ({}, {"audience": "identitynamespace:other.svc.id.goog:{issuer}"}, "invalid_target"),
        ({}, {"audience": "identitynamespace:demo.svc.id.goog:{issuer}x"}, "invalid_target"),
        ({}, {"audience": "//iam.googleapis.com/x"}, "invalid_request"),
        ({}, {"grant_type": "password"}, "invalid_request"),
        ({}, {"scope": ""}, "invalid_scope"),
    ],
)
def test_refused_exchanges(
    google_cloud: Any, token: dict[str, Any], form: dict[str, str], error: str
) -> None:
    if token.get("key"):
        token = {"key": SigningKey().private}
    changed = {name: value.format(issuer=google_cloud.issuer.url) for name, value in form.items()}
    answer = google_cloud.exchange(google_cloud.issuer.token(**token), **changed)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_ended_tokens(google_cloud: Any) -> None:
    credentials = google_cloud.token_of("demo-admin@demo.iam.gserviceaccount.com")
    assert google_cloud.stand_in.kubernetes_user(credentials.token)
    google_cloud.stand_in.expire_tokens()
    assert google_cloud.stand_in.kubernetes_user(credentials.token) is None


# -- the clusters' callers -------------------------------------------------------------------


def test_callers_of_a_cluster(google_cloud: Any) -> None:
    user = google_cloud.stand_in.kubernetes_user
    admin = google_cloud.credentials
    admin.refresh(Request())
    assert user(admin.token) == ("demo-admin@demo.iam.gserviceaccount.com", True)
    email = google_cloud.account()
    assert user(google_cloud.token_of(email).token) == (email, False)
    without_email = service_account.Credentials.from_service_account_info(
        google_cloud.stand_in.key_file(), scopes=[PLATFORM]
    )
    without_email.refresh(Request())
    name, _ = user(without_email.token)
    assert name == google_cloud.stand_in.admin.unique_id
    assert user(Credentials("nonsense").token) is None
    node, token = google_cloud.stand_in.node_token()
    assert user(token) == (node, False)

"""Service accounts and policies: names, etags, soft deletion, what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from google.iam.v1 import policy_pb2

from anyscale_k8s_cli.sandbox.google.seed import HAND_MADE_ACCOUNT, email_of
from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings

ACCOUNTS = "/v1/projects/demo/serviceAccounts"
POOL = "demo.svc.id.goog"
USER = "roles/iam.workloadIdentityUser"
CREATOR = "roles/iam.serviceAccountTokenCreator"


def refusal(google_cloud: Any, method: str, path: str, **body: Any) -> tuple[int, str, str]:
    """Status, code and message of an IAM call that must fail."""
    answer = google_cloud.call(method, "iam", ACCOUNTS + path, json=body or None)
    error = answer.json()["error"]
    return answer.status_code, error["status"], error["message"]


def policy_with(google_cloud: Any, email: str, *bindings: tuple[str, str]) -> dict[str, Any]:
    policy = google_cloud.iam("POST", f"/{email}:getIamPolicy")
    listed = [{"role": role, "members": [member]} for role, member in bindings]
    return {**policy, "bindings": [*policy.get("bindings", []), *listed]}


# -- accounts ----------------------------------------------------------------------------


def test_account_is_made_found_changed(google_cloud: Any) -> None:
    made = google_cloud.iam(
        "POST", "", accountId="anyscale-op", serviceAccount={"description": "of a cloud"}
    )
    assert made["email"] == "anyscale-op@demo.iam.gserviceaccount.com"
    assert made["name"] == f"projects/demo/serviceAccounts/{made['email']}"
    assert len(made["uniqueId"]) == 21
    assert google_cloud.iam("GET", f"/{made['uniqueId']}") == made
    changed = google_cloud.iam(
        "PATCH",
        f"/{made['email']}",
        serviceAccount={"description": "of another"},
        updateMask="description",
    )
    assert changed["description"] == "of another"
    emails = [account["email"] for account in google_cloud.iam("GET", "")["accounts"]]
    assert {made["email"], email_of(HAND_MADE_ACCOUNT)} <= set(emails)
    page = google_cloud.iam("GET", "?pageSize=2")
    assert (len(page["accounts"]), page["nextPageToken"]) == (2, "2")


@pytest.mark.parametrize(
    ("account_id", "described"),
    [
        ("short", {}),
        ("a" * 31, {}),
        ("Upper-case", {}),
        ("ends-with-", {}),
        ("1-digit-first", {}),
        ("", {}),
        ("anyscale-op", {"description": "x" * 257}),
        ("anyscale-op", {"displayName": "x" * 101}),
    ],
)
def test_invalid_accounts(google_cloud: Any, account_id: str, described: dict[str, str]) -> None:
    found = refusal(google_cloud, "POST", "", accountId=account_id, serviceAccount=described)
    assert found[:2] == (400, "INVALID_ARGUMENT")


def test_names_are_taken_once(google_cloud: Any) -> None:
    google_cloud.account("anyscale-op")
    status, code, message = refusal(google_cloud, "POST", "", accountId="anyscale-op")
    assert (status, code) == (409, "ALREADY_EXISTS")
    assert message.endswith("already exists within project projects/demo.")
    assert refusal(google_cloud, "GET", "/nobody@demo.iam.gserviceaccount.com")[0] == 404


def test_quota(google_cloud: Any) -> None:
    google_cloud.stand_in.project.accounts.most = 4
    found = refusal(google_cloud, "POST", "", accountId="anyscale-op")
    assert found[:2] == (429, "RESOURCE_EXHAUSTED")


def test_deleted_accounts_can_return_for_thirty_days(google_cloud: Any) -> None:
    email = google_cloud.account("anyscale-op")
    unique_id = google_cloud.iam("GET", f"/{email}")["uniqueId"]
    google_cloud.iam("DELETE", f"/{email}")
    assert refusal(google_cloud, "GET", f"/{email}")[0] == 404
    restored = google_cloud.iam("POST", f"/{unique_id}:undelete")["restoredAccount"]
    assert restored["email"] == email
    google_cloud.iam("DELETE", f"/{email}")
    google_cloud.clock.offset = timedelta(days=31)
    project = google_cloud.stand_in.project
    assert [account.email for account in project.accounts.deleted()] == []


def test_successor_of_a_deleted_account_has_nothing_of_it(google_cloud: Any) -> None:
    email = google_cloud.account("anyscale-op")
    old = google_cloud.iam("GET", f"/{email}")["uniqueId"]
    other = email_of(HAND_MADE_ACCOUNT)
    google_cloud.grant(other, (CREATOR, f"serviceAccount:{email}"))
    google_cloud.iam("DELETE", f"/{email}")
    assert google_cloud.account("anyscale-op") == email
    assert google_cloud.iam("GET", f"/{email}")["uniqueId"] != old
    policy = google_cloud.iam("POST", f"/{other}:getIamPolicy")
    gone = f"deleted:serviceAccount:{email}?uid={old}"
    assert policy["bindings"] == [{"role": CREATOR, "members": [gone]}]
    assert refusal(google_cloud, "POST", f"/{old}:undelete")[:2] == (400, "FAILED_PRECONDITION")
    answer = google_cloud.act_as(
        other, google_cloud.token_of(email), "generateIdToken", audience="x"
    )
    assert answer.status_code == 403
    policy["bindings"][0]["members"].append(f"serviceAccount:{email}")
    found = refusal(google_cloud, "POST", f"/{other}:setIamPolicy", policy=policy)
    assert found[2].startswith("Inconsistent representation of deleted member: 'deleted:")
    policy["bindings"][0]["members"].remove(gone)
    google_cloud.iam("POST", f"/{other}:setIamPolicy", policy=policy)
    assert gone not in str(google_cloud.iam("POST", f"/{other}:getIamPolicy"))


# -- policies ------------------------------------------------------------------------------


def test_policy_is_replaced_by_etag(google_cloud: Any) -> None:
    email = google_cloud.account()
    fresh = google_cloud.iam("POST", f"/{email}:getIamPolicy")
    assert fresh == {"etag": "ACAB"}
    mine = policy_with(google_cloud, email, (CREATOR, f"serviceAccount:{email}"))
    theirs = policy_with(google_cloud, email, (USER, f"serviceAccount:{POOL}[ns/sa]"))
    google_cloud.iam("POST", f"/{email}:setIamPolicy", policy=theirs)
    found = refusal(google_cloud, "POST", f"/{email}:setIamPolicy", policy=mine)
    assert found[:2] == (409, "ABORTED")
    assert "concurrent policy changes" in found[2]
    del mine["etag"]
    after = google_cloud.iam("POST", f"/{email}:setIamPolicy", policy=mine)
    assert [binding["role"] for binding in after["bindings"]] == [CREATOR]


def test_somebody_else_writes_between_reading_and_writing(google_cloud: Any) -> None:
    email = google_cloud.account()
    google_cloud.stand_in.project.rules.meddling.left = 1
    path = f"/{email}:setIamPolicy"
    mine = policy_with(google_cloud, email, (CREATOR, f"serviceAccount:{email}"))
    assert refusal(google_cloud, "POST", path, policy=mine)[:2] == (409, "ABORTED")
    again = policy_with(google_cloud, email, (CREATOR, f"serviceAccount:{email}"))
    after = google_cloud.iam("POST", path, policy=again)
    roles = {binding["role"] for binding in after["bindings"]}
    assert roles == {CREATOR, "roles/iam.serviceAccountUser"}


@pytest.mark.parametrize(
    ("role", "member", "words"),
    [
        (CREATOR, "serviceAccount:nobody@demo.iam.gserviceaccount.com", "does not exist."),
        (USER, "serviceAccount:other.svc.id.goog[ns/sa]", "Identity Pool does not exist"),
        (CREATOR, "somebody", "unknown type"),
        ("roles/storage.admin", "user:you@example.com", "not supported for this resource"),
        ("roles/iam.nothing", "user:you@example.com", "not supported for this resource"),
        (CREATOR, "deleted:serviceAccount:x@demo.iam.gserviceaccount.com?uid=1", "does not exist"),
    ],
)
def test_invalid_bindings(google_cloud: Any, role: str, member: str, words: str) -> None:
    email = google_cloud.account()
    policy = policy_with(google_cloud, email, (role, member))
    status, code, message = refusal(google_cloud, "POST", f"/{email}:setIamPolicy", policy=policy)
    assert (status, code) == (400, "INVALID_ARGUMENT")
    assert words in message


def test_conditions_survive_only_who_knows_them(google_cloud: Any) -> None:
    email = google_cloud.account()
    condition = {"title": "until", "expression": "request.time < timestamp('2030-01-01T00:00:00Z')"}
    binding = {"role": CREATOR, "members": ["user:you@example.com"], "condition": condition}
    path = f"/{email}:setIamPolicy"
    google_cloud.iam("POST", path, policy={"version": 3, "bindings": [binding]})
    shown = google_cloud.iam("POST", f"/{email}:getIamPolicy")
    assert shown["bindings"][0]["role"].startswith(f"{CREATOR}_withcond_")
    assert refusal(google_cloud, "POST", path, policy={**shown, "version": 1})[0] == 400
    whole = google_cloud.iam("POST", f"/{email}:getIamPolicy?options.requestedPolicyVersion=3")
    assert whole["bindings"] == [binding]
    google_cloud.iam("POST", path, policy=whole)


def test_permissions_on_accounts(google_cloud: Any) -> None:
    email = google_cloud.account()
    asked = ["iam.serviceAccounts.setIamPolicy", "iam.serviceAccounts.getAccessToken"]
    path = f"/{email}:testIamPermissions"
    assert google_cloud.iam("POST", path, permissions=asked)["permissions"] == asked[:1]
    google_cloud.stand_in.set_admin_permissions(["iam.serviceAccounts.get"])
    assert google_cloud.iam("POST", path, permissions=asked) == {}
    status, code, message = refusal(google_cloud, "POST", "", accountId="anyscale-op")
    assert (status, code) == (403, "PERMISSION_DENIED")
    assert "iam.serviceAccounts.create" in message


# -- the project --------------------------------------------------------------------------------


def test_policy_of_the_project(google_cloud: Any, refused: Any) -> None:
    projects = google_cloud.projects()
    policy = projects.get_iam_policy(resource="projects/demo")
    admin = google_cloud.stand_in.admin.email
    owners = next(b for b in policy.bindings if b.role == "roles/owner")
    assert f"serviceAccount:{admin}" in owners.members
    email = google_cloud.account()
    stale = policy_pb2.Policy()
    stale.CopyFrom(policy)
    policy.bindings.add(role="roles/container.clusterViewer", members=[f"serviceAccount:{email}"])
    projects.set_iam_policy(request={"resource": "projects/demo", "policy": policy})
    with refused(409, "concurrent policy changes"):
        projects.set_iam_policy(request={"resource": "projects/demo", "policy": stale})
    own = google_cloud.projects(google_cloud.token_of(email))
    asked = ["container.clusters.get", "container.clusters.create"]
    seen = [
        list(own.test_iam_permissions(resource="projects/demo", permissions=asked).permissions)
        for _ in range(2)
    ]
    assert seen == [[], asked[:1]]


def test_other_projects_are_hidden(google_cloud: Any, refused: Any) -> None:
    with refused(403):
        google_cloud.projects().get_project(name="projects/elsewhere")
    google_cloud.stand_in.set_admin_permissions([])
    with refused(403):
        google_cloud.projects().get_project(name="projects/demo")
    google_cloud.stand_in.set_admin_permissions(None)
    assert google_cloud.projects().get_project(name="projects/demo").project_id == "demo"


class TestDisabledServices:
    @pytest.fixture
    def settings(self, settings: GoogleSettings) -> GoogleSettings:
        enabled = [name for name in settings.enabled if name not in ("iam", "container")]
        return replace(settings, enabled=enabled)

    def test_calls_say_how_to_enable(self, google_cloud: Any, refused: Any) -> None:
        answer = google_cloud.call("GET", "iam", ACCOUNTS)
        error = answer.json()["error"]
        assert answer.status_code == 403
        info = error["details"][0]
        assert (info["reason"], info["metadata"]["service"]) == (
            "SERVICE_DISABLED",
            "iam.googleapis.com",
        )
        assert info["metadata"]["activationUrl"].endswith("?project=418205339162")
        with refused(403, "Kubernetes Engine API has not been used"):
            google_cloud.clusters().list_clusters(parent="projects/demo/locations/-")

    def test_services_tell_their_state(self, google_cloud: Any) -> None:
        path = "/v1/projects/demo/services"
        found = google_cloud.call("GET", "serviceusage", f"{path}/iam.googleapis.com").json()
        assert found["state"] == "DISABLED"
        names = [f"projects/demo/services/{name}.googleapis.com" for name in ("iam", "storage")]
        batch = google_cloud.call(
            "GET", "serviceusage", f"{path}:batchGet", params={"names": names}
        ).json()
        assert [s["state"] for s in batch["services"]] == ["DISABLED", "ENABLED"]
        listed = google_cloud.call(
            "GET", "serviceusage", path, params={"filter": "state:ENABLED"}
        ).json()
        assert "container.googleapis.com" not in str(listed)

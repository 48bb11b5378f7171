"""What is added to a policy, what is taken away, and what stays as it is."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.providers.gcs.sdk.policy import Grant, Policy, member_of
from anyscale_k8s_cli.providers.gke import policies

EMAIL = "operator@demo.iam.gserviceaccount.com"
SELF = member_of(EMAIL)
GHOST = f"deleted:{SELF}?uid=123"
VIEWER = Grant("roles/storage.objectViewer", "user:me@example.com")
WEEKDAYS = {"title": "weekdays", "expression": "request.time.getDayOfWeek() < 6"}


def policy(*bindings: dict[str, Any]) -> Policy:
    return Policy(bindings, etag="BwX", version=3)


def binding(role: str, *members: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "members": list(members), **more}


def test_the_operators_grants() -> None:
    twin, itself = policies.on_account(EMAIL, "demo.svc.id.goog", "ns")
    assert twin == Grant(
        "roles/iam.workloadIdentityUser", "serviceAccount:demo.svc.id.goog[ns/anyscale-operator]"
    )
    assert itself == Grant("roles/iam.serviceAccountTokenCreator", SELF)
    assert {grant.member for grant in policies.on_bucket(EMAIL)} == {SELF}


def test_what_is_there_already_changes_nothing() -> None:
    found = policy(binding("a", "user:x", SELF), binding("b", SELF, condition=WEEKDAYS))
    assert found.changed(add=[Grant("a", SELF)]) == found
    assert found.changed(remove=[Grant("a", "user:nobody")]) == found


def test_others_stay_as_and_where_they_are() -> None:
    found = policy(binding("a", "user:x"), binding("b", "user:y", condition=WEEKDAYS))
    changed = found.changed(add=[Grant("a", SELF), Grant("c", SELF)])
    assert list(changed.bindings) == [
        binding("a", "user:x", SELF),
        binding("b", "user:y", condition=WEEKDAYS),
        binding("c", SELF),
    ]
    assert (changed.etag, changed.version) == ("BwX", 3)
    assert changed.as_json() == {"version": 3, "etag": "BwX", "bindings": list(changed.bindings)}


def test_a_grant_under_a_condition_is_not_the_one_that_is_wanted() -> None:
    found = policy(binding("a", SELF, condition=WEEKDAYS))
    wanted = Grant("a", SELF)
    assert [change.new for change in policies.missing(found, [wanted], EMAIL)] == ["granted"]
    assert binding("a", SELF) in found.changed(add=[wanted]).bindings


def test_what_is_taken_away_leaves_no_empty_binding() -> None:
    found = policy(binding("a", SELF), binding("b", "user:x", SELF))
    changed = found.changed(remove=[Grant("a", SELF), Grant("b", SELF)])
    assert list(changed.bindings) == [binding("b", "user:x")]


def test_ghosts_go_also_from_under_conditions() -> None:
    """Google refuses a policy that names an account and a deleted one of its name."""
    others = f"deleted:serviceAccount:other@{EMAIL.partition('@')[2]}?uid=9"
    found = policy(binding("a", GHOST, SELF), binding("b", GHOST, others, condition=WEEKDAYS))
    ghosts = found.ghosts(EMAIL)
    assert ghosts == {Grant("a", GHOST), Grant("b", GHOST)}
    changed = found.changed(remove=ghosts)
    assert list(changed.bindings) == [
        binding("a", SELF),
        binding("b", others, condition=WEEKDAYS),
    ]
    told = policies.missing(found, [Grant("a", SELF)], EMAIL)
    assert [(change.old, change.new) for change in told] == [("granted", "absent")] * 2


def test_an_empty_policy_is_read_and_written() -> None:
    found = Policy.of({"etag": "ACAB"})
    assert (found.bindings, found.etag) == ((), "ACAB")
    assert found.changed(add=[VIEWER]).as_json()["bindings"] == [
        binding(VIEWER.role, VIEWER.member)
    ]


# -- whether an account of the user's has the rights --------------------------------------


@pytest.mark.parametrize(
    ("wanted", "there", "lacking"),
    [
        (policies.OBJECT_ADMIN, (policies.OBJECT_ADMIN, SELF), False),
        (policies.OBJECT_ADMIN, ("roles/storage.admin", SELF), False),
        (policies.OBJECT_ADMIN, ("roles/storage.objectViewer", SELF), True),
        (policies.OBJECT_ADMIN, (policies.OBJECT_ADMIN, "user:me@example.com"), True),
        (policies.OBJECT_ADMIN, (policies.OBJECT_ADMIN, GHOST), True),
        (policies.OBJECT_ADMIN, (policies.OBJECT_ADMIN, "group:ml@example.com"), False),
        (policies.OBJECT_ADMIN, ("organizations/1/roles/data", SELF), False),
        (policies.OBJECT_ADMIN, ("projects/demo/roles/data", "user:me@example.com"), True),
        (policies.BUCKET_READER, (policies.OBJECT_ADMIN, SELF), True),
        (policies.TOKEN_CREATOR, (policies.TOKEN_CREATOR, SELF), False),
        (policies.TOKEN_CREATOR, ("roles/owner", SELF), True),
        (policies.WORKLOAD_IDENTITY_USER, (policies.WORKLOAD_IDENTITY_USER, SELF), False),
        (
            policies.WORKLOAD_IDENTITY_USER,
            (policies.WORKLOAD_IDENTITY_USER, "principalSet://iam.googleapis.com/projects/1/x"),
            False,
        ),
    ],
)
def test_only_a_clear_no_is_a_no(wanted: str, there: tuple[str, str], lacking: bool) -> None:
    role, member = there
    seen = [policy(), policy(binding(role, member))]
    assert policies.lacks(seen, Grant(wanted, SELF)) is lacking
    assert policies.lacks([policy()], Grant(wanted, SELF))

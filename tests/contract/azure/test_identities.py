"""Managed identities, whom they trust, and what roles are assigned to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.azure.seed import SUBSCRIPTION_ID, IdentitySeed
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings

ACCOUNT = (
    f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/demo/providers/Microsoft.Storage/"
    "storageAccounts/teamdatademo"
)
ONE = "0d1d5a4e-6ad5-4f6b-9f0b-2f1f0e2a6c01"
TWO = "0d1d5a4e-6ad5-4f6b-9f0b-2f1f0e2a6c02"
CONTRIBUTOR = "Storage Blob Data Contributor"


# -- identities --------------------------------------------------------------------------


def test_an_identity_comes_and_goes(azure: Any, refused: Any) -> None:
    identities = azure.identities()
    body = {"location": "eastus", "tags": {"a": "b"}}
    made = identities.create_or_update("demo", "anyscale-prod", body)
    assert identities.get("demo", "anyscale-prod").principal_id == made.principal_id
    again = identities.create_or_update("demo", "anyscale-prod", {**body, "tags": {"c": "d"}})
    assert (again.principal_id, again.tags) == (made.principal_id, {"c": "d"})
    with refused("InvalidResourceLocation", "already exists in location 'eastus'", 409):
        identities.create_or_update("demo", "anyscale-prod", {"location": "westus"})
    changed = identities.update("demo", "anyscale-prod", {"tags": {"e": "f"}})
    assert changed.tags == {"e": "f"}
    names = {item.name for item in identities.list_by_resource_group("demo")}
    assert names == {"anyscale-prod", "team-data-reader"}
    assert names == {item.name for item in identities.list_by_subscription()}
    identities.delete("demo", "anyscale-prod")
    identities.delete("demo", "anyscale-prod")
    with refused("ResourceNotFound", "userAssignedIdentities/anyscale-prod", 404):
        identities.get("demo", "anyscale-prod")
    # The same name is another identity the next time.
    anew = identities.create_or_update("demo", "anyscale-prod", body)
    assert anew.principal_id != made.principal_id


@pytest.mark.parametrize("name", ["ab", "-abc", "a.b.c", "x" * 129])
def test_names_of_identities(azure: Any, refused: Any, name: str) -> None:
    with refused("InvalidParameter", status=400):
        azure.make_identity(name)


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({"anyscale/cloud": "x"}, "InvalidTagNameCharacters"),
        ({"a": "x" * 257}, "TagValueTooLong"),
        ({"x" * 513: "a"}, "InvalidTagName"),
        ({f"t{number}": "" for number in range(51)}, "TagCountExceeded"),
        ({"a": "1", "A": "2"}, "DuplicateTagNames"),
    ],
)
def test_rules_for_tags(azure: Any, refused: Any, tags: dict[str, str], code: str) -> None:
    with refused(code, status=400):
        azure.identities().create_or_update("demo", "new-one", {"location": "eastus", "tags": tags})


# -- federated credentials ---------------------------------------------------------------


def test_a_credential_comes_and_goes(azure: Any, refused: Any) -> None:
    identity, credentials = azure.make_identity(), azure.federated_credentials()
    made = azure.trust(identity)
    assert made.issuer == azure.issuer.url
    assert made.issuer.endswith("/")
    found = credentials.get("demo", identity.name, "cluster")
    assert (found.subject, found.audiences) == (made.subject, made.audiences)
    assert [item.name for item in credentials.list("demo", identity.name)] == ["cluster"]
    assert azure.trust(identity, subject="system:serviceaccount:a:b").subject.endswith("a:b")
    credentials.delete("demo", identity.name, "cluster")
    credentials.delete("demo", identity.name, "cluster")
    with refused("NotFound", "with name 'cluster' was not found", 404):
        credentials.get("demo", identity.name, "cluster")


def test_rules_for_credentials(azure: Any, refused: Any) -> None:
    identity = azure.make_identity()
    azure.trust(identity)
    with refused("Conflict", "Issuer and subject combination already exists", 409):
        azure.trust(identity, "another")
    with refused("BadRequest", "must specify 'issuer', 'subject' and 'audience'", 400):
        azure.trust(identity, "another", subject="")
    with refused("BadRequest", "https"):
        azure.trust(identity, "another", issuer="http://issuer.example.com")
    with refused("BadRequest", "one audience"):
        azure.trust(identity, "another", audiences=["a", "b"])
    with refused("BadRequest", "name 'a b'"):
        azure.trust(identity, "a b")
    for number in range(19):
        azure.trust(identity, f"more-{number}", subject=f"system:serviceaccount:a:{number}")
    with refused("BadRequest", "The maximum is 20"):
        azure.trust(identity, "one-more", subject="system:serviceaccount:b:b")


class TestSeeded:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        trusted = ("team", "https://issuer.example.com/", "system:serviceaccount:a:b")
        seed = IdentitySeed("team-own", federated=(trusted,), roles=((CONTRIBUTOR, ACCOUNT),))
        return replace(settings, identities=(seed,))

    def test_what_somebody_made_by_hand(self, azure: Any) -> None:
        identity = azure.identities().get("demo", "team-own")
        (credential,) = azure.federated_credentials().list("demo", "team-own")
        assert (credential.name, credential.issuer) == ("team", "https://issuer.example.com/")
        mine = f"principalId eq '{identity.principal_id}'"
        assignments = azure.authorization().role_assignments
        (held,) = assignments.list_for_scope(ACCOUNT, filter=mine)
        role = azure.authorization().role_definitions.get_by_id(held.role_definition_id)
        assert role.role_name == CONTRIBUTOR


# -- role assignments --------------------------------------------------------------------


def test_an_assignment_comes_and_goes(azure: Any, refused: Any) -> None:
    identity, assignments = azure.make_identity(), azure.authorization().role_assignments
    made = azure.grant(ACCOUNT, identity.principal_id, CONTRIBUTOR, ONE)
    assert made.id == f"{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments/{ONE}"
    assert (made.scope, made.principal_type) == (ACCOUNT, "ServicePrincipal")
    assert made.role_definition_id.endswith("ba92f5b4-2d11-453d-a403-e96b0029c9fe")
    again = azure.grant(ACCOUNT, identity.principal_id, CONTRIBUTOR, ONE)
    assert again.created_on == made.created_on
    assert assignments.get(ACCOUNT, ONE).principal_id == identity.principal_id
    assignments.delete(ACCOUNT, ONE)
    assert assignments.delete(ACCOUNT, ONE) is None
    with refused("RoleAssignmentNotFound", status=404):
        assignments.get(ACCOUNT, ONE)


def test_conflicts_of_assignments(azure: Any, refused: Any) -> None:
    first, second = azure.make_identity("first-one"), azure.make_identity("second-one")
    azure.grant(ACCOUNT, first.principal_id, CONTRIBUTOR, ONE)
    with refused("RoleAssignmentExists", ONE.replace("-", ""), 409):
        azure.grant(ACCOUNT, first.principal_id, CONTRIBUTOR, TWO)
    with refused("RoleAssignmentUpdateNotPermitted", status=400):
        azure.grant(ACCOUNT, second.principal_id, CONTRIBUTOR, ONE)
    group = ACCOUNT.split("/providers/", maxsplit=1)[0]
    with refused("RoleAssignmentUpdateNotPermitted"):
        azure.grant(group, first.principal_id, CONTRIBUTOR, ONE)
    azure.grant(group, first.principal_id, CONTRIBUTOR, TWO)


def test_what_cannot_be_assigned(azure: Any, refused: Any) -> None:
    identity = azure.make_identity()
    with refused("InvalidRoleAssignmentId"):
        azure.grant(ACCOUNT, identity.principal_id, CONTRIBUTOR, "no-guid")
    with refused("PrincipalNotFound", "docs-principaltype", 400):
        azure.grant(ACCOUNT, ONE, CONTRIBUTOR, ONE)
    with refused("UnmatchedPrincipalType"):
        azure.grant(ACCOUNT, identity.principal_id, CONTRIBUTOR, ONE, principalType="User")
    unknown = f"/providers/Microsoft.Authorization/roleDefinitions/{ONE}"
    with refused("RoleDefinitionDoesNotExist"):
        azure.grant(ACCOUNT, identity.principal_id, CONTRIBUTOR, ONE, roleDefinitionId=unknown)


def test_lists_of_assignments(azure: Any) -> None:
    identity, assignments = azure.make_identity(), azure.authorization().role_assignments
    group = ACCOUNT.split("/providers/", maxsplit=1)[0]
    azure.grant(ACCOUNT, identity.principal_id, CONTRIBUTOR, ONE)
    mine = f"principalId eq '{identity.principal_id}'"

    def names(scope: str, text: str | None) -> set[str]:
        return {item.name for item in assignments.list_for_scope(scope, filter=text)}

    assert names(group, mine) == {ONE}
    assert names(ACCOUNT, mine) == {ONE}
    assert ONE not in names(group, "atScope()")
    # Those of further up count here, too: the administrator owns the subscription.
    assert len(names(ACCOUNT, "atScope()")) == 2
    assert names(group, f"assignedTo('{identity.principal_id}')") == {ONE}


def test_assignments_outlive_their_principal_and_not_their_scope(azure: Any) -> None:
    identity, account = azure.make_identity(), azure.make_account()
    azure.grant(account.id, identity.principal_id, CONTRIBUTOR, ONE)
    azure.identities().delete("demo", identity.name)
    left = azure.authorization().role_assignments.get(account.id, ONE)
    assert left.principal_type == "Unknown"
    azure.storage().storage_accounts.delete("demo", account.name)
    assert all(not item.endswith(ONE) for item in azure.stand_in.snapshot()["role_assignments"])


class TestReplication:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        return replace(settings, replication_attempts=2)

    def test_a_new_principal_is_not_known_at_once(self, azure: Any, refused: Any) -> None:
        identity = azure.make_identity()
        for _ in range(2):
            with refused("PrincipalNotFound"):
                azure.grant(ACCOUNT, identity.principal_id, CONTRIBUTOR, ONE)
        assert azure.grant(ACCOUNT, identity.principal_id, CONTRIBUTOR, ONE)

    def test_without_its_type_it_takes_longer(self, azure: Any, refused: Any) -> None:
        identity = azure.make_identity()
        for _ in range(4):
            with refused("PrincipalNotFound"):
                azure.grant(ACCOUNT, identity.principal_id, CONTRIBUTOR, ONE, principalType=None)
        assert azure.grant(ACCOUNT, identity.principal_id, CONTRIBUTOR, ONE, principalType=None)

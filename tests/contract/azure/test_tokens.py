"""Entra: who gets a token, for what, and who believes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import EnvironmentCredential
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli.sandbox.azure.seed import ANYSCALE_APP_ID, TENANT_ID
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule

MANAGEMENT = "https://management.azure.com/.default"
STORAGE = "https://storage.azure.com/.default"
AKS = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
ANYSCALE = f"api://{ANYSCALE_APP_ID}/.default"


def refusal(credential: Any, scope: str = MANAGEMENT) -> str:
    with pytest.raises(ClientAuthenticationError) as caught:
        credential.get_token(scope)
    return str(caught.value.message)


def test_the_environment_leads_the_sdk_here(azure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in azure.stand_in.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azure.bundle))
    credential = EnvironmentCredential(disable_instance_discovery=True)
    claims = jwt.decode(credential.get_token(MANAGEMENT).token, options={"verify_signature": False})
    admin = azure.stand_in.world.admin
    assert (claims["appid"], claims["oid"]) == (admin.app_id, admin.object_id)
    assert (claims["aud"], claims["tid"]) == ("https://management.azure.com", TENANT_ID)


def test_metadata_tells_every_endpoint(azure: Any) -> None:
    url = azure.stand_in.environment()["ARM_CLOUD_METADATA_URL"]
    (cloud,) = requests.get(url, verify=str(azure.bundle), timeout=10).json()
    assert cloud["resourceManager"] == f"{azure.stand_in.url}/"
    login = cloud["authentication"]["loginEndpoint"]
    found = f"{login}{TENANT_ID}/v2.0/.well-known/openid-configuration"
    document = requests.get(found, verify=str(azure.bundle), timeout=10).json()
    assert document["token_endpoint"].startswith(login)


def test_tokens_are_verified_by_the_published_keys(azure: Any) -> None:
    token = azure.token(ANYSCALE)
    url = f"{azure.stand_in.world.login_url}/common/discovery/keys"
    (key,) = requests.get(url, verify=str(azure.bundle), timeout=10).json()["keys"]
    claims = jwt.decode(
        token,
        jwt.PyJWK(key, algorithm="RS256").key,
        algorithms=["RS256"],
        audience=f"api://{ANYSCALE_APP_ID}",
        issuer=key["issuer"],
    )
    assert claims["oid"] == azure.stand_in.world.admin.object_id


def test_wrong_secret(azure: Any) -> None:
    said = refusal(azure.secret(azure.stand_in.world.admin.app_id, "wrong"))
    assert "AADSTS7000215: Invalid client secret provided" in said


def test_unknown_application_and_tenant(azure: Any) -> None:
    unknown = "11111111-2222-3333-4444-555555555555"
    said = refusal(azure.secret(unknown, "x"))
    assert f"AADSTS700016: Application with identifier '{unknown}' was not found" in said
    elsewhere = azure.secret("x", "x", tenant=unknown)
    assert "double check your tenant name or GUID" in refusal(elsewhere)


@pytest.mark.parametrize(
    ("scope", "number"),
    [("api://nobody/.default", "500011"), ("https://management.azure.com/user", "1002012")],
)
def test_what_a_token_can_be_for(azure: Any, scope: str, number: str) -> None:
    assert f"AADSTS{number}" in refusal(azure.credential, scope)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "invalid_scope"),
        ({"grant_type": "client_credentials", "scope": MANAGEMENT}, "invalid_client"),
    ],
)
def test_token_requests_that_lack_something(azure: Any, form: dict[str, str], error: str) -> None:
    url = f"{azure.stand_in.world.login_url}/{TENANT_ID}/oauth2/v2.0/token"
    answer = requests.post(url, data=form, verify=str(azure.bundle), timeout=10)
    assert answer.json()["error"] == error
    assert answer.json()["error_codes"][0] in (70003, 70011, 7000216)


@pytest.mark.parametrize(("kind", "status"), [(FaultKind.THROTTLE, 429), (FaultKind.ERROR, 503)])
def test_faults(azure: Any, kind: FaultKind, status: int) -> None:
    azure.wire.inject(FaultRule(kind, service="entra", operation="token", times=0))
    url = f"{azure.stand_in.world.login_url}/{TENANT_ID}/oauth2/v2.0/token"
    answer = requests.post(url, data={}, verify=str(azure.bundle), timeout=10)
    assert (answer.status_code, "AADSTS" in answer.json()["error_description"]) == (status, True)


class TestWithoutAnyscale:
    @pytest.fixture
    def settings(self) -> AzureSettings:
        return AzureSettings(anyscale_known=False)

    def test_its_audience_is_not_known(self, azure: Any) -> None:
        said = refusal(azure.credential, ANYSCALE)
        assert f"AADSTS500011: The resource principal named api://{ANYSCALE_APP_ID} was not" in said
        assert azure.token(STORAGE)


# -- tokens of a cluster -----------------------------------------------------------------


def test_a_cluster_s_token_becomes_the_identity(azure: Any) -> None:
    identity = azure.make_identity()
    azure.trust(identity)
    token = azure.federated(identity.client_id, azure.issuer.token()).get_token(ANYSCALE).token
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["oid"] == identity.principal_id
    assert claims["appid"] == identity.client_id


@pytest.mark.parametrize(
    ("changed", "number", "words"),
    [
        ({"issuer": "without-slash"}, "700211", "presented assertion issuer"),
        ({"subject": "system:serviceaccount:other:anyscale-operator"}, "700213", "subject"),
        ({"subject": "System:ServiceAccount:anyscale-operator:anyscale-operator"}, "7002138", "se"),
        ({"audiences": ["sts.amazonaws.com"]}, "700212", "presented assertion audience"),
    ],
)
def test_what_is_trusted_is_compared_letter_by_letter(
    azure: Any, changed: dict[str, Any], number: str, words: str
) -> None:
    if changed.get("issuer"):
        changed = {"issuer": azure.issuer.url.rstrip("/")}
    identity = azure.make_identity()
    azure.trust(identity, **changed)
    said = refusal(azure.federated(identity.client_id, azure.issuer.token()))
    assert f"AADSTS{number}: No matching federated identity record" in said
    assert words in said


def test_without_any_trust(azure: Any) -> None:
    identity = azure.make_identity()
    said = refusal(azure.federated(identity.client_id, azure.issuer.token()))
    assert "AADSTS700211" in said


def test_forged_and_stale_assertions(azure: Any) -> None:
    identity = azure.make_identity()
    azure.trust(identity)
    forger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = azure.issuer.token(key=forger)
    assert "AADSTS700027" in refusal(azure.federated(identity.client_id, forged))
    stale = azure.issuer.token(lifetime=timedelta(hours=-1))
    assert "AADSTS700024" in refusal(azure.federated(identity.client_id, stale))
    said = refusal(azure.federated(identity.client_id, "no token"))
    assert "AADSTS50027" in said


class TestReplication:
    @pytest.fixture
    def settings(self) -> AzureSettings:
        return AzureSettings(federation_attempts=2)

    def test_a_new_credential_is_not_known_at_once(self, azure: Any) -> None:
        identity = azure.make_identity()
        azure.trust(identity)
        credential = azure.federated(identity.client_id, azure.issuer.token())
        for _ in range(2):
            assert "AADSTS70021:" in refusal(credential)
        assert credential.get_token(MANAGEMENT).token
        # The same again is nothing new.
        azure.trust(identity)
        assert credential.get_token(STORAGE).token


# -- who believes a token ----------------------------------------------------------------


@pytest.mark.parametrize("scope", [STORAGE, AKS, ANYSCALE])
def test_management_wants_tokens_of_its_own(azure: Any, scope: str) -> None:
    answer = azure.raw("GET", "/subscriptions?api-version=2022-12-01", token=azure.token(scope))
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "InvalidAuthenticationTokenAudience"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_storage_wants_tokens_of_its_own(azure: Any) -> None:
    url = f"{azure.stand_in.world.blob_url}/teamdatademo/data?restype=container&comp=list"
    headers = {"Authorization": f"Bearer {azure.token()}", "x-ms-version": "2023-11-03"}
    answer = requests.get(url, headers=headers, verify=str(azure.bundle), timeout=10)
    assert answer.status_code == 401
    assert answer.headers["x-ms-error-code"] == "InvalidAuthenticationInfo"


@pytest.mark.parametrize(
    ("token", "code"), [("", "AuthenticationFailed"), ("junk", "InvalidAuthenticationToken")]
)
def test_no_token_and_a_bad_one(azure: Any, token: str, code: str) -> None:
    answer = azure.raw("GET", "/subscriptions?api-version=2022-12-01", token=token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)


def test_tokens_end(azure: Any) -> None:
    token = azure.token()
    azure.clock.offset = timedelta(hours=2)
    answer = azure.raw("GET", "/subscriptions?api-version=2022-12-01", token=token)
    assert answer.json()["error"]["code"] == "ExpiredAuthenticationToken"
    azure.clock.offset = timedelta()
    assert azure.raw("GET", "/subscriptions?api-version=2022-12-01", token=token).ok
    azure.stand_in.expire_sessions()
    answer = azure.raw("GET", "/subscriptions?api-version=2022-12-01", token=token)
    assert answer.json()["error"]["code"] == "ExpiredAuthenticationToken"


def test_clusters_know_only_tokens_for_them(azure: Any) -> None:
    # Entra is off in the ordinary cluster.
    assert azure.stand_in.aks_user(azure.token(AKS), "demo") is None


class TestEntraCluster:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        seed = replace(settings.clusters[0], entra=True, azure_rbac=True, admin_groups=("admins",))
        return replace(settings, clusters=(seed,), admin_groups=("admins",))

    def test_groups_and_roles_make_administrators(self, azure: Any) -> None:
        admin = azure.stand_in.world.admin
        name, groups = azure.stand_in.aks_user(azure.token(AKS), "demo")
        assert name == admin.object_id
        assert groups == ("admins", "system:masters")
        assert azure.stand_in.aks_user(azure.token(), "demo") is None
        rbac = {"role": "Azure Kubernetes Service RBAC Cluster Admin"}
        by_role = azure.application("by-role", rbac)
        found = azure.stand_in.aks_user(by_role.get_token(AKS).token, "demo")
        assert found[1] == ("system:masters",)
        nobody = azure.application("nobody", {"role": "Reader"})
        found = azure.stand_in.aks_user(nobody.get_token(AKS).token, "demo")
        assert found[1] == ()

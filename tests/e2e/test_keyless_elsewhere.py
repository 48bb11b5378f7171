"""A cluster without a cloud that proves itself to Google and to Entra: no key is in it."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.auth.transport.requests import AuthorizedSession
from google.oauth2.service_account import Credentials

from anyscale_k8s_cli.cluster.context import from_context
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.azure.seed import TEAM_DATA
from anyscale_k8s_cli.sandbox.world import AksWorld, GenericWorld, GkeWorld, World
from tests.by_hand import AzureByHand
from tests.e2e.story import Story
from tests.processes import UNTRIED, Desk, Sandbox, started

NAMESPACE = "anyscale-operator"
SUBJECT = f"system:serviceaccount:{NAMESPACE}:anyscale-operator"
CONTRIBUTOR = "Storage Blob Data Contributor"
SETUP = (
    *("setup", "--provider", "generic", "--context", "demo", "--region", "onprem"),
    *("--name", "w", "--network", "none", "--gpu", "off", *UNTRIED, "--yes"),
)
WORLD = World(
    platforms=("gke", "aks", "generic"),
    generic=GenericWorld(public_issuer=True),
    gke=GkeWorld(others=False, refused_attempts=0),
    aks=AksWorld(
        replication_attempts=0,
        federation_attempts=0,
        propagation_attempts=0,
        admin_roles=({"role": "Owner"}, {"role": CONTRIBUTOR}),
    ),
)
SECRETS = {"google": "anyscale-gcp-credentials", "entra": "anyscale-azure-credentials"}


def issuer_of(sandbox: Sandbox) -> str:
    return kubernetes(sandbox).issuer().url


def kubernetes(sandbox: Sandbox) -> Kubernetes:
    return Kubernetes(from_context("demo", Path(sandbox.environment["KUBECONFIG"])), Run())


class GoogleOwner:
    """Whoever the project belongs to: makes pool and account, and lets the cluster in."""

    def __init__(self, environment: dict[str, str]) -> None:
        scopes = ["https://www.googleapis.com/auth/cloud-platform"]
        key = Credentials.from_service_account_file(
            environment["GOOGLE_APPLICATION_CREDENTIALS"], scopes=scopes
        )
        self._session = AuthorizedSession(key)
        self._iam = environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_IAM"]
        self._storage = environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE"]

    def post(self, path: str, body: Any) -> Any:
        answer = self._session.post(f"{self._iam}v1/projects/demo/{path}", json=body)
        assert answer.ok, answer.text
        return answer.json()

    def make(self, issuer: str) -> tuple[str, str]:
        """The provider's full name and the account's e-mail."""
        pools = "locations/global/workloadIdentityPools"
        self.post(f"{pools}?workloadIdentityPoolId=onprem", {})
        settings = {
            "oidc": {"issuerUri": issuer},
            "attributeMapping": {"google.subject": "assertion.sub"},
        }
        query = "workloadIdentityPoolProviderId=demo-lab"
        made = self.post(f"{pools}/onprem/providers?{query}", settings)["response"]["name"]
        account = {"accountId": "onprem-ray", "serviceAccount": {}}
        email = self.post("serviceAccounts", account)["email"]
        pool = made.partition("/providers/")[0]
        bindings = [
            {
                "role": "roles/iam.workloadIdentityUser",
                "members": [f"principal://iam.googleapis.com/{pool}/subject/{SUBJECT}"],
            },
            {
                "role": "roles/iam.serviceAccountTokenCreator",
                "members": [f"serviceAccount:{email}"],
            },
        ]
        self.post(f"serviceAccounts/{email}:setIamPolicy", {"policy": {"bindings": bindings}})
        return str(made), str(email)

    def let_in(self, bucket: str, told: str) -> None:
        url = f"{self._storage}b/{bucket}/iam"
        policy = self._session.get(url).json()
        policy["bindings"] += json.loads(told[told.index("[") : told.rindex("]") + 1])
        assert self._session.put(url, json=policy).ok


class EntraOwner:
    """Whoever the subscription belongs to: makes the identity, and types what he is told."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._arm: httpx.Client = AzureByHand(environment).management
        self._scope = f"subscriptions/{environment['AZURE_SUBSCRIPTION_ID']}/resourceGroups/demo"

    def make(self) -> str:
        """The identity's resource id."""
        path = f"{self._scope}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ray"
        version = {"api-version": "2024-11-30"}
        made = self._arm.put(path, params=version, json={"location": "eastus"}).json()
        self._identity, self._principal = path, made["properties"]["principalId"]
        return str(made["id"])

    def trust(self, told: str) -> None:
        words = shlex.split(told)
        said = dict(zip(words[4::2], words[5::2], strict=True))
        body = {
            "issuer": said["--issuer"],
            "subject": said["--subject"],
            "audiences": [said["--audiences"]],
        }
        path = f"{self._identity}/federatedIdentityCredentials/{said['--name']}"
        version = {"api-version": "2024-11-30"}
        self._arm.put(path, params=version, json={"properties": body})

    def let_in(self) -> None:
        role = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
        kind = "providers/Microsoft.Authorization"
        subscription = self._scope.partition("/resourceGroups/")[0]
        body = {
            "roleDefinitionId": f"/{subscription}/{kind}/roleDefinitions/{role}",
            "principalId": self._principal,
            "principalType": "ServicePrincipal",
        }
        path = f"{self._scope}/{kind}/roleAssignments/6f2c1f57-0000-4000-8000-000000000001"
        version = {"api-version": "2022-04-01"}
        self._arm.put(path, params=version, json={"properties": body})


@pytest.fixture(scope="module")
def story(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Story]:
    with started(desks(), homes, WORLD) as sandbox:
        told = Story(sandbox)
        google(told, GoogleOwner(sandbox.environment))
        entra(told, EntraOwner(sandbox.environment))
        yield told


def google(told: Story, owner: GoogleOwner) -> None:
    pool, email = owner.make(issuer_of(told.sandbox))
    setup = (*SETUP, "--identity", email, "--identity-provider", pool)
    told.tell("google lacking", *setup)
    error = told["google lacking"].document["error"]
    owner.let_in(error["message"].rpartition(" ")[2], error["fix"])
    lived(told, "google", setup)


def entra(told: Story, owner: EntraOwner) -> None:
    blobs = told.sandbox.admin.status()["addresses"]["azure-blob"]
    where = ("--storage-account", f"{blobs}/{TEAM_DATA.name}")
    setup = (*SETUP, "--identity", owner.make(), *where)
    told.tell("entra lacking", *setup)
    owner.trust(told["entra lacking"].document["error"]["fix"])
    owner.let_in()
    lived(told, "entra", setup)


def lived(told: Story, name: str, setup: tuple[str, ...]) -> None:
    told.tell(f"{name} setup", *setup, "--probe")
    secret = kubernetes(told.sandbox).get("v1", "Secret", SECRETS[name], NAMESPACE)
    told.beginning[f"{name} secret"] = secret
    told.tell(f"{name} delete", "delete", "w", "--yes")


@pytest.mark.parametrize("name", ["google", "entra"])
def test_the_operator_and_a_pod_use_the_store_with_exchanged_tokens(
    story: Story, name: str
) -> None:
    made = story[f"{name} setup"].done
    assert made["health"] == "HEALTHY"
    (asked,) = [item for item in made["probe"] if item["code"] == "pod-storage"]
    assert asked["status"] == "pass", asked
    assert "workload identity" in asked["detail"]


@pytest.mark.parametrize("name", ["google", "entra"])
def test_no_key_is_in_the_cluster(story: Story, name: str) -> None:
    data = story.beginning[f"{name} secret"]["data"]
    text = "".join(base64.b64decode(value).decode() for value in data.values())
    assert "private_key" not in text
    assert "AZURE_CLIENT_SECRET" not in data


def test_deletion_leaves_the_identities(story: Story) -> None:
    for name in ("google", "entra"):
        assert story[f"{name} delete"].ended.code == 0, story[f"{name} delete"].ended.err
    google, azure = (story["entra delete"].seen[cloud] for cloud in ("google", "azure"))
    assert any(email.startswith("onprem-ray@") for email in google["service_accounts"])
    assert any(item["federated"] for item in azure["identities"].values())

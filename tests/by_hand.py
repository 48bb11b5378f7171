"""What somebody does by hand behind the tool's back: with the APIs themselves, and no code of ours.

Everything here goes over the wire, so it is in the sandbox's record of calls too.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
import httpx
import yaml

CLUSTER = "demo"
# Azure's own id of the role Storage Blob Data Contributor, and one for its assignment.
_BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
_PATIENCE = 200
_ASSIGNMENT = "5b1f2c77-0f0c-4f0e-9a35-2d64f1f6a001"
NOT_FOUND = 404


@dataclass(frozen=True)
class ByHand:
    """The clients of a person with the variables of a sandbox."""

    environment: Mapping[str, str] = field(repr=False)

    def aws(self, service: str) -> Any:
        return self._session.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            verify=self.environment["SSL_CERT_FILE"],
        )

    @cached_property
    def _session(self) -> Any:
        return boto3.session.Session(
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environment["AWS_REGION"],
        )

    @cached_property
    def kubernetes(self) -> httpx.Client:
        """The API of the cluster, by path. What is refused raises; what is not there does not."""
        cluster = self._cluster
        ca = base64.b64decode(cluster["certificateAuthority"]["data"]).decode()
        return _client(
            cluster["endpoint"],
            {"Authorization": f"Bearer {self.cluster_token()}"},
            ssl.create_default_context(cadata=ca),
        )

    def kubeconfig(self) -> dict[str, Any]:
        """A kubeconfig for the cluster, as `aws eks update-kubeconfig` would write it."""
        place = {
            "server": self._cluster["endpoint"],
            "certificate-authority-data": self._cluster["certificateAuthority"]["data"],
        }
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CLUSTER,
            "clusters": [{"name": CLUSTER, "cluster": place}],
            "users": [{"name": CLUSTER, "user": {"token": self.cluster_token()}}],
            "contexts": [{"name": CLUSTER, "context": {"cluster": CLUSTER, "user": CLUSTER}}],
        }

    @cached_property
    def _cluster(self) -> dict[str, Any]:
        return dict(self.aws("eks").describe_cluster(name=CLUSTER)["cluster"])

    @cached_property
    def control_plane(self) -> httpx.Client:
        token = self.environment["ANYSCALE_CLI_TOKEN"]
        return _client(
            f"{self.environment['ANYSCALE_HOST']}/api/v2/", {"Authorization": f"Bearer {token}"}
        )

    def cluster_token(self) -> str:
        """As `aws eks get-token` makes it."""
        sts = self.aws("sts")

        def name_cluster(request: Any, **_: Any) -> None:
            request.headers["x-k8s-aws-id"] = CLUSTER

        sts.meta.events.register("before-sign.sts.GetCallerIdentity", name_cluster)
        url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
        return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")

    def patch(self, path: str, change: Mapping[str, Any]) -> None:
        """Merge a change into an object of the cluster, as `kubectl patch` does."""
        self.kubernetes.patch(
            path,
            params={"fieldManager": "kubectl-patch"},
            headers={"Content-Type": "application/merge-patch+json"},
            json=change,
        )

    def apply(self, document: Mapping[str, Any]) -> None:
        """As `kubectl apply --server-side` does."""
        metadata = document["metadata"]
        self.kubernetes.patch(
            f"{self._collection(document, metadata.get('namespace'))}/{metadata['name']}",
            params={"fieldManager": "kubectl", "force": "true"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            content=yaml.safe_dump(dict(document)),
        )

    def _collection(self, document: Mapping[str, Any], namespace: str | None) -> str:
        """Where objects of a kind are, as the API tells."""
        version = document["apiVersion"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        kinds = self.kubernetes.get(base).json()["resources"]
        [plural] = [
            item["name"]
            for item in kinds
            if item["kind"] == document["kind"] and "/" not in item["name"]
        ]
        return f"{base}/namespaces/{namespace}/{plural}" if namespace else f"{base}/{plural}"

    def delete(self, path: str) -> None:
        """Delete an object of the cluster, and return without waiting for its end."""
        self.kubernetes.delete(path, params={"propagationPolicy": "Background"})

    def exists(self, path: str) -> bool:
        return self.kubernetes.get(path).status_code != NOT_FOUND


@dataclass(frozen=True)
class AzureByHand:
    """The same on Azure, with REST alone; its cluster is entered as its local account."""

    environment: Mapping[str, str] = field(repr=False)

    def restart(self, namespace: str) -> None:
        """Delete the pods of a namespace: whoever owns them makes them anew."""
        self._kubernetes.delete(f"/api/v1/namespaces/{namespace}/pods")

    def make_for_operator(self, namespace: str) -> tuple[str, str]:
        """A container, and an identity that may use it and trusts the operator."""
        network = "Microsoft.Storage/storageAccounts/companydata"
        place = {"location": "eastus"}
        wanted = {"allowBlobPublicAccess": False, "isHnsEnabled": True}
        sku = {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
        self._put(network, "2024-01-01", {**place, **sku, "properties": wanted})
        rule = {
            "allowedOrigins": [self.environment["ANYSCALE_HOST"]],
            "allowedMethods": ["GET", "HEAD", "PUT", "POST", "DELETE"],
            "allowedHeaders": ["*"],
            "exposedHeaders": ["Accept-Ranges", "Content-Range", "Content-Length"],
            "maxAgeInSeconds": 3600,
        }
        service = f"{network}/blobServices/default"
        self._put(service, "2024-01-01", {"properties": {"cors": {"corsRules": [rule]}}})
        self._put(f"{service}/containers/lake", "2024-01-01", {"properties": {}})
        called = "Microsoft.ManagedIdentity/userAssignedIdentities/company-operator"
        identity = self._put(called, "2023-01-31", place)
        trust = {
            "issuer": self._cluster["properties"]["oidcIssuerProfile"]["issuerURL"],
            "subject": f"system:serviceaccount:{namespace}:anyscale-operator",
            "audiences": ["api://AzureADTokenExchange"],
        }
        credential = f"{called}/federatedIdentityCredentials/operator"
        self._put(credential, "2023-01-31", {"properties": trust})
        definitions = "Microsoft.Authorization/roleDefinitions"
        role = {
            "roleDefinitionId": f"{self._subscription}/providers/{definitions}/{_BLOB_CONTRIBUTOR}",
            "principalId": identity["properties"]["principalId"],
            "principalType": "ServicePrincipal",
        }
        assignment = f"{network}/providers/Microsoft.Authorization/roleAssignments/{_ASSIGNMENT}"
        for _ in range(_PATIENCE):
            # Its directory does not know a new principal at once.
            with suppress(AssertionError):
                self._put(assignment, "2022-04-01", {"properties": role})
                break
        assert self.management.get(
            f"{self._group}/providers/{assignment}", params={"api-version": "2022-04-01"}
        ).is_success
        return "companydata/lake", str(identity["id"])

    def _put(self, what: str, version: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make something in the resource group, and return it as Azure then has it."""
        path, asked = f"{self._group}/providers/{what}", {"api-version": version}
        self.management.put(path, params=asked, json=body)

        def there() -> Any:
            answer = self.management.get(path, params=asked)
            found = {} if answer.status_code == NOT_FOUND else answer.json()
            state = (found.get("properties") or {}).get("provisioningState", "Succeeded")
            return found if found and state == "Succeeded" else None

        for _ in range(_PATIENCE):
            if found := there():
                return dict(found)
        raise AssertionError(f"{what} is not there")

    @property
    def _subscription(self) -> str:
        return f"/subscriptions/{self.environment['AZURE_SUBSCRIPTION_ID']}"

    @property
    def _group(self) -> str:
        return f"{self._subscription}/resourceGroups/demo"

    @cached_property
    def _cluster(self) -> dict[str, Any]:
        path = f"{self._group}/providers/Microsoft.ContainerService/managedClusters/demo"
        return dict(self.management.get(path, params={"api-version": "2025-01-01"}).json())

    @cached_property
    def _kubernetes(self) -> httpx.Client:
        (found,) = self._cluster_credentials()["kubeconfigs"]
        config = yaml.safe_load(base64.b64decode(found["value"]))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        headers = {"Authorization": f"Bearer {user['token']}"}
        return _client(cluster["server"], headers, ssl.create_default_context(cadata=ca))

    def _cluster_credentials(self) -> dict[str, Any]:
        cluster = "Microsoft.ContainerService/managedClusters/demo"
        group = f"subscriptions/{self.environment['AZURE_SUBSCRIPTION_ID']}/resourceGroups/demo"
        action = f"{group}/providers/{cluster}/listClusterAdminCredential"
        version = {"api-version": "2025-01-01"}
        return dict(self.management.post(action, params=version).json())

    @cached_property
    def management(self) -> httpx.Client:
        said, trusted = (
            self.environment,
            ssl.create_default_context(cafile=self.environment["REQUESTS_CA_BUNDLE"]),
        )
        base = said["ARM_CLOUD_METADATA_URL"].partition("/metadata/")[0]
        form = {
            "grant_type": "client_credentials",
            "client_id": said["AZURE_CLIENT_ID"],
            "client_secret": said["AZURE_CLIENT_SECRET"],
            "scope": "https://management.azure.com/.default",
        }
        with _client(said["AZURE_AUTHORITY_HOST"], {}, trusted) as login:
            answer = login.post(f"/{said['AZURE_TENANT_ID']}/oauth2/v2.0/token", data=form)
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return _client(f"{base}/", headers, trusted)


def _client(
    url: str, headers: Mapping[str, str], context: ssl.SSLContext | bool = True
) -> httpx.Client:
    def check(response: httpx.Response) -> None:
        asked_for_nothing = response.request.method == "GET" and response.status_code == NOT_FOUND
        if response.is_error and not asked_for_nothing:
            response.read()
            raise AssertionError(f"{response.request.url}: {response.status_code} {response.text}")

    return httpx.Client(
        base_url=url,
        headers=headers,
        verify=context,
        trust_env=False,
        event_hooks={"response": [check]},
    )

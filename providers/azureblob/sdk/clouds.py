"""Which of Azure's clouds, and where its endpoints are.

The SDK's own table says it of the public cloud and the sovereign ones; of any
other the cloud itself does, where the variable of Azure's tools leads to it:
https://learn.microsoft.com/azure/azure-resource-manager/management/endpoint-metadata
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from azure.core import AzureClouds, PipelineClient
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import RetryPolicy, UserAgentPolicy
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest import HttpRequest
from azure.core.settings import settings
from azure.identity import AzureAuthorityHosts
from azure.mgmt.core.tools import get_arm_endpoints

from anyscale_k8s_cli import errors, tool_version
from anyscale_k8s_cli.providers.azureblob.sdk import failures

Transport: TypeAlias = HttpTransport[Any, Any]

METADATA = "ARM_CLOUD_METADATA_URL"
SETTING = "AZURE_SDK_CLOUD_CONF"
AUTHORITY = "AZURE_AUTHORITY_HOST"

_AUTHORITIES = {
    AzureClouds.AZURE_PUBLIC_CLOUD: AzureAuthorityHosts.AZURE_PUBLIC_CLOUD,
    AzureClouds.AZURE_CHINA_CLOUD: AzureAuthorityHosts.AZURE_CHINA,
    AzureClouds.AZURE_US_GOVERNMENT: AzureAuthorityHosts.AZURE_GOVERNMENT,
}


@dataclass(frozen=True)
class AzureCloud:
    """`resource_manager` has no slash at its end; `scope` is what its tokens are for.

    `known` is whether Microsoft's public directory of login endpoints lists it.
    `storage_suffix` is empty where accounts tell their whole names by themselves.
    """

    resource_manager: str
    scope: str
    authority: str
    known: bool = True
    storage_suffix: str = ""


def present(transport: Transport | None = None) -> AzureCloud:
    """The cloud that this machine's variables name; the public one when they name none.

    Raises `invalid-spec` for a cloud that the SDK does not know, `azure-unreachable`.
    """
    if told := os.environ.get(METADATA):
        return _told_at(told, transport)
    cloud = _named()
    endpoints = get_arm_endpoints(cloud)
    return AzureCloud(
        resource_manager=str(endpoints["resource_manager"]).rstrip("/"),
        scope=str(endpoints["credential_scopes"][0]),
        authority=os.environ.get(AUTHORITY) or _AUTHORITIES[cloud],
    )


def _named() -> AzureClouds:
    if os.environ.get(SETTING):
        try:
            return settings.azure_cloud()
        except ValueError as problem:
            known = ", ".join(cloud.name for cloud in AzureClouds)
            raise errors.CliError(
                errors.INVALID_SPEC,
                f"{SETTING} names no cloud that the SDK knows",
                cause=str(problem),
                fix=f"set it to one of {known}, or {METADATA} to the address of its metadata",
            ) from problem
    host = os.environ.get(AUTHORITY, "").removeprefix("https://").rstrip("/")
    named = (cloud for cloud, authority in _AUTHORITIES.items() if authority == host)
    return next(named, AzureClouds.AZURE_PUBLIC_CLOUD)


def _told_at(url: str, transport: Transport | None) -> AzureCloud:
    """The cloud as it describes itself; some describe their siblings, too."""
    found = _fetch(url, transport)
    documents: list[Mapping[str, Any]] = found if isinstance(found, list) else [found]
    document = next((item for item in documents if _is_at(item, url)), documents[0])
    login = document["authentication"]
    return AzureCloud(
        resource_manager=str(document["resourceManager"]).rstrip("/"),
        scope=f"{login['audiences'][0]}/.default",
        authority=os.environ.get(AUTHORITY) or str(login["loginEndpoint"]).rstrip("/"),
        known=False,
        storage_suffix=str((document.get("suffixes") or {}).get("storage", "")),
    )


def _is_at(document: Mapping[str, Any], url: str) -> bool:
    return url.startswith(str(document.get("resourceManager", "")).rstrip("/") + "/")


def _fetch(url: str, transport: Transport | None) -> Any:
    agent = UserAgentPolicy(f"anyscale-k8s-cli/{tool_version()}")
    client: PipelineClient[Any, Any] = PipelineClient(
        url, policies=[agent, RetryPolicy(retry_total=2)], transport=transport
    )
    try:
        answer = client.send_request(HttpRequest("GET", url))
        answer.raise_for_status()
        return answer.json()
    except AzureError as problem:
        raise failures.unreachable(str(problem), f"the cloud's metadata at {url}") from problem

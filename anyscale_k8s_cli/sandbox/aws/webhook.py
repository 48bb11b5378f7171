"""What EKS's pod identity webhook adds to a pod when it is created.

https://github.com/aws/amazon-eks-pod-identity-webhook. A service account may
have both an annotated role and an association: both are added, and the SDKs'
order of credentials decides for the annotated role. Pods are changed in place;
what is there already stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
STS_AUDIENCE = "sts.amazonaws.com"
AGENT_AUDIENCE = "pods.eks.amazonaws.com"
IRSA_DIRECTORY = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
AGENT_DIRECTORY = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
_SECONDS = 86400
# A variable of this sandbox alone: in life the SDKs know the address.
NODE_ROLE = "SANDBOX_NODE_ROLE_URL"


@dataclass(frozen=True, slots=True)
class _Token:
    """A projected service-account token and the variables that lead to it."""

    volume: str
    directory: str
    file: str
    audience: str
    variables: Mapping[str, str]


def add_role(pod: dict[str, Any], role_arn: str, region: str) -> None:
    """Add a web identity token for STS and the variables that name role and token."""
    variables = {
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_ROLE_ARN": role_arn,
        "AWS_WEB_IDENTITY_TOKEN_FILE": f"{IRSA_DIRECTORY}/token",
    }
    _extend(pod, _Token("aws-iam-token", IRSA_DIRECTORY, "token", STS_AUDIENCE, variables))


def add_agent(pod: dict[str, Any], agent_url: str, region: str) -> None:
    """Add a token for the agent that hands out an association's credentials."""
    name = "eks-pod-identity-token"
    variables = {
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": agent_url,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{AGENT_DIRECTORY}/{name}",
    }
    _extend(pod, _Token(name, AGENT_DIRECTORY, name, AGENT_AUDIENCE, variables))


def add_metadata(pod: dict[str, Any], url: str) -> None:
    """Let the containers reach their node's role. No part of the real webhook either."""
    for container in _containers(pod):
        _set_variables(container, {NODE_ROLE: url})


def add_endpoint(pod: dict[str, Any], url: str) -> None:
    """Tell the containers where AWS is. No part of the real webhook."""
    for container in _containers(pod):
        _set_variables(container, {"AWS_ENDPOINT_URL": url})


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    spec = pod["spec"]
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def _extend(pod: dict[str, Any], token: _Token) -> None:
    for container in _containers(pod):
        _set_variables(container, token.variables)
        mounts = container.setdefault("volumeMounts", [])
        if all(mount.get("name") != token.volume for mount in mounts):
            mounts.append({"name": token.volume, "mountPath": token.directory, "readOnly": True})
    volumes = pod["spec"].setdefault("volumes", [])
    if all(volume.get("name") != token.volume for volume in volumes):
        source = {"audience": token.audience, "expirationSeconds": _SECONDS, "path": token.file}
        projected = {"defaultMode": 420, "sources": [{"serviceAccountToken": source}]}
        volumes.append({"name": token.volume, "projected": projected})


def _set_variables(container: dict[str, Any], variables: Mapping[str, str]) -> None:
    """Add what is missing: a variable that the pod sets itself stays as it is."""
    environment = container.setdefault("env", [])
    present = {entry["name"] for entry in environment}
    if "AWS_DEFAULT_REGION" in present or "AWS_REGION" in present:
        present |= {"AWS_DEFAULT_REGION", "AWS_REGION"}
    environment += [
        {"name": name, "value": value} for name, value in variables.items() if name not in present
    ]

"""Compute Engine, as far as load balancers are to be seen: not worth an SDK of its size."""

from __future__ import annotations

from dataclasses import dataclass

from anyscale_k8s_cli.providers.gcs.sdk.session import Session


@dataclass(frozen=True)
class ForwardingRule:
    """What an address of a load balancer belongs to. `description` is written by GKE."""

    name: str
    address: str
    description: str
    internal: bool


@dataclass(frozen=True)
class Quota:
    """A limit of a region, and what is used of it."""

    used: int
    limit: int


@dataclass(frozen=True)
class Subnet:
    """`network` is the path of its network; `purpose` is PRIVATE for ordinary ones."""

    network: str
    purpose: str


class Compute:
    def __init__(self, session: Session) -> None:
        self._session = session

    def forwarding_rules(self, region: str) -> list[ForwardingRule]:
        found: list[ForwardingRule] = []
        path = f"/compute/v1/projects/{self._session.project}/regions/{region}/forwardingRules"
        token = ""
        while True:
            page = self._session.rest(
                "compute.forwardingRules.list",
                "GET",
                "compute",
                path,
                query={"pageToken": token} if token else None,
            )
            found += [
                ForwardingRule(
                    str(item.get("name", "")),
                    str(item.get("IPAddress", "")),
                    str(item.get("description", "")),
                    item.get("loadBalancingScheme") == "INTERNAL",
                )
                for item in page.get("items", [])
            ]
            token = str(page.get("nextPageToken") or "")
            if not token:
                return found

    def subnet(self, project: str, region: str, name: str) -> Subnet | None:
        """A subnet by its name; None where there is none."""
        path = f"/compute/v1/projects/{project}/regions/{region}/subnetworks/{name}"
        what = "compute.subnetworks.get"
        found = self._session.find(what, lambda: self._session.rest(what, "GET", "compute", path))
        if found is None:
            return None
        network = str(found.get("network", "")).partition("/compute/v1/")
        return Subnet(network[2] or network[0], str(found.get("purpose") or "PRIVATE"))

    def quotas(self, region: str) -> dict[str, Quota]:
        """The limits of a region by Google's names for them (`IN_USE_ADDRESSES`)."""
        path = f"/compute/v1/projects/{self._session.project}/regions/{region}"
        found = self._session.rest("compute.regions.get", "GET", "compute", path)
        return {
            str(item["metric"]): Quota(int(item.get("usage", 0)), int(item.get("limit", 0)))
            for item in found.get("quotas", [])
        }

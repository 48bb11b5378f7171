"""Load balancers: what GKE's controller makes of Services, and what the compute API shows of it.

https://cloud.google.com/compute/docs/reference/rest/v1/forwardingRules. GKE writes
the Service's name into the description of the rules that it makes.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.google.api import Call, Method, Reply, Service
from anyscale_k8s_cli.sandbox.google.clusters import Cluster
from anyscale_k8s_cli.sandbox.google.errors import GoogleError, invalid, not_found
from anyscale_k8s_cli.sandbox.google.project import Project
from anyscale_k8s_cli.sandbox.google.projects import page
from anyscale_k8s_cli.sandbox.google.tokens import CLOUD_PLATFORM

INTERNAL_KEYS = ("networking.gke.io/load-balancer-type", "cloud.google.com/load-balancer-type")
_INTERNAL, _EXTERNAL = "INTERNAL", "EXTERNAL"
_SERVICE_NAME = "kubernetes.io/service-name"
_OWN_CLASSES = (
    "",
    "networking.gke.io/l4-regional-external",
    "networking.gke.io/l4-regional-internal",
)
_SCOPES = frozenset(
    {
        CLOUD_PLATFORM,
        "https://www.googleapis.com/auth/compute",
        "https://www.googleapis.com/auth/compute.readonly",
    }
)
_FILTER = re.compile(r'\(?\s*(\w+)\s*(=|eq|:)\s*"?([^")]+)"?\s*\)?')
_LONGEST_NAME = 32


@dataclass
class ForwardingRule:
    """An address that leads to a Service. `gone_at` is when a deleted one is no longer seen."""

    name: str
    number: int
    region: str
    service: str
    address: str
    scheme: str
    ports: tuple[int, ...]
    cluster: str
    gone_at: float | None = None


@dataclass
class Balancing:
    """All forwarding rules of the project. `removal_seconds`: how long deletion takes."""

    project_id: str
    monotonic: Callable[[], float]
    removal_seconds: float = 0.3
    # Of each region, by the metric; what is taken by others is not counted here.
    limits: dict[str, int] = field(
        default_factory=lambda: {
            "CPUS": 2400,
            "EXTERNAL_NETWORK_LB_FORWARDING_RULES": 75,
            "IN_USE_ADDRESSES": 575,
        }
    )
    _rules: dict[str, ForwardingRule] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def rules(self) -> list[ForwardingRule]:
        now = self.monotonic()
        gone = [name for name, rule in self._rules.items() if rule.gone_at and rule.gone_at <= now]
        for name in gone:
            del self._rules[name]
        return list(self._rules.values())

    def ensure(self, service: Mapping[str, Any], cluster: Cluster) -> ForwardingRule:
        """The rule of a Service, made or changed; another kind of balancer has another address."""
        metadata = service["metadata"]
        name, scheme = rule_name(metadata["uid"]), _scheme(metadata.get("annotations") or {})
        rule = self._rules.get(name)
        ports = tuple(port["port"] for port in service["spec"].get("ports") or ())
        if rule is None or rule.scheme != scheme or rule.gone_at is not None:
            number = next(self._numbers)
            address = f"10.128.0.{number}" if scheme == _INTERNAL else f"198.51.100.{number}"
            rule = ForwardingRule(
                name,
                number,
                cluster.seed.region,
                f"{metadata['namespace']}/{metadata['name']}",
                address,
                scheme,
                ports,
                cluster.seed.name,
            )
            self._rules[name] = rule
        rule.ports = ports
        return rule

    def remove(self, uid: str) -> None:
        rule = self._rules.get(rule_name(uid))
        if rule is not None and rule.gone_at is None:
            rule.gone_at = self.monotonic() + self.removal_seconds

    def remove_all(self, cluster: str) -> list[ForwardingRule]:
        """At once, as somebody would who deletes them by hand."""
        gone = [rule for rule in self.rules() if rule.cluster == cluster]
        for rule in gone:
            del self._rules[rule.name]
        return gone


# Networks and purposes of subnets by their names, in every region.
SUBNETS = {
    "default": ("default", "PRIVATE"),
    "private": ("default", "PRIVATE"),
    "proxies": ("default", "REGIONAL_MANAGED_PROXY"),
    "elsewhere": ("other", "PRIVATE"),
}


@dataclass(frozen=True)
class Compute:
    """https://compute.googleapis.com, as far as load balancers need it."""

    project: Project
    balancing: Balancing

    def service(self) -> Service:
        path = "/compute/v1/projects/{project}"
        return Service(
            "compute",
            (
                Method(
                    "compute.forwardingRules.aggregatedList",
                    "GET",
                    f"{path}/aggregated/forwardingRules",
                    self._aggregated,
                    scopes=_SCOPES,
                ),
                Method(
                    "compute.forwardingRules.list",
                    "GET",
                    f"{path}/regions/{{region}}/forwardingRules",
                    self._list,
                    scopes=_SCOPES,
                ),
                Method(
                    "compute.subnetworks.get",
                    "GET",
                    f"{path}/regions/{{region}}/subnetworks/{{name}}",
                    self._subnet,
                    scopes=_SCOPES,
                ),
                Method(
                    "compute.regions.get",
                    "GET",
                    f"{path}/regions/{{region}}",
                    self._region,
                    scopes=_SCOPES,
                ),
            ),
            old_form=True,
        )

    def _region(self, call: Call) -> Reply:
        self._check(call, "compute.regions.get")
        region = call.params["region"]
        used = sum(
            rule.region == region and rule.scheme == "EXTERNAL" for rule in self.balancing.rules()
        )
        quotas = [
            {"metric": metric, "limit": float(limit), "usage": float(used)}
            for metric, limit in self.balancing.limits.items()
        ]
        return Reply({"kind": "compute#region", "name": region, "quotas": quotas})

    def _subnet(self, call: Call) -> Reply:
        self._check(call, "compute.subnetworks.get")
        name, region = call.params["name"], call.params["region"]
        path = f"projects/{self.project.id}/regions/{region}/subnetworks/{name}"
        if name not in SUBNETS:
            raise not_found(f"The resource '{path}' was not found")
        network, purpose = SUBNETS[name]
        where = f"https://www.googleapis.com/compute/v1/projects/{self.project.id}"
        shown = {
            "kind": "compute#subnetwork",
            "name": name,
            "network": f"{where}/global/networks/{network}",
            "region": f"{where}/regions/{region}",
            "purpose": purpose,
        }
        return Reply(shown)

    def _aggregated(self, call: Call) -> Reply:
        self._check(call)
        items: dict[str, Any] = {"global": _none_in("global")}
        for rule in self._wanted(call):
            key = f"regions/{rule.region}"
            items.setdefault(key, {"forwardingRules": []})["forwardingRules"].append(
                self._shown(rule)
            )
        return Reply(
            {
                "kind": "compute#forwardingRuleAggregatedList",
                "id": f"projects/{self.project.id}/aggregated/forwardingRules",
                "items": items,
            }
        )

    def _list(self, call: Call) -> Reply:
        self._check(call)
        region = call.params["region"]
        rules = [self._shown(rule) for rule in self._wanted(call) if rule.region == region]
        found = page(rules, "items", call, 500)
        return Reply({"kind": "compute#forwardingRuleList", **found})

    def _wanted(self, call: Call) -> list[ForwardingRule]:
        expression = call.query.get("filter", "")
        rules = self.balancing.rules()
        if not expression:
            return rules
        parsed = _FILTER.fullmatch(expression)
        if parsed is None:
            raise invalid(f"Invalid value for field 'filter': '{expression}'. Invalid list filter.")
        name, operator, value = parsed.groups()

        def fits(rule: ForwardingRule) -> bool:
            shown = str(self._shown(rule).get(name, ""))
            if operator == ":":
                return value.replace("*", "") in shown
            return bool(re.fullmatch(value, shown)) if operator == "eq" else shown == value

        return [rule for rule in rules if fits(rule)]

    def _check(self, call: Call, permission: str = "compute.forwardingRules.list") -> None:
        known = self.project.is_called(call.params["project"])
        if not known or not self.project.permits(call.caller, permission):
            raise GoogleError(
                "PERMISSION_DENIED",
                f"Required '{permission}' permission for 'projects/{call.params['project']}'",
            )

    def _shown(self, rule: ForwardingRule) -> dict[str, Any]:
        region = (
            f"https://www.googleapis.com/compute/v1/projects/{self.project.id}/regions/"
            f"{rule.region}"
        )
        shown: dict[str, Any] = {
            "kind": "compute#forwardingRule",
            "id": str(7_000_000_000_000_000_000 + rule.number),
            "creationTimestamp": "2025-06-02T01:40:12.000-07:00",
            "name": rule.name,
            "description": json.dumps({_SERVICE_NAME: rule.service}, separators=(",", ":")),
            "region": region,
            "IPAddress": rule.address,
            "IPProtocol": "TCP",
            "loadBalancingScheme": rule.scheme,
            "networkTier": "PREMIUM",
            "selfLink": f"{region}/forwardingRules/{rule.name}",
        }
        if rule.scheme == _INTERNAL:
            backend = f"{region}/backendServices/{rule.name}"
            return {**shown, "ports": [str(port) for port in rule.ports], "backendService": backend}
        target = f"{region}/targetPools/{rule.name}"
        ends = f"{min(rule.ports)}-{max(rule.ports)}" if rule.ports else ""
        return {**shown, "portRange": ends, "target": target}


class GkeLoadBalancers:
    """What serves the Services of one cluster, until it is told never to answer again."""

    def __init__(self, balancing: Balancing, cluster: Cluster) -> None:
        self._balancing = balancing
        self._cluster = cluster
        self.answers = True

    async def ensure(self, service: dict[str, Any]) -> list[dict[str, Any]] | None:
        if service["spec"].get("loadBalancerClass", "") not in _OWN_CLASSES:
            return None
        if not self.answers:
            return None
        rule = self._balancing.ensure(service, self._cluster)
        return [{"ip": rule.address, "ipMode": "VIP"}]

    async def remove(self, service: dict[str, Any]) -> None:
        self._balancing.remove(service["metadata"]["uid"])


def rule_name(uid: str) -> str:
    """As the cloud provider of Kubernetes names the load balancer of a Service."""
    return f"a{uid.replace('-', '')}"[:_LONGEST_NAME]


def _scheme(annotations: Mapping[str, str]) -> str:
    """The newer annotation counts, where both are there."""
    for key in INTERNAL_KEYS:
        if key in annotations:
            internal = annotations[key].lower() == _INTERNAL.lower()
            return _INTERNAL if internal else _EXTERNAL
    return _EXTERNAL


def _none_in(where: str) -> dict[str, Any]:
    return {
        "warning": {
            "code": "NO_RESULTS_ON_PAGE",
            "message": f"There are no results for scope '{where}' on this page.",
            "data": [{"key": "scope", "value": where}],
        }
    }

"""What is to be known of ingress-nginx: that nobody mends it, and who may tell it what to run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.nginx import heeds_all_namespaces
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, declared
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.spec import CloudSpec

# https://kubernetes.io/blog/2025/11/11/ingress-nginx-retirement/
END_OF_SUPPORT = date(2026, 3, 31)
_RBAC = "rbac.authorization.k8s.io/v1"
# Whoever may change an Ingress can put a snippet into it, as well as who makes one.
_WRITING = frozenset({"create", "update", "patch", "*"})
# Whom Kubernetes binds for itself.
_KUBERNETES = ("system:", "kube-system/")
# Lines of the evidence; the rest is counted.
_SHOWN = 12


@dataclass(frozen=True, order=True)
class Subject:
    """Somebody whom a binding names, and where what it grants holds."""

    kind: str
    name: str
    where: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.where})"


def nginx_checks(spec: CloudSpec, kubernetes: Kubernetes) -> tuple[BoundCheck, ...]:
    """Both tell what the choice of nginx means, and mostly warn."""
    heeded = None if heeds_all_namespaces(spec.operator.values) else spec.namespace
    return (
        declared.INGRESS_NGINX_SUPPORT.bind(support),
        declared.INGRESS_NGINX_SNIPPETS.bind(lambda: snippets(kubernetes, heeded)),
    )


def support() -> Finding:
    return Finding(
        Status.WARN,
        f"ingress-nginx has no maintainers since {END_OF_SUPPORT:%B %Y}: whatever is found in it "
        "from then on stays open. Anyscale's Ingresses need its snippets, by which whoever may "
        "write Ingresses reads what the controller reads (CVE-2021-25742)",
        fix="use --network gateway, for a cloud of its own",
    )


def snippets(kubernetes: Kubernetes, heeded: str | None) -> Finding:
    """Who may write the Ingresses that the controller heeds: in one namespace, or in all."""
    try:
        admins, writers = _writers(kubernetes, heeded)
    except errors.CliError as problem:
        if problem.code is not errors.CLUSTER_FORBIDDEN:
            raise
        return Finding(Status.UNKNOWN, f"who may write Ingresses is not known: {problem}")
    where = f"in namespace {heeded}" if heeded else "in every namespace"
    more = len(writers) - _SHOWN
    evidence = (
        *map(str, writers[:_SHOWN]),
        *((f"and {more} more",) if more > 0 else ()),
        f"and {len(admins)} who may do everything, or are Kubernetes' own: {', '.join(admins)}",
    )
    if not writers:
        return Finding(
            Status.PASS, f"nobody but administrators may write Ingresses {where}", evidence
        )
    return Finding(
        Status.WARN,
        f"Whoever may write Ingresses {where} can run what they like in the controller, by "
        "snippets (allow-snippet-annotations), and read the Secrets that it reads "
        f"(CVE-2021-25742); beside administrators these are {len(writers)}",
        evidence,
        "let nobody write Ingresses there whom you would not give the cluster's Secrets",
    )


def _writers(kubernetes: Kubernetes, heeded: str | None) -> tuple[Sequence[str], Sequence[Subject]]:
    """Administrators and parts of Kubernetes, by name; and the others who may write Ingresses."""
    clusters = {item["metadata"]["name"]: item for item in kubernetes.list(_RBAC, "ClusterRole")}
    admins: set[str] = set()
    writers: set[Subject] = set()
    for binding in kubernetes.list(_RBAC, "ClusterRoleBinding"):
        role = clusters.get(binding["roleRef"]["name"], {})
        if _grants(role):
            unlimited = _unlimited(role)
            for kind, name in _subjects(binding):
                if unlimited or name.startswith(_KUBERNETES):
                    admins.add(f"{kind} {name}")
                else:
                    writers.add(Subject(kind, name, "all namespaces"))
    own = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): item
        for item in kubernetes.list(_RBAC, "Role", heeded)
    }
    for binding in kubernetes.list(_RBAC, "RoleBinding", heeded):
        place, name = binding["metadata"]["namespace"], binding["roleRef"]["name"]
        named = clusters.get(name) if binding["roleRef"]["kind"] == "ClusterRole" else None
        role = named or own.get((place, name), {})
        if _grants(role):
            writers.update(Subject(*who, place) for who in _subjects(binding))
    return sorted(admins), sorted(writers)


def _grants(role: Mapping[str, Any]) -> bool:
    """Whether it lets somebody write Ingresses."""
    return any(
        {"networking.k8s.io", "*"} & set(rule.get("apiGroups") or ())
        and {"ingresses", "*"} & set(rule.get("resources") or ())
        and _WRITING & set(rule.get("verbs") or ())
        for rule in role.get("rules") or ()
    )


def _unlimited(role: Mapping[str, Any]) -> bool:
    parts = ("apiGroups", "resources", "verbs")
    return any(
        all("*" in (rule.get(part) or ()) for part in parts) for rule in role.get("rules") or ()
    )


def _subjects(binding: Document) -> Iterator[tuple[str, str]]:
    for item in binding.get("subjects") or ():
        place = f"{item['namespace']}/" if item.get("namespace") else ""
        yield item["kind"], f"{place}{item['name']}"

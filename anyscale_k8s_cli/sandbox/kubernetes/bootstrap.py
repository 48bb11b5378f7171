"""What every cluster has from the start: namespaces, and the roles that RBAC relies on."""

from __future__ import annotations

from anyscale_k8s_cli.sandbox.kubernetes.authorization import RBAC
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.store import Store

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")

_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_VIEWABLE: list[tuple[str, list[str]]] = [
    (
        "",
        [
            "bindings",
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "namespaces",
            "persistentvolumeclaims",
            "pods",
            "pods/log",
            "pods/status",
            "replicationcontrollers",
            "resourcequotas",
            "serviceaccounts",
            "services",
        ],
    ),
    ("apps", ["*"]),
    ("autoscaling", ["*"]),
    ("batch", ["*"]),
    ("discovery.k8s.io", ["endpointslices"]),
    ("networking.k8s.io", ["ingresses", "networkpolicies"]),
    ("policy", ["poddisruptionbudgets"]),
]
_DISCOVERY_PATHS = [
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
]


def _rules(verbs: list[str]) -> list[Object]:
    return [
        {"apiGroups": [group], "resources": resources, "verbs": verbs}
        for group, resources in _VIEWABLE
    ]


def _cluster_roles() -> dict[str, list[Object]]:
    view = _rules(_READ)
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": _READ + _WRITE}
    tokens = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}
    edit = [*_rules(_READ + _WRITE), secrets, tokens]
    roles = {
        "apiGroups": [RBAC],
        "resources": ["roles", "rolebindings"],
        "verbs": _READ + _WRITE,
    }
    own_reviews = [
        {
            "apiGroups": ["authorization.k8s.io"],
            "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
            "verbs": ["create"],
        },
        {
            "apiGroups": ["authentication.k8s.io"],
            "resources": ["selfsubjectreviews"],
            "verbs": ["create"],
        },
    ]
    return {
        "cluster-admin": [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            {"nonResourceURLs": ["*"], "verbs": ["*"]},
        ],
        "admin": [*edit, roles],
        "edit": edit,
        "view": view,
        "system:basic-user": own_reviews,
        "system:node": [
            {
                "apiGroups": [""],
                "resources": ["nodes", "nodes/status", "pods", "pods/status"],
                "verbs": ["get", "list", "patch", "update", "watch"],
            }
        ],
        "system:discovery": [{"nonResourceURLs": _DISCOVERY_PATHS, "verbs": ["get"]}],
    }


_GROUP_OF_ROLE = {
    "cluster-admin": "system:masters",
    "system:basic-user": "system:authenticated",
    "system:discovery": "system:authenticated",
    "system:node": "system:nodes",
}


_PRIORITIES = {"system-cluster-critical": 2000000000, "system-node-critical": 2000001000}
_API_SERVICE: Object = {
    "metadata": {"name": "kubernetes", "labels": {"component": "apiserver"}},
    "spec": {
        "clusterIP": "10.100.0.1",
        "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 443}],
    },
}


def seed(store: Store) -> None:
    """Fill an empty store."""
    for name in NAMESPACES:
        store.create("namespaces", {"metadata": {"name": name}})
    store.create("services", _API_SERVICE, namespace="default")
    for name, value in _PRIORITIES.items():
        priority = {"metadata": {"name": name}, "value": value}
        store.create("priorityclasses.scheduling.k8s.io", priority)
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    for name, rules in _cluster_roles().items():
        role = {"metadata": {"name": name, "labels": labels}, "rules": rules}
        store.create(f"clusterroles.{RBAC}", role)
    for name, group in _GROUP_OF_ROLE.items():
        binding = {
            "metadata": {"name": name, "labels": labels},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": group}],
        }
        store.create(f"clusterrolebindings.{RBAC}", binding)

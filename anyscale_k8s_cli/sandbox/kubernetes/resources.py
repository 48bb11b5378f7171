"""The kinds that the API server serves: the built-in ones and those of installed CRDs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.schema import EMPTY, Schema, builtin_schema

Object = dict[str, Any]

# Built-in kinds whose updates must say which version they were made from, as those of
# custom resources must (AllowUnconditionalUpdate in the server's own code).
_CONDITIONAL = frozenset(
    {
        "customresourcedefinitions.apiextensions.k8s.io",
        "leases.coordination.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "poddisruptionbudgets.policy",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
    }
)
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind at one version, with what discovery tells of it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    singular: str = ""
    categories: tuple[str, ...] = ()
    list_kind: str = ""
    crd: str = ""
    columns: tuple[Object, ...] = ()
    schema: Schema = field(default=EMPTY, compare=False, hash=False)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def key(self) -> str:
        """`deployments.apps`, `pods`: how messages and the store name it, whatever the version."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """`Deployment.apps`, `Pod`: how validation messages name it."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def unconditional(self) -> bool:
        """Whether an update may leave out which version it was made from."""
        return not self.crd and self.key not in _CONDITIONAL

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources


# apiVersion, plural, Kind, n(amespaced) or c(luster), short names, subresources
_BUILTINS = """
v1 namespaces Namespace c ns status,finalize
v1 pods Pod n po status,log,eviction,ephemeralcontainers,proxy
v1 services Service n svc status
v1 endpoints Endpoints n ep -
v1 configmaps ConfigMap n cm -
v1 secrets Secret n - -
v1 serviceaccounts ServiceAccount n sa token
v1 events Event n ev -
v1 nodes Node c no status
v1 persistentvolumes PersistentVolume c pv status
v1 persistentvolumeclaims PersistentVolumeClaim n pvc status
v1 replicationcontrollers ReplicationController n rc status,scale
v1 limitranges LimitRange n limits -
v1 resourcequotas ResourceQuota n quota status
v1 podtemplates PodTemplate n - -
admissionregistration.k8s.io/v1 mutatingwebhookconfigurations MutatingWebhookConfiguration c - -
admissionregistration.k8s.io/v1 validatingwebhookconfigurations ValidatingWebhookConfiguration c - -
admissionregistration.k8s.io/v1 validatingadmissionpolicies ValidatingAdmissionPolicy c - status
admissionregistration.k8s.io/v1 validatingadmissionpolicybindings \
 ValidatingAdmissionPolicyBinding c - -
apiextensions.k8s.io/v1 customresourcedefinitions CustomResourceDefinition c crd,crds status
apiregistration.k8s.io/v1 apiservices APIService c - status
apps/v1 controllerrevisions ControllerRevision n - -
apps/v1 daemonsets DaemonSet n ds status
apps/v1 deployments Deployment n deploy status,scale
apps/v1 replicasets ReplicaSet n rs status,scale
apps/v1 statefulsets StatefulSet n sts status,scale
autoscaling/v2 horizontalpodautoscalers HorizontalPodAutoscaler n hpa status
batch/v1 cronjobs CronJob n cj status
batch/v1 jobs Job n - status
coordination.k8s.io/v1 leases Lease n - -
discovery.k8s.io/v1 endpointslices EndpointSlice n - -
networking.k8s.io/v1 ingressclasses IngressClass c - -
networking.k8s.io/v1 ingresses Ingress n ing status
networking.k8s.io/v1 networkpolicies NetworkPolicy n netpol -
node.k8s.io/v1 runtimeclasses RuntimeClass c - -
policy/v1 poddisruptionbudgets PodDisruptionBudget n pdb status
rbac.authorization.k8s.io/v1 clusterrolebindings ClusterRoleBinding c - -
rbac.authorization.k8s.io/v1 clusterroles ClusterRole c - -
rbac.authorization.k8s.io/v1 rolebindings RoleBinding n - -
rbac.authorization.k8s.io/v1 roles Role n - -
scheduling.k8s.io/v1 priorityclasses PriorityClass c pc -
storage.k8s.io/v1 csidrivers CSIDriver c - -
storage.k8s.io/v1 csinodes CSINode c - -
storage.k8s.io/v1 storageclasses StorageClass c sc -
"""

# Kinds that are answered at once and never stored.
_REVIEWS = """
authentication.k8s.io/v1 selfsubjectreviews SelfSubjectReview c - -
authentication.k8s.io/v1 tokenreviews TokenReview c - -
authorization.k8s.io/v1 localsubjectaccessreviews LocalSubjectAccessReview n - -
authorization.k8s.io/v1 selfsubjectaccessreviews SelfSubjectAccessReview c - -
authorization.k8s.io/v1 selfsubjectrulesreviews SelfSubjectRulesReview c - -
authorization.k8s.io/v1 subjectaccessreviews SubjectAccessReview c - -
"""

_CATEGORY_ALL = frozenset(
    {
        "pods",
        "services",
        "replicationcontrollers",
        "daemonsets",
        "deployments",
        "replicasets",
        "statefulsets",
        "horizontalpodautoscalers",
        "cronjobs",
        "jobs",
    }
)


def _rows(table: str, verbs: tuple[str, ...]) -> Iterator[Resource]:
    for row in table.strip().splitlines():
        api_version, plural, kind, scope, short_names, subresources = row.split()
        group, _, version = api_version.rpartition("/")
        yield Resource(
            group=group,
            version=version,
            plural=plural,
            kind=kind,
            namespaced=scope == "n",
            short_names=() if short_names == "-" else tuple(short_names.split(",")),
            subresources=() if subresources == "-" else tuple(subresources.split(",")),
            verbs=verbs,
            singular=kind.lower(),
            categories=("all",) if plural in _CATEGORY_ALL else (),
            list_kind=f"{kind}List",
            schema=builtin_schema(group, version, kind),
        )


def builtin_resources() -> Iterator[Resource]:
    yield from _rows(_BUILTINS, ALL_VERBS)
    yield from _rows(_REVIEWS, ("create",))


class Registry:
    """The resources served now; CRDs come and go while the server runs."""

    def __init__(self) -> None:
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self._by_key: dict[str, Resource] = {}
        for resource in builtin_resources():
            self.add(resource)

    def __iter__(self) -> Iterator[Resource]:
        return iter(list(self._resources.values()))

    def add(self, resource: Resource) -> None:
        identity = (resource.group, resource.version, resource.plural)
        self._resources[identity] = resource
        self._by_key.setdefault(resource.key, resource)

    def remove_crd(self, name: str) -> None:
        for identity, resource in list(self._resources.items()):
            if resource.crd == name:
                del self._resources[identity]
        self._by_key.pop(name, None)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._resources.get((group, version, plural))

    def by_key(self, key: str) -> Resource:
        """A resource by `plural.group` (one of its versions). KeyError if there is none."""
        return self._by_key[key]

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        return next((r for r in self if r.api_version == api_version and r.kind == kind), None)

    def stored(self) -> list[Resource]:
        """One resource for each kind that is stored, whatever its versions."""
        return [r for r in self._by_key.values() if "list" in r.verbs]

    def groups(self) -> dict[str, dict[str, list[Resource]]]:
        """Group, then version, then resources; the core group is ''."""
        groups: dict[str, dict[str, list[Resource]]] = {}
        for resource in self:
            groups.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
        return groups

"""Which writes a webhook or a policy wants to hear of: rules and selectors, the same for both."""

from __future__ import annotations

from collections.abc import Sequence

from anyscale_k8s_cli.sandbox.kubernetes.objects import labels_of, namespace_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.selectors import from_object, matches_labels
from anyscale_k8s_cli.sandbox.kubernetes.store import Store


def applies(rule: Object, resource: Resource, operation: str) -> bool:
    scope = "Namespaced" if resource.namespaced else "Cluster"
    return bool(
        {"*", operation} & set(rule.get("operations") or ())
        and {"*", resource.group} & set(rule.get("apiGroups") or ())
        and {"*", resource.version} & set(rule.get("apiVersions") or ())
        and {"*", "*/*", resource.plural} & set(rule.get("resources") or ())
        and rule.get("scope", "*") in ("*", scope)
    )


def selects(store: Store, where: Object, resource: Resource, shown: Sequence[Object]) -> bool:
    """Whether the selectors in `where` want any of the objects: the new one, the old one."""
    objects = from_object(where.get("objectSelector"))
    if not any(matches_labels(objects, labels_of(found)) for found in shown):
        return False
    if resource.key == "namespaces":
        namespace: Object | None = shown[0]
    elif resource.namespaced:
        namespace = store.find("namespaces", "", namespace_of(shown[0]))
    else:
        return True
    selector = from_object(where.get("namespaceSelector"))
    return matches_labels(selector, labels_of(namespace or {"metadata": {}}))

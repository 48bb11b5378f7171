"""The API server's rules for names, labels and the fields that may not change."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator

from anyscale_k8s_cli.sandbox.kubernetes.errors import (
    immutable,
    invalid,
    invalid_value,
    required,
)
from anyscale_k8s_cli.sandbox.kubernetes.objects import annotations_of, dig, labels_of, name_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.scheduling import parse_quantity
from anyscale_k8s_cli.sandbox.kubernetes.selectors import from_object, matches_labels

Cause = tuple[str, str, str]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_QUALIFIED_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")

_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex "
    "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    r"for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_DNS_1035_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
    "'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_STANDARD_FINALIZERS = frozenset({"foregroundDeletion", "kubernetes", "orphan"})
_MAX_ANNOTATIONS = 256 * 1024
_MAX_DATA = 1024 * 1024


def check_metadata(resource: Resource, obj: Object, old: Object | None) -> None:
    """Raises a 422 ApiError that lists each bad name, label, annotation and finalizer."""
    annotations = annotations_of(obj)
    causes = [
        *_name_causes(resource, name_of(obj)),
        *_label_causes(labels_of(obj)),
        *_key_causes("metadata.annotations", annotations),
        *_finalizer_causes(resource, obj, old),
    ]
    if sum(len(key) + len(value) for key, value in annotations.items()) > _MAX_ANNOTATIONS:
        text = f"Too long: may not be more than {_MAX_ANNOTATIONS} bytes"
        causes.append(("metadata.annotations", "FieldValueTooLong", text))
    if causes:
        raise invalid(resource, name_of(obj), causes)


def _name_causes(resource: Resource, name: str) -> Iterator[Cause]:
    if resource.group == "rbac.authorization.k8s.io":
        if name in (".", "..") or "/" in name or "%" in name:
            yield invalid_value("metadata.name", json.dumps(name), "may not contain '/' or '%'")
        return
    pattern, rule, limit = _SUBDOMAIN, _SUBDOMAIN_RULE, 253
    if resource.key == "namespaces":
        pattern, rule, limit = _LABEL, _LABEL_RULE, 63
    elif resource.key == "services":
        pattern, rule, limit = _DNS_1035, _DNS_1035_RULE, 63
    if not pattern.fullmatch(name):
        yield invalid_value("metadata.name", json.dumps(name), rule)
    elif len(name) > limit:
        why = f"must be no more than {limit} characters"
        yield invalid_value("metadata.name", json.dumps(name), why)


def _key_causes(field: str, keys: Iterable[str]) -> Iterator[Cause]:
    for key in keys:
        prefix, _, name = key.rpartition("/")
        if len(name) > 63 or not _QUALIFIED_NAME.fullmatch(name):
            why = "name part must consist of alphanumeric characters, '-', '_' or '.'"
            yield invalid_value(field, json.dumps(key), why)
        if "/" in key and not _SUBDOMAIN.fullmatch(prefix):
            yield invalid_value(field, json.dumps(key), f"prefix part {_SUBDOMAIN_RULE}")


def _finalizer_causes(resource: Resource, obj: Object, old: Object | None) -> Iterator[Cause]:
    field, finalizers = "metadata.finalizers", obj["metadata"].get("finalizers") or []
    yield from _key_causes(field, finalizers)
    for name in finalizers:
        # Custom resources and definitions may have others.
        free = resource.crd or resource.group == "apiextensions.k8s.io"
        if "/" not in name and name not in _STANDARD_FINALIZERS and not free:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid_value(field, json.dumps(name), why)
    if old is None or "deletionTimestamp" not in old["metadata"]:
        return
    if new := sorted(set(finalizers) - set(old["metadata"].get("finalizers") or ())):
        text = (
            "Forbidden: no new finalizers can be added if the object is being deleted, found new "
            f"finalizers {json.dumps(new)}"
        )
        yield (field, "FieldValueForbidden", text)


def _label_causes(labels: dict[str, str]) -> Iterator[Cause]:
    yield from _key_causes("metadata.labels", labels)
    for value in labels.values():
        if len(value) > 63:
            why = "must be no more than 63 characters"
            yield invalid_value("metadata.labels", json.dumps(value), why)
        elif not _LABEL_VALUE.fullmatch(value):
            yield invalid_value("metadata.labels", json.dumps(value), _LABEL_VALUE_RULE)


def check_object(resource: Resource, obj: Object, old: Object | None) -> None:
    """The rules of a kind on creation (`old` is None) or change. Raises a 422 ApiError."""
    check = _RULES.get(resource.key)
    causes = list(check(obj, old)) if check else []
    if causes:
        raise invalid(resource, name_of(obj), causes)


def _workload(obj: Object, old: Object | None) -> Iterator[Cause]:
    spec = obj["spec"]
    selector = spec.get("selector")
    labels = dig(spec, "template", "metadata", "labels") or {}
    if old is not None and old["spec"].get("selector") != selector:
        yield immutable("spec.selector")
    elif not selector:
        yield required("spec.selector")
    elif not matches_labels(from_object(selector), labels):
        shown = json.dumps(labels)
        why = "`selector` does not match template `labels`"
        yield invalid_value("spec.template.metadata.labels", shown, why)


_STATEFUL_SET_MUTABLE = {
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
    "revisionHistoryLimit",
}


def _stateful_set(obj: Object, old: Object | None) -> Iterator[Cause]:
    if old is not None and _without(old["spec"], _STATEFUL_SET_MUTABLE) != _without(
        obj["spec"], _STATEFUL_SET_MUTABLE
    ):
        text = (
            "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', "
            "'template', 'updateStrategy', 'revisionHistoryLimit', "
            "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        )
        yield ("spec", "FieldValueForbidden", text)
        return
    yield from _workload(obj, old)


def _job(obj: Object, old: Object | None) -> Iterator[Cause]:
    if dig(obj, "spec", "template", "spec", "restartPolicy") not in ("Never", "OnFailure"):
        text = 'Required value: valid values: "OnFailure", "Never"'
        yield ("spec.template.spec.restartPolicy", "FieldValueRequired", text)
    if old is not None:
        for field in ("selector", "template", "completionMode"):
            if old["spec"].get(field) != obj["spec"].get(field):
                yield immutable(f"spec.{field}")


def _without(spec: Object, fields: set[str]) -> Object:
    return {key: value for key, value in spec.items() if key not in fields}


_POD_MUTABLE = {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"}


def _asks_too_much(pod: Object) -> Iterator[Cause]:
    for index, container in enumerate(pod["spec"].get("containers") or ()):
        asked = dig(container, "resources", "requests") or {}
        for name, limit in (dig(container, "resources", "limits") or {}).items():
            if name in asked and parse_quantity(asked[name]) > parse_quantity(limit):
                field = f"spec.containers[{index}].resources.requests"
                why = f"must be less than or equal to {name} limit of {limit}"
                yield invalid_value(field, json.dumps(asked[name]), why)


def _pod(obj: Object, old: Object | None) -> Iterator[Cause]:
    if old is None:
        yield from _asks_too_much(obj)
        return

    def frozen(pod: Object) -> Object:
        spec = _without(pod["spec"], _POD_MUTABLE)
        for kind in ("containers", "initContainers"):
            spec[kind] = [_without(c, {"image"}) for c in spec.get(kind) or ()]
        return spec

    before, after = frozen(old), frozen(obj)
    if not before.get("nodeName"):
        # The scheduler binds a pod once.
        after.pop("nodeName", None)
    if before != after:
        text = (
            "Forbidden: pod updates may not change fields other than "
            "`spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
            "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it "
            "was previously negative)"
        )
        yield ("spec", "FieldValueForbidden", text)


def _data(obj: Object, old: Object | None) -> Iterator[Cause]:
    if old is not None and old.get("immutable"):
        for field in ("data", "binaryData"):
            if old.get(field) != obj.get(field):
                text = "Forbidden: field is immutable when `immutable` is set"
                yield (field, "FieldValueForbidden", text)
    if old is not None and old.get("type") != obj.get("type"):
        yield immutable("type", json.dumps(obj.get("type")))
    size = 0
    for field in ("data", "binaryData"):
        for key, value in (obj.get(field) or {}).items():
            size += len(value or "")
            if not _DATA_KEY.fullmatch(key) or len(key) > 253:
                why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                yield invalid_value(f"{field}[{key}]", json.dumps(key), why)
    if size > _MAX_DATA:
        yield ("data", "FieldValueTooLong", f"Too long: may not be more than {_MAX_DATA} bytes")


def _service(obj: Object, old: Object | None) -> Iterator[Cause]:
    spec = obj["spec"]
    if not spec.get("ports") and spec.get("type") != "ExternalName":
        if spec.get("clusterIP") != "None":
            yield required("spec.ports")
        return
    ports = spec.get("ports") or []
    names = [port.get("name") for port in ports]
    if len(ports) > 1 and not all(names):
        yield required(f"spec.ports[{names.index(None) if None in names else 0}].name")
    if old is not None:
        before = old["spec"].get("clusterIP")
        keeps = "ExternalName" in (old["spec"].get("type"), spec.get("type"))
        if before and not keeps and spec.get("clusterIP") != before:
            yield immutable("spec.clusterIPs[0]", json.dumps([spec.get("clusterIP")]))
        was, wanted = old["spec"].get("loadBalancerClass"), spec.get("loadBalancerClass")
        if was != wanted and old["spec"].get("type") == spec.get("type") == "LoadBalancer":
            text = "Forbidden: may not change once set"
            yield ("spec.loadBalancerClass", "FieldValueForbidden", text)


def _role_binding(obj: Object, old: Object | None) -> Iterator[Cause]:
    if old is not None and old["roleRef"] != obj["roleRef"]:
        yield ("roleRef", "FieldValueInvalid", "Invalid value: cannot change roleRef")
    for index, subject in enumerate(obj.get("subjects") or ()):
        if subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            yield required(f"subjects[{index}].namespace")


def _crd(obj: Object, old: Object | None) -> Iterator[Cause]:
    spec = obj["spec"]
    expected = f"{spec['names']['plural']}.{spec['group']}"
    if name_of(obj) != expected:
        why = 'must be spec.names.plural+"."+spec.group'
        yield invalid_value("metadata.name", json.dumps(name_of(obj)), why)
    if sum(version.get("storage", False) for version in spec["versions"]) != 1:
        why = "must have exactly one version marked as storage version"
        yield invalid_value("spec.versions", "", why)
    for index, version in enumerate(spec["versions"]):
        if not dig(version, "schema", "openAPIV3Schema"):
            yield required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")
    if old is not None and old["spec"]["scope"] != spec["scope"]:
        yield immutable("spec.scope", json.dumps(spec["scope"]))


def _lease(obj: Object, _: Object | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    if spec.get("leaseDurationSeconds", 1) <= 0:
        shown = str(spec["leaseDurationSeconds"])
        yield invalid_value("spec.leaseDurationSeconds", shown, "must be greater than 0")
    if spec.get("leaseTransitions", 0) < 0:
        shown = str(spec["leaseTransitions"])
        yield invalid_value("spec.leaseTransitions", shown, "must be greater than or equal to 0")


Rule = Callable[[Object, Object | None], Iterator[Cause]]
_RULES: dict[str, Rule] = {
    "deployments.apps": _workload,
    "replicasets.apps": _workload,
    "daemonsets.apps": _workload,
    "statefulsets.apps": _stateful_set,
    "jobs.batch": _job,
    "pods": _pod,
    "secrets": _data,
    "configmaps": _data,
    "services": _service,
    "leases.coordination.k8s.io": _lease,
    "rolebindings.rbac.authorization.k8s.io": _role_binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _role_binding,
    "customresourcedefinitions.apiextensions.k8s.io": _crd,
}

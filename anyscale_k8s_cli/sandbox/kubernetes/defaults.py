"""What the API server fills in when a field is left out."""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.errors import bad_request
from anyscale_k8s_cli.sandbox.kubernetes.objects import name_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource


@dataclass
class Addresses:
    """Hands out cluster IPs, node ports and pod IPs, each once."""

    _services: itertools.count[int] = field(default_factory=lambda: itertools.count(10))
    _node_ports: itertools.count[int] = field(default_factory=lambda: itertools.count(30080))
    _pods: itertools.count[int] = field(default_factory=lambda: itertools.count(10))

    def cluster_ip(self) -> str:
        number = next(self._services)
        return f"10.100.{number >> 8 & 255}.{number & 255}"

    def node_port(self) -> int:
        return next(self._node_ports)

    def pod_ip(self) -> str:
        number = next(self._pods)
        return f"10.0.{number >> 8 & 255}.{number & 255}"


def set_defaults(resource: Resource, obj: Object, old: Object | None, addresses: Addresses) -> None:
    """Fill in defaults of a built-in kind, in place. Raises 400 for data that is not base64."""
    match resource.key:
        case "services":
            _service(obj, old, addresses)
        case key if key in _DEFAULTS:
            _DEFAULTS[key](obj)


def zero_status(resource: Resource) -> Object:
    """The status that a built-in kind is born with: its required counts, at zero."""
    schema = resource.schema.field("status")
    return {name: 0 for name in schema.required if schema.field(name).type == "integer"}


def _fill(target: Object, **values: Any) -> None:
    for name, value in values.items():
        target.setdefault(name, value)


def _namespace(obj: Object) -> None:
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {}).setdefault("phase", "Active")
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name_of(obj)


def _secret(obj: Object) -> None:
    text = obj.pop("stringData", None) or {}
    if text:
        data = obj.setdefault("data", {})
        data.update({k: base64.b64encode(v.encode()).decode() for k, v in text.items()})
    obj.setdefault("type", "Opaque")
    for key, value in (obj.get("data") or {}).items():
        try:
            base64.b64decode(value or "", validate=True)
        except binascii.Error as error:
            message = (
                'Secret in version "v1" cannot be handled as a Secret: illegal base64 data '
                f"in data.{key}"
            )
            raise bad_request(message) from error


def _pod_spec(spec: Object) -> None:
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or ""
    _fill(
        spec,
        restartPolicy="Always",
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        terminationGracePeriodSeconds=30,
        securityContext={},
    )
    if account:
        spec.update(serviceAccountName=account, serviceAccount=account)
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        _container(container)
    for volume in spec.get("volumes") or ():
        _volume(volume)


def _container(container: Object) -> None:
    image = str(container.get("image", ""))
    tag = image.rpartition("/")[2].partition(":")[2]
    policy = "IfNotPresent" if "@" in image or tag not in ("", "latest") else "Always"
    _fill(
        container,
        imagePullPolicy=policy,
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    for kind in container["resources"].keys() & {"limits", "requests"}:
        amounts = container["resources"][kind] or {}
        # A number is taken, and given back as the text that quantities are.
        container["resources"][kind] = {name: str(amount) for name, amount in amounts.items()}
    limits = container["resources"].get("limits") or {}
    if limits:
        requests = container["resources"].setdefault("requests", {})
        for name, quantity in limits.items():
            requests.setdefault(name, quantity)
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            _fill(
                container[probe],
                failureThreshold=3,
                periodSeconds=10,
                successThreshold=1,
                timeoutSeconds=1,
            )
            if "httpGet" in container[probe]:
                _fill(container[probe]["httpGet"], path="/", scheme="HTTP")
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            reference.setdefault("apiVersion", "v1")


def _volume(volume: Object) -> None:
    for source in ("secret", "configMap", "projected", "downwardAPI"):
        if source in volume:
            volume[source].setdefault("defaultMode", 420)
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)


def _pod(obj: Object) -> None:
    spec = obj["spec"]
    _pod_spec(spec)
    _fill(spec, enableServiceLinks=True, preemptionPolicy="PreemptLowerPriority", priority=0)
    if not spec.get("serviceAccountName"):
        spec.update(serviceAccountName="default", serviceAccount="default")
    _fill(obj.setdefault("status", {}), phase="Pending", qosClass=_quality_of_service(spec))


def _quality_of_service(spec: Object) -> str:
    """Guaranteed if every container has what it may use at most, BestEffort if none asks."""
    resources = [container["resources"] for container in spec.get("containers") or ()]
    if not any(r.get("requests") for r in resources):
        return "BestEffort"
    firm = all({"cpu", "memory"} <= (r.get("limits") or {}).keys() for r in resources)
    equal = all(r.get("requests") == r.get("limits") for r in resources)
    return "Guaranteed" if firm and equal else "Burstable"


def _template(obj: Object) -> None:
    template = obj["spec"].setdefault("template", {})
    template.setdefault("metadata", {})
    _pod_spec(template.setdefault("spec", {}))


def _deployment(obj: Object) -> None:
    spec = obj["spec"]
    _fill(spec, replicas=1, progressDeadlineSeconds=600, revisionHistoryLimit=10)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        _fill(strategy.setdefault("rollingUpdate", {}), maxSurge="25%", maxUnavailable="25%")
    _template(obj)


def _replica_set(obj: Object) -> None:
    _fill(obj["spec"], replicas=1)
    _template(obj)


def _stateful_set(obj: Object) -> None:
    spec = obj["spec"]
    _fill(spec, replicas=1, podManagementPolicy="OrderedReady", revisionHistoryLimit=10)
    spec.setdefault("serviceName", "")
    _fill(spec.setdefault("updateStrategy", {}), type="RollingUpdate")
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.setdefault("status", {"phase": "Pending"})
        claim["spec"].setdefault("volumeMode", "Filesystem")
    _template(obj)


def _daemon_set(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = spec.setdefault("updateStrategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        _fill(strategy.setdefault("rollingUpdate", {}), maxSurge=0, maxUnavailable=1)
    _template(obj)


def _job(obj: Object) -> None:
    spec = obj["spec"]
    _fill(
        spec,
        backoffLimit=6,
        completionMode="NonIndexed",
        completions=1,
        parallelism=1,
        podReplacementPolicy="TerminatingOrFailed",
        suspend=False,
    )
    # The pods of a job without a selector of its own are told apart by the job's uid.
    restart_policy = (spec.get("template", {}).get("spec") or {}).get("restartPolicy")
    _template(obj)
    if restart_policy is None:
        # Unlike other workloads a job must choose; validation says so.
        spec["template"]["spec"].pop("restartPolicy", None)
    if not spec.get("selector"):
        uid = obj["metadata"]["uid"]
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
        labels = spec["template"]["metadata"].setdefault("labels", {})
        labels["batch.kubernetes.io/controller-uid"] = labels["controller-uid"] = uid
        labels["batch.kubernetes.io/job-name"] = labels["job-name"] = name_of(obj)


def _cron_job(obj: Object) -> None:
    _fill(
        obj["spec"],
        concurrencyPolicy="Allow",
        failedJobsHistoryLimit=1,
        successfulJobsHistoryLimit=3,
        suspend=False,
    )


def _service(obj: Object, old: Object | None, addresses: Addresses) -> None:
    spec = obj["spec"]
    before = (old or {}).get("spec", {})
    _fill(spec, type="ClusterIP", sessionAffinity="None")
    balancer = spec["type"] == "LoadBalancer"
    if spec["type"] != "ExternalName":
        if not spec.get("clusterIP"):
            spec["clusterIP"] = before.get("clusterIP") or addresses.cluster_ip()
        _fill(
            spec,
            clusterIPs=[spec["clusterIP"]],
            internalTrafficPolicy="Cluster",
            ipFamilies=["IPv4"],
            ipFamilyPolicy="SingleStack",
        )
    if balancer:
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    outside = balancer or spec["type"] == "NodePort"
    if outside:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    elif before.get("type") in ("LoadBalancer", "NodePort"):
        for name in ("externalTrafficPolicy", "allocateLoadBalancerNodePorts"):
            spec.pop(name, None)
    node_ports = {
        (port["port"], port["protocol"]): port.get("nodePort") for port in before.get("ports") or ()
    }
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
        if outside and spec.get("allocateLoadBalancerNodePorts", True):
            known = node_ports.get((port.get("port"), port["protocol"]))
            if not port.get("nodePort"):
                port["nodePort"] = known or addresses.node_port()
    obj.setdefault("status", {}).setdefault("loadBalancer", {})


def _claim(obj: Object) -> None:
    _fill(obj["spec"], volumeMode="Filesystem")
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _storage_class(obj: Object) -> None:
    _fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _binding(obj: Object) -> None:
    if obj.get("roleRef"):
        obj["roleRef"].setdefault("apiGroup", "rbac.authorization.k8s.io")
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")


def _webhooks(obj: Object) -> None:
    mutating = obj["kind"] == "MutatingWebhookConfiguration"
    for webhook in obj.get("webhooks") or ():
        _fill(
            webhook,
            failurePolicy="Fail",
            matchPolicy="Equivalent",
            namespaceSelector={},
            objectSelector={},
            timeoutSeconds=10,
        )
        if mutating:
            webhook.setdefault("reinvocationPolicy", "Never")
        for rule in webhook.get("rules") or ():
            rule.setdefault("scope", "*")
        service = (webhook.get("clientConfig") or {}).get("service")
        if service:
            service.setdefault("port", 443)


def _crd(obj: Object) -> None:
    names = obj["spec"]["names"]
    _fill(names, singular=names["kind"].lower(), listKind=f"{names['kind']}List")
    obj["spec"].setdefault("conversion", {"strategy": "None"})


def _limit_range(obj: Object) -> None:
    for item in obj["spec"].get("limits") or ():
        if item.get("type") != "Container":
            continue
        limits = {**(item.get("max") or {}), **(item.get("default") or {})}
        requests = {**(item.get("min") or {}), **limits, **(item.get("defaultRequest") or {})}
        if limits:
            item["default"] = limits
        if requests:
            item["defaultRequest"] = requests


def _node(obj: Object) -> None:
    obj.setdefault("spec", {})
    obj["metadata"].setdefault("labels", {}).setdefault("kubernetes.io/hostname", name_of(obj))


_DEFAULTS: dict[str, Callable[[Object], None]] = {
    "namespaces": _namespace,
    "secrets": _secret,
    "pods": _pod,
    "nodes": _node,
    "limitranges": _limit_range,
    "persistentvolumeclaims": _claim,
    "deployments.apps": _deployment,
    "replicasets.apps": _replica_set,
    "statefulsets.apps": _stateful_set,
    "daemonsets.apps": _daemon_set,
    "jobs.batch": _job,
    "cronjobs.batch": _cron_job,
    "storageclasses.storage.k8s.io": _storage_class,
    "rolebindings.rbac.authorization.k8s.io": _binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _binding,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _webhooks,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _webhooks,
    "customresourcedefinitions.apiextensions.k8s.io": _crd,
}

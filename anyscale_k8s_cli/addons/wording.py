"""What a person says of the cluster's side, and whether it can mean anything: offline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import gateway_controller
from anyscale_k8s_cli.addons.pod_settings import PodSettings
from anyscale_k8s_cli.install import MARK_PREFIX
from anyscale_k8s_cli.spec import CloudSpec

# What the operator is by: setup finds each out, status looks for it, and with another
# one the operator is somebody else's. Beside each, how it is said, if it can be.
OWN_VALUES = {
    "global.cloudDeploymentId": "",
    "global.cloudProvider": "",
    "global.controlPlaneURL": "ANYSCALE_HOST says it",
    "global.auth.iamIdentity": "--identity says it",
    "operator.serviceAccount.name": "",
    "networking.gateway.enabled": "--network says it",
    "networking.gateway.name": "--gateway says it",
    "networking.gateway.namespace": "--gateway says it",
    "networking.gateway.hostname": "--gateway says which Gateway it is the address of",
    "networking.gateway.ip": "--gateway says which Gateway it is the address of",
    "networking.ingress.address": "--network none --address says it",
}
# By which the charts' own objects are known, and those that controllers make of them.
_CHARTS_LABELS = ("app", "control-plane", "role", "job-name", "controller-uid", "pod-template-hash")
_CHARTS_PREFIXES = (
    *("app.kubernetes.io", "helm.sh", "azure.workload.identity", "batch.kubernetes.io"),
    *("gateway.envoyproxy.io", "anyscale.com", MARK_PREFIX),
)
# Of a controller of their own people say themselves what its class is called.
_CLASS = "networking.ingress.classNameOverride"
# What stands below such keys of a chart's values Kubernetes takes, whatever of it is a default.
_FREE = frozenset(
    (
        *("resources", "limits", "requests", "nodeSelector", "affinity", "tolerations"),
        *("annotations", "podAnnotations", "labels", "podLabels", "matchLabels"),
        *("securityContext", "podSecurityContext", "env", "additionalEnv"),
    )
)
# Kubernetes keeps such names to itself.
_SYSTEM = "kube-"


def check(spec: CloudSpec) -> None:
    """Raises `invalid-spec` for what would take an operator from its cloud or its place."""
    place = spec.namespace
    if place.startswith(_SYSTEM) or place == gateway_controller.NAMESPACE:
        whose = "Kubernetes'" if place.startswith(_SYSTEM) else "the gateway controller's"
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"--namespace: {place} is {whose} own",
            cause="the operator's namespace is labelled, locked and, in the end, deleted",
            fix="give a namespace that is for this cloud, or leave --namespace out",
        )
    check_pods(spec)
    own = [*OWN_VALUES, *((_CLASS,) if spec.network.kind == "nginx" else ())]
    said = [path for path in own if _has(spec.operator.values, path)]
    if said:
        ways = [f"{path}: {OWN_VALUES[path]}" for path in said if OWN_VALUES.get(path)]
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"--values: {', '.join(said)} {'is' if len(said) == 1 else 'are'} set by setup alone",
            cause="with another value the operator would not be the one of this cloud",
            fix="\n".join(
                (f"leave {'it' if len(said) == 1 else 'them'} out of your values", *ways)
            ),
        )


def check_pods(spec: CloudSpec) -> None:
    """Raises `invalid-spec` for what charts say of pods themselves, or cannot be told."""
    taken = [key for key in spec.pods.labels if _is_charts_own(key)]
    if taken:
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"--pod-label: {', '.join(taken)} {'is' if len(taken) == 1 else 'are'} the charts' own",
            cause="Services and Deployments find their pods by such labels",
            fix="give the label another key, such as one below a domain of yours",
        )
    hook = "workloads.instanceTypes.validationHook.enabled"
    if PodSettings(spec.pods).without_hook and _at(spec.operator.values, hook) is True:
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"--values: {hook} does not go with labels, annotations or authorities for pods",
            cause="the chart has no value that would give them to the hook's pod",
            fix="leave it out: the operator's webhook looks at the same table afterwards",
        )


def refuse_bundle() -> None:
    """Raises `invalid-spec`: values alone do not bring authorities into the operator's pod."""
    raise errors.CliError(
        errors.INVALID_SPEC,
        "--ca-bundle: the operator's chart has no value for it",
        cause="what is handed over is installed by helm alone",
        fix="let this tool install the operator, with --install-operator",
    )


def _is_charts_own(key: str) -> bool:
    prefix, slash, _ = key.rpartition("/")
    return key in _CHARTS_LABELS or bool(slash and prefix in _CHARTS_PREFIXES)


def unknown(users: Mapping[str, Any], charts: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The keys of the user's values that the chart has no default for.

    What is empty in the chart is for the user to fill, and so is what the chart hands on to
    Kubernetes: nothing in it is unknown.
    """
    for key, value in users.items():
        path = f"{prefix}{key}"
        if key not in charts:
            yield path
            continue
        inner = charts[key]
        if key in _FREE or not inner:
            continue
        if isinstance(value, Mapping) and isinstance(inner, Mapping):
            yield from unknown(value, inner, f"{path}.")


def _has(values: Any, path: str) -> bool:
    return _at(values, path) is not ...


def _at(values: Any, path: str) -> Any:
    """What is there, be it null; `...` where nothing is."""
    for key in path.split("."):
        if not isinstance(values, Mapping) or key not in values:
            return ...
        values = values[key]
    return values

"""Checks and changes of pods on the way in: accounts, ranges, Pod Security, a platform's hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from anyscale_k8s_cli.sandbox.kubernetes.errors import forbidden
from anyscale_k8s_cli.sandbox.kubernetes.limit_ranges import keep_within
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    clone,
    dig,
    labels_of,
    name_of,
    namespace_of,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.writes import Admission, Write

# Changes a new pod in place; also gets its service account, if there is one.
PodAdmission = Callable[[Object, "Object | None"], None]

_ENFORCE = "pod-security.kubernetes.io/enforce"
_BASELINE_CAPABILITIES = {
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
}


def admit_pods(store: Store, hooks: Sequence[PodAdmission]) -> Admission:
    """New pods: account and priority must exist, then hooks, limit ranges and Pod Security."""

    def admit(resource: Resource, obj: Object, old: Object | None, _: Write) -> None:
        if resource.key != "pods" or old is not None:
            return
        name, namespace = name_of(obj), namespace_of(obj)
        account_name = obj["spec"]["serviceAccountName"]
        account = store.find("serviceaccounts", namespace, account_name)
        if account is None:
            why = (
                f"error looking up service account {namespace}/{account_name}: "
                f'serviceaccount "{account_name}" not found'
            )
            raise forbidden(resource, name, why)
        _set_priority(store, resource, obj)
        for hook in hooks:
            hook(obj, clone(account))
        keep_within(store, resource, obj)
        _check_security(store, resource, obj)

    return admit


def _set_priority(store: Store, resource: Resource, pod: Object) -> None:
    name = pod["spec"].get("priorityClassName")
    if not name:
        return
    found = store.find("priorityclasses.scheduling.k8s.io", "", name)
    if found is None:
        why = f"no PriorityClass with name {name} was found"
        raise forbidden(resource, name_of(pod), why)
    pod["spec"]["priority"] = found["value"]


def _check_security(store: Store, resource: Resource, pod: Object) -> None:
    namespace = store.find("namespaces", "", namespace_of(pod)) or {"metadata": {}}
    level = labels_of(namespace).get(_ENFORCE, "privileged")
    if level not in ("baseline", "restricted"):
        return
    found = list(_baseline_violations(pod))
    if level == "restricted":
        found += _restricted_violations(pod)
    if found:
        why = f'violates PodSecurity "{level}:latest": {", ".join(found)}'
        raise forbidden(resource, name_of(pod), why)


def _containers(pod: Object) -> list[Object]:
    spec = pod["spec"]
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _culprits(containers: list[Object]) -> str:
    names = ", ".join(f'"{container["name"]}"' for container in containers)
    return f"container{'s' * (len(containers) > 1)} {names} must"


def _baseline_violations(pod: Object) -> Iterator[str]:
    containers = _containers(pod)
    spec = pod["spec"]
    privileged = [c for c in containers if dig(c, "securityContext", "privileged")]
    adding = [c for c in containers if _added(c) - _BASELINE_CAPABILITIES]
    namespaces = [k for k in ("hostNetwork", "hostPID", "hostIPC") if spec.get(k)]
    volumes = [v["name"] for v in spec.get("volumes") or () if "hostPath" in v]
    if namespaces:
        yield f"host namespaces ({', '.join(f'{name}=true' for name in namespaces)})"
    if volumes:
        names = ", ".join(f'"{name}"' for name in volumes)
        yield f"hostPath volumes (volume{'s' * (len(volumes) > 1)} {names})"
    if privileged:
        yield (f"privileged ({_culprits(privileged)} not set securityContext.privileged=true)")
    if adding:
        extra = sorted({cap for c in adding for cap in _added(c) - _BASELINE_CAPABILITIES})
        listed = ", ".join(f'"{capability}"' for capability in extra)
        yield (
            f"non-default capabilities ({_culprits(adding)} not include {listed} in "
            "securityContext.capabilities.add)"
        )


def _added(container: Object) -> set[str]:
    return set(dig(container, "securityContext", "capabilities", "add") or ())


def _restricted_violations(pod: Object) -> Iterator[str]:
    containers = _containers(pod)
    escalating = [
        c for c in containers if dig(c, "securityContext", "allowPrivilegeEscalation") is not False
    ]
    keeping = [
        c
        for c in containers
        if "ALL" not in (dig(c, "securityContext", "capabilities", "drop") or ())
    ]
    nonroot = dig(pod, "spec", "securityContext", "runAsNonRoot") is True
    rooted = [
        c
        for c in containers
        if dig(c, "securityContext", "runAsNonRoot") is not True and not nonroot
    ]
    seccomp = dig(pod, "spec", "securityContext", "seccompProfile", "type")
    unconfined = [
        c
        for c in containers
        if (dig(c, "securityContext", "seccompProfile", "type") or seccomp)
        not in ("RuntimeDefault", "Localhost")
    ]
    if escalating:
        yield (
            f"allowPrivilegeEscalation != false ({_culprits(escalating)} set "
            "securityContext.allowPrivilegeEscalation=false)"
        )
    if keeping:
        yield (
            f"unrestricted capabilities ({_culprits(keeping)} set "
            'securityContext.capabilities.drop=["ALL"])'
        )
    if rooted:
        yield (
            "runAsNonRoot != true (pod or "
            f"{_culprits(rooted)} set securityContext.runAsNonRoot=true)"
        )
    if unconfined:
        yield (
            f"seccompProfile (pod or {_culprits(unconfined)} set "
            'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
        )

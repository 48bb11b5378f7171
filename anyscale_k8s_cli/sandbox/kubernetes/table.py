"""The forms in which objects are shown: as they are, as metadata only, or as a table's rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.objects import dig, name_of, parse_timestamp
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource

Cell = Callable[[Object], Any]


def age(moment: str | None) -> str:
    """How kubectl writes a span since a moment: 5s, 3m, 2h, 4d."""
    if not moment:
        return "<unknown>"
    seconds = max(0, int((datetime.now(UTC) - parse_timestamp(moment)).total_seconds()))
    for unit, size, up_to in (("s", 1, 120), ("m", 60, 7200), ("h", 3600, 172800)):
        if seconds < up_to:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86400}d"


def _at(*path: str | int, default: Any = "") -> Cell:
    def cell(obj: Object) -> Any:
        value = dig(obj, *path)
        return default if value is None else value

    return cell


def _ratio(done: Cell, wanted: Cell) -> Cell:
    return lambda obj: f"{done(obj)}/{wanted(obj)}"


def _pod_ready(pod: Object) -> str:
    statuses = dig(pod, "status", "containerStatuses") or ()
    return f"{sum(s.get('ready', False) for s in statuses)}/{len(pod['spec']['containers'])}"


def _pod_status(pod: Object) -> str:
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    for status in dig(pod, "status", "containerStatuses") or ():
        for state in ("waiting", "terminated"):
            if reason := dig(status, "state", state, "reason"):
                return str(reason)
    return str(dig(pod, "status", "phase"))


def _pod_restarts(pod: Object) -> int:
    statuses = dig(pod, "status", "containerStatuses") or ()
    return sum(status.get("restartCount", 0) for status in statuses)


def _node_status(node: Object) -> str:
    ready: Object = next(
        (c for c in dig(node, "status", "conditions") or () if c["type"] == "Ready"), {}
    )
    text = "Ready" if ready.get("status") == "True" else "NotReady"
    return text + (",SchedulingDisabled" if dig(node, "spec", "unschedulable") else "")


def _service_address(service: Object) -> str:
    ingress = dig(service, "status", "loadBalancer", "ingress") or ()
    addresses = ",".join(entry.get("ip") or entry.get("hostname") or "" for entry in ingress)
    waiting = dig(service, "spec", "type") == "LoadBalancer"
    return addresses or ("<pending>" if waiting else "<none>")


def _service_ports(service: Object) -> str:
    texts = []
    for port in dig(service, "spec", "ports") or ():
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        texts.append(f"{port['port']}{node_port}/{port['protocol']}")
    return ",".join(texts) or "<none>"


def _count(field: str) -> Cell:
    return lambda obj: len(obj.get(field) or ())


def _job_status(job: Object) -> str:
    held = {c["type"] for c in dig(job, "status", "conditions") or () if c["status"] == "True"}
    return "Complete" if "Complete" in held else "Failed" if "Failed" in held else "Running"


_REPLICAS = _at("spec", "replicas", default=1)
_READY = _at("status", "readyReplicas", default=0)

_COLUMNS: dict[str, Sequence[tuple[str, Cell]]] = {
    "configmaps": [("Data", _count("data"))],
    "daemonsets.apps": [
        ("Desired", _at("status", "desiredNumberScheduled", default=0)),
        ("Current", _at("status", "currentNumberScheduled", default=0)),
        ("Ready", _at("status", "numberReady", default=0)),
        ("Up-to-date", _at("status", "updatedNumberScheduled", default=0)),
        ("Available", _at("status", "numberAvailable", default=0)),
    ],
    "deployments.apps": [
        ("Ready", _ratio(_READY, _REPLICAS)),
        ("Up-to-date", _at("status", "updatedReplicas", default=0)),
        ("Available", _at("status", "availableReplicas", default=0)),
    ],
    "events": [
        ("Last Seen", lambda event: age(event.get("lastTimestamp"))),
        ("Type", _at("type")),
        ("Reason", _at("reason")),
        (
            "Object",
            lambda event: (
                f"{dig(event, 'involvedObject', 'kind')}/{dig(event, 'involvedObject', 'name')}"
            ),
        ),
        ("Message", _at("message")),
    ],
    "jobs.batch": [
        ("Status", _job_status),
        (
            "Completions",
            _ratio(_at("status", "succeeded", default=0), _at("spec", "completions", default=1)),
        ),
    ],
    "namespaces": [("Status", _at("status", "phase"))],
    "nodes": [("Status", _node_status), ("Version", _at("status", "nodeInfo", "kubeletVersion"))],
    "persistentvolumeclaims": [
        ("Status", _at("status", "phase")),
        ("StorageClass", _at("spec", "storageClassName")),
    ],
    "pods": [("Ready", _pod_ready), ("Status", _pod_status), ("Restarts", _pod_restarts)],
    "replicasets.apps": [
        ("Desired", _REPLICAS),
        ("Current", _at("status", "replicas", default=0)),
        ("Ready", _READY),
    ],
    "secrets": [("Type", _at("type")), ("Data", _count("data"))],
    "services": [
        ("Type", _at("spec", "type")),
        ("Cluster-IP", _at("spec", "clusterIP", default="<none>")),
        ("External-IP", _service_address),
        ("Port(s)", _service_ports),
    ],
    "statefulsets.apps": [("Ready", _ratio(_READY, _REPLICAS))],
}


def _json_path(path: str) -> Cell:
    """A printer column's path: dots, `[0]`, and `[?(@.type=="Ready")]`."""
    steps = re.findall(
        r"\[\?\(@\.(\w+)==[\"'](.*?)[\"']\)\]|\[(\d+)\]|([\w/-]+(?:\\\.[\w/-]+)*)", path
    )

    def cell(obj: Object) -> Any:
        value: Any = obj
        for field, wanted, index, key in steps:
            if field:
                items = value if isinstance(value, list) else ()
                value = next((item for item in items if item.get(field) == wanted), None)
            else:
                value = dig(value, int(index) if index else key.replace("\\.", "."))
        return "" if value is None else value

    return cell


def _columns(resource: Resource) -> list[tuple[Object, Cell]]:
    name = {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0}
    columns: list[tuple[Object, Cell]] = [(name, name_of)]
    if resource.columns:
        for column in resource.columns:
            path = column["jsonPath"]
            definition = {"format": "", "description": "", "priority": 0, **column}
            del definition["jsonPath"]
            date = column.get("type") == "date"
            columns.append((definition, _date(_json_path(path)) if date else _json_path(path)))
        return columns
    for title, cell in _COLUMNS.get(resource.key, ()):
        columns.append((_column(title), cell))
    if resource.key != "events":
        columns.append((_column("Age"), lambda obj: age(obj["metadata"].get("creationTimestamp"))))
    return columns


def _date(cell: Cell) -> Cell:
    return lambda obj: age(cell(obj) or None)


def _column(title: str) -> Object:
    return {"name": title, "type": "string", "format": "", "description": "", "priority": 0}


def table(
    resource: Resource, objects: Sequence[Object], metadata: Object, include: str = "Metadata"
) -> Object:
    """A Table. `include` says what each row carries: Object, Metadata or None."""
    columns = _columns(resource)
    rows = []
    for obj in objects:
        row: Object = {"cells": [cell(obj) for _, cell in columns]}
        if include != "None":
            row["object"] = obj if include == "Object" else partial(obj)
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [definition for definition, _ in columns],
        "rows": rows,
    }


def partial(obj: Object) -> Object:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }

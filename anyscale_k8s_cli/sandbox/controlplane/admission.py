"""The webhook that judges instance types, called without a token.

It is the control plane's: the cluster's API server and the chart's hook Job
send it AdmissionReviews of the ConfigMap that holds the types.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_WHOLE_CORES = re.compile(r"\d+|\d+000m")
_QUANTITY = re.compile(r"\d+(\.\d+)?(m|[kKMGTPE]i?)?")
DATA_KEY = "instance_types.yaml"


def review(body: Any, *, registered: bool, resource_id: str) -> dict[str, Any]:
    """The answer to an AdmissionReview; raises 400 when it is none."""
    request = body.get("request") if isinstance(body, dict) else None
    if not isinstance(request, dict) or "uid" not in request:
        raise Refused(400, "The body is not an AdmissionReview.")
    if registered:
        complaints = complaints_about((request.get("object") or {}).get("data") or {})
    else:
        complaints = [f"cloud resource {resource_id} is not registered"]
    response: dict[str, Any] = {"uid": request["uid"], "allowed": not complaints}
    if complaints:
        response["status"] = {"code": 403, "message": "; ".join(complaints)}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def complaints_about(data: dict[str, str]) -> list[str]:
    """What is wrong with the data of an instance-types ConfigMap."""
    if data.get("version") != "v1":
        return ["version must be v1"]
    try:
        types = yaml.safe_load(data.get(DATA_KEY, ""))
    except yaml.YAMLError:
        return [f"{DATA_KEY} is not YAML"]
    if types is None:
        return []
    if not isinstance(types, dict):
        return [f"{DATA_KEY} must map names to instance types"]
    return [text for name, value in types.items() for text in _about_type(str(name), value)]


def _about_type(name: str, value: Any) -> list[str]:
    found = []
    if not _NAME.fullmatch(name):
        found.append(f"instance type {name!r}: letters, digits, dash and underscore only")
    resources = value.get("resources") if isinstance(value, dict) else None
    if not isinstance(resources, dict):
        return [*found, f"instance type {name}: resources are missing"]
    if not _WHOLE_CORES.fullmatch(str(resources.get("CPU", ""))):
        found.append(f"instance type {name}: CPU must be whole cores")
    if not _QUANTITY.fullmatch(str(resources.get("memory", ""))):
        found.append(f"instance type {name}: memory must be a quantity")
    if not str(resources.get("GPU", 0)).isdigit():
        found.append(f"instance type {name}: GPU must be a count")
    return found

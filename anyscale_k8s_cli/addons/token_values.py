"""The operator's token in its chart: where it stands, and how it is known again.

The chart takes the token as a value and makes the Secret `anyscale-cli-token` of it.
Which key it is stands beside it as annotations of the pods: so another key also makes
new pods, and a pod tells which key it was started with.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from anyscale_k8s_cli.addons.names import OPERATOR_RELEASE
from anyscale_k8s_cli.addons.values import merged
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.release_records import newest
from anyscale_k8s_cli.install import MARK_PREFIX
from anyscale_k8s_cli.operator_token import InstalledTokens, OperatorToken

_KEY = f"{MARK_PREFIX}/operator-key"
_CHECK = f"{MARK_PREFIX}/operator-token-check"
_EXPIRES = f"{MARK_PREFIX}/operator-token-expires"

# Where the token stands, in the chart's values.
HELD_AT = "global.auth.anyscaleCliToken"
# Stands in files where the token would.
PLACEHOLDER = "THE-TOKEN-IS-NOT-WRITTEN-TO-FILES"


def token_values(token: OperatorToken) -> dict[str, Any]:
    """The values that give the operator a token."""
    expires = token.expires_at.isoformat() if token.expires_at else "unknown"
    annotations = {_KEY: token.key_id, _CHECK: token.fingerprint, _EXPIRES: expires}
    return {
        "global": {"auth": {"anyscaleCliToken": token.token}},
        "operator": {"annotations": annotations},
    }


def token_in(values: Mapping[str, Any]) -> str:
    """The token in values for the chart; empty without one."""
    return str(_at(values, "global", "auth").get("anyscaleCliToken") or "")


def without_token(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they may be written to a file."""
    if not token_in(values):
        return dict(values)
    return merged(values, {"global": {"auth": {"anyscaleCliToken": PLACEHOLDER}}})


def told_token(values: Mapping[str, Any]) -> OperatorToken | None:
    """The token in a release's values, if it is one that belongs to the key named beside it."""
    annotations = _at(values, "operator", "annotations")
    found = OperatorToken(
        str(annotations.get(_KEY) or ""),
        _moment(annotations.get(_EXPIRES)),
        token_in(values),
    )
    intact = found.token and found.key_id and annotations.get(_CHECK) == found.fingerprint
    return found if intact else None


def is_ours(values: Mapping[str, Any]) -> bool:
    """Whether the token in a release was once given by this tool, as a key of its own."""
    key_id = str(_at(values, "operator", "annotations").get(_KEY) or "")
    return bool(key_id) and not OperatorToken(key_id, None, "").own


def installed_tokens(kubernetes: Kubernetes, namespace: str) -> InstalledTokens:
    """What the operator's release and the pods in its namespace hold."""
    record = newest(kubernetes, namespace, OPERATOR_RELEASE)
    release = told_token(record.values) if record and record.status != "uninstalled" else None
    pods = kubernetes.list("v1", "Pod", namespace, metadata_only=True)
    used = {str((pod["metadata"].get("annotations") or {}).get(_KEY) or "") for pod in pods}
    return InstalledTokens(release, frozenset(used - {""}))


def _at(values: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    found: Any = values
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None

"""Organization policies: what a company forbids of the buckets in its projects, whoever asks.

https://cloud.google.com/resource-manager/docs/organization-policy/overview
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.google.errors import GoogleError

KEY_REQUIRED = "constraints/gcp.restrictNonCmekServices"


@dataclass(frozen=True)
class ConstraintSeed:
    """One that holds in the project: Google's own by name, or a custom one about a label."""

    name: str
    description: str = ""
    required_label: str = ""


def check(constraints: Iterable[ConstraintSeed], bucket: str, settings: Mapping[str, Any]) -> None:
    """Raises 412 for a bucket as it would be, if one of them forbids it."""
    for item in constraints:
        if item.name == KEY_REQUIRED:
            if not (settings.get("encryption") or {}).get("defaultKmsKeyName"):
                raise _refused(f"'{bucket}' violates constraint '{item.name}'")
        elif item.required_label not in (settings.get("labels") or {}):
            said = json.dumps({item.name: item.description})
            raise _refused(
                f"Operation denied by org policy on resource 'projects/_/buckets/{bucket}': "
                f"[{said[1:-1]}]."
            )


def _refused(text: str) -> GoogleError:
    return GoogleError("FAILED_PRECONDITION", text, status=412, reason="conditionNotMet")

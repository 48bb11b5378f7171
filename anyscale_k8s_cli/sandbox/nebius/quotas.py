"""Quotas of the tenant in its region: the few that an installation may run into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.nebius import refusals
from anyscale_k8s_cli.sandbox.nebius.api import Call, Method, Methods, parent
from anyscale_k8s_cli.sandbox.nebius.seed import TENANT_ID


@dataclass(frozen=True)
class Quotas:
    """`known` gives used and limit of each, by its name."""

    region: str
    known: Callable[[], Mapping[str, tuple[int, int]]]

    def methods(self) -> Methods:
        service, right = "nebius.quotas.v1.QuotaAllowanceService", "quotas.quotaallowance.get"
        return {f"{service}/GetByName": Method(self._get, right, parent)}

    def _get(self, call: Call) -> Any:
        from nebius.api.nebius.common.v1 import ResourceMetadata
        from nebius.api.nebius.quotas.v1 import (
            QuotaAllowance,
            QuotaAllowanceSpec,
            QuotaAllowanceStatus,
        )

        name = call.request.name
        known = self.known()
        if (call.request.parent_id, call.request.region) != (TENANT_ID, self.region):
            raise refusals.not_found("quota allowance", name)
        if name not in known:
            raise refusals.not_found("quota allowance", name)
        used, limit = known[name]
        return QuotaAllowance(
            metadata=ResourceMetadata(id=f"quota-{name}", parent_id=TENANT_ID, name=name),
            spec=QuotaAllowanceSpec(limit=limit, region=self.region),
            status=QuotaAllowanceStatus(usage=used, service=name.partition(".")[0]),
        )

"""What the tenant may have in a region, and what of it is used."""

from __future__ import annotations

from nebius.api.nebius.quotas.v1 import GetByNameRequest, QuotaAllowanceServiceClient

from anyscale_k8s_cli.providers.nebius.sdk.session import LIMITS, Session


class Quotas:
    def __init__(self, session: Session) -> None:
        self._session = session

    def room(self, tenant: str, region: str, name: str) -> tuple[int, int] | None:
        """Used and limit of a quota by Nebius' own name; None where there is none of it."""
        service = QuotaAllowanceServiceClient(self._session.sdk)
        request = GetByNameRequest(parent_id=tenant, region=region, name=name)
        found = self._session.find(
            "quotas.quotaallowance.get", lambda: service.get_by_name(request, **LIMITS)
        )
        if found is None or found.spec.limit is None:
            return None
        return int(found.status.usage), int(found.spec.limit)

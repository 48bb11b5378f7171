"""A client of the sandbox's admin interface, for tests and commands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

if TYPE_CHECKING:
    from anyscale_k8s_cli.sandbox.wire import FaultRule

URL_VARIABLE = "ANYSCALE_SANDBOX_ADMIN"
TOKEN_VARIABLE = "ANYSCALE_SANDBOX_ADMIN_TOKEN"
_LIMIT = 30.0


class AdminRefused(Exception):
    """The sandbox did not do what it was asked for, for a `reason` in its own words."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.reason = body
        with suppress(ValueError, LookupError, TypeError):
            self.reason = str(json.loads(body)["error"])


@dataclass(frozen=True)
class AdminClient:
    """Every call raises AdminRefused, or OSError when no sandbox answers."""

    url: str
    token: str = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> AdminClient:
        """For a process inside of a sandbox. Raises KeyError outside."""
        return cls(environment[URL_VARIABLE], environment[TOKEN_VARIABLE])

    def status(self) -> dict[str, Any]:
        return self._call("GET", "/status")

    def calls(self, *, after: int = 0, writes_only: bool = False) -> list[dict[str, Any]]:
        """What was called since call number `after`, in order of completion."""
        found = self._call("GET", f"/calls?after={after}&writes_only={int(writes_only)}")
        return list(found["calls"])

    def last_call(self) -> int:
        """The number of the newest call, to ask for `calls(after=…)` later."""
        return int(self._call("GET", "/calls/last")["number"])

    def faults(self) -> list[dict[str, Any]]:
        """The rules, with how often they were `seen` to match and how often they `fired`."""
        return list(self._call("GET", "/faults")["faults"])

    def inject(self, rule: FaultRule) -> None:
        self._call("POST", "/faults", asdict(rule))

    def clear_faults(self) -> None:
        self._call("DELETE", "/faults")

    def snapshot(self) -> dict[str, Any]:
        """What is in each cloud, `kubernetes` by cluster, and `control_plane`.

        The values of Secrets are hashes.
        """
        return self._call("GET", "/snapshot")

    def break_(
        self, what: str, *, name: str | None = None, platform: str | None = None
    ) -> list[str]:
        """Break a wire by its name, as docs/sandbox.md lists them; everywhere, if not narrowed."""
        fields = {"name": name, "platform": platform}
        return self._change(f"break/{what}", {key: fields[key] for key in fields if fields[key]})

    def mend(self, what: str, *, name: str | None = None, platform: str | None = None) -> list[str]:
        """Put right what a user's colleagues would, as docs/sandbox.md lists it."""
        fields = {"name": name, "platform": platform}
        return self._change(f"mend/{what}", {key: fields[key] for key in fields if fields[key]})

    def set_active_workloads(self, count: int, *, resource_id: str | None = None) -> list[str]:
        return self._change("active-workloads", {"count": count, "resource_id": resource_id})

    def delete_cluster(self, platform: str = "eks") -> list[str]:
        return self._change("kubernetes/cluster-deleted", {"platform": platform})

    def expire_sessions(self) -> list[str]:
        return self._change("expire-sessions", {})

    def set_admin_policies(self, policies: Sequence[Mapping[str, Any]]) -> list[str]:
        return self._change("admin-policies", {"policies": list(policies)})

    def set_admin_permissions(self, permissions: Sequence[str] | None) -> list[str]:
        """All that Google's administrator may do from now on; None: what an owner may."""
        wanted = None if permissions is None else list(permissions)
        return self._change("admin-permissions", {"permissions": wanted})

    def set_admin_roles(self, roles: Sequence[Mapping[str, Any]] | None) -> list[str]:
        """All that Azure's administrator holds from now on; None: Owner.

        A role is named (`role`) or given by its `actions` and the like, at a `scope`.
        """
        wanted = None if roles is None else list(roles)
        return self._change("admin-roles", {"roles": wanted})

    def bucket_being_deleted(self, name: str, attempts: int) -> list[str]:
        return self._change("bucket-being-deleted", {"name": name, "attempts": attempts})

    def outsider(self, platform: str = "eks") -> dict[str, str]:
        """Variables of a principal of AWS, or Azure (aks), without access to the cluster."""
        return dict(self._call("GET", f"/world/outsider?platform={platform}")["environment"])

    def shutdown(self) -> None:
        self._call("POST", "/shutdown")

    def _change(self, path: str, fields: Mapping[str, Any]) -> list[str]:
        return list(self._call("POST", f"/world/{path}", fields)["changed"])

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        request = Request(  # noqa: S310 - the address of our own record, on loopback
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}"},
        )
        # Whatever proxy the environment names, this never goes through it.
        opener = build_opener(ProxyHandler({}))
        try:
            with opener.open(request, timeout=_LIMIT) as answer:
                return dict(json.load(answer))
        except HTTPError as refused:
            with refused:
                raise AdminRefused(refused.code, refused.read().decode()) from refused

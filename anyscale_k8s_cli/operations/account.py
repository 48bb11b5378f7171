"""Logging in and out, and who we are to the control plane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.controlplane.client import ControlPlane
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.credentials import (
    TOKEN_VARIABLE,
    Credentials,
    anonymous,
    credentials_file,
    find_credentials,
    fix_modes,
    remove_token,
    store_token,
)
from anyscale_k8s_cli.controlplane.login import log_in as get_token
from anyscale_k8s_cli.controlplane.models import UserInfo
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.operations.requests import Request
from anyscale_k8s_cli.run import Run


@dataclass(frozen=True)
class Account:
    """Who we are, to which control plane, by which token."""

    schema: str
    user: UserInfo
    host: str
    source: str

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": self.schema,
            "user": {"id": self.user.id, "name": self.user.name, "email": self.user.email},
            "organizations": [
                {"id": item.id, "name": item.name} for item in self.user.organizations
            ],
            "host": self.host,
            "token_source": self.source,
        }


async def log_in(
    request: Request, run: Run, show: Callable[[str], None], lifetime_seconds: int
) -> Account:
    """Get a token with the person's help, store it, and prove it by use.

    `show` gets the address to open. Raises `timed-out` when nobody confirms.
    """

    def work() -> Account:
        with ControlPlane(
            anonymous(request.environment), run, environ=request.environment
        ) as plane:
            token = get_token(plane, show, lifetime_seconds=lifetime_seconds)
            host = plane.host
        path = store_token(token, request.home)
        if request.environment.get(TOKEN_VARIABLE):
            text = f"{TOKEN_VARIABLE} is set and wins over the token that was just stored"
            run.emit(Notice(level="warning", text=text))
        return _account("anyscale-k8s/login/v1", Credentials(host, token, str(path)), request, run)

    return await asyncio.to_thread(work)


async def who(request: Request, run: Run) -> Account:
    """Ask the control plane. Raises `not-logged-in`, `token-malformed`, `token-rejected`."""

    def work() -> Account:
        credentials = find_credentials(request.environment, request.home)
        for warning in credentials.warnings:
            run.emit(Notice(level="warning", text=warning))
        return _account("anyscale-k8s/auth-show/v1", credentials, request, run)

    return await asyncio.to_thread(work)


def log_out(request: Request) -> dict[str, Any]:
    """Forget the stored token; that there was none is success."""
    return {
        "schema": "anyscale-k8s/logout/v1",
        "removed": remove_token(request.home),
        "file": str(credentials_file(request.home)),
        "variable_set": bool(request.environment.get(TOKEN_VARIABLE)),
    }


def fix(request: Request) -> dict[str, Any]:
    """Narrow the modes of the credentials' file and folder."""
    return {
        "schema": "anyscale-k8s/auth-fix/v1",
        "fixed": [str(path) for path in fix_modes(request.home)],
    }


def _account(schema: str, credentials: Credentials, request: Request, run: Run) -> Account:
    with ControlPlane(credentials, run, environ=request.environment) as plane:
        user = Clouds(plane).user()
    return Account(schema, user, credentials.host, credentials.source)

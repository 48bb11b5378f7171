"""Logging in without a token at hand: the person confirms in a browser."""

from __future__ import annotations

from collections.abc import Callable

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.controlplane.client import Call, ControlPlane
from anyscale_k8s_cli.run import StillWaiting

DAY = 24 * 60 * 60
NEVER = 0

# As the vendor's client does it: every 3 s, at most 60 times.
_POLL_SECONDS = 3.0
_PATIENCE_SECONDS = 180.0


def log_in(
    plane: ControlPlane,
    show: Callable[[str], None],
    *,
    lifetime_seconds: int = 7 * DAY,
    patience: float = _PATIENCE_SECONDS,
) -> str:
    """A new token, once the person has confirmed at the address given to `show`.

    `plane` needs no token. `lifetime_seconds` of :data:`NEVER` asks for a token
    that does not expire. Raises `timed-out` when nobody confirms.
    """
    started = plane.result(
        Call(
            "GET",
            "/api/v2/users/create_otp_token",
            query={"duration_seconds": lifetime_seconds},
        )
    )
    show(str(started["url"]))
    poll = Call(
        "GET",
        f"/api/v2/users/request_otp_token/{started['otp']}",
        shown="/api/v2/users/request_otp_token/***",
    )

    def confirmed() -> str:
        answer = plane.result(poll)
        if not answer.get("valid"):
            raise StillWaiting("not confirmed yet")
        return str(answer["server_session_id"])

    return plane.run.wait_for(
        confirmed,
        what="the confirmation in your browser",
        timeout=patience,
        every=_POLL_SECONDS,
        expired=lambda _: errors.CliError(
            errors.TIMED_OUT,
            "Nobody confirmed the login",
            cause=f"waited {patience:.0f} s",
            fix="run the login again, and open the address that it shows",
        ),
    )

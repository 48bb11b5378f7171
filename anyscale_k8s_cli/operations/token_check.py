"""Whether the operator's token is valid, and how long it will be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.traces import operator_key
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, passed
from anyscale_k8s_cli.checks.declared import OPERATOR_TOKEN
from anyscale_k8s_cli.controlplane.failures import ApiFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operator_token import (
    WARNED_BEFORE,
    InstalledTokens,
    OperatorToken,
    SignIn,
    own_token_ends,
)


def rotate_command(install: Install) -> str:
    return f"anyscale cloud rotate-token {install.cloud}"


@dataclass(frozen=True)
class TokenCheck:
    """What the operator signs in with, looked at in the release and at the control plane."""

    sign_in: SignIn
    installed: Callable[[], InstalledTokens]

    def before(self) -> BoundCheck:
        """For a setup: whether there will be a valid token."""
        return OPERATOR_TOKEN.bind(self._foreseen)

    def now(self) -> BoundCheck:
        """For an install that is there."""
        keys = (item.key for item in self.sign_in.removals())
        return OPERATOR_TOKEN.bind(
            self._present, (*keys, operator_key(self.sign_in.install.namespace))
        )

    def _foreseen(self) -> Finding:
        sign_in = self.sign_in
        if sign_in.own:
            return self._of_a_person(own_token_ends(sign_in.accounts))
        longest = sign_in.accounts.longest_days()
        if longest is not None and sign_in.days is not None and sign_in.days > longest:
            return Finding(
                Status.FAIL,
                f"your organisation lets keys live {longest} days at most, and "
                f"{sign_in.days} are asked for",
                fix=f"--token-lifetime {longest}",
            )
        if self.installed().release is None:
            return passed(f"a key for {sign_in.lifetime()} days is made")
        token, why = sign_in.standing(self.installed)
        if token is None:
            return passed(f"the present key is {why}; one for {sign_in.lifetime()} days is made")
        return self._lasting(token)

    def _present(self) -> Finding:
        token = self.installed().release
        if token is None:
            unknown = "the release holds no token that this tool gave it; when it ends is not known"
            return Finding(Status.UNKNOWN, unknown)
        if token.own:
            return self._of_a_person(token.expires_at)
        try:
            found, why = self.sign_in.standing(self.installed)
        except ApiFailure as failure:
            if failure.code is not errors.FORBIDDEN:
                raise
            # Others' keys are told to owners alone; the release says what was meant.
            return self._lasting(token)
        if found is None:
            return Finding(
                Status.FAIL,
                f"the key that the operator signs in with is {why}",
                fix=rotate_command(self.sign_in.install),
            )
        return self._lasting(found)

    def _lasting(self, token: OperatorToken) -> Finding:
        ends = token.expires_at
        if ends is None:
            return Finding(Status.UNKNOWN, "when it expires is not known")
        left = ends - self.sign_in.accounts.plane.server_time()
        if left > WARNED_BEFORE:
            return passed(f"until {ends:%Y-%m-%d}")
        command = rotate_command(self.sign_in.install)
        return Finding(
            Status.WARN, f"it expires on {ends:%Y-%m-%d}; replace it with: {command}", fix=command
        )

    def _of_a_person(self, ends: datetime | None) -> Finding:
        until = (
            f"it expires on {ends:%Y-%m-%d %H:%M} UTC"
            if ends
            else "when it expires is not known; a login lasts 7 days, if nothing else was asked"
        )
        return Finding(
            Status.WARN,
            f"the operator signs in with a person's own token: {until}, and it stops when that "
            "does or its owner leaves",
            fix="run setup without --use-my-token: it makes a service account",
        )

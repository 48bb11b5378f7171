"""What Oracle's services refuse, in their own words and form.

https://docs.oracle.com/iaas/Content/API/References/apierrors.htm
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class Refused(Exception):
    status: int
    code: str
    message: str

    def as_json(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message}


def not_there() -> Refused:
    """Nobody is told whether there is no such thing or one may not see it."""
    return Refused(
        404, "NotAuthorizedOrNotFound", "Authorization failed or requested resource not found."
    )


def not_signed(why: str) -> Refused:
    return Refused(
        401,
        "NotAuthenticated",
        f"The required information to complete authentication was not provided or was "
        f"incorrect. ({why})",
    )


def invalid(message: str) -> Refused:
    return Refused(400, "InvalidParameter", message)


def conflict(code: str, message: str) -> Refused:
    return Refused(409, code, message)


def stale() -> Refused:
    return Refused(412, "NoEtagMatch", "The etag does not match that of the resource.")

"""How the API says no."""

from __future__ import annotations


class Refused(Exception):
    """An answer of google.rpc: `code` is its number, `status` that of HTTP."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def invalid(message: str) -> Refused:
    return Refused(400, 3, message)

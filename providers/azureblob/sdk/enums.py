"""Values of the SDKs' enums, which are texts only as long as the SDK does not know them."""

from __future__ import annotations

from typing import Any


def word(value: Any) -> str:
    """The API's own word."""
    return str(getattr(value, "value", value))

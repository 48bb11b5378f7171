"""The regions that the installed SDK knows. Newer ones than it may exist."""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.session import Session

# Names of the world as a whole are in the list too, such as the one for IAM.
_GLOBAL = "-global"


@cache
def known_regions() -> tuple[str, ...]:
    data: Any = Session().get_data("partitions")
    return tuple(
        name
        for partition in data["partitions"]
        for name in partition["regions"]
        if not name.endswith(_GLOBAL)
    )

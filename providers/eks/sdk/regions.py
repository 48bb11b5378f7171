"""The regions that the installed SDK knows. Newer ones than it may exist."""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.loaders import create_loader

# Names of the world as a whole are in the list too, such as the one for IAM.
_GLOBAL = "-global"


@cache
def known_regions() -> tuple[str, ...]:
    # Not by a session: it would want the profile, which is another question.
    data: Any = create_loader().load_data("partitions")
    return tuple(
        name
        for partition in data["partitions"]
        for name in partition["regions"]
        if not name.endswith(_GLOBAL)
    )

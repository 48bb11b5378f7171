"""Room for what a plan makes: limits that platforms tell, and what is used of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status


@dataclass(frozen=True)
class Room:
    """A limit, what is used of it, and what is needed besides; `what` is its name."""

    what: str
    used: int
    limit: int
    needed: int = 1

    @property
    def enough(self) -> bool:
        # Where there is no limit, some platforms tell -1.
        return self.limit < 0 or self.used + self.needed <= self.limit

    def __str__(self) -> str:
        return f"{self.what}: limit {self.limit}, used {self.used}, needed {self.needed}"


def room(rooms: Sequence[Room], fix: str) -> Finding:
    """Whether quotas have room for what is planned; a failure names those that have not."""
    told = tuple(map(str, rooms))
    short = [str(item) for item in rooms if not item.enough]
    if short:
        return Finding(Status.FAIL, "; ".join(short), told, fix)
    return Finding(Status.PASS, "; ".join(told))


def with_room(
    checks: Iterable[BoundCheck], new: Mapping[str, int], unsure: Collection[str] = ()
) -> Iterator[BoundCheck]:
    """The checks of room for what is new, which is counted by its kind.

    Those of kinds that are all `unsure` warn: what is made may be of another limit.
    """
    for bound in checks:
        adds = bound.check.adds
        count = sum(new.get(kind, 0) for kind in adds)
        if count:
            yield bound if adds <= set(unsure) else bound.for_new(count)

"""What is told of a right that is missing: which one, on what, and how it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anyscale_k8s_cli.checks import Finding, Status, passed


@dataclass(frozen=True)
class Lack:
    """A right that somebody does not have on a thing; `stops` if the command cannot do without."""

    right: str
    thing: str
    stops: bool = True

    def __str__(self) -> str:
        return f"{self.right} on {self.thing}"


@dataclass(frozen=True)
class Asker:
    """Who has been asked about, and the command that prints all that is needed."""

    name: str
    prints: str


def finding(asker: Asker, asked: int, lacks: Sequence[Lack], statement: str) -> Finding:
    """A pass where nothing is missing; `statement` is what an administrator does about it."""
    if not lacks:
        return passed(f"{asker.name}, {asked} permissions")
    stops = any(item.stops for item in lacks)
    return Finding(
        Status.FAIL if stops else Status.WARN,
        f"{asker.name} lacks {len(lacks)} of {asked} permissions"
        + ("" if stops else ", and may go on without"),
        tuple(map(str, lacks)),
        mended(statement, asker.prints),
    )


def mended(statement: str, prints: str) -> str:
    """How whoever may do so gives what is missing, and the way on."""
    return f"{statement}\nthen run the same command again; `{prints}` prints all that it needs"

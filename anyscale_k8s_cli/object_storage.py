"""What is the same for the buckets of all platforms: proof by use, and what is in them.

Belongs here: what asks for objects only by the four verbs below. How a platform
is asked, and what its answers mean, is the provider's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import humanize

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.run import Run

PROOF_KEY = "anyscale-k8s-cli/identity-proof.txt"
PARTS_KEY = "anyscale-k8s-cli/multipart-proof.txt"
# Of each install's own, when one of its pods tries.
POD_KEY = "anyscale-k8s-cli/{name}-{install}.txt"
# What this tool writes in a bucket begins so, or is in a folder that does.
_OWN = "anyscale-k8s-cli"
_CONTENT = (
    b"Written by anyscale-k8s-cli to prove that the operator's identity may use this bucket.\n"
)


class Objects(Protocol):
    """The objects of one bucket, seen as one identity."""

    def put(self, key: str, content: bytes) -> None: ...

    def get(self, key: str) -> bytes: ...

    def keys(self, prefix: str) -> Sequence[str]: ...

    def remove(self, key: str) -> None: ...


class PartedObjects(Objects, Protocol):
    """The same where what is large is written in a way of its own."""

    def put_in_parts(self, key: str, content: bytes) -> None: ...


class Contradiction(Exception):
    """A bucket answered something else than was written to it."""


Step = Callable[[str, Callable[[], Any]], Any]


def round_trip(objects: Objects, step: Step) -> None:
    """Put, get, list and delete one small object.

    `step(verb, call)` makes the call, in the provider's own way of repeating and
    explaining it. Raises what it raises, and :class:`Contradiction`.
    """
    step("put", lambda: objects.put(PROOF_KEY, _CONTENT))
    if step("get", lambda: objects.get(PROOF_KEY)) != _CONTENT:
        raise Contradiction("was read other than written")
    if PROOF_KEY not in step("list", lambda: objects.keys(PROOF_KEY)):
        raise Contradiction("was written and is not listed")
    step("delete", lambda: objects.remove(PROOF_KEY))


@dataclass(frozen=True)
class BucketProof:
    """Uses a bucket as the operator; what was just granted may need `patience` seconds.

    `denied(verb, failure)` is the error for a refusal that lasts; `missing` and `refused`
    say which of the platform's answers are which.
    """

    run: Run
    bucket: str
    patience: float
    denied: Callable[[str, CloudFailure], errors.CliError]
    missing: Callable[[CloudFailure], bool]
    refused: Callable[[CloudFailure], bool] = lambda failure: failure.denied

    def __call__(self, objects: Objects) -> None:
        """Raises `bucket-missing` and `bucket-denied`."""
        try:
            round_trip(objects, self.step)
        except Contradiction as wrong:
            raise errors.CliError(
                errors.BUCKET_DENIED, f"{PROOF_KEY} in the bucket {self.bucket} {wrong}"
            ) from wrong

    def whole_and_in_parts(self, objects: PartedObjects) -> None:
        """The same, and once more as SDKs write what is large."""
        self(objects)
        self.step("put", lambda: objects.put_in_parts(PARTS_KEY, _CONTENT))
        read = self.step("get", lambda: objects.get(PARTS_KEY))
        self.step("delete", lambda: objects.remove(PARTS_KEY))
        if read != _CONTENT:
            wrong = Contradiction("was read other than written in parts")
            raise errors.CliError(
                errors.BUCKET_DENIED, f"{PARTS_KEY} in the bucket {self.bucket} {wrong}"
            ) from wrong

    def step(self, verb: str, call: Callable[[], Any]) -> Any:
        """One call of a proof, in the same way of repeating and explaining it."""
        try:
            return self.run.retry(
                call,
                retriable=lambda problem: isinstance(problem, CloudFailure) and problem.denied,
                what=f"the operator to be let into the bucket {self.bucket} ({verb})",
                timeout=self.patience,
            )
        except CloudFailure as failure:
            if self.missing(failure):
                raise errors.CliError(
                    errors.BUCKET_MISSING,
                    f"There is no bucket {self.bucket}",
                    evidence=failure.evidence,
                    fix="run setup again: it makes the bucket anew",
                ) from failure
            if not self.refused(failure):
                raise
            raise self.denied(verb, failure) from failure


@dataclass
class Tally:
    """What a bucket holds, counted; `size` in bytes. `own` are what this tool itself has left."""

    versions: int = 0
    size: int = 0
    own: int = 0

    def add(self, key: str, size: int) -> None:
        self.versions += 1
        self.size += size
        self.own += any(part.startswith(_OWN) for part in key.split("/"))

    def __str__(self) -> str:
        told = summary(self.versions, self.size)
        if not self.own:
            return told
        alone = self.own == self.versions
        return (
            f"nothing but this tool's own proofs: {told}"
            if alone
            else f"{told}, {self.own:,} of them this tool's own proofs"
        )


def summary(versions: int, size: int) -> str:
    """What a bucket holds, for people; `size` in bytes."""
    return f"{versions:,} object versions, {humanize.naturalsize(size, binary=True)}"

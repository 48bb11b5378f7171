"""Checks of a store before anything is made: each thing that it may refuse has its own.

They only read. What only a write can show is shown by the bucket's proof by use, with
the same codes, before anything is registered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from anyscale_k8s_cli.checks import Check, Finding, Severity, Status, passed
from anyscale_k8s_cli.errors import CliError, ErrorCode
from anyscale_k8s_cli.providers.objectstore import codes, cors, probe
from anyscale_k8s_cli.providers.objectstore.sdk.client import S3
from anyscale_k8s_cli.spec import Addressing

_TITLES = {
    codes.STORE_UNREACHABLE: "The object store can be reached from here",
    codes.STORE_KEYS_DENIED: "The object store takes the keys",
    codes.STORE_SIGNING_REGION: "The object store takes signatures for the region",
    codes.STORE_PATH_STYLE_REFUSED: "The object store takes buckets named by paths",
    codes.STORE_VIRTUAL_HOST_REFUSED: "The object store takes buckets named by hosts",
    codes.STORE_CHECKSUM_REFUSED: "The object store takes the checksums that are sent",
}
_STYLES = {
    Addressing.PATH: codes.STORE_PATH_STYLE_REFUSED,
    Addressing.VIRTUAL: codes.STORE_VIRTUAL_HOST_REFUSED,
}


def checks(
    s3: S3, bucket: str, origin: str, *, known: Callable[[], bool] = lambda: True
) -> list[Check]:
    """For the store's settings and keys. `known` is False while the keys are still to be made."""
    asked = _Once(lambda: probe.look(s3, bucket))
    style = _STYLES[s3.store.addressing]
    wanted = [
        codes.STORE_UNREACHABLE,
        codes.STORE_KEYS_DENIED,
        codes.STORE_SIGNING_REGION,
        style,
        codes.STORE_CHECKSUM_REFUSED,
    ]

    def answer(code: ErrorCode) -> Finding:
        if not known():
            return Finding(Status.UNKNOWN, "its keys are still to be made")
        problem = asked.problem()
        if problem is None:
            return passed(f"{s3.store.title}, {s3.store.addressing} style, {s3.store.region}")
        if problem.code is code:
            return Finding(Status.FAIL, str(problem), problem.evidence, problem.fix)
        if problem.code in wanted or code is not codes.STORE_KEYS_DENIED:
            return Finding(Status.UNKNOWN, f"not answered: {problem.message}")
        # A refusal that nobody foresaw must not go under.
        return Finding(Status.FAIL, str(problem), problem.evidence, problem.fix)

    def of(code: ErrorCode) -> Check:
        return Check(code.slug, _TITLES[code], lambda: answer(code), error=code)

    return [*(of(code) for code in wanted), _cors(s3, bucket, origin, known)]


def _cors(s3: S3, bucket: str, origin: str, known: Callable[[], bool]) -> Check:
    def run() -> Finding:
        what = "the console cannot show logs and files from the bucket in a browser"
        if not s3.store.has_cors:
            return Finding(Status.WARN, f"{s3.store.title} has no CORS call: {what}")
        if not known():
            return Finding(Status.UNKNOWN, "its keys are still to be made")
        if not s3.exists(bucket):
            return passed("the bucket is still to be made")
        if s3.cors(bucket) is None:
            return Finding(
                Status.WARN,
                f"{s3.store.title} answers that it has no CORS call: {what}",
                fix="let the console in by the store's own means, if it has any; elsewhere it is "
                + cors.by_hand(s3.store, bucket, origin),
            )
        return passed()

    title = "The object store lets a browser in (CORS)"
    return Check("store-cors-unsupported", title, run, Severity.WARNING)


class _Once:
    """Asks at the first question, and tells everybody the same."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._answered = False
        self._problem: CliError | None = None

    def problem(self) -> CliError | None:
        with self._lock:
            if not self._answered:
                try:
                    self._ask()
                except CliError as problem:
                    if problem.exit_code >= 100:  # interrupted: nobody knows
                        raise
                    self._problem = problem
                self._answered = True
            return self._problem

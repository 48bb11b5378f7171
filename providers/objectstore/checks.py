"""Checks of a store before anything is made: each thing that it may refuse has its own.

They only read. What only a write can show is shown by the bucket's proof by use, with
the same codes, before anything is registered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, passed, problem_of
from anyscale_k8s_cli.errors import CliError, ErrorCode
from anyscale_k8s_cli.parallel import Once
from anyscale_k8s_cli.providers.objectstore import codes, cors, declared, probe
from anyscale_k8s_cli.providers.objectstore.asked import failed, unanswered
from anyscale_k8s_cli.providers.objectstore.sdk.client import S3
from anyscale_k8s_cli.spec import Addressing


def checks(
    s3: S3, bucket: str, origin: str, *, known: Callable[[], bool] = lambda: True
) -> list[BoundCheck]:
    """For the store's settings and keys. `known` is False while the keys are still to be made."""
    asked = _Asked(s3, Once(lambda: probe.look(s3, bucket)), known)
    style = (
        declared.STORE_PATH_STYLE_REFUSED.bind(partial(asked.about, codes.STORE_PATH_STYLE_REFUSED))
        if s3.store.addressing is Addressing.PATH
        else declared.STORE_VIRTUAL_HOST_REFUSED.bind(
            partial(asked.about, codes.STORE_VIRTUAL_HOST_REFUSED)
        )
    )
    return [
        declared.STORE_UNREACHABLE.bind(partial(asked.about, codes.STORE_UNREACHABLE)),
        declared.STORE_KEYS_DENIED.bind(asked.about_the_rest),
        declared.STORE_SIGNING_REGION.bind(partial(asked.about, codes.STORE_SIGNING_REGION)),
        style,
        declared.STORE_CHECKSUM_REFUSED.bind(partial(asked.about, codes.STORE_CHECKSUM_REFUSED)),
        declared.STORE_CORS_UNSUPPORTED.bind(lambda: asked.about_cors(bucket, origin)),
    ]


_OWN_CHECK = frozenset(
    {
        codes.STORE_UNREACHABLE,
        codes.STORE_SIGNING_REGION,
        codes.STORE_PATH_STYLE_REFUSED,
        codes.STORE_VIRTUAL_HOST_REFUSED,
        codes.STORE_CHECKSUM_REFUSED,
    }
)


@dataclass(frozen=True)
class _Asked:
    """What the store's one answer means for each check."""

    s3: S3
    once: Once[Any]
    known: Callable[[], bool]

    def about(self, code: ErrorCode) -> Finding:
        problem = self._problem()
        if not isinstance(problem, CliError):
            return problem
        if problem.code is code:
            return failed(problem)
        return unanswered(problem)

    def about_the_rest(self) -> Finding:
        """The keys, and any refusal that nobody foresaw: none must go under."""
        problem = self._problem()
        if not isinstance(problem, CliError):
            return problem
        if problem.code in _OWN_CHECK:
            return unanswered(problem)
        return failed(problem)

    def about_cors(self, bucket: str, origin: str) -> Finding:
        store = self.s3.store
        what = "the console cannot show logs and files from the bucket in a browser"
        if not store.has_cors:
            return Finding(Status.WARN, f"{store.title} has no CORS call: {what}")
        problem = self._problem()
        if isinstance(problem, CliError):
            return unanswered(problem)
        if problem.status is Status.UNKNOWN:
            return problem
        if not self.s3.exists(bucket):
            return passed("the bucket is still to be made")
        if self.s3.cors(bucket) is None:
            return Finding(
                Status.WARN,
                f"{store.title} answers that it has no CORS call: {what}",
                fix="let the console in by the store's own means, if it has any; elsewhere it is\n"
                + cors.by_hand(store, bucket, origin),
            )
        return passed()

    def _problem(self) -> CliError | Finding:
        """What the store refused; a finding that fits every check if that is nothing."""
        if not self.known():
            return Finding(Status.UNKNOWN, "its keys are still to be made")
        store = self.s3.store
        problem = problem_of(self.once)
        return problem or passed(f"{store.title}, {store.addressing} style, {store.region}")

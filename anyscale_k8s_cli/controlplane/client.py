"""One call to the control plane: authentication, envelope, retries, errors.

The operations are in `clouds.py` and its neighbours; this module knows paths
only as strings. Sources of the rules: the vendor's client and its API.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from importlib import metadata
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from anyscale_k8s_cli.controlplane import transport
from anyscale_k8s_cli.controlplane.credentials import Credentials
from anyscale_k8s_cli.controlplane.failures import ApiFailure, Failures
from anyscale_k8s_cli.events import StepWaiting
from anyscale_k8s_cli.run import Run, current_step

# We call ourselves by our own name: a rule for the versions of the vendor's
# client must not apply to ours.
CLIENT_NAME = "anyscale-k8s-cli"

MAX_RETRIES = 3
MAX_RETRY_AFTER = 120.0
PAGE_SIZE = 100
# A server that hands out tokens for ever must not keep us for ever.
_MAX_PAGES = 10_000

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_PASSING = frozenset({500, 502, 503, 504})
_HONOURS_RETRY_AFTER = frozenset({413, 429, 503})
_NO_RATE_LIMIT_RETRIES = "ANYSCALE_DISABLE_RATE_LIMIT_RETRIES"

Json = Any
S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True)
class Call:
    """A request; `shown` replaces the path in events and errors where it holds a secret."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Json = None
    repeatable: bool | None = None
    read_timeout: float | None = None
    shown: str = ""

    @property
    def title(self) -> str:
        return f"{self.method} {self.shown or self.path}"

    @property
    def may_repeat(self) -> bool:
        return self.method in _IDEMPOTENT if self.repeatable is None else self.repeatable


class ControlPlane:
    """The API of one control plane for one user; safe to use from several threads.

    `environ` is read for certificate bundles and the retry switch; proxies are
    taken from the process's environment, as everywhere.
    """

    def __init__(
        self,
        credentials: Credentials,
        run: Run,
        *,
        environ: Mapping[str, str] | None = None,
        limits: transport.Limits | None = None,
    ) -> None:
        self.credentials = credentials
        self.run = run
        self.failures = Failures(credentials)
        environ = os.environ if environ is None else environ
        self.limits = limits or transport.Limits()
        self.context = transport.trust(environ)
        self._http = transport.open_client(self.context, self.limits)
        self._version = metadata.version("anyscale-k8s-cli")
        self._repeat_rate_limited = environ.get(_NO_RATE_LIMIT_RETRIES) != "1"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    @property
    def host(self) -> str:
        return self.credentials.host

    def result(self, call: Call) -> Json:
        """The `result` of the answer; raises :class:`ApiFailure`."""
        content = self.send(call)
        if not isinstance(content, dict) or "result" not in content:
            raise self.failures.strange(call.title, "the answer holds no 'result'")
        return content["result"]

    def results(self, call: Call, *, page_size: int = PAGE_SIZE) -> Iterator[Json]:
        """The `results` of every page."""
        query: dict[str, Any] = {**call.query, "count": page_size}
        for _ in range(_MAX_PAGES):
            page = Call(call.method, call.path, query, call.body, call.repeatable)
            content = self.send(page)
            if not isinstance(content, dict) or not isinstance(content.get("results"), list):
                raise self.failures.strange(call.title, "the answer holds no 'results'")
            yield from content["results"]
            token = (content.get("metadata") or {}).get("next_paging_token")
            if not token:
                return
            query["paging_token"] = token
        raise self.failures.strange(call.title, f"the list did not end after {_MAX_PAGES} pages")

    def shaped(self, shape: type[S], found: Json) -> S:
        """What was answered, as a shape; raises :class:`ApiFailure` where it does not fit."""
        try:
            return shape.model_validate(found)
        except ValidationError as unfit:
            fields = sorted(
                {".".join(str(part) for part in item["loc"]) for item in unfit.errors()}
            )
            reason = f"a {shape.__name__} lacks or misuses: {', '.join(fields)}"
            raise self.failures.strange(f"a {shape.__name__}", reason) from None

    def server_time(self) -> datetime:
        """The control plane's clock, to a second: times it reports compare with no other."""
        call = Call("GET", "/api/v2/health/")
        date = self._respond(call).headers.get("date", "")
        try:
            return parsedate_to_datetime(date)
        except ValueError:
            raise self.failures.strange(call.title, "the answer has no date") from None

    def send(self, call: Call) -> Json:
        """The decoded answer (None when it has no body), repeated where that is safe."""
        response = self._respond(call)
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            kind = response.headers.get("content-type", "no content type")
            reason = f"the answer is no JSON but {kind}; is {self.host} a console?"
            raise self.failures.strange(call.title, reason) from None

    def _respond(self, call: Call) -> httpx.Response:
        with self.run.asking(self.host):
            return self._repeated(call)

    def _repeated(self, call: Call) -> httpx.Response:
        for attempt in range(MAX_RETRIES + 1):
            self.run.check()
            try:
                return self._once(call)
            except ApiFailure as failure:
                pause = self._pause_before_retry(call, failure, attempt)
                if pause is None:
                    raise
                seen = f"{failure.cause}; trying again in {pause:.0f} s"
            what = "the Anyscale control plane"
            self.run.emit(StepWaiting(key=current_step.get(), what=what, detail=seen))
            self.run.pause(pause)
        raise AssertionError("the last attempt returns or raises")

    def _once(self, call: Call) -> httpx.Response:
        request = self._http.build_request(
            call.method,
            self.host + call.path,
            params={name: value for name, value in call.query.items() if value is not None},
            json=call.body,
            headers=self._headers(),
            timeout=self.limits.with_read(call.read_timeout),
        )
        try:
            response = transport.exchange(
                self._http,
                request,
                self.run,
                service="anyscale",
                call=call.title,
                grace=self.limits.grace,
            )
        except httpx.HTTPError as failure:
            raise self.failures.unreachable(call.title, failure) from failure
        if not response.is_success:
            raise self.failures.refusal(call.title, response)
        return response

    def _headers(self) -> dict[str, str]:
        headers = {
            "Accept": "application/json",
            "User-Agent": f"{CLIENT_NAME}/{self._version}",
            "X-Anyscale-Client": CLIENT_NAME,
            "X-Anyscale-Client-Version": self._version,
        }
        if self.credentials.token:
            headers["Authorization"] = f"Bearer {self.credentials.token}"
        return headers

    def _pause_before_retry(self, call: Call, failure: ApiFailure, attempt: int) -> float | None:
        """Seconds to wait before the next attempt; None when there is to be none."""
        if attempt >= MAX_RETRIES or not call.may_repeat:
            return None
        if failure.status == 429 and not self._repeat_rate_limited:
            return None
        if failure.status in _HONOURS_RETRY_AFTER and failure.retry_after is not None:
            return min(failure.retry_after, MAX_RETRY_AFTER)
        if failure.status == 0 or failure.status in _PASSING:
            jitter = random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            return float(self.limits.backoff * jitter * 2**attempt)
        return None

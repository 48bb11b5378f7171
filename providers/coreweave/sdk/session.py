"""One client for CoreWeave's API: its limits, its retries, and a report of each call."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx

from anyscale_k8s_cli import tool_version
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.providers.coreweave.sdk import failures, whereabouts
from anyscale_k8s_cli.providers.federation.sdk.session import trust
from anyscale_k8s_cli.run import Run

Json = dict[str, Any]

_LIMITS = httpx.Timeout(connect=5.0, read=30.0, write=10.0, pool=10.0)
_BUSY = (failures.UNAVAILABLE, failures.THROTTLED, "INTERNAL", "HTTP_502", "HTTP_504")
_BUSY_SECONDS = 15.0


class Session:
    """Safe for threads. The token is looked for at the first call."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def ask(
        self, what: str, method: str, path: str, body: Json | None = None, *, once: bool = False
    ) -> Json:
        """The answer; `what` is the right that the call takes. Raises `CloudFailure`.

        Repeated while CoreWeave is busy or silent. `once` is for what must not be done twice.
        """
        if once:
            return self._call(what, method, path, body)
        return self.run.retry(
            lambda: self._call(what, method, path, body),
            retriable=lambda problem: (
                isinstance(problem, CloudFailure) and problem.api_code in _BUSY
            ),
            what=what,
            timeout=_BUSY_SECONDS,
        )

    def find(self, what: str, method: str, path: str, body: Json | None = None) -> Json | None:
        """The same; None when CoreWeave says that there is no such thing."""
        try:
            return self.ask(what, method, path, body)
        except CloudFailure as failure:
            if failure.api_code == failures.ABSENT:
                return None
            raise

    def _call(self, what: str, method: str, path: str, body: Json | None) -> Json:
        self.run.check()
        started, status = time.monotonic(), ""
        try:
            answer = self._http.request(method, path, json=body)
            status = str(answer.status_code)
        except httpx.HTTPError as problem:
            status = type(problem).__name__
            raise failures.unreachable(str(problem) or status, what) from problem
        finally:
            seconds = time.monotonic() - started
            self.run.emit(CallMade(service="coreweave", call=what, status=status, seconds=seconds))
        content = _json(answer)
        if answer.is_success and isinstance(content, dict):
            return content
        raise failures.of_answer(answer.status_code, content, what)

    @property
    def _http(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                # No redirect is followed: the token must not travel to another host.
                self._client = httpx.Client(
                    base_url=whereabouts.api(),
                    headers={
                        "Authorization": f"Bearer {whereabouts.token()}",
                        "User-Agent": f"anyscale-k8s-cli/{tool_version()}",
                    },
                    verify=trust(),
                    timeout=_LIMITS,
                    follow_redirects=False,
                )
            return self._client


def _json(answer: httpx.Response) -> object:
    try:
        return answer.json()
    except ValueError:
        return None

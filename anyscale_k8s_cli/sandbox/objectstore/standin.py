"""The store as the supervisor holds it: start, stop, and how clients find it."""

from __future__ import annotations

from aiohttp import web

from anyscale_k8s_cli.sandbox.objectstore.api import browser_headers, perform
from anyscale_k8s_cli.sandbox.objectstore.errors import S3Error
from anyscale_k8s_cli.sandbox.objectstore.requests import S3Request, admit
from anyscale_k8s_cli.sandbox.objectstore.state import ObjectStore
from anyscale_k8s_cli.sandbox.signature import BadSignature
from anyscale_k8s_cli.sandbox.wire import Operation, Refusal, Wire

_HOST = "127.0.0.1"
_LARGEST = 64 * 1024 * 1024
_S3 = web.RequestKey("s3", S3Request)


class ObjectStoreStandIn:
    """Serves one store on loopback, plain HTTP, until stopped.

    `service` is its name in the wire's record. At its address buckets are named by
    path; used as a proxy for `http://<store.host>`, it serves virtual hosts as well.
    """

    def __init__(self, wire: Wire, store: ObjectStore, service: str = "objectstore") -> None:
        self.store = store
        self._wire = wire
        self._service = service
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self._port}"

    async def start(self) -> None:
        """Listen on a free port; returns once it answers."""
        application = web.Application(
            middlewares=[self._wire.middleware(self._classify, _refused)],
            client_max_size=_LARGEST,
        )
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, 0).start()
        self._port = int(self._runner.addresses[-1][1])

    async def stop(self) -> None:
        """Stop listening; repeated calls do nothing."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _classify(self, request: web.Request) -> Operation:
        asked = request[_S3] = await S3Request.of(request, self.store)
        try:
            signature = asked.signature
        except BadSignature:
            signature = None
        return Operation(
            service=self._service,
            name=asked.operation or f"{asked.method} {request.path}",
            write=asked.writes,
            principal=signature.access_key if signature else "",
            resource="/".join(part for part in (asked.bucket, asked.key) if part),
        )

    async def _handle(self, request: web.Request) -> web.Response:
        asked = request[_S3]
        headers = browser_headers(asked, self.store)
        try:
            if asked.method != "OPTIONS":
                admit(asked, self.store)
            answer = perform(asked, self.store)
        except S3Error as refused:
            body = b"" if asked.method == "HEAD" else refused.body()
            return _response(refused.status, body, {"Content-Type": "application/xml", **headers})
        return _response(answer.status, answer.body, {**answer.headers, **headers})


def _response(status: int, body: bytes, headers: dict[str, str]) -> web.Response:
    return web.Response(status=status, body=body, headers=headers)


def _refused(refusal: Refusal) -> web.Response:
    """An injected fault as S3 would word it."""
    status, code = refusal.status, refusal.code
    if code == "Throttling":
        status, code = 503, "SlowDown"
    body = S3Error(status, code, refusal.message).body()
    return _response(status, body, {"Content-Type": "application/xml"})

"""A server on a free port of loopback, over TLS."""

from __future__ import annotations

from aiohttp import web

from anyscale_k8s_cli.sandbox.tls import Authority

_HOST = "127.0.0.1"
_SHUTDOWN = 0.2


class Listener:
    """One application while it is served; all calls belong to one event loop."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, application: web.Application) -> None:
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN)
        await self._runner.setup()
        context = self._authority.server_context()
        site = web.TCPSite(self._runner, _HOST, 0, ssl_context=context)
        await site.start()
        self.url = f"https://{_HOST}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Repeated calls do nothing."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

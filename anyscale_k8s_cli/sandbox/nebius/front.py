"""The gRPC server's front: who is calling, may they, the record, the faults, the answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc

from anyscale_k8s_cli.sandbox.nebius import refusals
from anyscale_k8s_cli.sandbox.nebius.api import Call, Method
from anyscale_k8s_cli.sandbox.nebius.refusals import Refused
from anyscale_k8s_cli.sandbox.nebius.tenant import Tenant
from anyscale_k8s_cli.sandbox.wire import FaultRule, Operation, Wire

SERVICE = "nebius"
_DETAILS = "grpc-status-details-bin"
_BEARER = "Bearer "


@dataclass
class Front(grpc.GenericRpcHandler):
    """Answers calls by their full names, with the SDK's own messages."""

    tenant: Tenant
    wire: Wire
    methods: Mapping[str, Method]
    lock: threading.RLock = field(default_factory=threading.RLock)

    def service(self, handler_call_details: Any) -> Any:
        from nebius.base.protos.dynamic import REGISTRY

        full = str(handler_call_details.method).lstrip("/")
        service, _, name = full.partition("/")
        known = self.methods.get(full)
        if known is None:
            return None
        descriptor = REGISTRY.service_descriptor(service).methods_by_name[name]

        async def answer(request: Any, context: Any) -> Any:
            return await self._answer(full, known, request, context)

        return grpc.unary_unary_rpc_method_handler(  # type: ignore[no-untyped-call]
            answer,
            request_deserializer=REGISTRY.message_class(descriptor.input_type.full_name).FromString,
        )

    async def _answer(self, full: str, method: Method, request: Any, context: Any) -> Any:
        caller, refused = "", None
        try:
            caller = self._caller(method, context)
        except Refused as problem:
            refused = problem
        operation = Operation(
            SERVICE, full, method.write, self._name(caller), method.resource(request)
        )
        rule = self.wire.fault(operation)
        code = grpc.StatusCode.UNKNOWN
        try:
            if rule and not rule.strikes_after:
                await self._strike(rule)
            if refused is not None:
                raise refused
            with self.lock:
                if method.permission:
                    self.tenant.check(caller, method.permission, method.about(request))
                # Shown as it is now, whatever happens to it until it is sent.
                shown = method.answer(Call(request, caller)).SerializeToString()
            if rule and rule.strikes_after:
                await self._strike(rule)
            code = grpc.StatusCode.OK
            return shown
        except Refused as problem:
            code = problem.code
            context.set_trailing_metadata(((_DETAILS, refusals.details(problem)),))
            return await context.abort(problem.code, problem.message)
        finally:
            status = 0 if rule and rule.drops else refusals.HTTP_STATUS.get(code, 500)
            self.wire.record(operation, "POST", f"/{full}", status)

    async def _strike(self, rule: FaultRule) -> None:
        """Raises what the fault asks for. A connection that drops is told of as clients see it."""
        try:
            refusal = await asyncio.to_thread(self.wire.strike, rule)
        except ConnectionResetError as dropped:
            raise Refused(grpc.StatusCode.UNAVAILABLE, "connection reset by peer") from dropped
        if refusal is not None:
            raise Refused(refusals.code_of(refusal.status), refusal.message)

    def _caller(self, method: Method, context: Any) -> str:
        if method.anonymous:
            return ""
        metadata = dict(context.invocation_metadata() or ())
        header = str(metadata.get("authorization", ""))
        if not header.startswith(_BEARER):
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, "The request has no token")
        with self.lock:
            return self.tenant.tokens.subject(header.removeprefix(_BEARER))

    def _name(self, caller: str) -> str:
        account = self.tenant.accounts.items.get(caller)
        return str(account.metadata.name) if account is not None else caller

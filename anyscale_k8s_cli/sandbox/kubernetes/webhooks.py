"""Webhooks that judge what clients write, by the failure policy of each.

Those with a URL are asked over HTTP. One that names a Service cannot be, since
pods have no network here: it agrees as long as a pod behind the Service is ready,
and cannot be called else, as in life. Nothing is changed on the way.
"""

from __future__ import annotations

import base64
import binascii
import ssl
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError, bad_request
from anyscale_k8s_cli.sandbox.kubernetes.objects import dig, labels_of, name_of, namespace_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.rules import applies, selects
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.users import User
from anyscale_k8s_cli.sandbox.tls import Authority

_GROUP = "admissionregistration.k8s.io"
_KINDS = (f"mutatingwebhookconfigurations.{_GROUP}", f"validatingwebhookconfigurations.{_GROUP}")
_SECONDS = 10
# Those that may be asked about what is not going to be done.
_HARMLESS = ("None", "NoneOnDryRun")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write that is about to be done: `operation` is CREATE, UPDATE or DELETE."""

    operation: str
    resource: Resource
    new: Object | None
    old: Object | None
    user: User
    dry_run: bool

    @property
    def shown(self) -> list[Object]:
        return [found for found in (self.new, self.old) if found is not None]

    @property
    def subject(self) -> Object:
        return self.new or self.old or {"metadata": {}}


class _NotCalled(Exception):
    """A webhook gave no answer; the text is the reason."""


@dataclass(frozen=True)
class Webhooks:
    """What is registered in the store. `authority` is trusted besides each one's own bundle."""

    store: Store
    authority: Authority

    def concern(self, resource: Resource, operation: str) -> bool:
        """Whether any webhook wants to hear of such writes at all."""
        return any(_wants(hook, resource, operation) for hook in self._registered(resource))

    async def judge(self, attempt: Attempt) -> None:
        """Raises the ApiError of the first webhook that says no, or of one that must answer."""
        for hook in self._registered(attempt.resource):
            if not _wants(hook, attempt.resource, attempt.operation):
                continue
            if not selects(self.store, hook, attempt.resource, attempt.shown):
                continue
            if attempt.dry_run and hook.get("sideEffects") not in _HARMLESS:
                raise bad_request(f'admission webhook "{hook["name"]}" does not support dry run')
            try:
                await self._call(hook, attempt)
            except _NotCalled as failure:
                if hook.get("failurePolicy", "Fail") == "Fail":
                    message = f'failed calling webhook "{hook["name"]}": {failure}'
                    raise ApiError(
                        500, "InternalError", f"Internal error occurred: {message}"
                    ) from failure

    def _registered(self, resource: Resource) -> Iterator[Object]:
        # What registers webhooks is never shown to one, so that a bad one can be removed.
        if resource.group == _GROUP:
            return
        for kind in _KINDS:
            for configuration in self.store.items(kind):
                yield from configuration.get("webhooks") or ()

    async def _call(self, hook: Object, attempt: Attempt) -> None:
        config = hook["clientConfig"]
        if service := config.get("service"):
            self._check_service(service)
            return
        seconds = int(hook.get("timeoutSeconds") or _SECONDS)
        url = f"{config['url']}?timeout={seconds}s"
        try:
            answer = await self._post(url, config.get("caBundle"), _review(attempt), seconds)
            response = answer["response"]
            allowed = bool(response["allowed"])
        except (TimeoutError, aiohttp.ClientError, OSError) as problem:
            told = str(problem) or "context deadline exceeded"
            raise _NotCalled(f'failed to call webhook: Post "{url}": {told}') from problem
        except (ValueError, KeyError, TypeError) as problem:
            raise _NotCalled("expected response.allowed in an AdmissionReview") from problem
        if not allowed:
            raise _denial(hook, response.get("status") or {})

    def _check_service(self, service: Object) -> None:
        namespace, name = service["namespace"], service["name"]
        found = self.store.find("services", namespace, name)
        what = f'Post "https://{name}.{namespace}.svc:{service.get("port", 443)}"'
        if found is None:
            raise _NotCalled(f'failed to call webhook: {what}: service "{name}" not found')
        selector = dig(found, "spec", "selector") or {}
        pods = self.store.items("pods", namespace)
        if not any(selector.items() <= labels_of(pod).items() and _ready(pod) for pod in pods):
            why = f'no endpoints available for service "{name}"'
            raise _NotCalled(f"failed to call webhook: {what}: {why}")

    async def _post(self, url: str, bundle: str | None, review: Object, seconds: int) -> Any:
        timeout = aiohttp.ClientTimeout(total=seconds)
        connector = aiohttp.TCPConnector(ssl=self._trust(bundle))
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
            http.post(url, json=review) as answer,
        ):
            answer.raise_for_status()
            return await answer.json(content_type=None)

    def _trust(self, bundle: str | None) -> ssl.SSLContext:
        context = self.authority.client_context()
        if bundle:
            try:
                context.load_verify_locations(cadata=base64.b64decode(bundle).decode())
            except (binascii.Error, ValueError, ssl.SSLError) as problem:
                raise _NotCalled("unable to load root certificates") from problem
        return context


def _wants(hook: Object, resource: Resource, operation: str) -> bool:
    return any(applies(rule, resource, operation) for rule in hook.get("rules") or ())


def _ready(pod: Object) -> bool:
    conditions = dig(pod, "status", "conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _review(attempt: Attempt) -> Object:
    resource, subject = attempt.resource, attempt.subject
    place = {"group": resource.group, "version": resource.version}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": str(uuid.uuid4()),
            "kind": {**place, "kind": resource.kind},
            "resource": {**place, "resource": resource.plural},
            "name": name_of(subject),
            "namespace": namespace_of(subject),
            "operation": attempt.operation,
            "userInfo": attempt.user.as_info(),
            "object": attempt.new,
            "oldObject": attempt.old,
            "dryRun": attempt.dry_run,
        },
    }


def _denial(hook: Object, status: Object) -> ApiError:
    said = status.get("message") or status.get("reason")
    message = f'admission webhook "{hook["name"]}" denied the request'
    message += f": {said}" if said else " without explanation"
    return ApiError(int(status.get("code") or 400), str(status.get("reason") or ""), message)

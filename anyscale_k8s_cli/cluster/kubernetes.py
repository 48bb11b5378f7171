"""A thin client for any Kubernetes API: plain documents, by apiVersion and kind.

Nothing here knows what we install. Objects are dictionaries as the API gives
them; a list's items carry their apiVersion and kind.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.removal import gone, stuck
from anyscale_k8s_cli.cluster.service_account_tokens import Issuer
from anyscale_k8s_cli.cluster.transport import KubernetesError, Request, Transport
from anyscale_k8s_cli.cluster.watching import Watched, Watcher
from anyscale_k8s_cli.install import MANAGED_BY
from anyscale_k8s_cli.run import Run

FIELD_MANAGER = MANAGED_BY
PAGE = 500
# https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_KEY_SET = "application/jwk-set+json,application/json"
_AUTHORIZATION = "authorization.k8s.io/v1"

T = TypeVar("T")


@dataclass(frozen=True)
class KindInfo:
    """How the API serves a kind."""

    plural: str
    namespaced: bool


class Kubernetes:
    """One cluster's API. Safe for threads.

    Every verb raises `KubernetesError` with one of `cluster-unreachable`,
    `cluster-unauthenticated`, `cluster-forbidden` and `cluster-failed`.
    """

    def __init__(self, access: ClusterAccess, run: Run) -> None:
        self.access = access
        self._run = run
        self._transport = Transport(access, run)
        self._watcher = Watcher(self._transport, run)
        self._lock = threading.Lock()
        self._kinds: dict[str, dict[str, KindInfo]] = {}
        self._uid = ""

    # What is there

    def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> Document | None:
        """The object, or None when there is no such object or kind."""
        path = self._path(api_version, kind, namespace, name)
        return None if path is None else self._read(Request("GET", path))

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        metadata_only: bool = False,
    ) -> Documents:
        """All objects of a kind, in all namespaces when none is given; none of a missing kind.

        `metadata_only` asks for what may be long elsewhere: the items have nothing else.
        """
        path = self._path(api_version, kind, namespace)
        if path is None:
            return []
        query = _selectors(label_selector, field_selector) | {"limit": str(PAGE)}
        accept = _METADATA_ONLY if metadata_only else "application/json"
        try:
            items = self._pages(path, query, accept)
        except KubernetesError as problem:
            # The pages lasted longer than the server remembers their version.
            if problem.status != 410:
                raise
            del query["limit"]
            items = self._pages(path, query, accept)
        for item in items:
            item |= {"apiVersion": api_version, "kind": kind}
        return items

    def _pages(self, path: str, query: Mapping[str, str], accept: str) -> Documents:
        items: Documents = []
        following = ""
        while True:
            asked = {**query, "continue": following} if following else dict(query)
            page = self._read(Request("GET", path, asked, accept=accept)) or {}
            items += page.get("items") or []
            following = page.get("metadata", {}).get("continue") or ""
            if not following:
                return items

    def serves(self, api_version: str, kind: str) -> bool:
        """Whether the API knows the kind (a CRD may be missing)."""
        return self._kind(api_version, kind) is not None

    def placed(self, reference: Reference) -> Reference:
        """The reference without a namespace where the kind has none."""
        known = self._kind(reference.api_version, reference.kind)
        if known is None or known.namespaced or reference.namespace is None:
            return reference
        return replace(reference, namespace=None)

    def version(self) -> str:
        """The server's own version without its `v`: `1.31.4-eks-2d5f260`."""
        answer = self._read(Request("GET", "/version")) or {}
        return str(answer.get("gitVersion", "")).removeprefix("v")

    def uid(self) -> str:
        """The UID of `kube-system`: another cluster under the same name has another."""
        if not self._uid:
            namespace = self.get("v1", "Namespace", "kube-system")
            if namespace is None:
                raise errors.CliError(
                    errors.CLUSTER_FAILED,
                    "The cluster has no namespace kube-system",
                    cause="what answers is no complete Kubernetes cluster",
                )
            self._uid = str(namespace["metadata"]["uid"])
        return self._uid

    def issuer(self) -> Issuer:
        """Who signs the tokens of service accounts.

        https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery
        """
        told = self._read(Request("GET", "/.well-known/openid-configuration")) or {}
        # The server gives these in no other type.
        keys = self._read(Request("GET", "/openid/v1/jwks", accept=_KEY_SET)) or {}
        return Issuer(
            str(told.get("issuer", "")),
            frozenset(str(key["kid"]) for key in keys.get("keys") or () if key.get("kid")),
        )

    def pod_log(
        self,
        namespace: str,
        pod: str,
        *,
        container: str | None = None,
        tail: int = 20,
        previous: bool = False,
    ) -> str:
        """The last lines of a container's log; empty when there is none (yet)."""
        query = {"tailLines": str(tail)}
        if container:
            query["container"] = container
        if previous:
            query["previous"] = "true"
        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/log"
        try:
            answer = self._transport.send(Request("GET", path, query, accept="*/*"))
        except KubernetesError as problem:
            # 400: the container has not started.
            if problem.status in (400, 404):
                return ""
            raise
        return answer.decode("utf-8", "replace")

    def pod_page(self, namespace: str, pod: str, port: int, path: str) -> Any:
        """The JSON that a pod answers at a port, fetched through the API server."""
        at = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}:{port}/proxy/{path}"
        return json.loads(self._transport.send(Request("GET", at)))

    # Changes

    def create(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> Document:
        """Make an object; an existing one is a `KubernetesError` with reason AlreadyExists."""
        reference = Reference.of(manifest)
        path = self._known_path(reference.api_version, reference.kind, reference.namespace)
        return self._write(Request("POST", path, _writing(dry_run), dict(manifest)))

    def apply(
        self, manifest: Mapping[str, Any], *, force: bool = True, dry_run: bool = False
    ) -> Document:
        """Server-side apply; `force` takes fields over from other managers."""
        reference = Reference.of(manifest)
        query = _writing(dry_run) | {"force": "true" if force else "false"}
        return self._write(
            Request(
                "PATCH",
                self._object_path(reference),
                query,
                dict(manifest),
                content_type="application/apply-patch+yaml",
            )
        )

    def patch_merge(self, reference: Reference, patch: Mapping[str, Any]) -> Document | None:
        """JSON merge patch; None when the object is gone. A `resourceVersion` in it is obeyed."""
        request = Request(
            "PATCH",
            self._object_path(reference),
            _writing(),
            dict(patch),
            content_type="application/merge-patch+json",
        )
        try:
            return self._write(request)
        except KubernetesError as problem:
            if problem.status == 404:
                return None
            raise

    def replace(self, manifest: Mapping[str, Any]) -> Document:
        """Write the whole object; a stale `resourceVersion` is reason Conflict."""
        path = self._object_path(Reference.of(manifest))
        return self._write(Request("PUT", path, _writing(), dict(manifest), repeatable=False))

    def delete(
        self, reference: Reference, *, propagation: str = "Background", uid: str | None = None
    ) -> None:
        """Ask for an object's removal; absent, or another one by now (`uid`), is done.

        Returns before it is gone: see `wait_gone`.
        """
        path = self._path(reference.api_version, reference.kind, reference.namespace)
        if path is None:
            return
        options: Document = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
        }
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            self._transport.send(
                Request("DELETE", f"{path}/{quote(reference.name, safe='')}", body=options)
            )
        except KubernetesError as problem:
            if problem.status == 404:
                return
            if problem.status == 409 and uid and self._uid_of(reference) != uid:
                return
            raise

    # Questions that the API answers to a POST

    def token_request(
        self, namespace: str, service_account: str, audience: str, *, seconds: int = 600
    ) -> str:
        """A fresh token of a service account for an audience. The API's least is 600 s."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience], "expirationSeconds": seconds},
        }
        path = f"/api/v1/namespaces/{quote(namespace)}/serviceaccounts/{quote(service_account)}"
        answer = self._write(Request("POST", f"{path}/token", body=body))
        return str(answer["status"]["token"])

    def plural(self, api_version: str, kind: str) -> str | None:
        """How a kind is called in paths and in rights; None when it is not served."""
        known = self._kind(api_version, kind)
        return known.plural if known else None

    def can_i(
        self,
        verb: str,
        resource: str,
        *,
        group: str = "",
        namespace: str | None = None,
        subresource: str = "",
        account: str | None = None,
    ) -> bool:
        """Whether the present principal may do this (`resource` is the plural).

        With `account` (`namespace/name`) it is asked of that service account.
        """
        attributes = {
            "verb": verb,
            "resource": resource,
            "group": group,
            "namespace": namespace or "",
            "subresource": subresource,
        }
        kind = "SelfSubjectAccessReview" if account is None else "SubjectAccessReview"
        body = {
            "apiVersion": _AUTHORIZATION,
            "kind": kind,
            "spec": {
                "resourceAttributes": {k: v for k, v in attributes.items() if v or k == "group"},
                **({} if account is None else _service_account(*account.split("/", 1))),
            },
        }
        path = f"/apis/{_AUTHORIZATION}/{kind.lower()}s"
        answer = self._write(Request("POST", path, body=body))
        return bool(answer.get("status", {}).get("allowed"))

    def whoami(self) -> str:
        """The name by which the API server knows the present principal."""
        api = "authentication.k8s.io/v1"
        body = {"apiVersion": api, "kind": "SelfSubjectReview"}
        answer = self._write(Request("POST", f"/apis/{api}/selfsubjectreviews", body=body))
        return str(answer["status"]["userInfo"]["username"])

    # Waiting

    def watch_until(
        self,
        reference: Reference,
        done: Callable[[Document | None], T],
        *,
        what: str,
        timeout: float,
        expired: Callable[[str], errors.CliError] | None = None,
    ) -> T:
        """Watch one object until `done` returns; it raises `StillWaiting` with what it saw.

        `timeout` in seconds. On expiry raises what `expired` makes of the last
        thing seen, else `timed-out`.
        """
        return self.watch_all_until(
            reference.api_version,
            reference.kind,
            reference.namespace,
            lambda objects: done(objects[0] if objects else None),
            field_selector=f"metadata.name={reference.name}",
            what=what,
            timeout=timeout,
            expired=expired,
        )

    def watch_all_until(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        done: Callable[[Documents], T],
        *,
        what: str,
        timeout: float,
        label_selector: str | None = None,
        field_selector: str | None = None,
        expired: Callable[[str], errors.CliError] | None = None,
    ) -> T:
        """The same for all objects that a selector names."""
        watched = Watched(
            lambda: self._path(api_version, kind, namespace),
            api_version,
            kind,
            _selectors(label_selector, field_selector),
        )
        return self._watcher.until(watched, done, what=what, timeout=timeout, expired=expired)

    def wait_gone(self, reference: Reference, *, timeout: float, uid: str | None = None) -> None:
        """Return once the object is gone, or another one (`uid`) has its name.

        On expiry raises `leftovers` with the finalizers and conditions that hold
        it; finalizers are never removed here.
        """
        last: list[Document | None] = [None]

        def probe(found: Document | None) -> None:
            last[0] = found
            gone(found, uid)

        self.watch_until(
            reference,
            probe,
            what=f"{reference} to be gone",
            timeout=timeout,
            expired=lambda _: stuck(self.access, reference, last[0]),
        )

    # How requests are made of this

    def _read(self, request: Request) -> Document | None:
        try:
            answer: Document = json.loads(self._transport.send(request))
        except KubernetesError as problem:
            if problem.status == 404:
                return None
            raise
        return answer

    def _write(self, request: Request) -> Document:
        answer: Document = json.loads(self._transport.send(request))
        return answer

    def _uid_of(self, reference: Reference) -> str | None:
        found = self.get(reference.api_version, reference.kind, reference.name, reference.namespace)
        return str(found["metadata"]["uid"]) if found else None

    def _kind(self, api_version: str, kind: str) -> KindInfo | None:
        with self._lock:
            found = self._kinds.get(api_version, {}).get(kind)
        if found is not None:
            return found
        # Not known yet, or a CRD that came since.
        answer = self._read(Request("GET", _base(api_version)))
        kinds = {
            str(item["kind"]): KindInfo(str(item["name"]), bool(item["namespaced"]))
            for item in (answer or {}).get("resources", [])
            if "/" not in item["name"]
        }
        with self._lock:
            self._kinds[api_version] = kinds
        return kinds.get(kind)

    def _path(
        self, api_version: str, kind: str, namespace: str | None, name: str | None = None
    ) -> str | None:
        """Of a collection or an object; None when the kind is not served."""
        known = self._kind(api_version, kind)
        if known is None:
            return None
        path = _base(api_version)
        if known.namespaced and namespace:
            path += f"/namespaces/{quote(namespace, safe='')}"
        elif known.namespaced and name:
            raise ValueError(f"{kind} {name} needs a namespace")
        path += f"/{known.plural}"
        return path if name is None else f"{path}/{quote(name, safe='')}"

    def _known_path(self, api_version: str, kind: str, namespace: str | None) -> str:
        path = self._path(api_version, kind, namespace)
        if path is None:
            raise KubernetesError(
                errors.CLUSTER_FAILED,
                f"The cluster does not know {kind} of {api_version}",
                cause="its CustomResourceDefinition is not installed",
                status=404,
            )
        return path

    def _object_path(self, reference: Reference) -> str:
        path = self._known_path(reference.api_version, reference.kind, reference.namespace)
        return f"{path}/{quote(reference.name, safe='')}"


def _service_account(namespace: str, name: str) -> Document:
    """How the API server names it, and the groups that it is in."""
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
    return {
        "user": f"system:serviceaccount:{namespace}:{name}",
        "groups": [*groups, "system:authenticated"],
    }


def _base(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _selectors(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    query = {}
    if label_selector:
        query["labelSelector"] = label_selector
    if field_selector:
        query["fieldSelector"] = field_selector
    return query


def _writing(dry_run: bool = False) -> dict[str, str]:
    query = {"fieldManager": FIELD_MANAGER}
    return query | {"dryRun": "All"} if dry_run else query

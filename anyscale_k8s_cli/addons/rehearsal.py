"""What setup writes in a cluster, put together before any of it is there, and tried.

What is known only after apply is supposed to be as it may be: an id, an address, a key. Of
what controllers make of it, pods and the Service of the load balancer are tried too: rules
for these judge nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, TypeVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import ClusterContext, ClusterSide, gateway_controller
from anyscale_k8s_cli.addons.addresses import Address
from anyscale_k8s_cli.addons.gateway import Gateway, gateway_document, gateway_reference
from anyscale_k8s_cli.addons.gateway_proxy import proxy_objects, proxy_service
from anyscale_k8s_cli.addons.no_address import proxies
from anyscale_k8s_cli.addons.operator import service_account, values_for, workload_account
from anyscale_k8s_cli.addons.storage_credentials import credentials_secret
from anyscale_k8s_cli.addons.token_values import token_values
from anyscale_k8s_cli.cloud_side import CloudSide, Identity, Storage
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.dry_runs import Attempts, Outcome, Rehearsed, Trial, pods_of
from anyscale_k8s_cli.cluster.namespaces import Namespace
from anyscale_k8s_cli.cluster.objects import KubernetesObject, object_key
from anyscale_k8s_cli.cluster.releases import HelmRelease
from anyscale_k8s_cli.operator_token import OperatorToken
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.plan import PlannedChange
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.registration import Registration
from anyscale_k8s_cli.resource import (
    WRITES,
    AdoptedResource,
    Change,
    NotYetKnown,
    Observed,
    Resource,
)
from anyscale_k8s_cli.storage_keys import AdoptedKeys, KeysResource

_ID = "cldrsrc_00000000000000000000000000"
_ADDRESS = Address("supposed.invalid", is_ip=False)
_IDENTITY = Identity("supposed", "00000000-0000-0000-0000-000000000000")
_STORAGE = Storage("s3://supposed", "supposed")
_TOKEN = OperatorToken("supposed", None, "supposed")
# What is removed asks nobody.
_TRIED = WRITES - {Change.DELETE}
_WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")

Out = TypeVar("Out")


@dataclass(frozen=True)
class Rehearsal:
    """How trials went. `problems` are what kept objects from being put together, by title."""

    outcomes: tuple[Outcome, ...]
    problems: tuple[tuple[str, errors.CliError], ...] = ()

    @property
    def denied(self) -> tuple[Outcome, ...]:
        return tuple(item for item in self.outcomes if item.denial is not None)


@dataclass(frozen=True)
class Stage:
    """An install that is going to be made. `besides` is written by the run itself."""

    context: ClusterContext
    cloud: CloudSide
    registration: Resource[Registration]
    inside: ClusterSide
    balancer: LoadBalancer | None

    def rehearse(
        self, planned: Sequence[PlannedChange], besides: Sequence[Document] = ()
    ) -> Rehearsal:
        """Try everything that is planned in the cluster. Writes nothing."""
        wanted = [
            item
            for item in planned
            if item.change in _TRIED and isinstance(item.resource, Rehearsed)
        ]
        found = side_by_side(*(partial(self._trials, item) for item in wanted))
        trials = [Trial(document, new=True) for document in besides]
        problems = []
        for item, told in zip(wanted, found, strict=True):
            if isinstance(told, errors.CliError):
                problems.append((item.resource.title, told))
            else:
                trials += told
        coming = {
            item.resource.name
            for item in planned
            if isinstance(item.resource, Namespace) and item.change is Change.CREATE
        }
        attempts = Attempts(
            self.context.kubernetes, frozenset(coming), frozenset(self._not_yet_ours(trials))
        )
        return Rehearsal(tuple(attempts.outcomes(trials)), tuple(problems))

    def _trials(self, item: PlannedChange) -> list[Trial] | errors.CliError:
        resource: Any = item.resource
        try:
            try:
                trials = list(resource.written(item.observed))
            except NotYetKnown as unknown:
                stand_in = self._stand_ins.get(resource.key)
                if stand_in is None:
                    return errors.CliError(errors.CLUSTER_FAILED, str(unknown))
                trials = list(stand_in().written(item.observed))
        except errors.CliError as problem:
            if problem.exit_code in (errors.ExitCode.INTERRUPTED, errors.ExitCode.TERMINATED):
                raise
            return problem
        if isinstance(resource, Gateway):
            trials += self._of_proxy(resource)
        return trials

    def _of_proxy(self, gateway: Gateway) -> Iterator[Trial]:
        """What the controller makes for a Gateway; proxies that run are not made once more."""
        kubernetes = self.context.kubernetes
        where = gateway_controller.home(kubernetes)
        there = bool(proxies(kubernetes, gateway.reference))
        service = proxy_service(self.context, self.balancer, gateway.reference)
        service["metadata"]["namespace"] = where
        yield Trial(service, new=True, copies=0 if there else 1)
        if there:
            return
        for document in proxy_objects(self.context, gateway.reference, where):
            trials = (Trial(document, new=True), *pods_of(document))
            yield from (replace(trial, supposed=True) for trial in trials)

    def _not_yet_ours(self, trials: Sequence[Trial]) -> Iterator[str]:
        """Webhooks that now ask elsewhere than they will, as of a registration that is replaced."""
        for trial in trials:
            at = trial.reference
            if at.kind not in _WEBHOOKS:
                continue
            live = self.context.kubernetes.get(at.api_version, at.kind, at.name) or {}
            asked = {hook["name"]: hook["clientConfig"] for hook in live.get("webhooks") or ()}
            for hook in trial.manifest.get("webhooks") or ():
                there = asked.get(hook["name"], {})
                if there.get("url") != hook["clientConfig"].get("url"):
                    yield hook["name"]

    @property
    def _stand_ins(self) -> Mapping[str, Callable[[], Rehearsed]]:
        """The objects that need what is known only after apply, by key."""
        context, inside = self.context, self.inside
        cloud = _as_if_there(self.cloud)
        gateway = gateway_reference(context)
        found: dict[str, Callable[[], Rehearsed]] = {
            inside.service_account.key: lambda: service_account(context, cloud, ()),
            object_key(gateway): lambda: KubernetesObject(
                context.surroundings, gateway, lambda: gateway_document(context, self._bound_to)
            ),
            inside.operator.key: lambda: HelmRelease(
                context.tools,
                replace(inside.operator.release, values=lambda: self._values(cloud)),
                context.install,
            ),
        }
        for account in workload_account(context, cloud, ()):
            found[account.key] = lambda account=account: account  # type: ignore[misc]
        for secret in credentials_secret(context, cloud, ()):
            found[secret.key] = lambda secret=secret: secret  # type: ignore[misc]
        return found

    def _values(self, cloud: CloudSide) -> dict[str, Any]:
        inside = self.inside
        address = _or(lambda: inside.way_in.output.address, None) or _ADDRESS
        sign_in = {}
        if inside.token is not None:
            sign_in = token_values(_or(lambda: _token(inside), _TOKEN))
        return values_for(self.context, cloud, self._bound_to, address, sign_in)

    @property
    def _bound_to(self) -> str:
        return _or(lambda: self.registration.output.cloud_resource_id, _ID)


def _token(inside: ClusterSide) -> OperatorToken:
    assert inside.token is not None, "asked before"  # noqa: S101
    return inside.token.token.output


def _or(known: Callable[[], Out], supposed: Out) -> Out:
    try:
        return known()
    except NotYetKnown:
        return supposed


def _as_if_there(cloud: CloudSide) -> CloudSide:
    """The side outside the cluster as if all of it were there."""
    keys, theirs = cloud.storage_keys, cloud.workloads
    return replace(
        cloud,
        storage=_Supposed(cloud.storage, _or(lambda: cloud.storage.output, _STORAGE)),
        identity=None
        if cloud.identity is None
        else _Supposed(cloud.identity, _or(lambda: cloud.identity_output, _IDENTITY)),
        service_account_annotations=lambda: _or(cloud.service_account_annotations, {}),
        storage_keys=None if keys is None else _SupposedKeys(keys),
        workloads=theirs
        and replace(
            theirs,
            identity=_Supposed(theirs.identity, _or(lambda: theirs.identity.output, _IDENTITY)),
        ),
    )


class _Supposed(AdoptedResource[Out]):
    """Stands for an object, there or not, with an output as it may be."""

    def __init__(self, resource: Resource[Out], output: Out) -> None:
        super().__init__(key=resource.key, title=resource.title, install=resource.install)
        self._output = output

    @property
    def output(self) -> Out:
        return self._output

    def read(self) -> Observed[Out] | None:
        return None


class _SupposedKeys(AdoptedKeys[Any]):
    def __init__(self, keys: KeysResource[Any]) -> None:
        super().__init__(key=keys.key, title=keys.title, install=keys.install)
        self.credentials = keys.credentials
        blank = {item.name: "supposed" for item in fields(keys.credentials)}
        self._output = _or(lambda: keys.output, keys.credentials(**blank))

    @property
    def output(self) -> Any:
        return self._output

    def read(self) -> Observed[Any] | None:
        return None

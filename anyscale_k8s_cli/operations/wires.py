"""The wires of an install, each looked at by itself.

What the operator reports of itself can be an hour old: a session outlives the
trust that gave it. So what it depends on is read: its registration, the objects
in the cloud, the gateway, its own Deployment. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.names import OPERATOR_RELEASE, WORKLOAD_ACCOUNT
from anyscale_k8s_cli.addons.storage_credentials import tell_what_is_kept
from anyscale_k8s_cli.addons.token_values import installed_tokens
from anyscale_k8s_cli.addons.traces import account_key, operator_key
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, When, declared, passed
from anyscale_k8s_cli.checks.releases import releases_check
from anyscale_k8s_cli.cloud_side import CloudSide, Storage
from anyscale_k8s_cli.cluster.diagnosis import diagnose_workload
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.release_records import ReleaseRecord, in_force
from anyscale_k8s_cli.cluster.release_work import made_by_us
from anyscale_k8s_cli.cluster.rollouts import rolled_out
from anyscale_k8s_cli.controlplane.models import DecoratedCloudResource
from anyscale_k8s_cli.controlplane.service_accounts import ServiceAccounts
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.ledger import UNTOLD, LedgerContent
from anyscale_k8s_cli.operations.entrance import Entrance
from anyscale_k8s_cli.operations.left_out import is_one_version
from anyscale_k8s_cli.operations.losses import rights_with_registered
from anyscale_k8s_cli.operations.registering import brought_settings, registered_members
from anyscale_k8s_cli.operations.said import located, setup_command, spec_of
from anyscale_k8s_cli.operations.token_check import TokenCheck
from anyscale_k8s_cli.operations.workbench import with_used
from anyscale_k8s_cli.operator_token import SignIn
from anyscale_k8s_cli.parallel import Once
from anyscale_k8s_cli.provider import (
    Cluster,
    ControlPlaneFacts,
    LoadBalancer,
    Provider,
    load_balancer_of,
)
from anyscale_k8s_cli.registration import RegisteredResource, differences
from anyscale_k8s_cli.resource import (
    Change,
    FieldChange,
    NotYetKnown,
    Observed,
    Resource,
    Rights,
    decide,
    lacks_mark_alone,
)
from anyscale_k8s_cli.run import StillWaiting
from anyscale_k8s_cli.spec import CloudSpec, brings_way_in

_FITTING = (Change.NONE, Change.ADOPT, Change.KEEP)
# Of what is registered, that by which the operator is told from others and its bucket found.
_PROVING = ("object_storage.", "kubernetes_config.anyscale_operator_iam_identity")
_EMPTY_ONE = (
    "the setup below would make a new, empty one: if the data can be restored, do that first"
)


@dataclass(frozen=True)
class Wiring:
    """An install on a cluster that answers.

    `resource` is its registration; `again` the command that sets it up once more,
    which mends whatever is ours.
    """

    install: Install
    provider: Provider
    cluster: Cluster
    kubernetes: Kubernetes
    ledger: LedgerContent
    resource: DecoratedCloudResource
    plane: ControlPlaneFacts
    accounts: ServiceAccounts
    host: str
    again: str
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)
    _looking: dict[str, Once[None]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def untied(self) -> str:
        """The same, where no version of the operator is named: with that, none would change."""
        told = self.ledger.said.items()
        said = {path: value for path, value in told if not is_one_version(path, value)}
        return setup_command(said) if said else self.again

    def checks(self) -> tuple[BoundCheck, ...]:
        """In the order in which one breaks because of another."""
        operator, entrance = operator_key(self.install.namespace), self.entrance
        registration = f"{RegisteredResource.kind}/{self.install.resource_name}"
        return (
            declared.OPERATOR_REGISTRATION.bind(self._registration, (registration, operator)),
            *self._of_platform(),
            self._admission(),
            declared.OPERATOR_STORAGE.bind(self._storage, self.stored),
            declared.OPERATOR_GATEWAY.bind(entrance.check, (*entrance.keys, operator)),
            declared.OPERATOR_WORKLOAD.bind(self._workload, (operator,)),
            releases_check(self.kubernetes, self.install.namespace, self.again),
        )

    # -- the registration ------------------------------------------------------

    def _registration(self) -> Finding:
        values = self.values
        if values is None:
            place = self.install.namespace
            if self.kubernetes.get("v1", "Namespace", place) is None:
                return self._fails(f"the namespace {place} is gone, and all that was in it")
            return Finding(Status.UNKNOWN, "the operator's release is not there")
        bound = _value(values, "global", "cloudDeploymentId")
        registered = self.resource.cloud_resource_id
        if bound != registered:
            return self._fails(
                f"the operator is bound to {bound}, and the cluster is registered as {registered}"
            )
        host = _value(values, "global", "controlPlaneURL")
        if host and host != self.host.rstrip("/"):
            return self._fails(
                f"the operator reports to {host}, and the cluster is registered at {self.host}"
            )
        others = self._registered_otherwise()
        if others:
            said = "; ".join(map(str, others))
            return self._fails(
                f"the registration {self.resource.name} is not as it should be: {said}"
            )
        return passed(registered)

    def _registered_otherwise(self) -> list[FieldChange]:
        """Where the control plane looks for the bucket, and whom it takes for the operator.

        Nothing as long as the bucket or the identity is not there: that is told by its own check.
        """
        spec, side = self.spec, self.side
        if spec is None or side is None:
            return []
        try:
            self._look_at(side.storage)
            if side.identity is not None:
                self._look_at(side.identity)
            wanted = registered_members(self.provider, spec, self.cluster, side)
        except NotYetKnown:
            return []
        found = self.resource.model_dump(mode="json", exclude_none=True)
        return [item for item in differences(wanted, found) if item.field.startswith(_PROVING)]

    # -- what the platform must go on to do --------------------------------------

    def _of_platform(self) -> tuple[BoundCheck, ...]:
        """The provider's checks of what can end any day; none where nobody knows the spec."""
        if self.spec is None or self.side is None:
            return ()
        checks = self.provider.checks(self.spec, self.cluster)
        return tuple(bound for bound in checks if When.STATUS in bound.check.when)

    # -- how the operator is let in --------------------------------------------

    def _admission(self) -> BoundCheck:
        """Its identity; or its token, where no platform vouches for it."""
        if self.provider.workload_identity:
            storage = self.side.storage if self.side else None
            others = (item.key for item in self._outside if item is not storage)
            accounts = [account_key(self.install)]
            if self.side is not None and self.side.workloads is not None:
                accounts.append(account_key(self.install, WORKLOAD_ACCOUNT))
            about = (*others, *accounts)
            return declared.OPERATOR_IDENTITY.bind(self._identity, about)
        account = self.spec.operator.service_account if self.spec else None
        sign_in = SignIn(self.accounts, self.install, account)
        return TokenCheck(
            sign_in, lambda: installed_tokens(self.kubernetes, self.install.namespace)
        ).now()

    @property
    def registered_identity(self) -> str:
        """Whom the control plane takes for the operator; empty where it signs in with a token."""
        config = self.resource.kubernetes_config
        return (config.anyscale_operator_iam_identity or "") if config else ""

    # -- the cloud's objects ---------------------------------------------------

    def _identity(self) -> Finding:
        side = self.side
        if side is None:
            return Finding(Status.UNKNOWN, UNTOLD)
        others = [item for item in side.resources if item is not side.storage]
        return self._fit(others, but=side.storage)

    def _storage(self) -> Finding:
        side = self.side
        if side is None:
            return Finding(Status.UNKNOWN, UNTOLD)
        if side.identity is None:
            return self._fit(list(side.resources))
        return self._fit([side.storage])

    @property
    def _outside(self) -> tuple[Resource[Any], ...]:
        return self.side.resources if self.side is not None else ()

    @property
    def stored(self) -> tuple[str, ...]:
        """The keys of the bucket, and of all that is judged with it or goes with it."""
        side = self.side
        if side is None or side.identity is None:
            return tuple(item.key for item in self._outside)
        standing = (item.key for item in side.resources if side.storage in item.needs)
        return (side.storage.key, *standing)

    def _fit(self, resources: list[Resource[Any]], but: Resource[Any] | None = None) -> Finding:
        """The first that setup would make, change or refuse; lost data before all.

        Of one that they stand on, `but`, another check tells.
        """
        decided = {
            part: decide(part, part.observed, self._rights) for part in self._parts(resources)
        }
        unfit = [item for item in decided.items() if item[1].change not in _FITTING]
        if but is not None and any(part is but for part, _ in unfit):
            unfit = [item for item in unfit if but not in (item[0], *item[0].needs)]
            if not unfit:
                return Finding(Status.UNKNOWN, f"not to be told before it is well: {but.title}")
        if unfit and all(lacks_mark_alone(item.fields, self.install) for _, item in unfit):
            return Finding(
                Status.WARN,
                f"{unfit[0][0].title} works, and is not marked as used by this install: "
                "the deletion of another may take it along",
                fix=self.again,
            )
        if not unfit:
            return passed(", ".join(resource.title for resource in resources))
        broken, decision = next((item for item in unfit if item[1].lost), unfit[0])
        refused = decision.change is Change.REFUSE
        return Finding(
            Status.FAIL,
            f"{broken.title}: {decision.reason}",
            (_EMPTY_ONE,) if decision.lost else (),
            fix=decision.fix if refused and decision.fix else self.again,
        )

    def _parts(self, resources: list[Resource[Any]]) -> Iterator[Resource[Any]]:
        """All that can be looked at, and what stands in the way of the rest."""
        for resource in resources:
            try:
                self._look_at(resource)
            except NotYetKnown as missing:
                yield missing.resource
                continue
            yield from (need for need in resource.needs if need.observed is None)
            yield resource

    @property
    def _rights(self) -> Rights:
        """The ledger's; a bucket that is registered has been made, whatever the ledger says."""
        side, storage = self.side, self.resource.object_storage
        if side is None or storage is None:
            return self.ledger.rights
        return rights_with_registered(self.ledger.rights, side.storage, storage.bucket_name)

    @cached_property
    def side(self) -> CloudSide | None:
        """What setup wanted in the cloud; None where the ledger does not say."""
        spec = self.spec
        if spec is None:
            return None
        side = self.provider.cloud_side(spec, self.cluster, self.install, self.plane)
        tell_what_is_kept(side, self.kubernetes, self.install)
        return side

    @cached_property
    def spec(self) -> CloudSpec | None:
        """What the last setup was told; None where the ledger does not say.

        Of an operator that was installed by hand the registration tells what is used.
        """
        if self.ledger.said:
            return spec_of(self.ledger.said)
        by_hand = self.release is not None and not made_by_us(self.release)
        return self._as_registered() if by_hand else None

    def _as_registered(self) -> CloudSpec | None:
        """What somebody brought; None where the registration does not say it as it is said."""
        settings = {
            **located(self.provider.locate(self.install)),
            **brought_settings(self.provider, self.resource),
        }
        entrance = self.entrance
        if not entrance.by_gateway:
            told = entrance.told
            settings |= {"network.kind": "none", **({"network.address": told} if told else {})}
        elif name := entrance.gateway_values.get("name"):
            settings["existing.gateway"] = f"{entrance.gateway.namespace}/{name}"
        found = spec_of(with_used(settings, self.provider))
        try:
            self.provider.check_spec(found)
        except errors.CliError as problem:
            if problem.code is not errors.INVALID_SPEC:
                raise
            return None
        return found

    @property
    def admits_console(self) -> bool:
        """Whether the store can be told to let the console in; raises what reading it raises."""
        return True if self.side is None else self.bucket(self.side).cors

    def bucket(self, side: CloudSide) -> Storage:
        """The bucket as it is there; raises what reading it raises, and `NotYetKnown`."""
        self._look_at(side.storage)
        return side.storage.output

    # -- where users come in ---------------------------------------------------

    @property
    def entrance(self) -> Entrance:
        """By what the operator was told, whatever is there besides."""
        told = None if self.values is None else _value(self.values, "networking") or {}
        return Entrance(self.kubernetes, self.install, told, lambda: self._server, self.again)

    @property
    def _server(self) -> LoadBalancer | None:
        spec = self.spec
        if spec is None or brings_way_in(spec):
            return None
        return load_balancer_of(self.provider, spec, self.cluster, self.install, self.kubernetes)

    # -- the operator itself ---------------------------------------------------

    def _workload(self) -> Finding:
        reference = Reference("apps/v1", "Deployment", OPERATOR_RELEASE, self.install.namespace)
        found = self._get(reference)
        if found is None:
            return self._fails(f"{reference} is not there")
        if found["spec"].get("replicas") == 0:
            return self._fails(f"{reference} is scaled to zero")
        try:
            rolled_out(found)
        except StillWaiting as waiting:
            diagnosis = diagnose_workload(self.kubernetes, reference)
            if diagnosis is None:
                return self._fails(f"{reference}: {waiting}")
            cause = diagnosis.told
            return self._fails(cause, diagnosis.evidence)
        return passed(str(reference))

    # -- parts -----------------------------------------------------------------

    @cached_property
    def values(self) -> Mapping[str, Any] | None:
        """The Helm values of the operator; None without its release."""
        return None if self.release is None else self.release.values

    @cached_property
    def release(self) -> ReleaseRecord | None:
        """Helm's record of the operator that is there; an upgrade that failed is not."""
        return in_force(self.kubernetes, self.install.namespace, OPERATOR_RELEASE)

    def seen(self, resource: Resource[Any]) -> Observed[Any] | None:
        """What there is of a resource, read once for all who ask; raises what reading it raises."""
        self._look_at(resource)
        return resource.observed

    def _look_at(self, resource: Resource[Any]) -> None:
        """Read it, and before it what it needs to be known by; once for all checks."""
        for need in resource.needs:
            if need.observed is None:
                self._look_at(need)

        def look() -> None:
            resource.observed = resource.read()

        with self._lock:
            looked = self._looking.setdefault(resource.key, Once(look))
        looked()

    def _fails(self, detail: str, evidence: tuple[str, ...] = ()) -> Finding:
        return Finding(Status.FAIL, detail, evidence, self.again)

    def _get(self, reference: Reference) -> Document | None:
        return self.kubernetes.get(
            reference.api_version, reference.kind, reference.name, reference.namespace
        )


def _value(values: Mapping[str, Any], *path: str) -> Any:
    found: Any = values
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found

"""The Anyscale operator: its service account, its release, what it makes by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import instance_types
from anyscale_k8s_cli.addons.addresses import Address
from anyscale_k8s_cli.addons.belonging import made_by_operator
from anyscale_k8s_cli.addons.context import ClusterContext, InstallContext
from anyscale_k8s_cli.addons.identified import await_given, ensure_identified
from anyscale_k8s_cli.addons.names import (
    OPERATOR_CHART,
    OPERATOR_RELEASE,
    SERVICE_ACCOUNT,
    WORKLOAD_ACCOUNT,
)
from anyscale_k8s_cli.addons.pod_settings import PodSettings
from anyscale_k8s_cli.addons.storage_credentials import storage_values
from anyscale_k8s_cli.addons.storage_token import addition as token_addition
from anyscale_k8s_cli.addons.token_values import HELD_AT, token_values
from anyscale_k8s_cli.addons.values import beside, given, merged
from anyscale_k8s_cli.addons.ways_in import WayIn, address_known, networking
from anyscale_k8s_cli.addons.wording import OWN_VALUES
from anyscale_k8s_cli.cloud_side import Acting, CloudSide, IdentityProof
from anyscale_k8s_cli.cluster.additions import joined
from anyscale_k8s_cli.cluster.diagnosis import Diagnosis
from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.managers import release_of
from anyscale_k8s_cli.cluster.objects import KubernetesObject
from anyscale_k8s_cli.cluster.release_work import Release
from anyscale_k8s_cli.cluster.releases import HelmRelease
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.operator_token import OperatorToken
from anyscale_k8s_cli.registration import Registration
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.run import StillWaiting
from anyscale_k8s_cli.templates import load_yaml

# Kinds that the operator makes and clears away itself.
MADE_BY_OPERATOR = (
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("networking.k8s.io/v1", "Ingress"),
    ("v1", "Service"),
    ("v1", "Pod"),
)

# Where options of this tool have their values, in which nobody keeps secrets.
_OF_OPTIONS = (
    *("operator.nodeSelector", "operator.tolerations", "operator.imagePullSecrets"),
    *("operator.labels", "operator.annotations", "workloads.instanceTypes"),
    *("operator.container.image", "operator.vector.image"),
)


def service_account(
    context: ClusterContext, cloud_side: CloudSide | None, needs: Sequence[Resource[Any]]
) -> KubernetesObject:
    """Made beforehand, so that the identity is proven before anything runs as it."""
    namespace = context.install.namespace

    def manifest() -> Mapping[str, Any]:
        account: Document = load_yaml(
            "operator/service-account.yaml",
            {"name": SERVICE_ACCOUNT, "namespace": namespace, "release": OPERATOR_RELEASE},
        )
        if cloud_side is not None:
            account["metadata"]["annotations"] |= cloud_side.service_account_annotations()
        return account

    sides: tuple[Resource[Any] | None, ...] = ()
    if cloud_side is not None:
        sides = (cloud_side.identity, cloud_side.storage, *cloud_side.bindings)
    return KubernetesObject(
        context.surroundings,
        _account(context),
        manifest,
        title="Operator's service account",
        needs=(*needs, *(item for item in sides if item)),
        own_release=(namespace, OPERATOR_RELEASE),
        prove=_proof(context, cloud_side.prove_identity if cloud_side else None),
    )


def workload_account(
    context: ClusterContext, cloud_side: CloudSide | None, needs: Sequence[Resource[Any]]
) -> tuple[KubernetesObject, ...]:
    """That of Ray's pods, where they have an identity of their own; and in each teardown.

    It `needs` the operator's: both identities are proven with the same object.
    """
    theirs = cloud_side.workloads if cloud_side is not None else None
    if theirs is None and not context.teardown:
        return ()

    def manifest() -> Mapping[str, Any]:
        account: Document = load_yaml(
            "operator/workload-account.yaml",
            {
                "name": WORKLOAD_ACCOUNT,
                "namespace": context.install.namespace,
                "annotations": dict(theirs.annotations()) if theirs else {},
            },
        )
        return account

    outside = (theirs.identity, *theirs.bindings) if theirs else ()
    made = KubernetesObject(
        context.surroundings,
        _account(context, WORKLOAD_ACCOUNT),
        manifest,
        title="Service account of Ray's pods",
        needs=(*needs, *outside),
        prove=_theirs_proven(context, cloud_side, theirs) if cloud_side and theirs else None,
    )
    return (made,)


def _theirs_proven(
    context: ClusterContext, cloud_side: CloudSide, theirs: Acting
) -> Callable[[], None] | None:
    """Used from here or, where it is handed out in the cluster alone, seen to be given to pods."""
    if theirs.bindings and cloud_side.pod_variables:
        return partial(await_given, context, cloud_side.pod_variables, WORKLOAD_ACCOUNT)
    return _proof(context, theirs.prove, WORKLOAD_ACCOUNT)


def _account(context: ClusterContext, name: str = SERVICE_ACCOUNT) -> Reference:
    return Reference("v1", "ServiceAccount", name, context.install.namespace)


def _proof(
    context: ClusterContext, prove_identity: IdentityProof | None, account: str = SERVICE_ACCOUNT
) -> Callable[[], None] | None:
    if prove_identity is None:
        return None

    def token(audience: str) -> str:
        return context.kubernetes.token_request(context.install.namespace, account, audience)

    def prove() -> None:
        for line in prove_identity(token):
            context.run.emit(Notice(level="info", text=line))

    return prove


def operator_release(
    context: ClusterContext,
    cloud_side: CloudSide | None,
    registration: Resource[Registration],
    way_in: WayIn,
    account: KubernetesObject,
    token: Resource[OperatorToken] | None,
    needs: Sequence[Resource[Any]],
) -> HelmRelease:
    """The release; ready once the operator says that it is registered and works."""
    spec = context.spec
    release = Release(
        name=OPERATOR_RELEASE,
        namespace=context.install.namespace,
        chart=OPERATOR_CHART,
        values=lambda: operator_values(context, cloud_side, registration, way_in, token),
        version=spec.operator.version,
        source=spec.operator.chart,
        upgrade=context.upgrade,
        apart=frozenset({_account(context)}),
        open_values=frozenset((*OWN_VALUES, *_OF_OPTIONS)),
        secret_values=frozenset({HELD_AT}),
        private=spec.operator.values,
        addition=lambda workload: _addition(context, cloud_side, workload),
        seconds=spec.timeouts.operator,
        deletion_seconds=spec.timeouts.deletion,
    )
    return HelmRelease(
        context.tools,
        release,
        context.install,
        title="Anyscale operator",
        needs=(registration, way_in, *((token,) if token else ()), *needs),
        takes_over=account,
        explain=unhealthy,
        before_write=lambda: remove_stale_webhook(context, registration),
        before_wait=lambda: ensure_identified(context, cloud_side),
        before_delete=lambda: wait_cleared(context),
        after_delete=lambda: remove_certificates(context),
    )


def _addition(
    context: ClusterContext, cloud_side: CloudSide | None, workload: Document
) -> Document:
    """What the chart has no value for: of its Deployment, and of what the user lets it bring."""
    pods = context.pods
    marks = pods.addition(workload)
    if workload["metadata"]["name"] != OPERATOR_RELEASE:
        return marks
    own: Document = joined(joined(token_addition(cloud_side), marks), pods.trust(workload))
    return own


def operator_values(
    context: ClusterContext,
    cloud_side: CloudSide | None,
    registration: Resource[Registration],
    way_in: WayIn,
    token: Resource[OperatorToken] | None,
) -> dict[str, Any]:
    """All values that we give: common ones, the platform's, the user's last.

    Raises `NotYetKnown` while registration, identity, token or address are not there.
    """
    address = address_known(way_in)
    sign_in = {} if token is None else token_values(token.output)
    bound_to = registration.output.cloud_resource_id
    return values_for(context, cloud_side, bound_to, address, sign_in)


def values_for(
    context: InstallContext,
    cloud_side: CloudSide | None,
    cloud_resource_id: str,
    address: Address | None,
    sign_in: Mapping[str, Any],
) -> dict[str, Any]:
    """The values of an operator, whoever installs it; without the address while there is none."""
    separate = cloud_side is not None and cloud_side.workloads is not None
    common: dict[str, Any] = load_yaml(
        "operator/values.yaml",
        {
            "cloud_resource_id": cloud_resource_id,
            "cloud_provider": context.provider.control_plane_name.lower(),
            # The chart refuses a slash at the end.
            "control_plane_url": context.control_plane_url.rstrip("/"),
            "service_account": SERVICE_ACCOUNT,
            "workload_account": WORKLOAD_ACCOUNT if separate else SERVICE_ACCOUNT,
        },
    )
    platform: Mapping[str, Any] = {}
    storage: Mapping[str, Any] = {}
    if cloud_side is not None:
        platform = context.provider.operator_values(
            context.spec, context.cluster, cloud_side.identity_output, context.nodes
        )
        storage = storage_values(cloud_side)
    types = instance_types.values(context.spec.instance_types, context.nodes)
    ours = merged(storage, beside(storage, pod_values(context.pods)))
    users = beside(ours, context.spec.operator.values)
    told = networking(context, address)
    return merged(common, told, ours, types, platform, sign_in, users)


def pod_values(pods: PodSettings) -> dict[str, Any]:
    """What pods are given.

    The hook is a pod that the chart makes before all else, to show the instance types to
    Anyscale. It has no value for its marks, nor for what it is to trust: where it would lack
    them it is left out, and the types are shown by the webhook when they change.
    """
    container = {"image": {"registry": pods.registry or ""}, "additionalEnv": pods.proxies}
    own = {
        **pods.placement,
        **pods.marks,
        "imagePullSecrets": pods.pull_secrets,
        "container": container,
        "vector": container,
    }
    values: dict[str, Any] = given({"operator": own})
    if pods.without_hook:
        values["workloads"] = {"instanceTypes": {"validationHook": {"enabled": False}}}
    return values


def remove_stale_webhook(context: ClusterContext, registration: Resource[Registration]) -> None:
    """Remove the release's webhook if it asks about another registration than the present one.

    It must agree to every change of the instance types, and the control plane does not
    for what it no longer knows: then no upgrade would ever bring the right one, which
    helm makes anew.
    """
    namespace, kubernetes = context.install.namespace, context.kubernetes
    webhook = Reference(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        f"{OPERATOR_RELEASE}-{namespace}",
    )
    found = kubernetes.get(webhook.api_version, webhook.kind, webhook.name)
    if found is None or release_of(found) != (namespace, OPERATOR_RELEASE):
        return
    urls = [str(hook["clientConfig"].get("url", "")) for hook in found.get("webhooks") or ()]
    wanted = f"/{registration.output.cloud_resource_id}"
    if not all(url.endswith(wanted) for url in urls):
        kubernetes.delete(webhook, uid=found["metadata"]["uid"])


def unhealthy(seen: str, diagnosis: Diagnosis | None) -> errors.CliError:
    """The operator's own last complaint is the cause, where it made one."""
    if diagnosis is None:
        return errors.CliError(
            errors.TIMED_OUT,
            "The operator did not become ready in time",
            cause=seen,
            fix="run the same command again to go on",
        )
    return errors.CliError(
        errors.OPERATOR_UNHEALTHY,
        "The operator did not become ready",
        cause=diagnosis.told,
        evidence=diagnosis.evidence,
        fix=diagnosis.mend or "mend what the operator complains of and run the same command again",
    )


def wait_cleared(context: ClusterContext) -> None:
    """Return once nothing is left of what the operator made; it clears away while it runs."""
    namespace = context.install.namespace
    for api_version, kind in MADE_BY_OPERATOR:

        def none(found: Documents) -> None:
            left = [item["metadata"]["name"] for item in found if made_by_operator(item)]
            if left:
                raise StillWaiting(f"{len(left)} left: {', '.join(left[:3])}")

        look = context.kubernetes.access.kubectl(f"get {kind.lower()} -n {namespace}")

        def late(seen: str, kind: str = kind, look: str = look) -> errors.CliError:
            return errors.CliError(
                errors.LEFTOVERS,
                f"The operator has not cleared away its {kind} objects",
                cause=seen,
                fix=f"see what holds them with: {look}; "
                "end or delete them, and run the same command again",
            )

        context.kubernetes.watch_all_until(
            api_version,
            kind,
            namespace,
            none,
            what=f"the operator to clear away its {kind} objects",
            timeout=context.spec.timeouts.deletion,
            expired=late,
        )


def remove_certificates(context: ClusterContext) -> None:
    """Remove the TLS Secrets that the operator made for our cloud resource.

    They matter only in a namespace that stays; their names hold the resource's id.
    """
    for name in _certificates(context.kubernetes, context.install.namespace):
        context.kubernetes.delete(Reference("v1", "Secret", name, context.install.namespace))


def _certificates(kubernetes: Kubernetes, namespace: str) -> Iterator[str]:
    for item in kubernetes.list("v1", "Secret", namespace, metadata_only=True):
        name = item["metadata"]["name"]
        if name.startswith(("anyscale-cldrsrc-", "anyscale-svc-cldrsrc-")) and name.endswith(
            "-certificate"
        ):
            yield name

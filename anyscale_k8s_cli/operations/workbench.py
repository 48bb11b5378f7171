"""Opening the far ends that setup, status and teardown work with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from anyscale_k8s_cli import errors, spec, spec_loading
from anyscale_k8s_cli.abilities import RegistersUnplaced
from anyscale_k8s_cli.absence import absence_of
from anyscale_k8s_cli.addons import ClusterContext
from anyscale_k8s_cli.addons.token_values import token_in
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.cluster.charts import Charts
from anyscale_k8s_cli.cluster.helm import Helm
from anyscale_k8s_cli.cluster.helm_executable import HelmSearch, default_cache, find_helm
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.private_kubeconfig import PrivateKubeconfig
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.origin import azure_hosted, cors_origin, user_data_domain
from anyscale_k8s_cli.controlplane.service_accounts import ServiceAccounts
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.clouds import opened
from anyscale_k8s_cli.operations.refusals import whole
from anyscale_k8s_cli.operations.requests import (
    DeleteRequest,
    Request,
    RotateRequest,
    SetupRequest,
)
from anyscale_k8s_cli.operator_token import SignIn
from anyscale_k8s_cli.provider import Cluster, Provider, Verb
from anyscale_k8s_cli.provider_registry import absences, canonical, load
from anyscale_k8s_cli.resource import NO_TAGS
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec, Scope
from anyscale_k8s_cli.spec_loading import LoadedSpec

# Our own variables that set a spec field, on every platform.
ENVIRONMENT = {
    "charts.mirror": ("ANYSCALE_K8S_CHART_MIRROR",),
    "probe.image": ("ANYSCALE_K8S_PROBE_IMAGE",),
}
# What every platform needs to be told, as far as is known before the platform is.
_ALWAYS = ("cluster.name", "name")
# What setup makes where a person does not say that it is there.
_OR_MADE = ("existing.oidc_provider", "existing.storage_keys")
_EXAMPLES = {"--provider": "eks", "--cluster-name": "NAME", "--name": "NAME", "--region": "REGION"}


@dataclass(frozen=True)
class OpenCluster:
    """A cluster that answers: what the cloud says of it, its API, its UID and nodes."""

    cluster: Cluster
    kubernetes: Kubernetes
    uid: str
    nodes: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class PlaneFacts:
    """What providers may know of the control plane, each asked when it is needed."""

    clouds: Clouds

    @property
    def cors_origin(self) -> str:
        return cors_origin(self.clouds.plane.host)

    def azure_audience(self) -> str:
        return self._azure_audience

    @cached_property
    def _azure_audience(self) -> str:
        return self.clouds.azure_audience()


def open_clouds(request: Request, run: Run) -> Clouds:
    """The control plane of the request's user, to change clouds, until the command ends.

    Raises `azure-hosted-plane` for one that would refuse every change.
    """
    clouds = run.resources.enter_context(opened(request, run))
    host = clouds.plane.host
    if azure_hosted(host):
        raise errors.CliError(
            errors.AZURE_HOSTED_PLANE,
            f"{host} is Anyscale on Azure, whose clouds Azure itself makes and deletes",
            cause="they are resources of the type Anyscale.Platform/clouds; this way they can be "
            "seen and not changed",
            fix="make or delete the cloud in Azure's portal or with an ARM template, and let AKS "
            "install the operator as its extension Anyscale.AKS.Operator; for a cloud of "
            "another console leave ANYSCALE_HOST out",
        )
    return clouds


def load_spec(
    flags: spec.Settings,
    file: Path | None,
    environment: Mapping[str, str],
    run: Run,
    *,
    adopting: bool = False,
) -> tuple[LoadedSpec, Provider]:
    """The spec and its provider. Raises `missing-input` and `invalid-spec`, offline.

    With `adopting` nothing is to be made outside the cluster, whatever a setup would make
    by itself, and the cluster need not be said.
    """
    document = dict(spec.leaves(spec_loading.read_file(file))) if file else {}
    said = {**document, **flags}
    named = said.get("provider")
    if not isinstance(named, str) or not named:
        raise _missing([path for path in ("provider", *_ALWAYS) if not said.get(path)])
    provider = load(named, run)
    variables = {
        path: variable
        for path, names in {**ENVIRONMENT, **provider.environment}.items()
        if (variable := next((name for name in names if environment.get(name)), None))
    }
    found = {path: environment[variable] for path, variable in variables.items()}
    if adopting:
        flags = with_used(flags, provider)
    placed = not adopting or names_cluster(said)
    wanted = (*(provider.required if placed else _required_unplaced(provider)), "name")
    if missing := [path for path in wanted if not said.get(path) and path not in found]:
        raise _missing(missing)
    loaded = spec_loading.load(flags=flags, file=file, environment=found)
    platform = loaded.spec.model_copy(update={"provider": canonical(named)})
    _check_known(loaded, provider)
    if adopting and loaded.spec.identity.separate:
        raise errors.CliError(
            errors.INVALID_SPEC,
            "--workload-identity separate: registering makes no identity",
            cause="the one of Ray's pods would be of this tool's making",
            fix="leave it out, and name a service account of your own for Ray's pods by "
            "workloads.serviceAccount.name in --values; or let `anyscale cloud setup` make it",
        )
    provider.check_spec(platform)
    return LoadedSpec(platform, loaded.sources, variables), provider


def with_used(flags: spec.Settings, provider: Provider) -> dict[str, Any]:
    """The settings, where what setup would make is there already."""
    return {**{path: "use" for path in _OR_MADE if path in provider.settings}, **flags}


def names_cluster(said: spec.Settings) -> bool:
    """Whether settings say which cluster is meant."""
    return bool(said.get("cluster.name") or said.get("cluster.context"))


def _required_unplaced(provider: Provider) -> tuple[str, ...]:
    """Raises `missing-input` on a platform of which nothing is known without a cluster."""
    if not isinstance(provider, RegistersUnplaced):
        raise _missing([path for path in provider.required if path.startswith("cluster.")])
    return provider.required_unplaced


def _missing(paths: Sequence[str]) -> errors.CliError:
    flags = [spec.flags_by_path()[path] or path for path in paths]
    return errors.CliError(
        errors.MISSING_INPUT,
        f"Missing: {', '.join(flags)}",
        cause="no option says it, no file given with -f, and no variable of the platform's",
        fix="add " + " and ".join(f"{flag} {_EXAMPLES.get(flag, 'VALUE')}" for flag in flags),
    )


def _check_known(loaded: LoadedSpec, provider: Provider) -> None:
    """Refuse what was said and means nothing on this platform, and tell why it does not."""
    flags = spec.flags_by_path()
    strange = spec.particular_fields() - known_fields(provider)
    wrong = {path: flags[path] or path for path in loaded.sources if path in strange}
    if not wrong:
        return
    told = absences(provider.name)
    found = {path: absence_of(told, path) for path in wrong}
    reasons = tuple(
        f"{wrong[path]}: {absence.reason}" for path, absence in found.items() if absence
    )
    known = sorted(flags[path] or path for path in provider.settings)
    knows = (
        f"of the options that are not for every platform, {provider.name} knows "
        f"{', '.join(known) or 'none'}"
    )
    instead = dict.fromkeys(
        f"instead of {wrong[path]}: {absence.instead}"
        for path, absence in found.items()
        if absence and absence.instead
    )
    raise errors.CliError(
        errors.INVALID_SPEC,
        f"{', '.join(wrong.values())}: has no meaning on {provider.name}",
        cause="; ".join(reasons) or knows,
        evidence=(knows,) if reasons else (),
        fix="; ".join(("leave it out" if len(wrong) == 1 else "leave them out", *instead)),
    )


def known_fields(provider: Provider) -> frozenset[str]:
    """Those of the particular fields that mean something on a platform."""
    return provider.settings | (frozenset() if provider.workload_identity else spec.TOKEN_FIELDS)


def sign_in(
    wanted: CloudSpec, provider: Provider, accounts: ServiceAccounts, install: Install
) -> SignIn | None:
    """With what the operator signs in; None where no token of ours is needed for it.

    That is where the platform vouches for it, and where the user's Helm values hold one.
    Raises `invalid-spec` for what contradicts itself.
    """
    if provider.workload_identity or token_in(wanted.operator.values):
        return None
    operator = wanted.operator
    if operator.use_my_token and (operator.service_account or operator.token_lifetime):
        raise errors.CliError(
            errors.INVALID_SPEC,
            "--use-my-token goes with neither --service-account nor --token-lifetime",
            cause="your own token is used as it is, and no key is made",
            fix="leave --use-my-token out",
        )
    return SignIn(
        accounts,
        install,
        operator.service_account,
        operator.token_lifetime,
        operator.use_my_token,
    )


def searched_spec(located: CloudSpec, scope: Scope) -> CloudSpec:
    """The spec that a platform knows for an install, with the ways in that were named."""
    ways_in = {"context": scope.cluster.context, "kubeconfig": scope.cluster.kubeconfig}
    named = {field: value for field, value in ways_in.items() if value is not None}
    cluster = located.cluster.model_copy(update=named)
    return located.model_copy(update={"cluster": cluster, "credentials": scope.credentials})


async def open_cluster(
    provider: Provider, wanted: CloudSpec, run: Run, verb: Verb = Verb.SETUP
) -> OpenCluster:
    """Discover the cluster and look at it, for what `verb` does there; reads only."""

    def look() -> OpenCluster:
        kubernetes: Kubernetes | None = None
        try:
            cluster = provider.discover(wanted)
            kubernetes = Kubernetes(access_of(wanted, cluster), run)
            uid = kubernetes.uid()
            return OpenCluster(cluster, kubernetes, uid, tuple(kubernetes.list("v1", "Node")))
        except errors.CliError as problem:
            if kubernetes is None and wanted.cluster.context:
                # Some platforms look at a cluster by the context alone.
                kubernetes = Kubernetes(_by_context(wanted), run)
            if kubernetes is None:
                raise
            raise whole(problem, kubernetes, wanted, verb) from problem.__cause__

    return await asyncio.to_thread(look)


def access_of(wanted: CloudSpec, cluster: Cluster) -> ClusterAccess:
    """The platform's own way in, or the context that the user named if it is the same cluster."""
    named, platform = wanted.cluster, canonical(wanted.provider)
    if named.context is None and named.kubeconfig is None:
        return replace(cluster.access, platform=platform)
    access = _by_context(wanted)
    if not _same_cluster(access, cluster.access):
        raise errors.CliError(
            errors.OTHER_CLUSTER,
            f"The context {named.context or 'in use'} leads to another cluster",
            cause=f"{access.endpoint} is not where {cluster.id} is, or has another authority",
            fix="name the context of that cluster, or leave --context out",
        )
    return replace(access, platform=platform)


def _by_context(wanted: CloudSpec) -> ClusterAccess:
    from anyscale_k8s_cli.cluster.context import from_context

    return from_context(wanted.cluster.context, wanted.cluster.kubeconfig)


def _same_cluster(named: ClusterAccess, told: ClusterAccess) -> bool:
    """By the cluster's own authority; by its address where its certificate is of a public one."""
    if told.ca_pem.strip():
        return named.ca_pem.strip() == told.ca_pem.strip()
    return named.endpoint.rstrip("/").lower() == told.endpoint.rstrip("/").lower()


def helm_tools(
    opened_cluster: OpenCluster,
    wanted: CloudSpec,
    request: SetupRequest | DeleteRequest | RotateRequest,
    run: Run,
) -> tuple[Helm, Charts]:
    """helm, with its private kubeconfig, and the charts, until the command ends."""
    environment = request.environment
    executable = HelmSearch(
        partial(
            find_helm,
            run,
            named=request.helm.named,
            from_index=request.helm.from_index,
            environment=environment,
        )
    )
    kubeconfig = run.resources.enter_context(PrivateKubeconfig(opened_cluster.kubernetes.access))
    helm = Helm(executable, kubeconfig, run, environment)
    return helm, Charts(helm, run, default_cache(), wanted.charts.mirror)


def cluster_context(
    opened_cluster: OpenCluster,
    wanted: CloudSpec,
    provider: Provider,
    install: Install,
    clouds: Clouds,
    request: SetupRequest | DeleteRequest,
    run: Run,
    *,
    upgrade: bool = False,
    teardown: bool = False,
    dropped_tags: Mapping[str, str] = NO_TAGS,
) -> ClusterContext:
    """All that the objects of an install in its cluster are made, read and removed with."""
    helm, charts = helm_tools(opened_cluster, wanted, request, run)
    host = clouds.plane.host
    return ClusterContext(
        spec=wanted,
        install=install,
        provider=provider,
        cluster=opened_cluster.cluster,
        kubernetes=opened_cluster.kubernetes,
        helm=helm,
        charts=charts,
        run=run,
        nodes=opened_cluster.nodes,
        control_plane_url=host,
        user_domain=user_data_domain(host),
        upgrade=upgrade,
        teardown=teardown,
        dropped_tags=dropped_tags,
    )


def check_same_cluster(install: Install, opened_cluster: OpenCluster) -> None:
    """Raise `other-cluster` when the install was made on a cluster that is not this one."""
    if install.cluster_uid and install.cluster_uid != opened_cluster.uid:
        raise errors.CliError(
            errors.OTHER_CLUSTER,
            f"The cluster {install.cluster} is another one by now",
            cause=f"its UID is {opened_cluster.uid}; {install.cloud} was set up on "
            f"{install.cluster_uid}",
            fix="run setup with --replace-cluster first, or remove the old cloud's objects by hand",
        )

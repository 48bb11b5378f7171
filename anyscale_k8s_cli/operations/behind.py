"""What is behind a cloud: its registration, the install in it, and the install's cluster."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.models import Cloud, DecoratedCloudResource
from anyscale_k8s_cli.controlplane.service_accounts import ServiceAccounts
from anyscale_k8s_cli.install import Install, platform_told
from anyscale_k8s_cli.ledger import ledger_of
from anyscale_k8s_cli.operations.clouds import choose
from anyscale_k8s_cli.operations.health import Health, health_of
from anyscale_k8s_cli.operations.registering import brought_settings
from anyscale_k8s_cli.operations.remains import what_is_left
from anyscale_k8s_cli.operations.requests import DeleteRequest, StatusRequest
from anyscale_k8s_cli.operations.said import (
    located,
    of_unknown_options,
    option,
    setup_command,
    whereabouts_of,
)
from anyscale_k8s_cli.operations.search import FoundInstall, Searcher
from anyscale_k8s_cli.operations.wires import Wiring
from anyscale_k8s_cli.operations.workbench import (
    PlaneFacts,
    access_of,
    load_spec,
    searched_spec,
)
from anyscale_k8s_cli.provider import ClusterState, Provider, install_on
from anyscale_k8s_cli.provider_registry import available, load
from anyscale_k8s_cli.registration import registered_for
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import Scope, leaves
from anyscale_k8s_cli.spec_loading import load_scope

# Which cluster is meant is for whoever asks to say.
_OF_WHO_ASKS = (errors.CLOUD_ELSEWHERE, errors.CLOUD_AMBIGUOUS)
_STOPPED = (errors.ExitCode.INTERRUPTED, errors.ExitCode.TERMINATED)


@dataclass(frozen=True)
class Cause:
    """What is wrong first, the evidence, and one command. `final`: no waiting mends it."""

    text: str
    command: str
    evidence: tuple[str, ...] = ()
    final: bool = False


@dataclass(frozen=True)
class Behind:
    """What the control plane and the search say, and the cluster where it answers.

    `problem` is why the install was not found; `unseen` is why its cluster cannot be
    looked into, or why there is none.
    """

    cloud: Cloud
    resource: DecoratedCloudResource | None
    health: Health
    found: FoundInstall | None
    problem: errors.CliError | None
    wiring: Wiring | None = None
    unseen: Cause | None = None

    @property
    def install(self) -> Install | None:
        return self.found.install if self.found else None

    @property
    def again(self) -> str:
        """The command that sets it up once more, as far as it is known."""
        if self.wiring is not None:
            return self.wiring.again
        if self.found is None:
            return of_unknown_options({"name": self.cloud.name})
        whereabouts = whereabouts_of(self.found.provider, self.found.install)
        return of_unknown_options(located(whereabouts))

    @property
    def why_unseen(self) -> str:
        """Why the cluster is not looked into; empty where it is."""
        if self.wiring is not None:
            return ""
        if self.unseen is not None:
            return self.unseen.text
        if self.problem is not None:
            return str(self.problem)
        if self.found is None:
            return "its cluster was not found, or it was not set up by this tool"
        return "the cluster is not registered in the cloud"


def look_behind(
    request: StatusRequest, clouds: Clouds, run: Run, *, named_too: bool = False
) -> Behind:
    """Ask the control plane, find the install, and open its cluster.

    With `named_too` a cluster that the request names is taken, too, when this tool has
    not set it up.
    """
    cloud = _choose(request, clouds, run)
    found, problem = _find(request, cloud, clouds, run)
    resources = clouds.list_resources(cloud.id)
    resource = _ours(resources, found)
    if found is None and named_too:
        found = _named(request, cloud, run)
    told = Behind(cloud, resource, health_of(resource), found, problem)
    named = [item.name for item in resources if platform_told(item.name) in available()]
    if resource is None or (found is None and problem is None and resource.name in named):
        return replace(told, unseen=astray(told, named, load_scope(request.flags), run))
    wiring, unseen = _wiring(request, told, clouds, run)
    return replace(told, wiring=wiring, unseen=unseen)


def astray(told: Behind, registered: Sequence[str], scope: Scope, run: Run) -> Cause:
    """Why registration and install do not come together, with what leads to either.

    A namespace in which nothing of ours is yet can only be said: what was registered
    carries a name that is made with it.
    """
    cloud, found = told.cloud, told.found
    if registered:
        where = "" if found is None else f" in namespace {found.install.namespace}"
        return Cause(
            f"it is registered as {', '.join(registered)}, and its operator is not found{where}",
            _lead("anyscale cloud status", cloud, platform_told(registered[0]), scope, run),
            (
                "where `anyscale cloud register` registered it, do the steps that this printed: "
                "the same command prints them again",
            ),
        )
    left = what_is_left(found, scope, run, recorded=True) if found else None
    if left is not None:
        text = f"no cluster of yours is registered in the cloud: {left.cause}"
        return Cause(text, left.fix, left.evidence)
    delete = _lead("anyscale cloud delete", cloud, scope.provider or "PROVIDER", scope, run)
    return Cause(
        "no cluster of yours is registered in the cloud",
        told.again,
        (
            *((str(told.problem),) if told.problem else ()),
            f"what a setup that did not end has made is shown, before it is removed, by: {delete}",
        ),
    )


def _lead(command: str, cloud: Cloud, provider: str, scope: Scope, run: Run) -> str:
    """A command with the scope that it needs; what nobody knows is in capitals."""
    try:
        needed = tuple(load(provider, run).required)
    except errors.CliError:
        # It is not said which platform, or its packages are not there.
        needed = ("cluster.name",)
    known = dict(leaves(scope.model_dump(mode="json", exclude_defaults=True)))
    said = {
        "provider": provider,
        "region": "REGION",
        **{path: path.rpartition(".")[2].upper().replace("_", "-") for path in needed},
        **({"region": cloud.region} if cloud.region else {}),
        "namespace": "NAMESPACE",
        **known,
    }
    words = (option(path, value) for path, value in said.items())
    return " ".join((f"{command} {shlex.quote(cloud.name)}", *words))


def _choose(request: StatusRequest, clouds: Clouds, run: Run) -> Cloud:
    """The cloud that is meant. One that was deleted in the console may have left an install."""
    try:
        return choose(clouds, request.name, request.cloud_id)
    except errors.CliError as problem:
        if problem.code is not errors.CLOUD_NOT_FOUND or not request.name:
            raise
        left = _search(request, request.name, None, clouds, run)
        if left is None:
            raise
        told = what_is_left(left, load_scope(request.flags), run)
        if told is None:
            raise
        raise told from problem


def _find(
    request: StatusRequest, cloud: Cloud, clouds: Clouds, run: Run
) -> tuple[FoundInstall | None, errors.CliError | None]:
    """The install behind a cloud. That it cannot be found does not stop the status."""
    try:
        return _search(request, cloud.name, cloud.id, clouds, run), None
    except errors.CliError as problem:
        if problem.exit_code in _STOPPED or problem.code in _OF_WHO_ASKS:
            raise
        return None, problem


def _search(
    request: StatusRequest, name: str, cloud_id: str | None, clouds: Clouds, run: Run
) -> FoundInstall | None:
    search = DeleteRequest(
        environment=request.environment,
        home=request.home,
        name=name,
        cloud_id=cloud_id,
        flags=request.flags,
    )
    return next(iter(Searcher(search, clouds, run, "anyscale cloud status").find().installs), None)


def _named(request: StatusRequest, cloud: Cloud, run: Run) -> FoundInstall | None:
    """The cluster that the request names, as if it had been set up by this tool."""
    scope = load_scope(request.flags)
    if not scope.provider or not (scope.cluster.name or scope.cluster.context):
        return None
    said = {**request.flags, "name": cloud.name}
    loaded, provider = load_spec(said, None, request.environment, run)
    install = install_on(provider.discover(loaded.spec), loaded.spec)
    return FoundInstall(install, provider, None)


def _ours(
    resources: list[DecoratedCloudResource], found: FoundInstall | None
) -> DecoratedCloudResource | None:
    if found is not None:
        return registered_for(found.install, resources)
    return next((item for item in resources if item.is_default), next(iter(resources), None))


def _no_cluster(install: Install, provider: Provider) -> Cause:
    """It was registered before anybody said which cluster it is for."""
    by_context = "cluster.context" in provider.required
    way_in = "--context CONTEXT" if by_context else "--cluster-name NAME"
    return Cause(
        "it was registered without a cluster, and nobody has said which one it is on",
        f"anyscale cloud verify {install.cloud} --provider {install.provider} {way_in}",
    )


def _by_hand(provider: Provider, install: Install, scope: Scope) -> bool:
    """Whether nothing outside the cluster is of a setup's making, as far as anybody may look."""
    try:
        return all(item.read() is None for item in provider.find_owned(scope, install))
    except errors.CliError as problem:
        if problem.exit_code in _STOPPED:
            raise
        return False


def _wiring(
    request: StatusRequest, told: Behind, clouds: Clouds, run: Run
) -> tuple[Wiring | None, Cause | None]:
    """The install with its cluster open; or why there is nothing to look at."""
    found, resource = told.found, told.resource
    if found is None or resource is None:
        return None, None
    install, provider = found.install, found.provider
    again, scope = told.again, load_scope(request.flags)
    if not install.cluster:
        return None, _no_cluster(install, provider)
    try:
        if provider.cluster_state(install) is ClusterState.DELETED:
            delete = f"anyscale cloud delete {install.cloud}"
            return None, Cause(f"the cluster {install.cluster} is deleted", delete, final=True)
        spec = searched_spec(provider.locate(install), scope)
        cluster = provider.discover(spec)
        kubernetes = Kubernetes(access_of(spec, cluster), run)
        ledger = ledger_of(kubernetes, install)
    except errors.CliError as problem:
        # A way in that was named must lead there.
        named = scope.cluster.context or scope.cluster.kubeconfig
        if named or problem.exit_code in _STOPPED:
            raise
        return None, Cause(str(problem), problem.fix or again, problem.evidence)
    plane, host = PlaneFacts(clouds), clouds.plane.host
    if ledger.said:
        again = setup_command(ledger.said)
    elif not ledger.version and _by_hand(provider, install, scope):
        # A setup without what was brought would make another bucket.
        said = {**located(provider.locate(install)), **brought_settings(provider, resource)}
        again = of_unknown_options(said, "anyscale cloud register")
    wiring = Wiring(
        install,
        provider,
        cluster,
        kubernetes,
        ledger,
        resource,
        plane,
        accounts=ServiceAccounts(clouds.plane),
        host=host,
        again=again,
    )
    return wiring, None

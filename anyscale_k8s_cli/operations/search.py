"""Which installs a name means: by the registration, by locators, by the cluster's ledger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.abilities import KnowsItsAccount, ListsClusters
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.models import Cloud, DecoratedCloudResource
from anyscale_k8s_cli.install import Install, platform_told
from anyscale_k8s_cli.ledger import LEDGER_NAME, read_ledger
from anyscale_k8s_cli.operations.clouds import by_id
from anyscale_k8s_cli.operations.requests import DeleteRequest
from anyscale_k8s_cli.operations.said import on_install, option
from anyscale_k8s_cli.operations.workbench import access_of
from anyscale_k8s_cli.provider import Provider, install_on
from anyscale_k8s_cli.provider_registry import available, load
from anyscale_k8s_cli.registration import Found
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import (
    DEFAULT_NAMESPACE,
    CloudSpec,
    ClusterSpec,
    Scope,
    value_at,
)
from anyscale_k8s_cli.spec_loading import load_scope


@dataclass(frozen=True)
class Registered:
    """One resource of a cloud's record, whose name says whose it is (`eks-1f3a9c2e`)."""

    cloud: Cloud
    resource: DecoratedCloudResource

    @property
    def provider(self) -> str:
        return platform_told(self.resource.name)

    @property
    def install_id(self) -> str:
        return self.resource.name.rpartition("-")[2]


@dataclass(frozen=True)
class FoundInstall:
    """An install, its provider, and its registration while there is one."""

    install: Install
    provider: Provider
    registered: Registered | None


@dataclass(frozen=True)
class Findings:
    """What was found under a name, and where it was looked for (lines for people).

    `registered` are the names of our registrations in the clouds of that name.
    """

    name: str
    clouds: tuple[Cloud, ...]
    installs: tuple[FoundInstall, ...]
    searched: tuple[str, ...]
    unsearched: tuple[str, ...]
    registered: tuple[str, ...] = ()


class Searcher:
    """Looks for one cloud in every place that could know it."""

    def __init__(
        self,
        request: DeleteRequest,
        clouds: Clouds,
        run: Run,
        command: str = "anyscale cloud delete",
    ) -> None:
        """`command` is the one that searches, for the line that finds what this one misses."""
        self._request = request
        self._command = command
        self._scope = load_scope(request.flags)
        self._clouds = clouds
        self._run = run
        self._searched: list[str] = []
        self._unsearched: list[str] = []
        # Computed by a cluster's name: nothing tells yet that it is there.
        self._guessed: set[str] = set()

    def find(self) -> Findings:
        """What fits.

        Raises `cloud-ambiguous` when several installs fit and nothing narrows them, and
        `cloud-elsewhere` when none does and the cloud is registered from another place.
        """
        clouds = self._listed_clouds()
        name = self._request.name or (clouds[0].name if clouds else "")
        registered = self._registrations(clouds)
        self._searched.append(f"the control plane {self._clouds.plane.host}")
        found: dict[str, FoundInstall] = {}
        for provider in self._providers(registered):
            for install in self._installs(provider, name, registered, clouds):
                if self._fits(install):
                    entry = registered.get(install.id) or registered.get(install.unplaced.id)
                    found[install.id] = FoundInstall(install, provider, entry)
            if not any(item.registered for item in found.values()):
                found |= self._unplaced(provider, name, registered)
        known = (item for item in found.values() if item.registered or not self._is_guess(item))
        if registered and not any(known):
            self._check_elsewhere(name)
        return Findings(
            name,
            tuple(clouds),
            self._one_cluster(list(found.values())),
            tuple(self._searched),
            tuple(self._unsearched),
            tuple(entry.resource.name for entry in registered.values()),
        )

    def _is_guess(self, found: FoundInstall) -> bool:
        return found.install.id in self._guessed

    def _unplaced(
        self, provider: Provider, name: str, registered: dict[str, Registered]
    ) -> dict[str, FoundInstall]:
        """What was registered without a cluster, and no cluster has been found for."""
        unplaced = Install(
            provider=provider.name,
            account="",
            region="",
            cluster="",
            namespace=self._scope.namespace or DEFAULT_NAMESPACE,
            cloud=name,
        )
        entry = registered.get(unplaced.id)
        if entry is None:
            return {}
        install = replace(unplaced, region=entry.resource.region or "")
        return {install.id: FoundInstall(install, provider, entry)}

    def _check_elsewhere(self, name: str) -> None:
        """What was said may lead past a cloud that is well: that is no cloud that is gone."""
        where = ("provider", "region", "namespace", "cluster.", "account.")
        flags = self._request.flags
        narrowed = {path: value for path, value in flags.items() if path.startswith(where)}
        if not any(value is not None for value in narrowed.values()):
            return
        wider = replace(
            self._request,
            flags={path: value for path, value in flags.items() if path not in narrowed},
        )
        for found in Searcher(wider, self._clouds, self._run, self._command).find().installs:
            install = found.install
            if found.registered is None:
                continue
            raise errors.CliError(
                errors.CLOUD_ELSEWHERE,
                f"{name} exists, on {install.provider}/{install.cluster_name} "
                f"in namespace {install.namespace}",
                cause="what was given leads past it: "
                + " ".join(option(path, value) for path, value in narrowed.items() if value),
                fix=on_install(self._command, found.provider, install, load_scope(wider.flags)),
            )

    def _listed_clouds(self) -> list[Cloud]:
        request = self._request
        if request.cloud_id:
            return [by_id(self._clouds, request.name, request.cloud_id)]
        return self._clouds.find_clouds(request.name or "")

    def _registrations(self, clouds: Sequence[Cloud]) -> dict[str, Registered]:
        known = set(available())
        entries = (
            Registered(cloud, resource)
            for cloud in clouds
            for resource in self._clouds.list_resources(cloud.id)
        )
        return {entry.install_id: entry for entry in entries if entry.provider in known}

    def _providers(self, registered: dict[str, Registered]) -> list[Provider]:
        if self._scope.provider:
            return [load(self._scope.provider, self._run)]
        names = sorted({entry.provider for entry in registered.values()}) or available()
        providers = []
        for name in names:
            try:
                providers.append(load(name, self._run))
            except errors.CliError as problem:
                self._unsearched.append(f"{name}: {problem}")
        return providers

    def _installs(
        self,
        provider: Provider,
        name: str,
        registered: dict[str, Registered],
        clouds: Sequence[Cloud],
    ) -> list[Install]:
        regions = {
            entry.resource.region
            for entry in registered.values()
            if entry.provider == provider.name and entry.resource.region
        } or {cloud.region for cloud in clouds if cloud.provider == provider.control_plane_name}
        region = self._scope.region or (regions.pop() if len(regions) == 1 else None)
        scope = self._scope.model_copy(update={"region": region})
        installs: list[Install] = []
        try:
            if isinstance(provider, KnowsItsAccount):
                scope = provider.completed(scope)
            search = provider.search(scope, name)
        except errors.CliError as problem:
            # Without credentials a platform cannot be searched; that is told.
            self._unsearched.append(f"{provider.name}: {problem}")
        else:
            installs += search.installs
            self._searched += search.searched
            self._unsearched += search.unsearched
        if not installs:
            installs += self._in_clusters(provider, name, scope, clouds, registered)
        return installs

    def _in_clusters(
        self,
        provider: Provider,
        name: str,
        scope: Scope,
        clouds: Sequence[Cloud],
        registered: dict[str, Registered],
    ) -> list[Install]:
        """The installs of the named cluster, else of those that the platform lists.

        A run may have died before it made anything outside of the cluster, and what was
        made by hand and only registered carries nothing of ours anywhere.
        """
        if self._request.skip_cluster:
            self._unsearched.append("the cluster: --skip-cluster was given")
            return []
        if scope.cluster.name or scope.cluster.context:
            return self._in_cluster(provider, name, scope, registered, lambda _: True)
        if scope.region is None or not isinstance(provider, ListsClusters):
            return []
        records = [Found(cloud, ()) for cloud in clouds]

        def recorded(install: Install) -> bool:
            return install.id in registered or any(
                item.made_by(install, provider.control_plane_name) for item in records
            )

        try:
            clusters = provider.clusters(scope)
        except errors.CliError as problem:
            self._unsearched.append(f"the clusters in {scope.region}: {problem}")
            return []
        found: list[Install] = []
        for cluster in clusters:
            self._run.check()
            one = scope.model_copy(update={"cluster": _called(provider, cluster)})
            try:
                found += self._in_cluster(provider, name, one, registered, recorded)
            except errors.CliError as problem:
                self._unsearched.append(f"the cluster {cluster}: {problem}")
        return found

    def _in_cluster(
        self,
        provider: Provider,
        name: str,
        scope: Scope,
        registered: Collection[str],
        believed: Callable[[Install], bool],
    ) -> list[Install]:
        """Ask one cluster for ledgers, else compute what would be there by its name.

        What was made by hand has no ledger: it is in the namespace for which there is a
        registration, else where an install would be by default.
        `believed` tells whether an install that no ledger tells of is worth looking for.
        """
        spec = CloudSpec(
            provider=provider.name,
            name=name,
            region=scope.region,
            namespace=scope.namespace or DEFAULT_NAMESPACE,
            cluster=scope.cluster,
            account=scope.account,
            credentials=scope.credentials,
        )
        if any(not value_at(spec, path) for path in provider.required):
            return []
        cluster = provider.discover(spec)
        kubernetes = Kubernetes(access_of(spec, cluster), self._run)
        self._searched.append(f"the cluster {cluster.id}")
        installs = [
            content.install
            for item in kubernetes.list(
                "v1", "ConfigMap", field_selector=f"metadata.name={LEDGER_NAME}"
            )
            if (content := read_ledger(kubernetes, item["metadata"]["namespace"])) is not None
            and content.install.cloud == name
            and content.install.provider == provider.name
        ]
        uid = kubernetes.uid()
        if registered and not installs and scope.namespace is None:
            named = (
                install_on(cluster, spec.model_copy(update={"namespace": namespace}), uid)
                for namespace in self._namespaces(kubernetes)
            )
            installs = [install for install in named if install.id in registered]
        computed = install_on(cluster, spec, uid)
        if installs or not believed(computed):
            return installs
        self._guessed.add(computed.id)
        return [computed]

    def _namespaces(self, kubernetes: Kubernetes) -> list[str]:
        try:
            return [item["metadata"]["name"] for item in kubernetes.list("v1", "Namespace")]
        except errors.CliError as problem:
            if problem.code is not errors.CLUSTER_FORBIDDEN:
                raise
            self._unsearched.append(f"the namespaces of the cluster: {problem}")
            return []

    def _fits(self, install: Install) -> bool:
        """Without regard to case: there are platforms whose ids have none."""
        scope, cluster = self._scope, install.cluster.lower()
        account = (scope.account.scope or "").lower()
        named = (scope.cluster.name or "").lower()
        return (
            scope.namespace in (None, install.namespace)
            and account in ("", install.account.lower())
            and install.is_in(scope.region)
            and (not named or cluster == named or cluster.endswith(f"/{named}"))
        )

    def _one_cluster(self, found: list[FoundInstall]) -> tuple[FoundInstall, ...]:
        if len(found) > 1:
            raise errors.CliError(
                errors.CLOUD_AMBIGUOUS,
                f"{self._request.name or self._request.cloud_id} is on {len(found)} clusters",
                evidence=tuple(
                    f"{item.install.cluster} namespace {item.install.namespace}" for item in found
                ),
                fix="say which with --provider, --region, --cluster-name or --namespace",
            )
        return tuple(found)


def _called(provider: Provider, cluster: str) -> ClusterSpec:
    """The cluster as its platform finds it: by its name, or by a context."""
    if "cluster.context" in provider.required:
        return ClusterSpec(context=cluster)
    return ClusterSpec(name=cluster)

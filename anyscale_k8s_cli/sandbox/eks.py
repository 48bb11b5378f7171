"""The EKS platform of the sandbox: an AWS account and a cluster that know each other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyscale_k8s_cli.sandbox.aws.load_balancers import NoSubnets
from anyscale_k8s_cli.sandbox.aws.nodes import nodes
from anyscale_k8s_cli.sandbox.aws.seed import (
    ACCOUNT_ID,
    ADDONS,
    ADMIN,
    ADMIN_POLICY,
    CPU_NODES,
    GPU_NODES,
    POD_IDENTITY_AGENT,
    AccessEntrySeed,
    EksClusterSeed,
    LoadBalancerController,
)
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings, AwsStandIn
from anyscale_k8s_cli.sandbox.clusters import cluster_stand_in
from anyscale_k8s_cli.sandbox.controlplane.aws import S3Signer, StsVerifier
from anyscale_k8s_cli.sandbox.controlplane.operators import IdentityVerifier
from anyscale_k8s_cli.sandbox.controlplane.storage import StorageSigner
from anyscale_k8s_cli.sandbox.issuers import published_keys
from anyscale_k8s_cli.sandbox.kubernetes.loadbalancers import LoadBalancerError
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.kubernetes.users import User
from anyscale_k8s_cli.sandbox.platforms import Http
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.sandbox.world import EksWorld, World

_OUTSIDER = "demo-outsider"
# Who made the cluster where it was not the administrator.
_OTHER_CREATOR = "platform-team"
_CONTROLLER = LoadBalancerController.AWS_LOAD_BALANCER_CONTROLLER
_LABELS = {"app.kubernetes.io/name": _CONTROLLER.value}
# By this clients see who serves the cluster. What it does is done on the side of AWS.
_CONTROLLER_DEPLOYMENT: dict[str, Any] = {
    "metadata": {"name": _CONTROLLER.value, "labels": _LABELS},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": _LABELS},
        "template": {
            "metadata": {"labels": _LABELS},
            "spec": {
                "containers": [
                    {"name": "controller", "image": f"public.ecr.aws/eks/{_CONTROLLER}:v2.13.4"}
                ]
            },
        },
    },
}


class EksPlatform:
    """The account and its one cluster. `load_balancers` serves the cluster's Services."""

    def __init__(self, world: World, wire: Wire, authority: Authority) -> None:
        self.seed = cluster_seed(world.eks)
        self.aws = AwsStandIn(wire, _settings(world.eks, self.seed), issuer_keys=self._issuer_keys)
        self.load_balancers = SwitchableLoadBalancers(self.aws, self.seed.name)
        self._trusted = authority.client_context()
        self._keys: dict[str, Any] = {}
        self._outsider: dict[str, str] = {}
        self._cluster: KubernetesStandIn | None = cluster_stand_in(
            wire,
            authority,
            world,
            name=self.seed.name,
            version=self.seed.version,
            authenticators=[self._authenticate],
            pod_admission=[self._admit],
            load_balancers=self.load_balancers,
            issuer=self.seed.issuer,
            nodes=nodes(self.seed),
        )

    @property
    def clusters(self) -> Mapping[str, KubernetesStandIn]:
        return {self._cluster.name: self._cluster} if self._cluster else {}

    @property
    def contexts(self) -> Mapping[str, KubernetesStandIn]:
        account = self.aws.world.account
        return {
            account.arn("eks", f"cluster/{name}", self.seed.region): cluster
            for name, cluster in self.clusters.items()
        }

    @property
    def main(self) -> str:
        """The name of the cluster."""
        return self.seed.name

    @property
    def cluster(self) -> KubernetesStandIn:
        """The cluster. Raises LookupError once it was deleted."""
        if self._cluster is None:
            raise LookupError(f"the cluster {self.seed.name} was deleted")
        return self._cluster

    async def start(self) -> None:
        # moto is slow to import: the cluster gets ready meanwhile.
        await asyncio.gather(self.aws.start(), self._start_cluster())
        self.aws.set_endpoint(self.seed.name, self.cluster.url, self.cluster.ca_pem)
        if self.seed.load_balancer_controller is _CONTROLLER:
            await self._run_load_balancer_controller()

    async def _start_cluster(self) -> None:
        # Made once and here: AWS asks for the keys from threads of its own.
        self._keys = await asyncio.to_thread(self.cluster.issuer_keys)
        await self.cluster.start()

    async def _run_load_balancer_controller(self) -> None:
        """Returns once it runs: what comes later would look like somebody's work.

        The account must be there before, since it has a say in every pod.
        """
        store = self.cluster.store
        store.create("deployments.apps", _CONTROLLER_DEPLOYMENT, namespace="kube-system")

        def runs() -> bool:
            found = store.find("deployments.apps", "kube-system", _CONTROLLER.value)
            return bool(found and found.get("status", {}).get("availableReplicas"))

        await self.cluster.until(runs)

    async def stop(self) -> None:
        if self._cluster is not None:
            await self._cluster.stop()
        await self.aws.stop()

    async def delete_cluster(self) -> None:
        """What its owner would do: it is gone, what its controllers made in the account stays."""
        cluster, self._cluster = self.cluster, None
        self.aws.delete_cluster(self.seed.name)
        await cluster.stop()

    def verifiers(self, http: Http) -> Mapping[str, IdentityVerifier]:
        return {"AWS": StsVerifier(self.aws.url, http)}

    def signers(self, http: Http) -> Mapping[str, StorageSigner]:
        return {"s3": S3Signer(self.aws.url)}

    def environment(self, folder: Path) -> dict[str, str]:
        files = {"AWS_CONFIG_FILE": "aws-config", "AWS_SHARED_CREDENTIALS_FILE": "aws-credentials"}
        for name in files.values():
            (folder / name).touch(mode=0o600)
        return {
            **self.aws.environment(),
            **{variable: str(folder / name) for variable, name in files.items()},
            "AWS_REGION": self.seed.region,
            "AWS_DEFAULT_REGION": self.seed.region,
        }

    def addresses(self) -> dict[str, str]:
        clusters = {f"kubernetes/{name}": cluster.url for name, cluster in self.clusters.items()}
        return {"aws": self.aws.url, **clusters}

    def snapshot(self) -> dict[str, Any]:
        return {"aws": self.aws.snapshot()}

    def outsider(self) -> dict[str, str]:
        """Variables of a principal that may do everything in the account but enter the cluster."""
        if not self._outsider:
            account = self.aws.world.account
            user = account.iam.create_user(self.seed.region, _OUTSIDER)
            account.replace_user_policies(_OUTSIDER, [ADMIN_POLICY])
            key = user.create_access_key(prefix="AKIA")
            self._outsider = {
                "AWS_ACCESS_KEY_ID": key.access_key_id,
                "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            }
        return self._outsider

    def _issuer_keys(self, issuer: str) -> Mapping[str, Any] | None:
        if issuer == self.seed.issuer:
            return self._keys
        return published_keys(issuer, self._trusted)

    async def _authenticate(self, token: str) -> User | None:
        with self.aws.world.at_once() as free:
            if free:
                return self._user(token)
        # In a thread: the account is busy, maybe with a slow call.
        return await asyncio.to_thread(self._user, token)

    def _user(self, token: str) -> User | None:
        arn = self.aws.verify_eks_token(token, self.seed.name)
        found = self.aws.kubernetes_user(arn, self.seed.name) if arn else None
        return User(*found) if found else None

    def _admit(self, pod: dict[str, Any], account: dict[str, Any] | None) -> None:
        self.aws.inject_irsa(pod, account, cluster=self.seed.name)


class SwitchableLoadBalancers:
    """The account's load balancers, until they are told never to answer again."""

    def __init__(self, aws: AwsStandIn, cluster: str) -> None:
        self._aws = aws
        self._cluster = cluster
        self.answers = True

    async def ensure(self, service: dict[str, Any]) -> list[dict[str, Any]] | None:
        if not self.answers:
            return None
        try:
            return await self._aws.load_balancers(self._cluster).ensure(service)
        except NoSubnets as none:
            raise LoadBalancerError(str(none), none.reason) from none

    async def remove(self, service: dict[str, Any]) -> None:
        await self._aws.load_balancers(self._cluster).remove(service)


def cluster_seed(world: EksWorld) -> EksClusterSeed:
    """The cluster of a world."""
    own = world.admin_groups == ("system:masters",)
    entries: tuple[AccessEntrySeed, ...] = ()
    if not own and world.admin_groups is not None:
        partition = "aws-cn" if world.region.startswith("cn-") else "aws"
        arn = f"arn:{partition}:iam::{ACCOUNT_ID}:user/{ADMIN}"
        entries = (AccessEntrySeed(arn, groups=world.admin_groups),)
    return EksClusterSeed(
        name=world.cluster,
        region=world.region,
        version=world.version,
        creator=ADMIN if own else _OTHER_CREATOR,
        access_entries=entries,
        oidc_provider_registered=world.oidc_provider_registered,
        load_balancer_controller=world.load_balancer_controller,
        load_balancer_never_answers=world.load_balancer_never_answers,
        public_endpoint=world.public_endpoint,
        subnets_tagged=world.subnets_tagged,
        auto_mode=world.auto_mode,
        node_groups=(CPU_NODES, GPU_NODES) if world.gpu_nodes else (CPU_NODES,),
        pods_reach_metadata=world.pods_reach_metadata,
        addons=(*ADDONS, POD_IDENTITY_AGENT) if world.pod_identity_agent else ADDONS,
        describes_while_creating=world.describes_while_creating,
    )


def _settings(world: EksWorld, seed: EksClusterSeed) -> AwsSettings:
    policies = (ADMIN_POLICY,) if world.admin_policies is None else world.admin_policies
    return AwsSettings(
        clusters=(seed,),
        admin_policies=policies,
        refused_attempts=world.refused_attempts,
        removal_seconds=world.removal_seconds,
    )

"""The account and everything that gives it behaviour, put together."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import create_backend_app

from anyscale_k8s_cli.sandbox.aws import snapshot, tokens, webhook
from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.agent import PodIdentityAgent
from anyscale_k8s_cli.sandbox.aws.authorization import Authorization
from anyscale_k8s_cli.sandbox.aws.ec2 import Ec2
from anyscale_k8s_cli.sandbox.aws.eks import Clusters, Eks
from anyscale_k8s_cli.sandbox.aws.elastic import Elastic
from anyscale_k8s_cli.sandbox.aws.elbv2 import LoadBalancerApi
from anyscale_k8s_cli.sandbox.aws.front import Front
from anyscale_k8s_cli.sandbox.aws.iam import IamRules, OidcClients
from anyscale_k8s_cli.sandbox.aws.kms import Kms
from anyscale_k8s_cli.sandbox.aws.load_balancers import AwsLoadBalancers
from anyscale_k8s_cli.sandbox.aws.principals import Principals
from anyscale_k8s_cli.sandbox.aws.propagation import Propagation
from anyscale_k8s_cli.sandbox.aws.quotas import Quotas
from anyscale_k8s_cli.sandbox.aws.request import AGENT_PATH, METADATA_PATH
from anyscale_k8s_cli.sandbox.aws.s3 import S3Rules
from anyscale_k8s_cli.sandbox.aws.seed import ADMIN
from anyscale_k8s_cli.sandbox.aws.seeding import seed_admin, seed_bucket, seed_cluster
from anyscale_k8s_cli.sandbox.aws.service import Operation
from anyscale_k8s_cli.sandbox.aws.simulation import Simulation
from anyscale_k8s_cli.sandbox.aws.sts import Sts
from anyscale_k8s_cli.sandbox.aws.tagging import Tagging
from anyscale_k8s_cli.sandbox.aws.trust import IssuerKeys
from anyscale_k8s_cli.sandbox.signature import BadSignature
from anyscale_k8s_cli.sandbox.wire import Wire

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings


@cache
def _by_moto() -> Mapping[str, WSGIApplication]:
    """moto's wire formats, by service. They hold no state: accounts do."""
    return {"iam": create_backend_app("iam"), "s3": create_backend_app("s3")}


class World:
    """A started account. `host` is where it listens, known once a server has a port."""

    def __init__(self, settings: AwsSettings, issuer_keys: IssuerKeys) -> None:
        owners = {bucket.account_id for bucket in settings.buckets if bucket.account_id}
        accounts = {settings.account_id} | owners
        for account_id in accounts:
            if Account.in_use(account_id):
                raise RuntimeError(f"this process already serves the account {account_id}")
        region = settings.clusters[0].region if settings.clusters else "us-west-2"
        self.host = ""
        self._lock = threading.RLock()
        self._accounts = [Account(account_id, region) for account_id in accounts]
        self._settings = settings
        self._issuer_keys = issuer_keys
        self.account = Account(settings.account_id, region)
        self._propagation = Propagation(self.account, settings.refused_attempts)
        self.principals = Principals(
            self.account, settings.clock, self._propagation, settings.organisation_policies
        )
        self.admin = seed_admin(self.account, settings.admin_policies, region)
        for cluster in settings.clusters:
            seed_cluster(self.account, cluster)
        self._propagation.settle()
        self.webhook_answers = True
        for bucket in settings.buckets:
            seed_bucket(self.account, bucket)
        self.clusters = Clusters(self.account, settings.clusters)
        self.elastic = Elastic(
            self.account, self.clusters, settings.monotonic, settings.removal_seconds
        )
        self.kms = Kms(self.account, list(settings.kms_keys))
        authorization = Authorization(self.account, self.principals, self.kms)
        self._s3 = S3Rules(self.account, authorization)
        self._front = Front(
            account=self.account,
            principals=self.principals,
            authorization=authorization,
            s3=self._s3,
            iam=IamRules(self.account),
            supplements=self._supplements(),
            agent=PodIdentityAgent(
                self.account, self.clusters, self.principals, issuer_keys, settings.clock
            ),
            moto=_by_moto(),
            clock=settings.clock,
            lock=self._lock,
        )
        self._load_balancers = {
            cluster.seed.name: AwsLoadBalancers(self.elastic, cluster.seed, self._lock)
            for cluster in self.clusters.all()
        }

    def _supplements(self) -> Mapping[str, Mapping[str, Operation]]:
        """By botocore's name of the service."""
        balancing = LoadBalancerApi(self.elastic)
        sts = Sts(
            self.account,
            self.principals,
            self._issuer_keys,
            self._settings.clock,
            self._propagation,
        )
        return {
            "iam": {
                **Simulation(self.account, self.principals).operations(),
                **OidcClients(self.account).operations(),
            },
            "sts": sts.operations(),
            "eks": Eks(self.account, self.clusters, self._propagation).operations(),
            "ec2": Ec2(self.elastic).operations(),
            "kms": self.kms.operations(),
            "elbv2": balancing.operations(),
            "elb": balancing.classic_operations(),
            "resourcegroupstaggingapi": Tagging(self.account, self.elastic).operations(),
            "service-quotas": Quotas(self.account, self._settings.limits).operations(),
        }

    def application(self, wire: Wire) -> WSGIApplication:
        return wire.wsgi(self._front, self._front.classify, self._front.refuse)

    def close(self) -> None:
        for account in self._accounts:
            account.remove()

    def set_endpoint(self, cluster: str, endpoint: str, ca_pem: bytes) -> None:
        with self._lock:
            found = self.clusters.named(cluster)
            found.endpoint, found.ca_pem = endpoint, ca_pem

    @contextmanager
    def at_once(self) -> Iterator[bool]:
        """Whether nobody is at the account, who could make one wait; nor comes meanwhile."""
        free = self._lock.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                self._lock.release()

    def verify_eks_token(self, token: str, cluster_name: str) -> str | None:
        with self._lock:
            now = self._settings.clock()
            try:
                return tokens.verify(token, cluster_name, self.principals, now, self.host).arn
            except BadSignature:
                return None

    def kubernetes_user(self, arn: str, cluster: str) -> tuple[str, tuple[str, ...]] | None:
        with self._lock:
            entity = self.account.entity(arn)
            entries = self.clusters.named(cluster).entries
            entry = entries.get(entity.arn) if entity is not None else None
            return (entry.username or arn, entry.groups) if entry else None

    def admit_pod(
        self, pod: dict[str, Any], service_account: Mapping[str, Any] | None, cluster: str
    ) -> None:
        webhook.add_endpoint(pod, f"http://{self.host}")
        seed = self.clusters.named(cluster).seed
        if seed.pods_reach_metadata:
            url = f"http://{self.host}{METADATA_PATH}{seed.name}-node"
            webhook.add_metadata(pod, url)
        if service_account is None or not self.webhook_answers:
            # The webhook is called so that a pod is made without it, too.
            return
        metadata = service_account["metadata"]
        with self._lock:
            found = self.clusters.named(cluster)
            association = found.seen_association(metadata["namespace"], metadata["name"])
        region = found.seed.region
        if association is not None:
            webhook.add_agent(pod, f"http://{self.host}{AGENT_PATH}", region)
        if role := (metadata.get("annotations") or {}).get(webhook.ROLE_ANNOTATION):
            webhook.add_role(pod, role, region)

    def load_balancers(self, cluster: str) -> AwsLoadBalancers:
        return self._load_balancers[cluster]

    def snapshot(self) -> dict[str, Any]:
        with self._lock:
            return snapshot.snapshot(self.account, self.elastic)

    def set_admin_policies(self, policies: Sequence[Mapping[str, Any]]) -> None:
        with self._lock:
            self.account.replace_user_policies(ADMIN, policies)

    def expire_sessions(self) -> None:
        with self._lock:
            self.principals.expire_sessions()

    def name_being_deleted(self, bucket: str, attempts: int) -> None:
        with self._lock:
            self._s3.being_deleted[bucket] = attempts

    def delete_cluster(self, cluster: str) -> None:
        with self._lock:
            self.clusters.named(cluster).deleted = True

"""What a cluster's controllers made and could not remove: the cluster was gone before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.eks import labels, tags
from anyscale_k8s_cli.providers.eks.arns import Arn
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.sdk.network import GROUP_IN_USE
from anyscale_k8s_cli.resource import FieldChange, Observed, Resource
from anyscale_k8s_cli.run import StillWaiting

LOAD_BALANCER_TYPE = "elasticloadbalancing:loadbalancer"
_TARGET_GROUP_TYPE = "elasticloadbalancing:targetgroup"
_SECURITY_GROUP_TYPE = "ec2:security-group"
TARGET_GROUP_IN_USE = "ResourceInUse"


@dataclass(frozen=True)
class Found:
    """A load balancer with our locator: its ARN and tags."""

    arn: str
    tags: Mapping[str, str]


def find(aws: Aws, install: Install) -> list[Found]:
    """The load balancers that were made for this install in its cluster.

    Both must be on them: our locator, and the mark of the cluster's controller.
    """
    cluster = Arn.parse(install.cluster).name
    return [
        Found(item.arn, item.tags)
        for item in aws.account.tagged({tags.INSTALL_TAG: install.id}, [LOAD_BALANCER_TYPE])
        if made_for(item.tags, cluster)
    ]


def made_for(found: Mapping[str, str], cluster: str) -> bool:
    """Whether a controller of the cluster of that name marked the object."""
    return (
        found.get(labels.CONTROLLER_CLUSTER_TAG) == cluster
        or found.get(labels.AUTO_MODE_CLUSTER_TAG) == cluster
        or f"{labels.IN_TREE_CLUSTER_TAG}{cluster}" in found
    )


class LeftoverLoadBalancer(Resource[str]):
    """For teardown only: with its target groups and security groups, which bear the same tags."""

    kind: ClassVar[str] = "load-balancer"

    def __init__(self, aws: Aws, install: Install, found: Found, patience: float) -> None:
        # loadbalancer/net/<name>/<id>
        parts = Arn.parse(found.arn).resource.split("/")
        name = parts[-2] if len(parts) > 2 else parts[-1]
        super().__init__(
            key=f"aws:load-balancer/{name}", title=f"load balancer {name}", install=install
        )
        self._aws = aws
        self._found = found
        self._patience = patience

    def read(self) -> Observed[str] | None:
        described = self._aws.network.load_balancer(self._found.arn)
        if described is None:
            return None
        return Observed(
            id=self._found.arn,
            output=described.dns_name,
            owner=Install.from_locator(self._found.tags),
        )

    def diff(self, observed: Observed[str]) -> Sequence[FieldChange]:
        return ()

    def create(self) -> Observed[str]:
        raise self._only_removed()

    def update(self, observed: Observed[str], changes: Sequence[FieldChange]) -> Observed[str]:
        raise self._only_removed()

    def delete(self, observed: Observed[str]) -> None:
        """The load balancer, then what it used: as long as it is there AWS holds on to them."""
        companions = self._companions()
        self._aws.network.delete_load_balancer(observed.id)
        self._aws.run.wait_for(
            self._gone, what=f"{self.title} to be gone", timeout=self._patience, every=3.0
        )
        for arn in companions:
            self._aws.run.retry(
                partial(self._delete_companion, arn),
                retriable=_in_use,
                what=f"{arn} to be free",
                timeout=self._patience,
            )

    def ready(self, observed: Observed[str]) -> Observed[str]:
        return observed

    def _companions(self) -> list[str]:
        found = self._aws.account.tagged(
            {tags.INSTALL_TAG: self.install.id}, [_TARGET_GROUP_TYPE, _SECURITY_GROUP_TYPE]
        )
        cluster = Arn.parse(self.install.cluster).name
        return [item.arn for item in found if made_for(item.tags, cluster)]

    def _delete_companion(self, arn: str) -> None:
        network = self._aws.network
        name = Arn.parse(arn).name
        if Arn.parse(arn).service != "ec2":
            network.delete_target_group(arn)
        elif network.has_security_group(name):
            network.delete_security_group(name)

    def _gone(self) -> None:
        if self._aws.network.load_balancer(self._found.arn) is not None:
            raise StillWaiting("AWS still lists it")

    def _only_removed(self) -> errors.CliError:
        return errors.CliError(errors.INTERNAL, f"{self.title} is only ever removed")


def _in_use(problem: BaseException) -> bool:
    return isinstance(problem, CloudFailure) and problem.api_code in (
        GROUP_IN_USE,
        TARGET_GROUP_IN_USE,
    )

"""The tagging API: finds buckets and load balancers by tag, and no roles, as in life."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.elastic import Elastic, tag_list
from anyscale_k8s_cli.sandbox.aws.service import Answer, Inquiry, Operation


@dataclass(frozen=True)
class Tagging:
    account: Account
    elastic: Elastic

    def operations(self) -> Mapping[str, Operation]:
        return {"GetResources": self.get_resources}

    def get_resources(self, inquiry: Inquiry) -> Answer:
        """A region's resources. Deleted load balancers are told until they are gone."""
        return {
            "PaginationToken": "",
            "ResourceTagMappingList": [
                {"ResourceARN": arn, "Tags": tag_list(tags)}
                for arn, tags in self._tagged(inquiry.region)
                if tags and _wanted(inquiry, arn, tags)
            ],
        }

    def _tagged(self, region: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        for bucket in self.account.buckets():
            if bucket.region_name == region:
                yield bucket.arn, self.account.bucket_tags(bucket)
        for balancer in self.elastic.load_balancers(region):
            yield balancer.arn, balancer.tags
        for group in self.elastic.security_groups(region):
            yield self.account.arn("ec2", f"security-group/{group.id}", region), group.tags
        for cluster in self.elastic.clusters.all(region):
            seed = cluster.seed
            yield self.account.arn("eks", f"cluster/{seed.name}", region), seed.tags
            for association in cluster.associations.values():
                yield association["associationArn"], association["tags"]


def _wanted(inquiry: Inquiry, arn: str, tags: Mapping[str, str]) -> bool:
    for condition in inquiry.get("TagFilters") or []:
        values = condition.get("Values")
        if condition["Key"] not in tags or (values and tags[condition["Key"]] not in values):
            return False
    types = inquiry.get("ResourceTypeFilters") or []
    arns = inquiry.get("ResourceARNList") or []
    return (not types or any(_is(arn, kind) for kind in types)) and (not arns or arn in arns)


def _is(arn: str, kind: str) -> bool:
    """Whether an ARN is of a type such as `s3` or `elasticloadbalancing:loadbalancer`."""
    service, _, resource = kind.partition(":")
    parts = arn.split(":", 5)
    if parts[2] != service:
        return False
    return not resource or service == "s3" or parts[5].split("/")[0] == resource.split("/")[0]

"""Which Services get a load balancer, and what remains when they go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.aws.load_balancers import NoSubnets
from anyscale_k8s_cli.sandbox.aws.seed import EksClusterSeed, LoadBalancerController
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings
from anyscale_k8s_cli.sandbox.kubernetes.loadbalancers import LoadBalancerProvider

PREFIX = "service.beta.kubernetes.io/aws-load-balancer-"
SEEDS = (
    EksClusterSeed(name="controller"),
    EksClusterSeed(
        name="auto", auto_mode=True, load_balancer_controller=LoadBalancerController.AUTO_MODE
    ),
    EksClusterSeed(name="plain", load_balancer_controller=LoadBalancerController.IN_TREE),
    EksClusterSeed(name="untagged", subnets_tagged=False),
    EksClusterSeed(name="silent", load_balancer_never_answers=True),
)


@pytest.fixture
def settings() -> AwsSettings:
    return AwsSettings(clusters=SEEDS, buckets=())


def service(load_balancer_class: str = "", **annotations: str) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "envoy-gateway-system",
            "name": "envoy-prod-gateway-1a2b",
            "uid": "8d2c1c3e-0000-4000-8000-000000000001",
            "annotations": {PREFIX + name.replace("_", "-"): v for name, v in annotations.items()},
        },
        "spec": {"type": "LoadBalancer", "loadBalancerClass": load_balancer_class or None},
    }


@pytest.mark.parametrize(
    ("cluster", "wish", "served"),
    [
        ("controller", service(type="external", scheme="internet-facing"), True),
        ("controller", service("service.k8s.aws/nlb"), True),
        ("controller", service(), True),
        ("controller", service("eks.amazonaws.com/nlb"), False),
        ("auto", service("eks.amazonaws.com/nlb"), True),
        ("auto", service(type="external"), False),
        ("plain", service(type="nlb"), True),
        ("plain", service(), True),
        ("plain", service(type="external"), False),
        ("plain", service("service.k8s.aws/nlb"), False),
        ("silent", service(type="external"), False),
    ],
)
async def test_who_serves_what(aws: Any, cluster: str, wish: dict[str, Any], served: bool) -> None:
    answer = await aws.stand_in.load_balancers(cluster).ensure(wish)
    assert (answer is not None) is served
    found = aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    found += aws.client("elb").describe_load_balancers()["LoadBalancerDescriptions"]
    assert [{"hostname": balancer["DNSName"]} for balancer in found] == (answer or [])


async def test_controllers_load_balancer(aws: Any) -> None:
    tags = "owner=ml,cost-center=7"
    wish = service(type="external", scheme="internet-facing", additional_resource_tags=tags)
    balancers = aws.stand_in.load_balancers("controller")
    first = await balancers.ensure(wish)
    assert await balancers.ensure(wish) == first
    elb, ec2 = aws.client("elbv2"), aws.client("ec2")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    assert balancer["Scheme"] == "internet-facing"
    assert balancer["DNSName"].startswith("k8s-envoygat-envoypro-")
    assert balancer["DNSName"].endswith(".elb.us-west-2.amazonaws.com")
    described = elb.describe_tags(ResourceArns=[balancer["LoadBalancerArn"]])
    found = {tag["Key"]: tag["Value"] for tag in described["TagDescriptions"][0]["Tags"]}
    assert found["elbv2.k8s.aws/cluster"] == "controller"
    assert found["service.k8s.aws/stack"] == "envoy-gateway-system/envoy-prod-gateway-1a2b"
    assert (found["owner"], found["cost-center"]) == ("ml", "7")
    (group,) = balancer["SecurityGroups"]
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    interfaces = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert {interface["Groups"][0]["GroupId"] for interface in interfaces} == {group}


async def test_internal_unless_said_otherwise_with_the_controller(aws: Any) -> None:
    await aws.stand_in.load_balancers("controller").ensure(service(type="external"))
    (balancer,) = aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert balancer["Scheme"] == "internal"


async def test_public_unless_said_otherwise_in_tree(aws: Any) -> None:
    await aws.stand_in.load_balancers("plain").ensure(service(type="nlb", internal="true"))
    other = service(type="nlb")
    other["metadata"]["uid"] = "another"
    await aws.stand_in.load_balancers("plain").ensure(other)
    found = aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert [balancer["Scheme"] for balancer in found] == ["internal", "internet-facing"]


async def test_removed_load_balancer_is_seen_a_while(aws: Any, refused: Any) -> None:
    balancers = aws.stand_in.load_balancers("controller")
    wish = service(type="external")
    await balancers.ensure(wish)
    elb, ec2 = aws.client("elbv2"), aws.client("ec2")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    groups = len(ec2.describe_security_groups()["SecurityGroups"])
    await balancers.remove(wish)
    await balancers.remove(wish)
    assert len(elb.describe_load_balancers()["LoadBalancers"]) == 1
    aws.clock.seconds += 1
    assert elb.describe_load_balancers()["LoadBalancers"] == []
    assert len(ec2.describe_security_groups()["SecurityGroups"]) == groups - 1
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    with refused("LoadBalancerNotFound"):
        elb.describe_load_balancers(LoadBalancerArns=[balancer["LoadBalancerArn"]])


async def test_named_subnets_must_exist(aws: Any) -> None:
    seed = replace(SEEDS[0])
    named = seed.subnets()[0].id
    balancers = aws.stand_in.load_balancers("controller")
    with pytest.raises(NoSubnets, match=r"want: \[subnet-0\]"):
        await balancers.ensure(service(type="external", subnets="subnet-0"))
    assert await balancers.ensure(service(type="external", subnets=named)) is not None
    (balancer,) = aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert [zone["SubnetId"] for zone in balancer["AvailabilityZones"]] == [named]


async def test_subnets_are_found_by_their_tags(aws: Any) -> None:
    with pytest.raises(NoSubnets, match="role/internal-elb") as none:
        await aws.stand_in.load_balancers("untagged").ensure(service(type="external"))
    assert none.value.reason == "FailedBuildModel"


async def test_it_is_what_the_cluster_asks_for(aws: Any) -> None:
    provider: LoadBalancerProvider = aws.stand_in.load_balancers("controller")
    assert await provider.ensure(service(type="external")) is not None

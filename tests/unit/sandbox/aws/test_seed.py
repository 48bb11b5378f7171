"""The data that a world begins with."""

from __future__ import annotations

from dataclasses import replace

from anyscale_k8s_cli.sandbox.aws.seed import EksClusterSeed

SEED = EksClusterSeed()


def test_ids_are_fixed_and_differ_between_clusters() -> None:
    assert SEED.issuer == EksClusterSeed().issuer
    other = replace(SEED, name="other")
    assert SEED.issuer != other.issuer
    assert {s.id for s in SEED.subnets()}.isdisjoint(s.id for s in other.subnets())
    assert SEED.issuer.startswith("https://oidc.eks.us-west-2.amazonaws.com/id/")


def test_chinas_issuers_have_their_own_suffix() -> None:
    seed = replace(SEED, region="cn-north-1")
    assert seed.issuer.startswith("https://oidc.eks.cn-north-1.amazonaws.com.cn/id/")


def test_every_zone_has_a_public_and_a_private_subnet() -> None:
    places = {(subnet.zone, subnet.public) for subnet in SEED.subnets()}
    assert places == {(zone, public) for zone in SEED.zones for public in (True, False)}
    assert len({subnet.cidr for subnet in SEED.subnets()}) == 6

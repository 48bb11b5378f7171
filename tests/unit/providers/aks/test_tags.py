"""Locators in tags, and names: they fit, and give back what was put in."""

from __future__ import annotations

import re

import pytest

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.aks import bucket, identity, tags

UID = "7f1d1f0e-31f5-4c5c-9a55-0c6c86a1f1aa"
SUBSCRIPTION = "0b7b6a5e-3f0d-4b52-8a86-1d9f2c4e7a31"


def install(
    *,
    cloud: str = "prod",
    group: str = "demo",
    cluster: str = "demo",
    namespace: str = "anyscale-operator",
    prefix: str = "anyscale",
    uid: str = UID,
) -> Install:
    return Install(
        provider="aks",
        account=SUBSCRIPTION,
        region="eastus",
        cluster=tags.cluster_id(SUBSCRIPTION, group, cluster),
        namespace=namespace,
        cloud=cloud,
        cluster_uid=uid,
        name_prefix=prefix,
    )


# What Azure and the spec allow at most.
LONGEST = install(
    cloud="C" * 63, group="g" * 90, cluster="k" * 63, namespace="n" * 63, prefix="p" * 20
)
ALL = [
    install(),
    install(uid=""),
    install(cloud="Team_A-PROD", prefix="acme"),
    install(cloud="9", group="My.Group_(1)"),
    LONGEST,
]


@pytest.mark.parametrize("one", ALL, ids=str)
def test_tags_tell_all_of_an_install(one: Install) -> None:
    found = tags.own(one, {"team": "ml"})
    assert tags.owner(found, SUBSCRIPTION) == one
    assert found["team"] == "ml"
    assert all(len(value) <= 256 for value in found.values())
    assert len(found) - 1 <= tags.MOST_TAGS - tags.MOST_OF_USERS


def test_the_case_of_a_tags_name_says_nothing() -> None:
    found = {name.upper(): value for name, value in tags.own(install(), {}).items()}
    assert tags.owner(found, SUBSCRIPTION) == install()
    assert set(found) - set(tags.without_cluster(found)) == {tags.UID_TAG.upper()}


@pytest.mark.parametrize(
    "changed",
    [
        {"anyscale-k8s-managed-by": "somebody"},
        {"anyscale-k8s-format": "2"},
        {"anyscale-k8s-cloud": "other"},
        {"anyscale-k8s-resource-group": ""},
        {"anyscale-k8s-install": "00000000"},
    ],
    ids=lambda changed: str(*changed),
)
def test_tags_that_were_changed_are_no_locator(changed: dict[str, str]) -> None:
    assert tags.owner({**tags.own(install(), {}), **changed}, SUBSCRIPTION) is None


def test_a_locator_of_another_subscription_is_nobodys_here() -> None:
    assert tags.owner(tags.own(install(), {}), SUBSCRIPTION[::-1]) is None


@pytest.mark.parametrize("name", ["team", "cost center", "a.b:c", "x" * 128])
def test_names_of_tags(name: str) -> None:
    assert tags.TAG_NAME.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["a/b", "a%", "", "x" * 129, "Microsoft-x", "azure", "windowsx", "ANYSCALE-k8s-install"]
)
def test_what_is_no_name_of_a_tag_of_the_users(name: str) -> None:
    assert not tags.TAG_NAME.fullmatch(name)


@pytest.mark.parametrize("path", ["", "demo", "/subscriptions/s/resourcegroups/g"])
def test_what_is_no_id_of_a_cluster(path: str) -> None:
    with pytest.raises(ValueError, match="not the id of a cluster"):
        tags.cluster_parts(path)


# -- names ------------------------------------------------------------------------


@pytest.mark.parametrize("one", ALL, ids=str)
def test_names_fit(one: Install) -> None:
    for name in (bucket.default_name(one), bucket.other_name(one)):
        assert re.fullmatch(r"[a-z0-9]{3,24}", name)
    assert bucket.default_name(one) != bucket.other_name(one)
    assert len(identity.default_name(one)) <= 128


@pytest.mark.parametrize("one", ALL, ids=str)
def test_an_accounts_name_ends_in_the_installs_id(one: Install) -> None:
    assert bucket.default_name(one).endswith(one.id)


def test_names_begin_so_that_people_find_them() -> None:
    assert bucket.default_name(install()) == f"anyscaleprod{install().id}"
    long = install(cloud="a-long-name-of-a-cloud")
    assert bucket.default_name(long).startswith("anyscale")
    assert len(bucket.default_name(long)) == 24


def test_no_two_clouds_share_a_name() -> None:
    names = [f"{'x' * 40}{number}" for number in range(50)] + ["a-b", "ab", "a_b", "AB"]
    prefixes = ["anyscale", "p" * 20, "p-q"]
    found = {
        bucket.default_name(install(cloud=name, prefix=prefix))
        for name in names
        for prefix in prefixes
    }
    assert len(found) == len(names) * len(prefixes)

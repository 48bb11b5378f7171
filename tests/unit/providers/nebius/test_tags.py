"""Labels that we write, and what they say when we read them."""

from __future__ import annotations

from dataclasses import replace

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.nebius import tags

PROJECT = "project-e00abc"
INSTALL = Install(
    provider="nebius",
    account=PROJECT,
    region="eu-north1",
    cluster=tags.cluster_path(PROJECT, "demo"),
    namespace="anyscale-operator",
    cloud="Prod-EU",
    cluster_uid="7f1d1f0e-31f5-4c5c-9a55-0c6c86a1f1aa",
)


def test_what_is_written_is_read_again_and_fits_nebius() -> None:
    from tests.properties import from_regex, holds_for

    def read_again(cloud: str, namespace: str) -> None:
        install = replace(INSTALL, cloud=cloud, namespace=namespace)
        labels = tags.labels(install, {"team": "ml"}).wanted
        assert tags.owner_by_labels(labels) == install
        for key, value in labels.items():
            assert tags.LABEL_KEY.fullmatch(key)
            assert tags.LABEL_VALUE.fullmatch(value)

    holds_for(
        read_again,
        cloud=from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,60}[A-Za-z0-9])?", fullmatch=True),
        namespace=from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True),
    )


def test_labels_that_do_not_follow_from_each_other_count_for_nothing() -> None:
    labels = tags.labels(INSTALL, {}).wanted
    for key in labels:
        if key.endswith(("cluster-uid", "name-prefix", "region")):
            continue
        assert tags.owner_by_labels({**labels, key: "other"}) is None


def test_an_install_knows_its_own_though_a_label_was_changed_by_hand() -> None:
    labels = {**tags.labels(INSTALL, {}).wanted, "anyscale-k8s-cloud": "other"}
    found = tags.owner(labels, INSTALL)
    assert found == INSTALL
    assert tags.owner(labels, replace(INSTALL, namespace="another")) is None


def test_a_cluster_is_forgotten_with_its_uid_alone() -> None:
    labels = tags.without_uid(tags.labels(INSTALL, {}).wanted)
    assert tags.owner_by_labels(labels) == INSTALL.forgetting_cluster()


def test_a_cluster_that_is_made_again_under_its_name_is_the_same_install() -> None:
    assert replace(INSTALL, cluster_uid="another").id == INSTALL.id
    assert INSTALL.cluster_name == "demo"

"""Locators in labels and descriptions: they fit, and give back what was put in."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.gcs import bucket, wording
from anyscale_k8s_cli.providers.gke import identity, tags
from anyscale_k8s_cli.providers.gke.sdk.container import region_of

UID = "7f1d1f0e-31f5-4c5c-9a55-0c6c86a1f1aa"


def install(
    *,
    cloud: str = "prod",
    location: str = "us-central1",
    cluster: str = "demo",
    namespace: str = "anyscale-operator",
    prefix: str = "anyscale",
    uid: str = UID,
    project: str = "demo",
) -> Install:
    return Install(
        provider="gke",
        account=project,
        region=region_of(location),
        cluster=f"projects/{project}/locations/{location}/clusters/{cluster}",
        namespace=namespace,
        cloud=cloud,
        cluster_uid=uid,
        name_prefix=prefix,
    )


# What Google and the spec allow at most.
LONGEST = install(
    cloud="C" * 63,
    location="northamerica-northeast1-a",
    cluster="k" * 40,
    namespace="n" * 63,
    prefix="p" * 20,
)
ALL = [
    install(),
    install(location="us-central1-f", uid=""),
    install(cloud="Team_A-PROD", prefix="acme"),
    install(cloud="9"),
    install(project="example.com:demo"),
    LONGEST,
]


@pytest.mark.parametrize("one", ALL, ids=str)
def test_labels_tell_all_of_an_install(one: Install) -> None:
    labels = tags.labels(one, {"team": "ml"})
    assert tags.owner_by_labels(labels, one.account) == one
    assert tags.owner(labels, one) == one
    assert labels["team"] == "ml"
    for key, value in labels.items():
        assert wording.LABEL_KEY.fullmatch(key)
        assert wording.LABEL_VALUE.fullmatch(value)
    assert len(labels) - 1 <= 64 - wording.MOST_OF_USERS


@pytest.mark.parametrize("one", ALL, ids=str)
def test_a_description_tells_all_of_an_install(one: Install) -> None:
    text = tags.description(one)
    assert len(text.encode()) <= 256
    found = tags.owner_by_description(text, one.account)
    assert found is not None
    assert found.id == one.id
    assert found in (one, one.forgetting_cluster())


def test_only_the_longest_of_all_names_leave_no_room_for_the_clusters_uid() -> None:
    assert UID not in tags.description(LONGEST)
    assert UID in tags.description(install(cloud="c" * 63, namespace="n" * 40))


def test_users_labels_cannot_take_the_place_of_ours() -> None:
    labels = tags.labels(install(), {"anyscale-k8s-install": "00000000"})
    assert labels["anyscale-k8s-install"] == install().id


@pytest.mark.parametrize(
    "changed",
    [
        {"anyscale-k8s-managed-by": "somebody"},
        {"anyscale-k8s-format": "2"},
        {"anyscale-k8s-cloud": "other"},
        {"anyscale-k8s-cloud-capitals": "zz"},
        {"anyscale-k8s-location": ""},
        {"anyscale-k8s-install": "00000000"},
    ],
    ids=lambda changed: str(*changed),
)
def test_labels_that_were_changed_are_no_locator(changed: dict[str, str]) -> None:
    one = install(cloud="Prod")
    assert tags.owner_by_labels({**tags.labels(one, {}), **changed}, "demo") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Reads team data",
        "anyscale-k8s/1",
        "anyscale-k8s/2 730b39fb anyscale us-central1/demo anyscale-operator prod",
        "anyscale-k8s/1 00000000 anyscale us-central1/demo anyscale-operator prod",
    ],
)
def test_other_descriptions_are_no_locator(text: str) -> None:
    assert tags.owner_by_description(text, "demo") is None


def test_a_locator_of_another_project_is_nobodys_here() -> None:
    """Somebody copied it: the id follows from the project too."""
    assert tags.owner_by_description(tags.description(install()), "other") is None


@pytest.mark.parametrize("path", ["", "demo", "projects/demo/zones/x/clusters/y"])
def test_what_is_no_path_of_a_cluster(path: str) -> None:
    with pytest.raises(ValueError, match="not the path of a cluster"):
        tags.cluster_parts(path)


@pytest.mark.parametrize(
    ("location", "place", "there"),
    [
        ("us-central1-f", "us-central1-f", True),
        ("us-central1-f", "us-central1", True),
        ("us-central1-f", "us-central1-a", False),
        ("us-central1", "us-central1", True),
        ("us-central1", "us-central1-f", False),
        ("us-central1", None, True),
    ],
)
def test_where_an_install_is(location: str, place: str | None, there: bool) -> None:
    assert install(location=location).is_in(place) is there


# -- names ------------------------------------------------------------------------


@pytest.mark.parametrize("one", ALL, ids=str)
def test_names_fit(one: Install) -> None:
    assert len(bucket.default_name(one)) <= 63
    assert len(bucket.other_name(one)) <= 63
    assert len(identity.default_id(one)) <= 30


def test_a_prefix_that_leaves_no_room_gives_no_name() -> None:
    assert identity.default_id(install(prefix="p" * 13)) == ""
    assert len(identity.default_id(install(prefix="p" * 12, cloud="c" * 63))) <= 30


@pytest.mark.parametrize("cloud", ["google", "G00GLE-prod", "my-goog1e", "Google-Google"])
def test_no_bucket_has_googles_own_name_in_it(cloud: str) -> None:
    one = install(cloud=cloud)
    for name in (bucket.default_name(one), bucket.other_name(one)):
        assert "google" not in name
        assert "g00gle" not in name
        assert "goog1e" not in name
        assert one.id in name


@pytest.mark.parametrize(
    ("location", "region"),
    [
        ("us-central1", "us-central1"),
        ("us-central1-f", "us-central1"),
        ("northamerica-northeast1-a", "northamerica-northeast1"),
        ("europe-west12", "europe-west12"),
    ],
)
def test_the_region_of_a_place(location: str, region: str) -> None:
    assert region_of(location) == region

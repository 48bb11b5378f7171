"""What a plan decides of what is not there, shown with toys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from anyscale_k8s_cli.addons.gateway import Gateway
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.cluster.objects import KubernetesObject
from anyscale_k8s_cli.cluster.releases import HelmRelease
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.losses import losses, with_lost_data
from anyscale_k8s_cli.plan import Plan, PlannedChange
from anyscale_k8s_cli.providers.eks.identity import Role
from anyscale_k8s_cli.resource import (
    Change,
    Claim,
    DataResource,
    FieldChange,
    NotYetKnown,
    Observed,
    Rights,
    decide,
)

INSTALL = Install("toy", "account", "region", "cluster", "namespace", "prod")


class Bucket(DataResource[Storage]):
    """One that is not there. `url` is None where it is known once it is made."""

    kind: ClassVar[str] = "toy-bucket"

    def __init__(self, url: str | None) -> None:
        super().__init__(key="toy:bucket/data", title="bucket data", install=INSTALL)
        self._url = url

    @property
    def output(self) -> Storage:
        if self._url is None:
            raise NotYetKnown(self)
        return Storage(self._url, "region")

    def read(self) -> Observed[Storage] | None:
        return None

    def diff(self, observed: Observed[Storage]) -> Sequence[FieldChange]:
        raise AssertionError

    def create(self) -> Observed[Storage]:
        raise AssertionError

    def update(
        self, observed: Observed[Storage], changes: Sequence[FieldChange]
    ) -> Observed[Storage]:
        raise AssertionError

    def delete(self, observed: Observed[Storage]) -> None:
        raise AssertionError

    def ready(self, observed: Observed[Storage]) -> Observed[Storage]:
        raise AssertionError

    def contents(self, observed: Observed[Storage]) -> str:
        raise AssertionError

    def forget_cluster(self, observed: Observed[Storage]) -> None:
        raise AssertionError


def planned(bucket: Bucket, rights: Rights, registered: str = "") -> tuple[Plan, list[str]]:
    plan = Plan((PlannedChange(bucket, decide(bucket, None, rights), None),))
    plan = with_lost_data(plan, bucket, registered, rights)
    return plan, list(losses(plan, bucket, registered))


def test_a_bucket_that_was_never_made_is_no_loss() -> None:
    for rights in (Rights(), Rights(intended=frozenset({"toy:bucket/data"}))):
        plan, lost = planned(Bucket("toy://data"), rights)

        assert plan.changes[0].decision.reason == "does not exist"
        assert lost == []


def test_a_bucket_that_was_made_and_is_gone_is_missed() -> None:
    for url in ("toy://data", None):
        plan, lost = planned(Bucket(url), Rights(made=frozenset({"toy:bucket/data"})))

        [item] = plan.changes
        assert item.change is Change.CREATE
        assert "what was in it (logs, artifacts) is lost" in item.as_json()["reason"]
        assert lost == [f"bucket data: {item.decision.reason}"]


def test_a_bucket_that_is_registered_and_gone_is_missed() -> None:
    plan, lost = planned(Bucket("toy://data"), Rights(), "toy://data")

    assert "does not exist any more" in plan.changes[0].decision.reason
    assert len(lost) == 1


def test_a_cloud_that_moves_to_another_bucket_leaves_its_data_behind() -> None:
    plan, [moved] = planned(Bucket("toy://data"), Rights(), "toy://former")

    assert plan.changes[0].decision.reason == "does not exist"
    assert "from toy://former to toy://data" in moved


def test_of_pairs_in_a_text_only_those_that_differ_are_shown() -> None:
    change = FieldChange("tags", "owner=ml,team=a,x=1", "owner=ml,team=b,x=1")

    assert str(change) == "tags: 'team=a' → 'team=b'"
    assert str(FieldChange("image", "a:1", "a:2")) == "image: 'a:1' → 'a:2'"
    assert str(FieldChange("tags", None, "owner=ml,team=b")) == "tags: absent → 'owner=ml,team=b'"


def test_what_is_used_no_more_goes_if_it_is_ours() -> None:
    unused = Bucket("toy://data")
    unused.claim = Claim.DROP
    ours = Observed("1", Storage("toy://data", "r"), owner=INSTALL)

    assert decide(unused, ours, Rights()).change is Change.DELETE
    assert decide(unused, None, Rights()).change is Change.DELETE
    assert decide(unused, replace(ours, manager="Argo CD"), Rights()).change is Change.KEEP
    assert decide(unused, replace(ours, owner=None), Rights()).change is Change.KEEP


def test_what_leads_past_a_strangers_object_is_possible_for_it() -> None:
    """No option adopts what is in a cluster."""
    refused = decide(Bucket("toy://data"), Observed("1", Storage("toy://data", "r")), Rights())

    assert refused.change is Change.REFUSE
    assert "--bucket" in refused.fix
    for kind in (Gateway, HelmRelease, KubernetesObject):
        assert kind.way_around == "run the same command with another namespace (--namespace NAME)"
    assert "--identity" in Role.way_around

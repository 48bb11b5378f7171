"""What a teardown keeps, why, and what it tells people to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import pytest

from anyscale_k8s_cli.controlplane.models import CloudResource
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.removal import Judge, Kept, brought
from anyscale_k8s_cli.plan import PlannedChange
from anyscale_k8s_cli.resource import (
    Change,
    Claim,
    DataResource,
    FieldChange,
    Observed,
    Rights,
    SharedResource,
    Users,
)

INSTALL = Install("eks", "123456789012", "us-west-2", "cluster/demo", "anyscale-operator", "prod")
MADE = f"s3://{INSTALL.name(limit=63)}"
ROLE = "arn:aws:iam::123456789012:role/team/operator"


def registered(bucket: str, identity: str) -> CloudResource:
    return CloudResource.model_validate(
        {
            "name": INSTALL.resource_name,
            "compute_stack": "K8S",
            "provider": "AWS",
            "region": "us-west-2",
            "object_storage": {"bucket_name": bucket},
            "kubernetes_config": {"anyscale_operator_iam_identity": identity},
        }
    )


def test_what_the_registration_names_and_nobody_of_us_made_is_the_users() -> None:
    kept = brought(registered("s3://team-data", ROLE), INSTALL, (), {})

    assert [(item.kind, item.id, item.ownership) for item in kept] == [
        ("bucket", "s3://team-data", "adopted"),
        ("identity", ROLE, "adopted"),
    ]
    assert [item.title for item in kept] == [
        "your own bucket s3://team-data",
        f"your own identity {ROLE}",
    ]


@pytest.mark.parametrize("there", [{MADE}, set()], ids=["there", "removed by hand"])
def test_our_own_bucket_is_never_taken_for_the_users(there: set[str]) -> None:
    kept = brought(registered(MADE, ROLE), INSTALL, there, {})

    assert [item.kind for item in kept] == ["identity"]


class Controller(SharedResource[str]):
    """Shared, with users that are made up."""

    kind: ClassVar[str] = "toy:controller"

    def __init__(self, *users: str) -> None:
        super().__init__(key="eg", title="controller", install=INSTALL, claim=Claim.SHARE)
        self.users = users

    def read(self) -> Observed[str] | None:
        return Observed("eg", "eg")

    def diff(self, observed: Observed[str]) -> Sequence[FieldChange]:
        return ()

    def create(self) -> Observed[str]:
        raise AssertionError

    def update(self, observed: Observed[str], changes: Sequence[FieldChange]) -> Observed[str]:
        raise AssertionError

    def delete(self, observed: Observed[str]) -> None:
        raise AssertionError

    def ready(self, observed: Observed[str]) -> Observed[str]:
        raise AssertionError

    def others(self, observed: Observed[str]) -> Users:
        return Users(self.users, "kubectl get gateways -A")

    def unmark(self, observed: Observed[str]) -> None:
        raise AssertionError


class Data(DataResource[str]):
    """A bucket with two objects."""

    kind: ClassVar[str] = "toy:bucket"

    def __init__(self) -> None:
        super().__init__(key="toy:bucket/data", title="bucket data", install=INSTALL)

    def read(self) -> Observed[str] | None:
        return Observed("data", "data", owner=INSTALL)

    def diff(self, observed: Observed[str]) -> Sequence[FieldChange]:
        return ()

    def create(self) -> Observed[str]:
        raise AssertionError

    def update(self, observed: Observed[str], changes: Sequence[FieldChange]) -> Observed[str]:
        raise AssertionError

    def delete(self, observed: Observed[str]) -> None:
        raise AssertionError

    def ready(self, observed: Observed[str]) -> Observed[str]:
        raise AssertionError

    def contents(self, observed: Observed[str]) -> str:
        return "2 objects"

    def forget_cluster(self, observed: Observed[str]) -> None:
        raise AssertionError


class LostWithTheCloud(Data):
    """One that nothing opens any more once the install is gone."""

    deleted_later: ClassVar[bool] = False


@pytest.mark.parametrize("data", [Data(), LostWithTheCloud()], ids=["later", "never"])
def test_a_command_deletes_data_only_where_it_still_will(data: Data) -> None:
    observed = data.read()
    assert observed is not None
    kept = Kept.of(PlannedChange(data, JUDGE.decide(data, observed), observed))
    assert kept.reason.startswith("stays with what is in it (2 objects)")
    if data.deleted_later:
        assert kept.command == "anyscale cloud delete prod --delete-bucket data"
    else:
        assert kept.command is None
        assert kept.reason.endswith("only this deletion could delete it, with --delete-bucket data")


DEV, TEST = replace(INSTALL, cloud="dev"), replace(INSTALL, cloud="test")
JUDGE = Judge(
    Rights(), lambda install: f"anyscale cloud delete {install.cloud}", {DEV.id: DEV, TEST.id: TEST}
)


def judged(controller: Controller, *marks: str, by_us: bool = True) -> tuple[Change, Kept]:
    observed = Observed("eg", "eg", marks=frozenset(marks), made_by_us=by_us)
    decision = JUDGE.decide(controller, observed)
    return decision.change, Kept.of(PlannedChange(controller, decision, observed))


def test_what_another_cloud_uses_names_it_and_no_command_destroys_it() -> None:
    change, kept = judged(Controller("Gateway dev/gateway"), INSTALL.mark, DEV.mark)
    assert change is Change.KEEP
    used = f"still used by cloud dev (install {DEV.id})"
    assert kept.reason == f"{used}; it goes with the last that uses it"
    assert (kept.command, kept.look) == (None, None)


def test_of_what_several_clouds_use_each_is_named() -> None:
    _, kept = judged(Controller(), DEV.mark, TEST.mark)
    assert f"cloud dev (install {DEV.id})" in kept.reason
    assert f"cloud test (install {TEST.id})" in kept.reason
    assert kept.command is None


def test_of_an_install_that_nobody_knows_no_command_is_given() -> None:
    _, kept = judged(Controller(), DEV.mark, "anyscale-k8s/user-0badcafe")
    assert "install 0badcafe" in kept.reason
    assert "cloud dev" in kept.reason
    assert (kept.command, kept.look) == (None, None)


def test_what_strangers_use_is_only_to_be_looked_at() -> None:
    change, kept = judged(Controller("Gateway shop/web"), INSTALL.mark)
    assert change is Change.KEEP
    assert kept.reason == "still used by Gateway shop/web"
    assert (kept.command, kept.look) == (None, "kubectl get gateways -A")


def test_of_what_is_somebody_elses_no_command_is_given() -> None:
    _, kept = judged(Controller(), by_us=False)
    assert (kept.command, kept.look) == (None, None)


def test_what_nobody_uses_goes() -> None:
    assert judged(Controller(), INSTALL.mark)[0] is Change.DELETE


def test_many_users_are_counted() -> None:
    assert str(Users(("a", "b", "c", "d", "e"))) == "a, b, c and 2 more"


PRINCIPAL = "9a1f0f4e-2b61-4f2e-8f0c-6d8f4f1c2b3a"


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        ({}, []),
        ({"name": "prod"}, []),
        ({"name": "prod", "existing.identity": "team/operator"}, ["identity"]),
        ({"name": "prod", "existing.bucket": "acmedata"}, ["bucket"]),
    ],
    ids=["nobody remembers", "named nothing", "named an identity", "named a bucket"],
)
def test_what_was_said_tells_whose_an_identity_without_a_name_is(
    said: dict[str, str], kinds: list[str]
) -> None:
    """One that we made and that somebody has removed since is nobody's own."""
    kept = brought(registered(MADE if not said else "s3://acmedata", PRINCIPAL), INSTALL, (), said)

    assert [item.kind for item in kept] == kinds


@pytest.mark.parametrize("kind", ["bucket", "identity"])
def test_what_is_found_to_be_ours_is_never_the_users(kind: str) -> None:
    said = {"name": "prod", f"existing.{kind}": "whatever"}

    assert brought(registered("s3://acmedata", ROLE), INSTALL, ("s3://acmedata", ROLE), said) == []

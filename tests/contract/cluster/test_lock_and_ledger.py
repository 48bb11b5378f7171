"""The lock of an install and the inventory beside it, against the stand-in's API server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.objects import KubernetesObject
from anyscale_k8s_cli.ledger import DONE, INTENDED, Ledger, ledger_of
from anyscale_k8s_cli.lock import InstallLock, lease_reference, lease_seconds
from anyscale_k8s_cli.plan import Plan
from anyscale_k8s_cli.resource import Observed, Ownership, Resource, Rights, ownership
from anyscale_k8s_cli.run import StillWaiting
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule

LEDGER_WRITES = "* /api/v1/namespaces/{namespace}/configmaps*"
LEASES = "* /apis/coordination.k8s.io/v1/namespaces/{namespace}/leases*"


@pytest.fixture
def place(world: Any) -> Any:
    """The install whose namespace is there."""
    surroundings = world.surroundings()
    name = {"name": surroundings.install.namespace}
    world.kubernetes.create({"apiVersion": "v1", "kind": "Namespace", "metadata": name})
    return surroundings


def lock(world: Any, place: Any, seconds: int = 60) -> InstallLock:
    return InstallLock(world.kubernetes, place.install, world.run, seconds)


def lease(world: Any, place: Any) -> Document:
    reference = lease_reference(place.install.namespace)
    found = world.kubernetes.get(
        reference.api_version, reference.kind, reference.name, reference.namespace
    )
    assert found is not None
    return dict(found)


def test_taken_and_given_back(world: Any, place: Any) -> None:
    with lock(world, place, 20) as held:
        held.guard()
        assert lease(world, place)["spec"]["leaseDurationSeconds"] == 20
        assert lease(world, place)["spec"]["holderIdentity"]
    assert lease(world, place)["spec"]["holderIdentity"] == ""
    with lock(world, place):
        assert lease(world, place)["spec"]["leaseDurationSeconds"] == 60


def test_taken_and_not_answered_is_taken(world: Any, place: Any) -> None:
    """First when the Lease is made, then when it is taken over."""
    for _ in range(2):
        world.wire.inject(FaultRule(FaultKind.ERROR_AFTER, operation=LEASES, writes_only=True))
        with lock(world, place) as held:
            held.guard()
    assert [rule.fired for rule in world.wire.rules] == [1, 1]


def test_a_holder_that_shows_life_is_named(world: Any, place: Any) -> None:
    with lock(world, place, 4), pytest.raises(errors.CliError) as caught, lock(world, place):
        raise AssertionError("two hold it")
    assert caught.value.code is errors.LOCK_HELD
    assert "(process " in caught.value.cause


@pytest.mark.parametrize("said", ["3", "0", "-5", "a while", "4.5"])
def test_no_such_number_of_seconds(said: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        lease_seconds({"ANYSCALE_K8S_LOCK_SECONDS": said})
    assert caught.value.code is errors.USAGE


def test_seconds_of_the_environment() -> None:
    assert lease_seconds({}) == lease_seconds({"ANYSCALE_K8S_LOCK_SECONDS": ""}) == 60
    assert lease_seconds({"ANYSCALE_K8S_LOCK_SECONDS": "4"}) == 4


def settings(place: Any, name: str) -> KubernetesObject:
    reference = Reference("v1", "ConfigMap", name, "default")
    metadata = {"name": name, "namespace": "default"}
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    return KubernetesObject(place, reference, lambda: manifest)


def states(world: Any, place: Any) -> dict[str, str]:
    entries = ledger_of(world.kubernetes, place.install).entries
    return {key.rpartition("/")[2]: entry.state for key, entry in entries.items()}


def test_what_a_dead_run_has_made_is_told_by_the_next(world: Any, place: Any) -> None:
    resources = [settings(place, "one"), settings(place, "two")]
    first: Plan = world.plan(resources)
    Ledger(world.kubernetes, place.install).open(first.changes)
    assert states(world, place) == {"one": INTENDED, "two": INTENDED}
    resources[0].create()

    # The first run has died here.
    second: Plan = world.plan(resources)
    found = ledger_of(world.kubernetes, place.install)
    assert found.lacks(second.changes)
    assert found.rights.intended == {resource.key for resource in resources}
    Ledger(world.kubernetes, place.install).open(second.changes)
    assert states(world, place) == {"one": DONE, "two": INTENDED}

    resources[1].create()
    third: Plan = world.plan(resources)
    Ledger(world.kubernetes, place.install).open(third.changes)
    found = ledger_of(world.kubernetes, place.install)
    assert not found.lacks(third.changes)
    assert found.rights == Rights(
        frozenset(item.observed.id for item in third.changes),  # type: ignore[union-attr]
        made=frozenset(resource.key for resource in resources),
    )


def test_the_ledger_of_another_install_says_nothing(world: Any, place: Any) -> None:
    planned: Plan = world.plan([settings(place, "one")])
    Ledger(world.kubernetes, place.install).open(planned.changes)
    other = world.surroundings("other").install
    assert ledger_of(world.kubernetes, other).entries == {}
    strange = Ledger(world.kubernetes, other)
    strange.open(())
    strange.delete()
    assert states(world, place) == {"one": INTENDED}


def opened(world: Any, place: Any, *names: str) -> tuple[Ledger, list[KubernetesObject]]:
    """A run that is about to make these."""
    resources = [settings(place, name) for name in names]
    ledger = Ledger(world.kubernetes, place.install)
    ledger.open(world.plan(resources).changes)
    return ledger, resources


def test_two_writers_keep_what_the_other_tells(world: Any, place: Any) -> None:
    first, (one, two) = opened(world, place, "one", "two")
    second, (three,) = opened(world, place, "three")

    first.done(one, one.create())
    second.done(three, three.create())
    first.removed(two)
    assert states(world, place) == {"one": DONE, "three": DONE}

    Ledger(world.kubernetes, place.install).delete()
    first.done(two, two.create())
    assert states(world, place) == {"one": DONE, "two": DONE}


@pytest.mark.parametrize("there", [True, False], ids=["change", "make"])
def test_who_writes_between_read_and_write_is_kept(world: Any, place: Any, there: bool) -> None:
    if there:
        opened(world, place, "zero")
    rule = FaultRule(FaultKind.HANG, operation=LEDGER_WRITES, writes_only=True)
    world.wire.inject(rule)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(opened, world, place, "one")
        world.run.wait_for(lambda: struck(rule), what="the write to hang", timeout=10, every=0.01)
        opened(world, place, "two")
        world.wire.clear_faults()
        slow.result()
    assert states(world, place).keys() == {"one", "two", *(["zero"] if there else [])}
    refused = [call for call in world.wire.calls(writes_only=True) if call.status == 409]
    assert len(refused) == 1


def struck(rule: FaultRule) -> None:
    if not rule.fired:
        raise StillWaiting("nobody has written yet")


def test_told_and_not_answered_is_told(world: Any, place: Any) -> None:
    """First when the ledger is made, then when it is changed."""
    for name in ("one", "two"):
        world.wire.inject(
            FaultRule(FaultKind.ERROR_AFTER, operation=LEDGER_WRITES, writes_only=True)
        )
        opened(world, place, name)
    assert [rule.fired for rule in world.wire.rules] == [1, 1]
    assert states(world, place) == {"one": INTENDED, "two": INTENDED}


def test_a_ledger_that_others_never_leave_alone(world: Any, place: Any) -> None:
    ledger, (one,) = opened(world, place, "one")
    world.wire.inject(
        FaultRule(
            FaultKind.ERROR,
            operation=LEDGER_WRITES,
            writes_only=True,
            times=0,
            status=409,
            code="Conflict",
        )
    )
    with pytest.raises(errors.CliError, match="could not be written") as caught:
        ledger.removed(one)
    assert caught.value.code is errors.CLUSTER_FAILED
    assert states(world, place) == {"one": INTENDED}


@pytest.mark.parametrize(
    ("unmarked", "intended", "whose"),
    [
        (True, True, Ownership.OURS),
        (True, False, Ownership.FOREIGN),
        (False, True, Ownership.FOREIGN),
    ],
)
def test_what_bears_no_mark_is_ours_if_it_was_intended(
    world: Any, place: Any, unmarked: bool, intended: bool, whose: Ownership
) -> None:
    resource: Resource[Any] = settings(place, "one")
    observed = Observed("id", None, unmarked=unmarked)
    rights = Rights(intended=frozenset({resource.key} if intended else ()))
    assert ownership(resource, observed, rights) is whose

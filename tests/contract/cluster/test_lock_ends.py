"""The ends of a lock: its holder has died, cannot renew it, or removes it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli import errors, lock
from anyscale_k8s_cli.events import Notice, StepWaiting
from anyscale_k8s_cli.lock import LEASE_NAME, InstallLock
from anyscale_k8s_cli.run import StillWaiting
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule

NAMESPACE = "default"


def install_lock(world: Any, seconds: int = 60) -> InstallLock:
    install = replace(world.surroundings().install, namespace=NAMESPACE)
    return InstallLock(world.kubernetes, install, world.run, seconds)


def lease(world: Any) -> dict[str, Any] | None:
    found: dict[str, Any] | None = world.kubernetes.get(
        "coordination.k8s.io/v1", "Lease", LEASE_NAME, NAMESPACE
    )
    return found


def left_by(world: Any, identity: str, **annotations: str) -> None:
    """A Lease as a run leaves it that was killed."""
    world.kubernetes.create(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": LEASE_NAME,
                "namespace": NAMESPACE,
                "annotations": {f"anyscale-k8s/{key}": value for key, value in annotations.items()},
            },
            "spec": {
                "holderIdentity": identity,
                "leaseDurationSeconds": 1,
                "acquireTime": "2026-11-26T03:14:05.000000Z",
            },
        }
    )


def refusal(held: InstallLock) -> errors.CliError:
    """Why nothing new may be started; a probe for waiting."""
    try:
        held.guard()
    except errors.CliError as problem:
        return problem
    raise StillWaiting("it is held")


def test_a_silent_holder_elsewhere_is_waited_for_and_no_longer(world: Any) -> None:
    left_by(world, "somebody", holder="ann@elsewhere")

    with install_lock(world):
        found = lease(world)
        assert found is not None
        assert found["spec"]["holderIdentity"] != "somebody"
    told = [event for event in world.events if isinstance(event, StepWaiting)]
    assert {event.what for event in told} == {"the other run on cloud prod"}
    # Once, however often it is looked at.
    assert [event.detail for event in told if event.detail] == [
        "ann@elsewhere, since 03:14:05 UTC; whether it is still at work is known within 1 s"
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which process it was")
def test_a_process_of_this_machine_that_is_gone_is_not_waited_for(world: Any) -> None:
    with install_lock(world):
        found = lease(world)
        assert found is not None
        machine = found["metadata"]["annotations"]["anyscale-k8s/machine"]
    world.kubernetes.delete(lock.lease_reference(NAMESPACE))
    child = subprocess.Popen(["true"])
    child.wait()
    left_by(world, "dead", holder="me", machine=machine, process=f"{child.pid}/1")

    with install_lock(world):
        pass
    assert not [event for event in world.events if isinstance(event, StepWaiting)]
    assert [event.text for event in world.events if isinstance(event, Notice)] == [
        "Going on where me was ended before its end"
    ]


def test_a_lock_that_cannot_be_renewed_starts_nothing_new(world: Any) -> None:
    with install_lock(world, seconds=1) as held:
        world.wire.inject(
            FaultRule(FaultKind.ERROR, service="kubernetes", operation="PUT *", times=0)
        )
        lost = world.run.wait_for(lambda: refusal(held), what="the loss", timeout=20, every=0.02)
        world.wire.clear_faults()

    assert lost.code is errors.LOCK_LOST


def test_with_the_inventory_it_goes_for_good(world: Any) -> None:
    with install_lock(world) as held:
        held.delete()
    assert lease(world) is None
    assert not [event for event in world.events if isinstance(event, Notice)]

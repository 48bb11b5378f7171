"""The wires of an install, where what they run in is gone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.controlplane.models import DecoratedCloudResource
from anyscale_k8s_cli.ledger import UNTOLD, LedgerContent
from anyscale_k8s_cli.operations.wires import Wiring
from anyscale_k8s_cli.provider import Cluster

from .conftest import install_of

AGAIN = "anyscale cloud setup --name prod"


class Vouching:
    """A platform that vouches for the operator, and is asked nothing more."""

    workload_identity = True


def wiring(world: Any) -> Wiring:
    install, nobody = install_of("prod"), cast("Any", None)
    registered = {"name": install.resource_name, "compute_stack": "K8S", "provider": "AWS"}
    resource = DecoratedCloudResource.model_validate(
        {**registered, "region": "eu-west-1", "cloud_resource_id": "cldrsrc_1"}
    )
    cluster = Cluster("one", "cluster/one", "1", "eu-west-1", "1.33", world.access())
    ledger = LedgerContent(install, {})
    platform = cast("Any", Vouching())
    return Wiring(
        install, platform, cluster, world.kubernetes, ledger, resource, nobody, nobody, "", AGAIN
    )


def test_a_namespace_that_is_gone_is_the_cause(world: Any) -> None:
    first, *others = (bound.run() for bound in wiring(world).checks())
    assert first.status is Status.FAIL
    assert first.detail == "the namespace ray is gone, and all that was in it"
    assert first.fix == AGAIN
    # What the inventory would have told nobody tells.
    assert UNTOLD in {finding.detail for finding in others}


def test_a_namespace_without_the_operator_is_another_cause(world: Any) -> None:
    world.kubernetes.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ray"}})
    first, *_ = (bound.run() for bound in wiring(world).checks())
    assert (first.status, first.detail) == (Status.UNKNOWN, "the operator's release is not there")


def test_what_was_tested_comes_without_the_version_that_was_named(world: Any) -> None:
    told = wiring(world)
    assert told.untied == AGAIN
    said = {"provider": "eks", "name": "prod", "operator.version": "1.7.0"}
    pinned = replace(told, ledger=LedgerContent(told.install, {}, said=said))
    assert pinned.untied == "anyscale cloud setup --provider eks --name prod"

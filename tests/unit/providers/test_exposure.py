"""What makes a load balancer another one, on the platforms that say it by annotations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.providers.aks.load_balancer import load_balancer as on_aks
from anyscale_k8s_cli.providers.aks.tags import cluster_id
from anyscale_k8s_cli.providers.coreweave.load_balancer import load_balancer as on_coreweave
from anyscale_k8s_cli.providers.gke.load_balancer import load_balancer as on_gke
from anyscale_k8s_cli.providers.nebius.load_balancer import load_balancer as on_nebius
from anyscale_k8s_cli.providers.oke.load_balancer import load_balancer as on_oke
from anyscale_k8s_cli.spec import CloudSpec

INSTALL = Install("aks", "1", "r", cluster_id("1", "ml", "demo"), "ray", "prod")


@pytest.mark.parametrize(
    "asked",
    [partial(on_aks, install=INSTALL), on_coreweave, on_gke, on_nebius, on_oke],
    ids=["aks", "coreweave", "gke", "nebius", "oke"],
)
def test_a_public_one_and_an_internal_one_are_told_apart(
    asked: Callable[[CloudSpec], LoadBalancer],
) -> None:
    def kind(expose: str, **rules: object) -> list[str | None]:
        network = {"expose": expose, "allow_cidrs": ["10.0.0.0/8"]}
        spec = CloudSpec(provider="any", name="prod", network=network, rules=rules)
        made = asked(spec)
        return [made.annotations.get(key) for key in made.decisive]

    assert kind("public") != kind("internal")
    assert kind("public", tags={"team": "ml"}) == kind("public")

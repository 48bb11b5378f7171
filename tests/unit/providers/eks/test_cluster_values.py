"""What follows from nodes, node groups and controllers: Helm values and annotations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.events import Event, Notice
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import NodePool
from anyscale_k8s_cli.providers.eks import codes, gpu
from anyscale_k8s_cli.providers.eks.arns import Arn, Caller
from anyscale_k8s_cli.providers.eks.capacity import market_values
from anyscale_k8s_cli.providers.eks.discovery import EksFacts
from anyscale_k8s_cli.providers.eks.load_balancer import load_balancer
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec

MANAGED = {"eks.amazonaws.com/capacityType": "ON_DEMAND"}
KARPENTER = {"karpenter.sh/capacity-type": "spot"}
PREFIX = "service.beta.kubernetes.io/aws-load-balancer-"


def nodes(*labels: dict[str, str]) -> list[dict[str, Any]]:
    return [{"metadata": {"labels": found}} for found in labels]


@pytest.mark.parametrize(
    ("found", "values"),
    [
        (nodes(MANAGED, MANAGED), {}),
        (nodes(KARPENTER, KARPENTER), {"enableKarpenterSupport": True}),
        (nodes(MANAGED, KARPENTER), {"marketType": {"enableDefaults": False}}),
        (nodes(MANAGED, {}), {"marketType": {"enableDefaults": False}}),
        ([{"metadata": {}}], {"marketType": {"enableDefaults": False}}),
    ],
)
def test_pods_ask_for_labels_that_nodes_have(
    found: list[dict[str, Any]], values: dict[str, Any]
) -> None:
    assert market_values(found, node_groups=True, auto_mode=False) == values


@pytest.mark.parametrize(
    ("node_groups", "auto_mode", "values"),
    [
        (True, False, {}),
        (True, True, {}),
        (False, True, {"enableKarpenterSupport": True}),
        (False, False, {"marketType": {"enableDefaults": False}}),
    ],
)
def test_without_nodes_the_cluster_says_what_there_will_be(
    *, node_groups: bool, auto_mode: bool, values: dict[str, Any]
) -> None:
    assert market_values([], node_groups=node_groups, auto_mode=auto_mode) == values


def expression(values: dict[str, Any]) -> dict[str, Any]:
    required = values["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = required["nodeSelectorTerms"]
    (found,) = term["matchExpressions"]
    return dict(found)


PRODUCT = {"nvidia.com/gpu.product": "Tesla-T4"}


def test_the_gpu_plugin_runs_where_there_is_none() -> None:
    values = gpu.plugin_values(
        [
            NodePool("cpu"),
            NodePool("t4", gpu=True, labels=PRODUCT),
            NodePool("bottle", gpu=True, gpu_plugin_owner="node image"),
        ]
    )
    assert expression(values)["values"] == ["t4"]
    assert "gfd" not in values
    keys = {item["key"] for item in values["tolerations"]}
    assert keys == {
        "nvidia.com/gpu",
        "node.anyscale.com/capacity-type",
        "node.anyscale.com/accelerator-type",
    }


def test_gpus_that_nobody_names_are_found_out() -> None:
    pools = [NodePool("t4", gpu=True, labels=PRODUCT), NodePool("bare", gpu=True)]
    values = gpu.plugin_values(pools)
    assert expression(values)["values"] == ["bare", "t4"]
    assert values["gfd"] == {"enabled": True}
    assert values["nfd"]["worker"]["tolerations"] == values["tolerations"]


def test_without_gpu_node_groups_labelled_nodes_are_chosen() -> None:
    assert expression(gpu.plugin_values([NodePool("cpu")])) == {
        "key": "nvidia.com/gpu.product",
        "operator": "Exists",
    }


# -- load balancers ------------------------------------------------------------------

CALLER = Caller("arn:aws:iam::111122223333:user/me")
INSTALL = Install("eks", "111122223333", "r", "arn:aws:eks:r:1:cluster/c", "ns", "prod", "uid")


def facts(*, auto_mode: bool = False) -> EksFacts:
    return EksFacts(
        caller=CALLER,
        principal=CALLER.arn,
        issuer="https://issuer",
        audience="a",
        auto_mode=auto_mode,
        vpc_id="vpc-1",
        subnets=(),
        addons=(),
    )


class Reader:
    """A cluster whose Deployments are given by name, in any namespace."""

    def __init__(self, *names: str, labelled: bool = False) -> None:
        self.names = names
        self.labelled = labelled

    def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> dict[str, Any] | None:
        there = name in self.names and namespace == "kube-system"
        return {"metadata": {"name": name, "namespace": "kube-system"}} if there else None

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
    ) -> list[dict[str, Any]]:
        wanted = "app.kubernetes.io/name=aws-load-balancer-controller"
        found = {"metadata": {"name": "lbc", "namespace": "infra"}}
        return [found] if self.labelled and label_selector == wanted else []


def spec(**more: Any) -> CloudSpec:
    return CloudSpec.model_validate({"provider": "eks", "name": "prod", **more})


CONTROLLER = Reader("aws-load-balancer-controller")


@pytest.mark.parametrize("reader", [CONTROLLER, Reader(labelled=True)], ids=["name", "label"])
def test_the_controller_is_asked_in_its_words(reader: Reader) -> None:
    asked = load_balancer(spec(), facts(), INSTALL, reader, Run())
    assert asked.served_by == "AWS Load Balancer Controller"
    assert asked.annotations[PREFIX + "type"] == "external"
    assert asked.annotations[PREFIX + "scheme"] == "internet-facing"
    assert asked.load_balancer_class is None


def test_auto_mode_is_asked_by_class() -> None:
    asked = load_balancer(spec(), facts(auto_mode=True), INSTALL, Reader(), Run())
    assert asked.load_balancer_class == "eks.amazonaws.com/nlb"
    assert PREFIX + "type" not in asked.annotations


def test_where_both_are_the_class_says_which() -> None:
    asked = load_balancer(spec(), facts(auto_mode=True), INSTALL, CONTROLLER, Run())
    assert asked.load_balancer_class == "service.k8s.aws/nlb"


def test_the_built_in_one_is_asked_in_old_words() -> None:
    internal = spec(network={"expose": "internal"})
    asked = load_balancer(internal, facts(), INSTALL, Reader(), Run())
    assert asked.annotations[PREFIX + "type"] == "nlb"
    assert asked.annotations[PREFIX + "internal"] == "true"
    public = load_balancer(spec(), facts(), INSTALL, Reader(), Run())
    assert PREFIX + "internal" not in public.annotations


def test_a_controller_that_was_not_seen_makes_what_was_asked_for_too() -> None:
    internal = spec(network={"expose": "internal"})
    for wanted, scheme in ((internal, "internal"), (spec(), "internet-facing")):
        asked = load_balancer(wanted, facts(), INSTALL, Reader(), Run())
        assert asked.annotations[PREFIX + "scheme"] == scheme


def test_tags_on_the_built_in_one_are_worth_a_word() -> None:
    events: list[Event] = []
    run = Run(listeners=(events.append,))
    load_balancer(spec(), facts(), INSTALL, Reader(), run)
    assert events == []
    load_balancer(spec(rules={"tags": {"team": "ml"}}), facts(), INSTALL, Reader(), run)
    assert isinstance(events[0], Notice)
    assert "tags at creation" in events[0].text


def test_what_the_user_says_is_in_it() -> None:
    wanted = spec(
        rules={"tags": {"team": "ml"}},
        network={
            "allow_cidrs": ["10.0.0.0/8"],
            "load_balancer_subnets": ["subnet-1", "subnet-2"],
            "annotations": {PREFIX + "scheme": "internal", "other": "x"},
        },
    )
    asked = load_balancer(wanted, facts(), INSTALL, CONTROLLER, Run())
    assert asked.source_ranges == ("10.0.0.0/8",)
    assert asked.annotations[PREFIX + "subnets"] == "subnet-1,subnet-2"
    assert asked.annotations[PREFIX + "scheme"] == "internal"
    assert asked.annotations["other"] == "x"
    tags = asked.annotations[PREFIX + "additional-resource-tags"].split(",")
    assert "team=ml" in tags
    assert f"anyscale-k8s/install={INSTALL.id}" in tags


@pytest.mark.parametrize(
    "tags",
    [{"a,b": "x"}, {"a=b": "x"}, {"a": "x,y"}, {f"k{number}": "v" for number in range(40)}],
    ids=["comma in key", "equals in key", "comma in value", "too many"],
)
def test_tags_that_an_annotation_cannot_carry(tags: dict[str, str]) -> None:
    with pytest.raises(errors.CliError) as caught:
        load_balancer(spec(rules={"tags": tags}), facts(), INSTALL, CONTROLLER, Run())
    assert caught.value.code is codes.LOAD_BALANCER_TAGS


# -- ARNs ------------------------------------------------------------------------------


def test_an_arn_comes_apart_and_together() -> None:
    text = "arn:aws-us-gov:iam::111122223333:role/a/b:c"
    arn = Arn.parse(text)
    assert (arn.partition, arn.account, arn.resource, arn.name) == (
        "aws-us-gov",
        "111122223333",
        "role/a/b:c",
        "b:c",
    )
    assert str(arn) == text


@pytest.mark.parametrize("text", ["", "role/a", "arn:aws:iam", "arn::iam:::x", "arn:aws:iam:::"])
def test_what_is_no_arn(text: str) -> None:
    with pytest.raises(ValueError, match="not an ARN"):
        Arn.parse(text)


@pytest.mark.parametrize(
    ("arn", "check"),
    [
        ("arn:aws:iam::1:root", lambda caller: caller.is_root),
        ("arn:aws:iam::1:user/a", lambda caller: caller.role_name is None),
        ("arn:aws:sts::1:federated-user/a", lambda caller: caller.role_name is None),
        ("arn:aws:sts::1:assumed-role/r/s", lambda caller: caller.role_name == "r"),
        (
            "arn:aws-cn:sts::1:assumed-role/r/s",
            lambda caller: caller.pathless_principal == "arn:aws-cn:iam::1:role/r",
        ),
        (
            "arn:aws-cn:sts::1:assumed-role/r/s",
            lambda caller: (
                caller.oidc_provider("https://h/id") == "arn:aws-cn:iam::1:oidc-provider/h/id"
            ),
        ),
    ],
)
def test_who_calls(arn: str, check: Callable[[Caller], bool]) -> None:
    assert check(Caller(arn))

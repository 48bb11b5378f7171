"""What works on a cloud as it is: each feature by what is there, with the one thing to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Report, Result, Status, declared, passed
from anyscale_k8s_cli.checks.nodes import Machines
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.controlplane.models import Cloud, DecoratedCloudResource
from anyscale_k8s_cli.ledger import LedgerContent
from anyscale_k8s_cli.operations.behind import Behind, Cause
from anyscale_k8s_cli.operations.features import (
    CONSOLE_LOGS,
    FEATURES,
    SERVICES,
    Answer,
    FeatureLine,
    Findings,
    Verdict,
    network,
    no,
    storage,
    works,
)
from anyscale_k8s_cli.operations.features.card import Card
from anyscale_k8s_cli.operations.features.gpus import gpus
from anyscale_k8s_cli.operations.features.spot import spot
from anyscale_k8s_cli.operations.health import health_of
from anyscale_k8s_cli.operations.wires import Wiring
from anyscale_k8s_cli.provider import Cluster, NodePool
from anyscale_k8s_cli.sandbox.kubernetes.nodes import node
from anyscale_k8s_cli.sandbox.kubernetes.writes import Write

from .conftest import World, install_of

NAMESPACE = "ray"
AGAIN = "anyscale cloud setup --name prod"
WORKS, NO, UNKNOWN = Verdict.WORKS, Verdict.NO, Verdict.UNKNOWN
CLOUD = Cloud(id="cld_1", name="prod")
PRODUCT = "nvidia.com/gpu.product"
ON_AWS = {"global": {"cloudProvider": "aws"}}
BY_GATEWAY = {"networking": {"gateway": {"enabled": True, "name": "gateway"}}}
ADDRESS = "gate.elb.example.com"
SERVED: dict[str, Finding] = {
    "operator-gateway": passed(ADDRESS),
    "gateway-listeners": passed(),
    "gateway-certificates": passed("until 2030-01-01"),
}


@pytest.fixture(scope="module")
def world(make_lasting_world: Callable[..., World]) -> World:
    made = make_lasting_world()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    made.kubernetes.create(namespace)
    return made


def wiring(
    world: World,
    *,
    values: Mapping[str, Any] | None = None,
    said: Mapping[str, Any] | None = None,
    zones: tuple[str, ...] = (),
    refuses: errors.CliError | None = None,
    **registered: Any,
) -> Wiring:
    """An install whose operator has these Helm values; its setup was told what is `said`."""

    def check_spec(spec: Any) -> None:
        if refuses is not None:
            raise refuses

    install, nobody = install_of("prod"), cast("Any", None)
    cluster = Cluster("one", "cluster/one", "1", "eu-west-1", "1.33", world.access(), zones)
    resource = DecoratedCloudResource.model_validate(
        {"name": "r", "provider": "AWS", "cloud_resource_id": "cldrsrc_1", **registered}
    )
    platform = cast("Any", SimpleNamespace(check_spec=check_spec))
    told = {"provider": "eks", "name": "prod", **said} if said is not None else {}
    made = Wiring(
        install,
        platform,
        cluster,
        world.kubernetes,
        LedgerContent(install, {}, told),
        resource,
        nobody,
        nobody,
        "",
        AGAIN,
    )
    # Else they would be read from Helm's record, which is not there.
    vars(made)["values"] = values or {}
    return made


def told(answer: Answer, verdict: Verdict, detail: str, fix: str = "") -> None:
    assert answer.verdict is verdict, answer
    assert detail in answer.detail
    assert fix in answer.fix
    assert bool(answer.fix) is (verdict is not WORKS)


def put(world: World, api: str, kind: str, name: str, **more: Any) -> None:
    place = {"namespace": NAMESPACE} if kind != "CSIDriver" else {}
    metadata = {"name": name, **place, **more.pop("metadata", {})}
    world.kubernetes.apply({"apiVersion": api, "kind": kind, "metadata": metadata, **more})


def stored(world: World, kind: str, name: str, content: Document) -> None:
    """With its status, which the API would drop from a new object."""

    async def store() -> None:
        metadata = {"name": name, "namespace": NAMESPACE}
        world.standin.store.create(
            kind,
            {"metadata": metadata, **content},
            namespace=NAMESPACE,
            write=Write(with_status=True),
        )

    world.do(store())


# -- the console, and the search in logs --------------------------------------------------


def test_logs_in_the_console_follow_from_the_proof_by_use() -> None:
    bucket = {"object_storage": {"bucket_name": "s3://b"}}
    resource = DecoratedCloudResource.model_validate(
        {"name": "r", "provider": "AWS", "cloud_resource_id": "c", **bucket}
    )

    def line(console: Finding, cors: Finding) -> Answer:
        found = {"storage-console": console, "storage-cors": cors}
        return CONSOLE_LOGS.judged(found, lambda: storage.console_logs(found, resource)).answer

    told(line(passed(), passed("https://console")), WORKS, "https://console")
    closed = Finding(Status.FAIL, "no CORS rule admits it", (), AGAIN)
    told(line(passed(), closed), NO, "no CORS rule", AGAIN)
    told(line(Finding(Status.FAIL, "denied", (), AGAIN), closed), NO, "denied", AGAIN)
    unlike = Finding(Status.WARN, "the store has no CORS call")
    told(line(passed(), unlike), NO, "no CORS call", "read them where they are, in s3://b")
    unasked = Finding(Status.UNKNOWN, "not asked", (), "look yourself")
    told(line(passed(), unasked), UNKNOWN, "not asked", "look")


def test_the_search_in_logs_is_the_clouds_own_switch() -> None:
    def line(switched: bool | None) -> Answer:
        return storage.log_ingestion(
            CLOUD.model_copy(update={"is_aggregated_logs_enabled": switched})
        )

    told(line(True), WORKS, "switched on")
    told(line(False), NO, "switched off", "config update --cloud-id cld_1 --enable-log-ingestion")
    assert line(None).verdict is UNKNOWN


# -- services ----------------------------------------------------------------------------


def test_services_come_in_by_the_gateway(world: World) -> None:
    there = wiring(world, values=BY_GATEWAY, is_default=True)
    told(network.services(there, SERVED), WORKS, ADDRESS)
    broken = {**SERVED, "gateway-listeners": Finding(Status.FAIL, "no secret", (), AGAIN)}
    told(network.services(there, broken), NO, "no secret", AGAIN)
    expired = {**SERVED, "gateway-certificates": Finding(Status.FAIL, "expired", (), "renew")}
    told(network.services(there, expired), NO, "expired", "renew")
    second = wiring(world, values=BY_GATEWAY, is_default=False)
    told(network.services(second, SERVED), NO, "primary cluster alone", "primary")
    told(network.services(wiring(world), SERVED), WORKS, "by Ingresses of class nginx")
    own = {**SERVED, "operator-gateway": Finding(Status.UNKNOWN, "the way in is your own")}
    assert network.services(wiring(world), own).verdict is UNKNOWN


def test_what_stands_on_an_operator_that_is_broken_does_not_work() -> None:
    stopped = {"operator-workload": Finding(Status.FAIL, "scaled to zero", (), AGAIN)}
    told(SERVICES.judged(stopped, lambda: works("")).answer, NO, "scaled to zero", AGAIN)
    ending = {"operator-token": Finding(Status.WARN, "ends soon", (), "rotate")}
    told(SERVICES.judged(ending, lambda: works("by this")).answer, WORKS, "by this")


def test_what_may_not_be_looked_at_is_unknown() -> None:
    def denied() -> Answer:
        raise errors.CliError(errors.FORBIDDEN, "You may not list nodes", fix="be let in")

    told(SERVICES.judged({}, denied).answer, UNKNOWN, "You may not list nodes", "be let in")


def test_updates_without_downtime_need_routes_with_weights(world: World) -> None:
    def line(values: Mapping[str, Any], services: Answer = works("served")) -> Answer:  # noqa: B008
        return network.zero_downtime(wiring(world, values=values), services)

    told(line({}), NO, "Ingresses, which have no weights", AGAIN)
    istio = {"networking": {"gateway": {"enabled": True, "apiVersion": "networking.istio.io/v1"}}}
    told(line(istio), UNKNOWN, "networking.istio.io/v1", "see whether")
    told(line(BY_GATEWAY, no("no address", "mend it")), NO, "no address", "mend it")
    told(line(BY_GATEWAY), NO, "the cluster has no HTTPRoute", AGAIN)


# -- Redis, and files that pods share -------------------------------------------------------


def test_redis_in_the_cluster_is_looked_at_and_another_is_not(world: World) -> None:
    def line(endpoint: str | None) -> Answer:
        config = {"kubernetes_config": {"redis_endpoint": endpoint}}
        return storage.fault_tolerance(wiring(world, **config), "prod")

    told(line(None), NO, "no Redis", f"{AGAIN} --kubernetes-redis-endpoint HOST:PORT")
    elsewhere = "anyscale cloud verify prod --only pod-egress"
    told(line("redis.example.com:6379"), UNKNOWN, "only a pod can tell", elsewhere)
    told(line("redis.ray.svc:6379"), NO, "there is no Service ray/redis", "kubectl")
    put(world, "v1", "Service", "redis", spec={"ports": [{"port": 6379}]})
    told(line("redis:6380"), NO, "has no port 6380, but 6379", "kubectl")
    told(line("redis.ray.svc.cluster.local:6379"), NO, "nobody behind", "kubectl")

    def behind(*ready: bool) -> None:
        points = [{"addresses": ["10.0.0.1"], "conditions": {"ready": item}} for item in ready]
        named = {"labels": {"kubernetes.io/service-name": "redis"}}
        more = {"addressType": "IPv4", "endpoints": points, "metadata": named}
        put(world, "discovery.k8s.io/v1", "EndpointSlice", "redis-1", **more)

    behind(False)
    told(line("redis.ray:6379"), NO, "nobody behind", "kubectl")
    behind(False, True)
    told(line("redis.ray:6379"), WORKS, "with 1 behind it")


def test_a_claim_must_be_bound_and_shared(world: World) -> None:
    def line(**files: Any) -> Answer:
        return storage.shared_storage(wiring(world, file_storage=files))

    def claim(name: str, mode: str, phase: str) -> None:
        more = {"spec": {"accessModes": [mode]}, "status": {"phase": phase}}
        stored(world, "persistentvolumeclaims", name, more)

    told(line(), NO, "none is registered", f"{AGAIN} --persistent-volume-claim NAME")
    told(line(persistent_volume_claim="gone"), NO, "there is no claim ray/gone", "ReadWriteMany")
    for name, mode, phase, verdict, said in (
        ("good", "ReadWriteMany", "Bound", WORKS, "claim good, bound"),
        ("waits", "ReadWriteMany", "Pending", UNKNOWN, "not bound yet"),
        ("lost", "ReadWriteMany", "Lost", NO, "it is Lost"),
        ("lone", "ReadWriteOnce", "Bound", NO, "cannot share it"),
    ):
        claim(name, mode, phase)
        told(line(persistent_volume_claim=name), verdict, said)


def test_a_driver_must_have_ephemeral_volumes(world: World) -> None:
    def line(name: str) -> Answer:
        return storage.shared_storage(
            wiring(world, file_storage={"csi_ephemeral_volume_driver": name})
        )

    api = "storage.k8s.io/v1"
    put(world, api, "CSIDriver", "fuse.example", spec={"volumeLifecycleModes": ["Ephemeral"]})
    put(world, api, "CSIDriver", "disk.example", spec={})
    told(line("fuse.example"), WORKS, "fuse.example")
    told(line("disk.example"), NO, "no ephemeral volumes", "--persistent-volume-claim NAME")
    told(line("none.example"), NO, "no CSI driver none.example", "install")


def test_file_servers_are_out_of_sight(world: World) -> None:
    targets = {"mount_targets": [{"address": "10.0.0.9"}]}
    there = wiring(world, file_storage=targets)
    told(storage.shared_storage(there), UNKNOWN, "10.0.0.9 is registered", "start a workload")


# -- GPUs ------------------------------------------------------------------------------------


def machines(
    world: World,
    *nodes: Document,
    types: Mapping[str, Any] | None = None,
    values: Mapping[str, Any] = ON_AWS,
    pools: tuple[NodePool, ...] = (),
) -> Machines:
    cluster = Cluster("one", "one", "1", "eu-west-1", "1.33", world.access(), node_pools=pools)
    made = Machines(world.kubernetes, cluster, nodes, NAMESPACE, values)
    vars(made)["types"] = types or {}
    return made


def gpu_node(name: str, product: str = "Tesla-T4", offered: int = 1) -> Document:
    labels = {PRODUCT: product, "nvidia.com/gpu.present": "true"}
    return node(name, labels=labels, allocatable={"nvidia.com/gpu": str(offered)})


def asks(cpus: int, gpu: str) -> Document:
    return {"resources": {"CPU": cpus, "memory": "8Gi", "GPU": 1, "accelerators": [gpu]}}


T4 = {"2CPU-1xT4": asks(2, "T4")}
PLUGIN: Findings = {"gpu-plugin": Finding(Status.FAIL, "no plugin", (), "install the plugin")}


def kinds(found: Machines, findings: Findings = PLUGIN) -> dict[str, Answer]:
    lines: list[FeatureLine] = gpus(found, findings, AGAIN)
    return {line.feature.name: line.answer for line in lines}


def test_each_kind_of_gpu_is_judged_by_itself(world: World) -> None:
    nodes = (gpu_node("a"), gpu_node("b"), gpu_node("c", "NVIDIA-L4"), node("cpu"))
    found = kinds(machines(world, *nodes, types={**T4, "9CPU": asks(9, "L4")}))

    assert list(found) == ["gpu-l4", "gpu-t4"]
    told(found["gpu-t4"], WORKS, "2 on a, b, by instance type 2CPU-1xT4")
    told(found["gpu-l4"], NO, "no node has room for 9CPU", "--instance-types auto")


def test_what_keeps_a_gpu_from_being_used(world: World) -> None:
    def line(name: str, *nodes: Document, **more: Any) -> Answer:
        return kinds(machines(world, *nodes, **more))[name]

    told(line("gpu", node("cpu")), NO, "no node and no pool has a GPU", "add a pool")
    idle = line("gpu-t4", gpu_node("a", offered=0), types=T4)
    told(idle, NO, "a: no GPU can be asked for", "install the plugin")
    strange = line("gpu-b200", gpu_node("a", "NVIDIA-B200"), types=T4)
    told(strange, NO, "in the operator's table", "--instance-types auto")
    told(line("gpu-t4", gpu_node("a")), NO, "no instance type", "--instance-types auto")


def test_names_are_those_of_the_operators_table(world: World) -> None:
    """Azure's label names no size, and the older form of types names the GPU otherwise."""
    older = {"resources": {"CPU": 2, "memory": "8Gi", "accelerator_type:A100": 1}}
    azure = {"global": {"cloudProvider": "azure"}}
    found = machines(world, gpu_node("a", "NVIDIA-A100"), types={"big": older}, values=azure)
    told(kinds(found)["gpu-a100"], WORKS, "by instance type big")


def test_gpus_of_pools_that_have_no_node_now(world: World) -> None:
    known = NodePool("k", ("g4dn.xlarge",), {PRODUCT: "Tesla-T4"}, gpu=True)
    strange = NodePool("s", ("g5.xlarge",), {PRODUCT: "Mine"}, gpu=True)
    bare = NodePool("b", ("g6.xlarge",), gpu=True)
    # The platform's word for nodes to come, which is no pool.
    word = NodePool("w", labels={"class": "gpu"}, gpu=True)
    types = {**T4, "x": asks(2, "MINE"), "y": asks(2, "g6.xlarge")}
    found = kinds(machines(world, types=types, pools=(known, strange, bare, word)))

    told(found["gpu-t4"], WORKS, "pool k, which has no node now")
    told(found["gpu-mine"], NO, f"{PRODUCT}=Mine is not in the operator's table", "auto")
    told(found["gpu-g6-xlarge"], UNKNOWN, "pool b has no node now", "start a workload")
    assert len(found) == 3


# -- spot ------------------------------------------------------------------------------------

EKS = {"eks.amazonaws.com/capacityType": "SPOT", "karpenter.sh/capacity-type": "spot"}
OKE = {"oci.oraclecloud.com/oke-is-preemptible": "true"}
MARKET = {"key": "node.anyscale.com/capacity-type", "value": "SPOT", "effect": "NoSchedule"}
PREEMPTIBLE = {"key": next(iter(OKE)), "value": "present", "effect": "NoSchedule"}
GENERIC = {"global": {"cloudProvider": "generic"}}


def market(found: Machines, marks: Mapping[str, str] | None = None) -> Answer:
    provider = SimpleNamespace(spot_labels=marks) if marks else SimpleNamespace()
    return spot(found, cast("Any", provider), AGAIN)


def on_aws(**workloads: Any) -> dict[str, Any]:
    return {**ON_AWS, "workloads": workloads}


def test_spot_nodes_are_found_by_the_label_that_the_chart_demands(world: World) -> None:
    managed = node("m", labels={"eks.amazonaws.com/capacityType": "SPOT"})
    karpenter = node("k", labels={"karpenter.sh/capacity-type": "spot"})
    told(market(machines(world, node("cpu")), EKS), NO, "no node and no pool", "add a pool")
    told(market(machines(world, managed, karpenter), EKS), WORKS, "m, by eks.amazonaws.com")
    told(market(machines(world, karpenter), EKS), NO, "k has no label eks.amazonaws", AGAIN)
    by_karpenter = on_aws(enableKarpenterSupport=True)
    found = machines(world, karpenter, values=by_karpenter)
    told(market(found, EKS), WORKS, "k, by karpenter.sh/capacity-type=spot")


def test_values_that_take_the_charts_markets_away(world: World) -> None:
    managed = node("m", labels={"eks.amazonaws.com/capacityType": "SPOT"})
    off = machines(world, managed, values=on_aws(marketType={"enableDefaults": False}))
    told(market(off, EKS), NO, "by no label", AGAIN)
    own = machines(world, managed, values=on_aws(marketType={"additional": {"SPOT": []}}))
    told(market(own, EKS), UNKNOWN, "your own market types", "start a workload")


def test_without_a_label_in_the_chart_its_taint_leads_to_spot_nodes(world: World) -> None:
    bare, marked = node("b", labels=OKE), node("m", labels=OKE, taints=[MARKET])
    taint = "taint nodes -l oci.oraclecloud.com/oke-is-preemptible=true " + (
        "node.anyscale.com/capacity-type=SPOT:NoSchedule"
    )
    told(market(machines(world, bare, values=GENERIC), OKE), NO, "b has no taint", taint)
    told(market(machines(world, bare, marked, values=GENERIC), OKE), WORKS, "m, by the taint")
    # Whoever has no cloud's labels has the taint.
    told(market(machines(world, node("t", taints=[MARKET]), values=GENERIC)), WORKS, "t, by")


def test_a_taint_of_the_platforms_must_be_tolerated_by_some_type(world: World) -> None:
    tainted = node("n", labels=OKE, taints=[MARKET, PREEMPTIBLE])
    told(
        market(machines(world, tainted, values=GENERIC), OKE),
        NO,
        "which no instance type tolerates",
        "--instance-types auto",
    )
    types = {"t": {"resources": {"CPU": 1}, "tolerations": [{"key": PREEMPTIBLE["key"]}]}}
    told(market(machines(world, tainted, values=GENERIC, types=types), OKE), WORKS, "n, by")


def test_pools_of_spot_nodes_that_have_no_node_now(world: World) -> None:
    pool = NodePool("p", spot=True)

    def line(values: Mapping[str, Any], marks: Mapping[str, str], **more: Any) -> Answer:
        return market(machines(world, values=values, pools=(replace(pool, **more),)), marks)

    told(line(ON_AWS, EKS), WORKS, "pool p, which has no node now")
    told(line(ON_AWS, OKE), UNKNOWN, "whether its nodes carry", "start a workload")
    told(line(GENERIC, OKE), NO, "does not put the taint", "give the pool the taint")
    told(line(GENERIC, OKE, taints=(MARKET,)), WORKS, "by the taint")


# -- networks ----------------------------------------------------------------------------


def test_zones_are_for_workloads_to_choose(world: World) -> None:
    def line(*there: str, zones: tuple[str, ...] = (), on: bool = False) -> Answer:
        named = [node(zone, labels={"topology.kubernetes.io/zone": zone}) for zone in there]
        values = {"workloads": {"enableZoneSelector": on}}
        made = wiring(world, values=values, kubernetes_config={"zones": zones})
        return network.custom(made, machines(world, *named, node("nowhere")))

    told(line(), NO, "no node says", "kubectl")
    told(line("z1"), WORKS, "z1")
    told(line("z1", "z2"), NO, "any of z1, z2", "--values FILE")
    told(line("z1", "z2", on=True), WORKS, "z1, z2")
    told(line("z1", "z2", zones=("z2",)), WORKS, "z2")
    told(line("z1", zones=("z1", "z9")), NO, "z9 is registered", AGAIN)


@pytest.mark.parametrize(
    ("address", "said", "verdict", "detail", "fix"),
    [
        ("10.1.2.3", {}, WORKS, "10.1.2.3 is private", ""),
        ("203.0.113.5", {}, NO, "203.0.113.5 is public", "--name prod --expose internal"),
        ("203.0.113.5", None, NO, "is public", "--expose internal"),
        (ADDRESS, {}, NO, f"{ADDRESS} is public", "--expose internal"),
        (ADDRESS, {"network.expose": "internal"}, WORKS, "an internal load balancer", ""),
        (ADDRESS, None, UNKNOWN, "", AGAIN),
        (ADDRESS, {"existing.gateway": "a/b"}, UNKNOWN, "is yours", f"nslookup {ADDRESS}"),
        ("203.0.113.5", {"existing.gateway": "a/b"}, NO, "is public", "give your gateway"),
    ],
)
def test_who_knows_the_address(
    world: World,
    address: str,
    said: Mapping[str, Any] | None,
    verdict: Verdict,
    detail: str,
    fix: str,
) -> None:
    findings = {"operator-gateway": passed(address)}
    told(network.internal(wiring(world, said=said), findings), verdict, detail, fix)


def test_where_internal_must_be_said_otherwise_the_platform_says_how(world: World) -> None:
    refusal = errors.CliError(errors.INVALID_SPEC, "not so", fix="say it by annotations")
    there = wiring(world, said={}, refuses=refusal)
    found = network.internal(there, {"operator-gateway": passed("203.0.113.5")})
    told(found, NO, "is public", "say it by annotations")


# -- the card ----------------------------------------------------------------------------


def behind(**changes: Any) -> Behind:
    resource = DecoratedCloudResource(name="r", provider="AWS", cloud_resource_id="cldrsrc_1")
    made = Behind(CLOUD, resource, health_of(resource), None, None)
    return replace(made, **changes)


def card(found: Behind, **findings: Finding) -> list[FeatureLine]:
    by_code = {check.code: check for check in declared.CHECKS}
    results = [Result(by_code[name.replace("_", "-")], item) for name, item in findings.items()]
    return list(Card(found, cast("Any", None)).lines(Report(tuple(results))))


def test_a_cluster_out_of_sight_leaves_what_the_control_plane_tells() -> None:
    unseen = Cause("the cluster does not answer", "open the firewall")
    lines = card(
        behind(unseen=unseen), storage_console=passed(), storage_cors=passed("https://console")
    )

    assert [line.feature for line in lines] == list(FEATURES)
    told(lines[0].answer, WORKS, "https://console")
    for line in lines[2:]:
        told(line.answer, UNKNOWN, "not looked at: the cluster does not", "open the firewall")


def test_nothing_works_on_a_cloud_that_is_deleted_or_has_no_cluster() -> None:
    going = CLOUD.model_copy(update={"state": "DELETING"})
    for line in card(behind(cloud=going)):
        told(line.answer, NO, "the cloud is DELETING", "anyscale cloud delete prod")
    for line in card(behind(resource=None)):
        told(line.answer, NO, "no cluster of yours is registered", "anyscale cloud setup")


def test_whoever_may_not_list_nodes_is_told_the_rest(world: World) -> None:
    blind = replace(wiring(world), kubernetes=Kubernetes(world.access(world.nobody), world.run))
    lines = card(behind(wiring=blind), storage_console=passed(), storage_cors=passed("here"))

    told(lines[0].answer, WORKS, "here")
    assert {line.answer.verdict for line in lines[2:]} == {UNKNOWN}
    assert "not looked at: " in lines[-1].answer.detail

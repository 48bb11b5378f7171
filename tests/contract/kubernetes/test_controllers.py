"""What becomes of objects: pods run, fail, are placed, replaced and collected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from kubernetes import client

from anyscale_k8s_cli.sandbox.kubernetes.runtime import Pod

Refused = Callable[[Callable[[], Any]], tuple[int, str]]
Eventually = Callable[[Callable[[], Any]], Any]


def template(image: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": image, **spec.pop("container", {})}
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [container], **spec},
    }


def deployment(image: str = "web:1", replicas: int = 1, **spec: Any) -> dict[str, Any]:
    body = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "web"}},
        "template": template(image, **spec),
    }
    return {"metadata": {"name": "web"}, "spec": body}


def job(image: str, **spec: Any) -> dict[str, Any]:
    body = {"template": template(image, restartPolicy="Never"), **spec}
    return {"metadata": {"name": "job"}, "spec": body}


def pods(core: client.CoreV1Api) -> list[Any]:
    return core.list_namespaced_pod("default").items


def one_pod(core: client.CoreV1Api) -> Any:
    found = pods(core)
    return found[0] if found else None


def waiting(core: client.CoreV1Api) -> str:
    """Why the first container of the first pod waits."""
    pod = one_pod(core)
    statuses = pod.status.container_statuses if pod else None
    state = statuses[0].state.waiting if statuses else None
    return state.reason if state else ""


def warnings(core: client.CoreV1Api) -> dict[str, str]:
    events = core.list_namespaced_event("default").items
    return {event.reason: event.message for event in events if event.type == "Warning"}


def ready(apps: client.AppsV1Api, replicas: int = 1) -> bool:
    status = apps.read_namespaced_deployment("web", "default").status
    return bool(
        status
        and (status.ready_replicas or 0) == replicas == (status.replicas or 0)
        and status.updated_replicas == replicas
    )


def test_a_deployment_becomes_ready_and_goes_with_its_pods(
    core: client.CoreV1Api, apps: client.AppsV1Api, eventually: Eventually
) -> None:
    apps.create_namespaced_deployment("default", deployment(replicas=3))
    eventually(lambda: ready(apps, 3))
    conditions = {
        condition.type: condition.reason
        for condition in apps.read_namespaced_deployment("web", "default").status.conditions
    }
    assert conditions == {
        "Available": "MinimumReplicasAvailable",
        "Progressing": "NewReplicaSetAvailable",
    }
    apps.delete_namespaced_deployment("web", "default", propagation_policy="Foreground")
    eventually(lambda: not pods(core))
    eventually(lambda: not apps.list_namespaced_deployment("default").items)


def test_an_upgrade_that_never_gets_ready_keeps_the_old_pods(
    core: client.CoreV1Api, apps: client.AppsV1Api, eventually: Eventually
) -> None:
    apps.create_namespaced_deployment("default", deployment())
    eventually(lambda: ready(apps))
    change = {"spec": {"template": template("never-ready:1")}}
    apps.patch_namespaced_deployment("web", "default", change)
    eventually(lambda: len(pods(core)) == 2)
    status = apps.read_namespaced_deployment("web", "default").status
    assert status.available_replicas == 1
    apps.patch_namespaced_deployment("web", "default", {"spec": {"template": template("web:2")}})
    eventually(lambda: ready(apps))
    eventually(lambda: [p.spec.containers[0].image for p in pods(core)] == ["web:2"])


def test_an_image_that_is_not_there(
    core: client.CoreV1Api, apps: client.AppsV1Api, eventually: Eventually
) -> None:
    apps.create_namespaced_deployment("default", deployment("example.com/no-such-image:1"))
    eventually(lambda: waiting(core) == "ImagePullBackOff")
    assert "Failed to pull image" in " ".join(
        event.message for event in core.list_namespaced_event("default").items
    )


def test_a_crashing_program_is_started_again_and_its_log_kept(
    cluster: Any, core: client.CoreV1Api, apps: client.AppsV1Api, eventually: Eventually
) -> None:
    async def crash(pod: Pod) -> int:
        pod.log("going down")
        return 3

    cluster.programs.add("crash:1", crash)
    apps.create_namespaced_deployment("default", deployment("crash:1"))
    eventually(lambda: waiting(core) == "CrashLoopBackOff")
    pod = eventually(lambda: one_pod(core))
    last = eventually(lambda: one_pod(core).status.container_statuses[0].last_state.terminated)
    assert last.exit_code == 3
    assert "going down" in core.read_namespaced_pod_log(pod.metadata.name, "default")
    assert warnings(core)["BackOff"].startswith("Back-off restarting failed container main")


def test_a_probed_program_is_ready_when_it_says_so(
    cluster: Any, core: client.CoreV1Api, apps: client.AppsV1Api, eventually: Eventually
) -> None:
    go = asyncio.Event()

    async def serve(pod: Pod) -> int:
        await pod.set_ready(False, reason="Checking", message="the bucket does not answer")
        await go.wait()
        await pod.set_ready(True)
        await asyncio.Event().wait()
        return 0

    cluster.programs.add("serve:1", serve)
    probe = {"readinessProbe": {"httpGet": {"port": 80}}}
    apps.create_namespaced_deployment("default", deployment("serve:1", container=probe))
    eventually(lambda: "Unhealthy" in warnings(core))
    condition = next(c for c in one_pod(core).status.conditions if c.type == "Ready")
    assert (condition.status, condition.message) == ("False", "the bucket does not answer")
    cluster.loop.call_soon_threadsafe(go.set)
    eventually(lambda: ready(apps))


def test_a_program_sees_its_surroundings(
    cluster: Any, core: client.CoreV1Api, eventually: Eventually
) -> None:
    seen: dict[str, Any] = {}

    async def look(pod: Pod) -> int:
        seen.update(pod.environment("main"))
        seen["token"] = await pod.token()
        try:
            await pod.token("sts.amazonaws.com")
        except LookupError as error:
            seen["refusal"] = str(error)
        return 0

    cluster.programs.add("look:1", look)
    core.create_namespaced_secret("default", {"metadata": {"name": "s"}, "stringData": {"k": "v"}})
    variables = [
        {"name": "PLAIN", "value": "x-$(SECRET)"},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "LATER", "value": "y-$(SECRET)"},
    ]
    pod = {
        "metadata": {"name": "p"},
        "spec": template("look:1", container={"env": variables})["spec"],
    }
    pod["spec"]["restartPolicy"] = "Never"
    core.create_namespaced_pod("default", pod)
    eventually(lambda: one_pod(core).status.phase == "Succeeded")
    assert seen["PLAIN"] == "x-$(SECRET)"
    assert (seen["SECRET"], seen["LATER"]) == ("v", "y-v")
    assert seen["NODE"].startswith("node-")
    assert "no token for audience" in seen["refusal"]
    user = client.AuthenticationV1Api(cluster.api(seen["token"])).create_self_subject_review({})
    assert user.status.user_info.username == "system:serviceaccount:default:default"


def test_a_pod_waits_for_what_it_refers_to(core: client.CoreV1Api, eventually: Eventually) -> None:
    source = {"secretKeyRef": {"name": "later", "key": "k"}}
    spec = template("x:1", container={"env": [{"name": "A", "valueFrom": source}]})["spec"]
    core.create_namespaced_pod("default", {"metadata": {"name": "p"}, "spec": spec})
    eventually(lambda: waiting(core) == "CreateContainerConfigError")
    assert warnings(core)["Failed"] == 'Error: secret "later" not found'
    secret = {"metadata": {"name": "later"}, "stringData": {"k": "v"}}
    core.create_namespaced_secret("default", secret)
    eventually(lambda: one_pod(core).status.phase == "Running")


def test_a_pod_that_fits_nowhere_stays_pending(
    core: client.CoreV1Api, apps: client.AppsV1Api, eventually: Eventually
) -> None:
    gpu = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
    apps.create_namespaced_deployment("default", deployment(container=gpu))
    eventually(lambda: "FailedScheduling" in warnings(core))
    pod = one_pod(core)
    condition = next(c for c in pod.status.conditions if c.type == "PodScheduled")
    assert (pod.status.phase, condition.reason) == ("Pending", "Unschedulable")
    assert condition.message.startswith("0/2 nodes are available: 2 Insufficient nvidia.com/gpu.")
    core.patch_node_status("node-b", {"status": {"allocatable": {"nvidia.com/gpu": "1"}}})
    eventually(lambda: ready(apps))
    assert one_pod(core).spec.node_name == "node-b"


def test_a_quantity_that_was_a_number_is_read_as_text(apps: client.AppsV1Api) -> None:
    """As charts write it; the clients of typed languages read nothing else."""
    apps.create_namespaced_deployment("default", deployment())
    [container] = deployment()["spec"]["template"]["spec"]["containers"]
    number = {**container, "resources": {"limits": {"cpu": 1}}}
    patch = {"spec": {"template": {"spec": {"containers": [number]}}}}
    name = deployment()["metadata"]["name"]
    found = apps.patch_namespaced_deployment(name, "default", patch)
    resources = found.spec.template.spec.containers[0].resources
    assert resources.limits == resources.requests == {"cpu": "1"}


def test_jobs_end_as_their_programs_do(
    cluster: Any, core: client.CoreV1Api, eventually: Eventually
) -> None:
    codes = iter([1, 0])

    async def second_time(pod: Pod) -> int:
        return next(codes)

    cluster.programs.add("flaky:1", second_time)
    batch = client.BatchV1Api(cluster.api())

    def conditions() -> set[str]:
        status = batch.read_namespaced_job("job", "default").status
        return {c.type for c in (status.conditions if status else None) or ()}

    batch.create_namespaced_job("default", job("flaky:1"))
    eventually(lambda: "Complete" in conditions())
    assert batch.read_namespaced_job("job", "default").status.failed == 1
    batch.delete_namespaced_job("job", "default", propagation_policy="Background")
    eventually(lambda: not pods(core))
    batch.create_namespaced_job("default", job("always-fails:1", backoffLimit=0))
    eventually(lambda: "Failed" in conditions())
    assert len(pods(core)) == 1


def test_a_daemon_set_runs_on_each_node_that_suits(
    core: client.CoreV1Api, apps: client.AppsV1Api, eventually: Eventually
) -> None:
    spec = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": template("d:1", nodeSelector={"big": "yes"}),
    }
    apps.create_namespaced_daemon_set("default", {"metadata": {"name": "d"}, "spec": spec})
    eventually(lambda: apps.read_namespaced_daemon_set("d", "default").status.number_ready == 1)
    core.patch_node("node-a", {"metadata": {"labels": {"big": "yes"}}})
    eventually(lambda: apps.read_namespaced_daemon_set("d", "default").status.number_ready == 2)
    assert {pod.spec.node_name for pod in pods(core)} == {"node-a", "node-b"}


def test_a_stateful_set_has_numbered_pods_with_claims(
    cluster: Any, core: client.CoreV1Api, apps: client.AppsV1Api, eventually: Eventually
) -> None:
    storage = client.StorageV1Api(cluster.api())
    storage.create_storage_class({"metadata": {"name": "fast"}, "provisioner": "example.com/fast"})
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "fast",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    spec = {
        "replicas": 2,
        "serviceName": "web",
        "selector": {"matchLabels": {"app": "web"}},
        "template": template("s:1"),
        "volumeClaimTemplates": [claim],
    }
    apps.create_namespaced_stateful_set("default", {"metadata": {"name": "s"}, "spec": spec})
    eventually(lambda: apps.read_namespaced_stateful_set("s", "default").status.ready_replicas == 2)
    assert [pod.metadata.name for pod in pods(core)] == ["s-0", "s-1"]
    claims = core.list_namespaced_persistent_volume_claim("default").items
    assert {c.metadata.name: c.status.phase for c in claims} == {
        "data-s-0": "Bound",
        "data-s-1": "Bound",
    }


def test_a_load_balancer_has_an_address_until_it_is_removed(
    core: client.CoreV1Api, eventually: Eventually
) -> None:
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    core.create_namespaced_service("default", {"metadata": {"name": "lb"}, "spec": spec})
    ingress = eventually(
        lambda: core.read_namespaced_service("lb", "default").status.load_balancer.ingress
    )
    assert ingress[0].ip == "192.0.2.1"
    service = core.read_namespaced_service("lb", "default")
    assert service.metadata.finalizers == ["service.kubernetes.io/load-balancer-cleanup"]
    core.delete_namespaced_service("lb", "default")
    eventually(
        lambda: (
            [s.metadata.name for s in core.list_namespaced_service("default").items]
            == ["kubernetes"]
        )
    )


def test_a_namespace_is_emptied_and_tells_what_holds_it(
    core: client.CoreV1Api, eventually: Eventually
) -> None:
    core.create_namespace({"metadata": {"name": "team"}})
    eventually(lambda: core.list_namespaced_service_account("team").items)
    held = {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    core.create_namespaced_config_map("team", held)
    core.delete_namespace("team")
    conditions = eventually(lambda: core.read_namespace("team").status.conditions)
    assert "example.com/hold in 1 resource instances" in conditions[0].message
    assert core.read_namespace("team").status.phase == "Terminating"
    core.patch_namespaced_config_map("held", "team", {"metadata": {"finalizers": None}})
    eventually(lambda: "team" not in [n.metadata.name for n in core.list_namespace().items])


def test_orphans_stay(
    core: client.CoreV1Api, apps: client.AppsV1Api, eventually: Eventually
) -> None:
    apps.create_namespaced_deployment("default", deployment())
    eventually(lambda: ready(apps))
    apps.delete_namespaced_deployment("web", "default", propagation_policy="Orphan")
    eventually(lambda: not apps.list_namespaced_deployment("default").items)
    assert apps.list_namespaced_replica_set("default").items[0].metadata.owner_references in (
        None,
        [],
    )
    assert len(pods(core)) == 1


def test_pod_security_is_enforced(
    core: client.CoreV1Api, apps: client.AppsV1Api, eventually: Eventually, refused: Refused
) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    core.patch_namespace("default", {"metadata": {"labels": labels}})
    privileged = {"securityContext": {"privileged": True}}
    spec = template("x:1", container=privileged)["spec"]
    assert refused(
        lambda: core.create_namespaced_pod("default", {"metadata": {"name": "p"}, "spec": spec})
    ) == (
        403,
        'pods "p" is forbidden: violates PodSecurity "baseline:latest": privileged (container '
        '"main" must not set securityContext.privileged=true)',
    )
    apps.create_namespaced_deployment("default", deployment(container=privileged))
    eventually(lambda: "FailedCreate" in warnings(core))


def test_an_eviction_respects_the_budget(
    cluster: Any,
    core: client.CoreV1Api,
    apps: client.AppsV1Api,
    eventually: Eventually,
    refused: Refused,
) -> None:
    apps.create_namespaced_deployment("default", deployment())
    eventually(lambda: ready(apps))
    policy = client.PolicyV1Api(cluster.api())
    spec = {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}}
    policy.create_namespaced_pod_disruption_budget(
        "default", {"metadata": {"name": "b"}, "spec": spec}
    )
    name = one_pod(core).metadata.name
    eviction = {"metadata": {"name": name}}
    code, message = refused(lambda: core.create_namespaced_pod_eviction(name, "default", eviction))
    assert code == 429
    assert message == "Cannot evict pod as it would violate the pod's disruption budget."

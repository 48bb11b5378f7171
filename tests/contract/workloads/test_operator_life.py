"""The stand-in operator from its start to its end, and beside another one."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from anyscale_k8s_cli.controlplane.proof import ProofStep, prove_bucket
from anyscale_k8s_cli.sandbox.controlplane.clouds import Behaviour

from .conftest import BUCKET_ACTIONS, IMAGE, Install, World, eventually

ORIGIN = "https://console.anyscale.com"


async def test_everything_right(install: Install) -> None:
    world = install.world
    install.start()
    await install.healthy()
    results = install.shown()["operator_status_details"]["check_results"]
    assert {result["status"] for result in results} == {"HEALTHY"}
    assert len(results) == 7
    secret = f"anyscale-{install.resource_id.replace('_', '-')}-certificate"
    assert install.certificates() == [secret]
    assert world.store.get("secrets", install.namespace, secret)["type"] == "kubernetes.io/tls"
    proof = await asyncio.to_thread(prove_bucket, world.clouds, install.cloud_id, ORIGIN)
    assert proof.failed is ProofStep.CORS, proof
    rule = {
        "AllowedOrigins": ["https://*.anyscale.com"],
        "AllowedMethods": ["GET", "PUT", "POST", "HEAD", "DELETE"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["Accept-Ranges", "Content-Range", "Content-Length"],
    }
    cors = {"CORSRules": [rule]}
    await asyncio.to_thread(
        lambda: world.client("s3").put_bucket_cors(Bucket=install.bucket, CORSConfiguration=cors)
    )
    proof = await asyncio.to_thread(prove_bucket, world.clouds, install.cloud_id, ORIGIN)
    assert proof.proven, proof
    assert "MARKER" not in json.dumps([call.as_json() for call in world.wire.calls()])


async def test_no_address_is_signed_before_an_operator_is_there(install: Install) -> None:
    clouds = install.world.clouds
    proof = await asyncio.to_thread(prove_bucket, clouds, install.cloud_id, ORIGIN)
    assert proof.failed is ProofStep.URL
    assert "No operator is connected" in proof.reason


async def test_a_wire_that_breaks_later_and_is_mended(install: Install) -> None:
    install.start()
    await install.healthy()
    await asyncio.to_thread(install.grant, "s3:ListBucket")
    await eventually(lambda: install.status == "UNHEALTHY")
    assert "AccessDenied" in install.finding("STORAGE_BUCKET")[1]
    await asyncio.to_thread(install.grant, *BUCKET_ACTIONS)
    await eventually(lambda: install.status == "HEALTHY")


async def test_sessions_that_end_are_renewed(install: Install) -> None:
    """Both of them: the role's keys, and what the control plane gave at the registration."""
    install.start()
    await install.healthy()
    seen = install.shown()["operator_status_details"]["reported_at"]
    install.world.aws.expire_sessions()
    install.world.ahead = timedelta(hours=2)
    await eventually(lambda: install.status == "HEALTHY")
    assert install.shown()["operator_status_details"]["reported_at"] > seen
    assert install.finding("STORAGE_BUCKET")[0] == "HEALTHY"


async def test_a_restarted_operator_goes_on_with_what_is_there(install: Install) -> None:
    install.start()
    await install.healthy()
    install.world.plane.set_active_workloads(install.resource_id, 2)
    await eventually(lambda: len(install.heads()) == 2)
    heads = {pod["metadata"]["uid"] for pod in install.heads()}
    (first,) = install.pods(app="anyscale-operator")
    certificate = install.certificates()
    install.world.store.delete("pods", install.namespace, first["metadata"]["name"])

    def replaced() -> bool:
        pods = install.pods(app="anyscale-operator")
        return len(pods) == 1 and pods[0]["metadata"]["uid"] != first["metadata"]["uid"]

    await eventually(replaced)
    await install.healthy()
    assert {pod["metadata"]["uid"] for pod in install.heads()} == heads
    assert install.certificates() == certificate


async def test_an_operator_that_falls_silent_is_disconnected(install: Install) -> None:
    plane = install.world.plane
    plane.behaviour = plane.registry.behaviour = Behaviour(disconnected_after=0.5)
    install.start()
    await install.healthy()
    install.world.store.delete("deployments.apps", install.namespace, "anyscale-operator")
    await eventually(lambda: install.status == "DISCONNECTED")


async def leave(install: Install, *, force: bool = False) -> None:
    clouds = install.world.clouds
    await asyncio.to_thread(clouds.start_deletion, install.cloud_id)
    await asyncio.to_thread(lambda: clouds.delete_cloud(install.cloud_id, force=force))


async def test_workloads_run_and_go_with_the_registration(install: Install) -> None:
    install.start()
    await install.healthy()
    install.world.plane.set_active_workloads(install.resource_id, 2)
    await eventually(lambda: len(install.heads()) == 2)
    await eventually(lambda: len(install.routes()) == 2)
    await leave(install, force=True)
    await eventually(lambda: not install.heads())
    await eventually(lambda: not install.routes())
    await eventually(lambda: not install.certificates())
    await eventually(lambda: not install.ready())


async def test_two_installs_in_two_namespaces(operators: World) -> None:
    first = await operators.add("first", "team-a")
    second = await operators.add("second", "team-b")
    for install in (first, second):
        install.start()
    for install in (first, second):
        await install.healthy()
        operators.plane.set_active_workloads(install.resource_id, 1)
        await eventually(lambda install=install: len(install.heads()) == 1)
    certificates = second.certificates()
    assert certificates != first.certificates()

    await leave(first, force=True)
    await eventually(lambda: not first.heads() and not first.certificates())
    await eventually(lambda: not first.ready())
    assert second.ready()
    assert second.status == "HEALTHY"
    assert len(second.heads()) == 1
    assert second.certificates() == certificates


@pytest.mark.parametrize(("cpu", "code"), [("2", 0), ("2500m", 1)])
async def test_the_hook_validates_instance_types(install: Install, cpu: str, code: int) -> None:
    types = f"big: {{resources: {{CPU: {cpu}, memory: 8Gi}}}}"
    planned = {"data": {"version": "v1", "instance_types.yaml": types}}
    review = {"kind": "AdmissionReview", "request": {"uid": "1", "object": planned}}
    variables = {
        "ANYSCALE_CLOUD_DEPLOYMENT_ID": install.resource_id,
        "ANYSCALE_CONTROL_PLANE_URL": install.world.plane.url,
        "ANYSCALE_ADMISSION_REVIEW": json.dumps(review),
    }
    container = {
        "name": "validate",
        "image": IMAGE,
        "args": ["validate-instance-types"],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
    }
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    install.create("jobs.batch", "Job", "hook", spec={"backoffLimit": 0, "template": template})

    def ended() -> bool:
        job = install.world.store.get("jobs.batch", install.namespace, "hook")
        return bool(job.get("status", {}).get("failed" if code else "succeeded"))

    await eventually(ended)

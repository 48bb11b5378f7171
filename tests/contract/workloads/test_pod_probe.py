"""The round trip from a pod on EKS: the real program, in a pod that the webhook has changed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from anyscale_k8s_cli.addons.pod_probe import Question
from anyscale_k8s_cli.checks import Result, Status
from anyscale_k8s_cli.cloud_side import Storage, WorkloadEndpoints
from anyscale_k8s_cli.cluster.objects import Surroundings
from tests.probing import (
    AGAIN,
    INSTALL,
    administrator,
    left_by_probe,
    leftovers,
    probed,
)

from .conftest import BUCKET_ACTIONS, REGION, Install, World, eventually


async def ask(world: World, install: Install, **changes: Any) -> Result:
    url = changes.pop("url", f"s3://{install.bucket}")
    # In life the SDK's own addresses; here the webhook's variable leads elsewhere.
    places = WorkloadEndpoints("https://s3.invalid", "https://sts.invalid")
    question = Question(Storage(url, REGION), places)
    return (await probed(world.kubernetes, question, **changes))["pod-storage"]


async def test_every_verb_is_tried_as_the_role_and_nothing_stays(
    operators: World, install: Install
) -> None:
    namespace = operators.store.find("namespaces", "", install.namespace)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    operators.store.update(
        "namespaces", {**namespace, "metadata": {**namespace["metadata"], "labels": labels}}
    )

    result = await ask(operators, install)

    assert result.finding.status is Status.PASS, result.finding
    assert result.finding.detail == (
        f"put, get, list, multipart, delete, by web identity, role {install.role_arn}"
    )
    client = operators.client("s3")
    assert "Contents" not in await asyncio.to_thread(
        lambda: client.list_objects_v2(Bucket=install.bucket)
    )
    await eventually(lambda: leftovers(operators.store) == [])


async def test_the_program_works_with_what_the_operator_pod_was_not_told(
    operators: World, install: Install
) -> None:
    """Placement, labels and proxies are the operator's; its selector finds it alone."""
    install.start(HTTPS_PROXY="http://proxy.invalid:3128", NO_PROXY="127.0.0.1")
    seen: list[dict[str, Any]] = []
    operators.store.subscribe(
        lambda event: seen.append(event.object) if event.key == "pods" else None
    )

    await ask(operators, install)

    (pod,) = {
        pod["metadata"]["uid"]: pod
        for pod in seen
        if pod["metadata"]["name"].startswith("anyscale-k8s-probe")
    }.values()
    variables = {item["name"]: item.get("value") for item in pod["spec"]["containers"][0]["env"]}
    assert variables["HTTPS_PROXY"] == "http://proxy.invalid:3128"
    assert "app" not in pod["metadata"]["labels"]
    assert pod["spec"]["serviceAccountName"] == "anyscale-operator"
    assert pod["spec"]["automountServiceAccountToken"] is False


async def test_another_subject_in_the_trust_policy(operators: World, install: Install) -> None:
    subject = "system:serviceaccount:elsewhere:anyscale-operator"
    await asyncio.to_thread(install.set_trust, install.trust(subject))

    finding = (await ask(operators, install)).finding

    assert finding.status is Status.FAIL
    assert finding.detail.startswith("the identity of the workloads' pods is refused at http://")
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in finding.detail
    assert finding.fix == AGAIN


@pytest.mark.parametrize(
    ("missing", "step"),
    [("s3:PutObject", "put"), ("s3:GetObject", "get"), ("s3:DeleteObject", "delete")],
)
async def test_a_right_that_lacks_is_named(
    operators: World, install: Install, missing: str, step: str
) -> None:
    await asyncio.to_thread(install.grant, *(set(BUCKET_ACTIONS) - {missing}))

    finding = (await ask(operators, install)).finding

    assert finding.status is Status.FAIL
    assert finding.detail.startswith(
        f"pods may not {step} in s3://{install.bucket} (it takes {missing}"
    )
    assert any(line.startswith("list: done") for line in finding.evidence)


async def test_a_bucket_that_is_gone(operators: World, install: Install) -> None:
    client = operators.client("s3")
    await asyncio.to_thread(lambda: client.delete_bucket(Bucket=install.bucket))

    finding = (await ask(operators, install)).finding

    assert finding.status is Status.FAIL
    assert finding.detail.startswith(f"there is no bucket s3://{install.bucket} at http://")


async def test_a_service_account_without_a_role(operators: World, install: Install) -> None:
    account = operators.store.find("serviceaccounts", install.namespace, "anyscale-operator")
    bare = {**account, "metadata": {**account["metadata"], "annotations": {}}}
    operators.store.update("serviceaccounts", bare)

    finding = (await ask(operators, install)).finding

    assert finding.status is Status.FAIL
    assert finding.detail.startswith("a pod of the workloads is given no credentials")


async def test_an_image_that_cannot_be_had_tells_nothing_of_the_bucket(
    operators: World, install: Install
) -> None:
    result = await ask(operators, install, image="registry.invalid/no-such-image/python:3")

    assert result.finding.status is Status.UNKNOWN
    assert "ImagePullBackOff" in result.finding.detail
    assert "--probe-image" in result.finding.fix
    await eventually(lambda: leftovers(operators.store) == [])


async def left_over(world: World, install: Install, *, ours: bool) -> None:
    """What a probe has made that was killed, or what somebody else has made."""
    kubernetes = administrator(world.kubernetes)
    around = Surroundings(kubernetes, INSTALL)
    for manifest in left_by_probe(install.namespace):
        await asyncio.to_thread(kubernetes.create, around.marked(manifest) if ours else manifest)


async def test_what_a_killed_run_has_left_is_in_nobodys_way(
    operators: World, install: Install
) -> None:
    await left_over(operators, install, ours=True)

    result = await ask(operators, install)

    assert result.finding.status is Status.PASS, result.finding
    await eventually(lambda: leftovers(operators.store) == [])


async def test_what_somebody_else_has_made_stays(operators: World, install: Install) -> None:
    await left_over(operators, install, ours=False)

    result = await ask(operators, install)

    assert result.finding.status is Status.UNKNOWN
    assert "is there already and not ours" in result.finding.detail
    assert "jobs.batch/anyscale-k8s-probe" in leftovers(operators.store)


async def test_a_pod_that_never_comes_up_is_told_with_what_is_in_its_way(
    operators: World, install: Install
) -> None:
    for node in list(operators.store.items("nodes")):
        operators.store.update("nodes", {**node, "spec": {**node["spec"], "unschedulable": True}})

    result = await ask(operators, install, seconds=1.0)

    assert result.finding.status is Status.UNKNOWN
    assert "nodes are available" in result.finding.detail
    await eventually(lambda: leftovers(operators.store) == [])


async def test_a_quota_without_room(operators: World, install: Install) -> None:
    install.create(
        "resourcequotas", "ResourceQuota", "full", apiVersion="v1", spec={"hard": {"pods": "0"}}
    )

    result = await ask(operators, install)

    assert result.finding.status is Status.UNKNOWN
    assert "exceeded quota" in result.finding.detail


async def test_hosts_are_told_apart_by_how_far_one_gets(operators: World, install: Install) -> None:
    open_, shut = operators.plane.url, "tcp://127.0.0.1:1"
    secured = operators.kubernetes.url
    hosts = (open_, secured, shut, "https://no-such-host.invalid")

    results = await probed(operators.kubernetes, Question(hosts=hosts), open_)

    finding = results["pod-egress"].finding
    assert finding.status is Status.WARN
    assert "127.0.0.1:1" in finding.detail
    assert {line.partition(": ")[2].partition(":")[0] for line in finding.evidence} == {
        "connect",
        "dns",
    }
    needed = await probed(operators.kubernetes, Question(hosts=hosts), shut)
    assert needed["pod-egress"].finding.status is Status.FAIL
    assert needed["pod-egress"].finding.detail.startswith("pods do not reach 127.0.0.1:1")

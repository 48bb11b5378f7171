"""Webhooks: who is asked, what they are shown, and what becomes of writes when they fail."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from kubernetes import client

from anyscale_k8s_cli.sandbox.kubernetes.runtime import Pod

Refused = Callable[[Callable[[], Any]], tuple[int, str]]
Eventually = Callable[[Callable[[], Any]], Any]

WATCHED = {"watched": "yes"}


class Judge:
    """A webhook on loopback; `answer` is its response but the uid."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: dict[str, Any] = {"allowed": True}
        judge = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                judge.asked.append(request["request"])
                response = {**judge.answer, "uid": request["request"]["uid"]}
                body = json.dumps({**request, "response": response}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/judge"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def judge() -> Iterator[Judge]:
    made = Judge()
    yield made
    made.close()


def register(cluster: Any, where: dict[str, Any], **more: Any) -> None:
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["configmaps"],
        "operations": ["CREATE", "UPDATE", "DELETE"],
    }
    hook = {
        "name": "judge.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": where,
        "rules": [rule],
        "objectSelector": {"matchLabels": WATCHED},
        **more,
    }
    client.AdmissionregistrationV1Api(cluster.api()).create_validating_webhook_configuration(
        {"metadata": {"name": "judge"}, "webhooks": [hook]}
    )


def config_map(name: str = "c", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": WATCHED}, "data": data}


def test_it_is_shown_what_would_be(cluster: Any, core: client.CoreV1Api, judge: Judge) -> None:
    register(cluster, {"url": judge.url})
    core.create_namespaced_config_map("default", config_map(a="1"))
    core.patch_namespaced_config_map("c", "default", {"data": {"b": "2"}}, dry_run="All")
    core.patch_namespaced_config_map("c", "default", {"data": {"b": "2"}})
    core.delete_namespaced_config_map("c", "default")
    told = [(asked["operation"], asked["dryRun"]) for asked in judge.asked]
    assert told == [("CREATE", False), ("UPDATE", True), ("UPDATE", False), ("DELETE", False)]
    created, _, updated, deleted = judge.asked
    assert created["object"]["data"] == {"a": "1"}
    assert created["object"]["metadata"]["namespace"] == "default"
    assert created["oldObject"] is None
    assert created["userInfo"]["username"] == "admin"
    assert updated["oldObject"]["data"] == {"a": "1"}
    assert updated["object"]["data"] == {"a": "1", "b": "2"}
    assert deleted["object"] is None
    assert deleted["oldObject"]["data"] == {"a": "1", "b": "2"}


def test_what_it_denies_is_not_done(
    cluster: Any, core: client.CoreV1Api, judge: Judge, refused: Refused
) -> None:
    core.create_namespaced_config_map("default", config_map(a="1"))
    register(cluster, {"url": judge.url})
    judge.answer = {"allowed": False, "status": {"code": 403, "message": "not this way"}}
    denied = (403, 'admission webhook "judge.example.com" denied the request: not this way')
    change = {"data": {"a": "2"}}
    assert refused(lambda: core.patch_namespaced_config_map("c", "default", change)) == denied
    assert refused(lambda: core.delete_namespaced_config_map("c", "default")) == denied
    another = config_map("d")
    assert refused(lambda: core.create_namespaced_config_map("default", another)) == denied
    assert core.read_namespaced_config_map("c", "default").data == {"a": "1"}
    assert [item.metadata.name for item in labelled(core)] == ["c"]


def labelled(core: client.CoreV1Api) -> list[Any]:
    return list(core.list_namespaced_config_map("default", label_selector="watched=yes").items)


def test_it_hears_of_what_it_selects_alone(
    cluster: Any, core: client.CoreV1Api, judge: Judge
) -> None:
    core.create_namespace({"metadata": {"name": "elsewhere"}})
    here = {"matchLabels": {"kubernetes.io/metadata.name": "default"}}
    register(cluster, {"url": judge.url}, namespaceSelector=here)
    core.create_namespaced_config_map("default", {"metadata": {"name": "unlabelled"}})
    core.create_namespaced_config_map("elsewhere", config_map())
    core.create_namespaced_secret("default", {"metadata": {"name": "s", "labels": WATCHED}})
    assert judge.asked == []
    # Who takes the label off is seen, too: the object had it before.
    core.create_namespaced_config_map("default", config_map())
    unlabelled = {"metadata": {"labels": {"watched": None}}}
    core.patch_namespaced_config_map("c", "default", unlabelled)
    assert [asked["operation"] for asked in judge.asked] == ["CREATE", "UPDATE"]


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ({"url": "http://127.0.0.1:9/judge"}, 'Post "http://127.0.0.1:9/judge?timeout=10s"'),
        (
            {"service": {"name": "judge", "namespace": "default"}},
            'Post "https://judge.default.svc:443": service "judge" not found',
        ),
    ],
    ids=["url", "service"],
)
@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
def test_its_policy_says_what_a_failure_means(
    cluster: Any,
    core: client.CoreV1Api,
    refused: Refused,
    where: dict[str, Any],
    told: str,
    policy: str,
) -> None:
    register(cluster, where, failurePolicy=policy)
    if policy == "Ignore":
        core.create_namespaced_config_map("default", config_map())
        return
    code, message = refused(lambda: core.create_namespaced_config_map("default", config_map()))
    assert code == 500
    assert 'failed calling webhook "judge.example.com": failed to call webhook: ' in message
    assert told in message
    # A bad webhook can be removed, whatever it has registered for.
    registered = client.AdmissionregistrationV1Api(cluster.api())
    registered.delete_validating_webhook_configuration("judge")
    core.create_namespaced_config_map("default", config_map())


def test_one_in_the_cluster_needs_a_pod_that_is_ready(
    cluster: Any, core: client.CoreV1Api, refused: Refused, eventually: Eventually
) -> None:
    gate = threading.Event()

    async def serve(pod: Pod) -> int:
        await pod.set_ready(False)
        await asyncio.to_thread(gate.wait)
        await pod.set_ready(True)
        await asyncio.get_running_loop().create_future()
        return 0

    cluster.programs.add("judge:1", serve)
    labels = {"app": "judge"}
    spec = {"selector": labels, "ports": [{"port": 443}]}
    core.create_namespaced_service("default", {"metadata": {"name": "judge"}, "spec": spec})
    probe = {"httpGet": {"path": "/", "port": 443}}
    containers = [{"name": "main", "image": "judge:1", "readinessProbe": probe}]
    core.create_namespaced_pod(
        "default",
        {"metadata": {"name": "judge", "labels": labels}, "spec": {"containers": containers}},
    )
    register(cluster, {"service": {"name": "judge", "namespace": "default"}})
    code, message = refused(lambda: core.create_namespaced_config_map("default", config_map()))
    assert code == 500
    assert 'no endpoints available for service "judge"' in message
    gate.set()

    def ready() -> bool:
        conditions = core.read_namespaced_pod("judge", "default").status.conditions or ()
        return any(c.type == "Ready" and c.status == "True" for c in conditions)

    eventually(ready)
    core.create_namespaced_config_map("default", config_map())


def test_one_with_side_effects_is_not_asked_in_a_dry_run(
    cluster: Any, core: client.CoreV1Api, judge: Judge, refused: Refused
) -> None:
    register(cluster, {"url": judge.url}, sideEffects="Some")
    code, message = refused(
        lambda: core.create_namespaced_config_map("default", config_map(), dry_run="All")
    )
    assert code == 400
    assert message == 'admission webhook "judge.example.com" does not support dry run'
    assert not judge.asked

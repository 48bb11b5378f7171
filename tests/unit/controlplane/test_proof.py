"""The proof of the bucket: each way in which it can fail has its own step."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.controlplane.client import ControlPlane
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.credentials import Credentials
from anyscale_k8s_cli.controlplane.failures import ApiFailure
from anyscale_k8s_cli.controlplane.proof import CONTENT, BucketProof, ProofStep, prove_bucket
from anyscale_k8s_cli.controlplane.transport import Limits
from anyscale_k8s_cli.events import Event, StepWaiting
from anyscale_k8s_cli.operations.health import prove_storage
from anyscale_k8s_cli.registration import Registration
from anyscale_k8s_cli.run import Run

ORIGIN = "https://console.anyscale.com"
CORS = {
    "Access-Control-Allow-Origin": ORIGIN,
    "Access-Control-Expose-Headers": "Accept-Ranges, Content-Range, Content-Length",
}


class World:
    """A control plane and a bucket in one server; `change` spoils one of the answers."""

    def __init__(self, script: Any) -> None:
        self.script = script
        self.kind = script.answer(None).__class__
        self.events: list[Event] = []
        self.change: Callable[[Any], Any] = lambda _: None
        self.scheme = "http"
        self.uri = "s3://data/org/cld_1/proof.txt"
        script.answer = self.answer

    def answer(self, asked: Any) -> Any:
        changed = self.change(asked)
        if changed is not None:
            return changed
        if asked.method == "POST":
            url = f"{self.script.url}/data/proof.txt?X-Amz-Signature=MARKER"
            signed = {"url": url, "url_scheme": self.scheme, "file_uri": self.uri}
            return self.kind(200, json.dumps({"result": signed}).encode())
        if asked.method == "PUT":
            return self.kind(200, b"")
        return self.kind(200, CONTENT, CORS)

    def clouds(self) -> Clouds:
        run = Run(listeners=(self.events.append,))
        credentials = Credentials(self.script.url, "sss_token", "the test")
        return Clouds(ControlPlane(credentials, run, environ={}, limits=Limits(backoff=0.001)))

    def prove(self) -> BucketProof:
        return prove_bucket(self.clouds(), "cld_1", ORIGIN, resource_id="cldrsrc_1")


@pytest.fixture
def world(script: Any) -> World:
    return World(script)


def test_everything_holds(world: World) -> None:
    proof = world.prove()
    assert proof.proven
    assert proof.object_uri == "s3://data/org/cld_1/proof.txt"
    sign, put, _, get = world.script.asked
    assert json.loads(sign.body) == {
        "file_type": "runtime_env_packages",
        "file_name": "anyscale-k8s-cli-bucket-proof.txt",
        "access_mode": "WRITE",
        "cloud_resource_id": "cldrsrc_1",
    }
    assert put.body == CONTENT
    # Neither the token nor a content type may travel with a signed address.
    assert not {"authorization", "content-type", "x-ms-blob-type"} & set(put.headers)
    assert get.headers["origin"] == ORIGIN


def test_signatures_are_not_told(world: World) -> None:
    world.prove()
    assert "MARKER" not in json.dumps([event.as_json() for event in world.events])


def test_azure_wants_to_know_the_kind_of_blob(world: World) -> None:
    world.uri = "abfss://c@a.dfs.core.windows.net/x"
    world.prove()
    assert world.script.asked[1].headers["x-ms-blob-type"] == "BlockBlob"


@pytest.mark.parametrize(
    ("method", "status", "body", "headers", "step"),
    [
        ("POST", 400, b"", {}, ProofStep.URL),
        ("PUT", 403, b"<Error><Code>AccessDenied</Code></Error>", {}, ProofStep.PUT),
        ("GET", 403, b"<Error><Code>AccessDenied</Code></Error>", {}, ProofStep.GET),
        ("GET", 200, b"something else", CORS, ProofStep.GET),
        ("GET", 200, CONTENT, {}, ProofStep.CORS),
        ("GET", 200, CONTENT, {"Access-Control-Allow-Origin": "https://x"}, ProofStep.CORS),
        ("GET", 200, CONTENT, {"Access-Control-Allow-Origin": ORIGIN}, ProofStep.CORS),
    ],
)
def test_what_fails_is_named(
    world: World,
    method: str,
    status: int,
    body: bytes,
    headers: dict[str, str],
    step: ProofStep,
) -> None:
    spoilt = world.kind(status, body, headers)
    world.change = lambda asked: spoilt if asked.method == method else None
    proof = world.prove()
    assert (proof.proven, proof.failed) == (False, step)
    assert proof.reason
    assert "MARKER" not in repr(proof)
    if body.startswith(b"<Error>"):
        assert proof.evidence == ("HTTP 403 AccessDenied",)


def test_a_wildcard_is_enough(world: World) -> None:
    headers = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*"}
    answer = world.kind(200, CONTENT, headers)
    world.change = lambda asked: answer if asked.method == "GET" else None
    assert world.prove().proven


def test_storage_without_http_addresses_is_unknown_and_not_broken(world: World) -> None:
    world.scheme = "smart_open"
    proof = world.prove()
    assert (proof.proven, proof.supported, proof.failed) == (False, False, None)


def test_a_rejected_token_is_no_finding_about_the_bucket(world: World) -> None:
    world.change = lambda _: world.kind(401, b"")
    with pytest.raises(ApiFailure) as raised:
        world.prove()
    assert raised.value.code is errors.TOKEN_REJECTED


def test_a_broken_proof_ends_setup_with_the_step_that_failed(world: World) -> None:
    world.change = lambda asked: world.kind(403, b"") if asked.method == "PUT" else None
    with pytest.raises(errors.CliError) as raised:
        prove_storage(world.clouds(), Registration("cld_1", "cldrsrc_1"))
    assert raised.value.code is errors.STORAGE_UNREACHABLE
    assert raised.value.details == {"step": ProofStep.PUT.value}
    assert raised.value.fix


def test_keys_that_have_just_ended_are_waited_for(world: World) -> None:
    ended = [world.kind(400, b"<Error><Code>ExpiredToken</Code></Error>")]
    world.change = lambda asked: ended.pop() if asked.method == "PUT" and ended else None
    proof = prove_storage(world.clouds(), Registration("cld_1", "cldrsrc_1"), cors=False)
    assert proof.failed is ProofStep.CORS
    [waited] = [event for event in world.events if isinstance(event, StepWaiting)]
    assert waited.what.startswith("new keys for the bucket")


def test_a_store_that_cannot_let_browsers_in_ends_nothing(world: World) -> None:
    answer = world.kind(200, CONTENT)
    world.change = lambda asked: answer if asked.method == "GET" else None
    registration = Registration("cld_1", "cldrsrc_1")
    with pytest.raises(errors.CliError) as raised:
        prove_storage(world.clouds(), registration)
    assert raised.value.details == {"step": ProofStep.CORS.value}
    assert prove_storage(world.clouds(), registration, cors=False).failed is ProofStep.CORS

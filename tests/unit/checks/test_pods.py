"""What the answers of a pod mean, for people."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.addons.pod_probe import Answer
from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.checks.pods import egress, storage

KNOWN = Answer("store", "credentials", True, "web identity, role arn:x", at="https://s3")
URL = "s3://bucket"


def refused(step: str, code: str, status: int = 400, said: str = "said") -> Answer:
    return Answer("store", step, False, said, "refused", code, status, at="https://s3")


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (
            refused("put", "AccessDenied", 403),
            "pods may not put in s3://bucket (it takes s3:PutObject): AccessDenied: said",
        ),
        (
            refused("put", "NoSuchBucket", 404),
            "there is no bucket s3://bucket at https://s3: NoSuchBucket: said",
        ),
        (
            refused("put", "SignatureDoesNotMatch", 403),
            "https://s3 does not take the workloads' credentials: SignatureDoesNotMatch: said",
        ),
        (
            refused("put", "PermanentRedirect", 301),
            "s3://bucket is asked for in the wrong region: PermanentRedirect: said",
        ),
        (
            refused("put", "RequestTimeTooSkewed", 403),
            "the clock of the pod's node is wrong: RequestTimeTooSkewed: said",
        ),
        (refused("list", "InternalError", 500), "list in s3://bucket: InternalError: said"),
        (
            refused("credentials", "", 404, "no binding"),
            "the identity of the workloads' pods is refused at https://s3: no binding",
        ),
        (
            Answer("store", "credentials", False, "none", "no-credentials"),
            "a pod of the workloads is given no credentials: none",
        ),
        (
            Answer("store", "get", False, "what was read is not what was written", "unlike"),
            "get in s3://bucket: what was read is not what was written",
        ),
    ],
)
def test_a_step_that_failed_is_told_with_its_cause(answer: Answer, detail: str) -> None:
    found = storage([KNOWN, answer], URL, "anyscale cloud setup")

    assert (found.status, found.detail) == (Status.FAIL, detail)
    assert found.fix == "anyscale cloud setup"
    assert found.evidence[0] == "credentials: done (web identity, role arn:x)"


@pytest.mark.parametrize(
    ("stage", "detail", "fix"),
    [
        ("dns", "its name is not known to the cluster's DNS", "let the cluster's DNS answer for"),
        ("connect", "no connection comes about", "let the cluster's pods out to"),
        ("tls", "who answers there is not trusted", "let TLS to"),
        ("proxy", "the proxy does not let it through", "let the cluster's pods out to"),
    ],
)
def test_silence_is_told_by_how_far_one_gets(stage: str, detail: str, fix: str) -> None:
    silent = {"ok": False, "said": "said", "kind": "unanswered", "stage": stage}
    used = storage([Answer("store", "put", at="https://s3.example.com", **silent)], URL, "again")
    reached = egress([Answer("reach", "https://api.example.com", **silent)], ())

    assert used.detail == f"pods do not reach https://s3.example.com: {detail} (said)"
    assert used.fix.startswith(f"{fix} s3.example.com:443")
    assert reached.status is Status.WARN
    assert reached.detail.startswith("pods do not reach api.example.com:443")
    assert reached.fix.startswith(f"{fix} api.example.com:443")


def test_hosts_that_are_needed_come_first_and_fail() -> None:
    shut = {"ok": False, "said": "refused", "kind": "unanswered", "stage": "connect"}
    told = [
        Answer("reach", "https://files.example.com", **shut),
        Answer("reach", "tcp://redis:6379", **shut),
        Answer("reach", "https://console.example.com", True),
    ]

    found = egress(told, ("tcp://redis:6379",))

    assert found.status is Status.FAIL
    assert found.detail.startswith("pods do not reach redis:6379, files.example.com:443; of the")


def test_nothing_is_known_of_what_was_not_asked() -> None:
    assert storage([], "", "again").status is Status.UNKNOWN

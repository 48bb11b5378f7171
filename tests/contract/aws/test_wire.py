"""What is recorded of a request, and faults in each service's own words."""

from __future__ import annotations

import io
import json
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from anyscale_k8s_cli.sandbox.aws.seed import ACCOUNT_ID
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings, AwsStandIn
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule, Wire

WEST = {"LocationConstraint": "us-west-2"}


def test_requests_are_recorded_as_operations(aws: Any) -> None:
    s3, iam = aws.client("s3"), aws.client("iam")
    s3.create_bucket(Bucket="new-one", CreateBucketConfiguration=WEST)
    s3.put_object(Bucket="new-one", Key="a/b", Body=b"secret")
    s3.head_bucket(Bucket="new-one")
    iam.list_roles()
    aws.client("eks").describe_cluster(name="demo")
    calls = aws.wire.calls()
    told = [(c.operation.service, c.operation.name, c.operation.resource) for c in calls]
    assert told == [
        ("s3", "CreateBucket", "new-one"),
        ("s3", "PutObject", "new-one/a/b"),
        ("s3", "HeadBucket", "new-one"),
        ("iam", "ListRoles", ""),
        ("eks", "DescribeCluster", "demo"),
    ]
    writes = aws.wire.calls(writes_only=True)
    assert [call.operation.name for call in writes] == ["CreateBucket", "PutObject"]
    principals = {call.operation.principal for call in calls}
    assert principals == {f"arn:aws:iam::{ACCOUNT_ID}:user/demo-admin"}
    assert "secret" not in json.dumps([call.as_json() for call in calls])


def test_tokens_are_not_recorded(aws: Any, refused: Any) -> None:
    token = aws.issuer.token("somebody")
    with refused("InvalidIdentityToken"):
        aws.client("sts").assume_role_with_web_identity(
            RoleArn=f"arn:aws:iam::{ACCOUNT_ID}:role/x",
            RoleSessionName="session",
            WebIdentityToken=token,
        )
    (call,) = aws.wire.calls()
    assert (call.operation.name, call.operation.write) == ("AssumeRoleWithWebIdentity", False)
    assert token not in json.dumps(call.as_json())


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("s3", lambda c: c.list_buckets(), "SlowDown"),
        ("iam", lambda c: c.list_roles(), "Throttling"),
        ("eks", lambda c: c.list_clusters(), "ThrottlingException"),
        ("ec2", lambda c: c.describe_vpcs(), "RequestLimitExceeded"),
    ],
)
def test_throttling(aws: Any, refused: Any, service: str, operation: Any, code: str) -> None:
    aws.wire.inject(FaultRule(FaultKind.THROTTLE, service=service))
    with refused(code):
        operation(aws.client(service))
    operation(aws.client(service))


def test_error_after_the_work_is_done(aws: Any, refused: Any) -> None:
    aws.wire.inject(
        FaultRule(FaultKind.ERROR_AFTER, operation="CreateBucket", status=500, code="InternalError")
    )
    s3 = aws.client("s3")
    with refused("InternalError"):
        s3.create_bucket(Bucket="new-one", CreateBucketConfiguration=WEST)
    s3.head_bucket(Bucket="new-one")


def test_dropped_connection(aws: Any) -> None:
    aws.wire.inject(FaultRule(FaultKind.DROP, service="s3"))
    with pytest.raises(ConnectionClosedError):
        aws.client("s3").list_buckets()


async def test_a_connection_is_kept_until_the_stand_in_stops(aws: Any) -> None:
    with closing(HTTPConnection(aws.stand_in.url.removeprefix("http://"))) as connection:
        connection.connect()
        kept = connection.sock
        for path in ("/team-data/a", "/team-data/b"):
            connection.request("PUT", path, b"read to its end, though nobody signed it")
            answer = connection.getresponse()
            assert answer.status == 403
            assert answer.read()
            assert connection.sock is kept
        await aws.stand_in.stop()
        assert kept.recv(1) == b""


def test_a_body_that_waits_to_be_let_come(aws: Any) -> None:
    s3, body = aws.client("s3"), bytes(1 << 21)
    asked: list[str] = []
    s3.meta.events.register(
        "before-send", lambda request, **_: asked.append(str(request.headers.get("Expect")))
    )
    s3.put_object(Bucket="team-data", Key="much", Body=io.BytesIO(body))
    assert "100-continue" in asked[0]
    assert s3.get_object(Bucket="team-data", Key="much")["Body"].read() == body


async def test_one_world_per_account_and_process(aws: Any) -> None:
    second = AwsStandIn(Wire())
    with pytest.raises(RuntimeError, match="already serves"):
        await second.start()
    other = AwsStandIn(Wire(), AwsSettings(account_id="530017264418", buckets=()))
    await other.start()
    assert other.snapshot()["buckets"] == {}
    await other.stop()
    assert "team-data" in aws.stand_in.snapshot()["buckets"]

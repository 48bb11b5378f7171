"""What makes two policies the same, and whom a trust admits."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.holders import OPERATOR
from anyscale_k8s_cli.providers.eks import policies
from anyscale_k8s_cli.providers.eks.trust import TokenBearer, admission, mentions, subjects

ISSUER = "https://oidc.eks.us-west-2.example.com/id/ABC"
PROVIDER = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-west-2.example.com/id/ABC"
HOST = ISSUER.removeprefix("https://")
AUDIENCE = "sts.example.com"
OURS = policies.trust(PROVIDER, ISSUER, "ns", AUDIENCE)
BEARER = TokenBearer(PROVIDER, ISSUER, OPERATOR.subject("ns"), AUDIENCE)


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "a", **more}


def test_our_trust_pins_subject_and_audience() -> None:
    (statement,) = OURS["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {
            f"{HOST}:sub": "system:serviceaccount:ns:anyscale-operator",
            f"{HOST}:aud": AUDIENCE,
        }
    }
    assert statement["Principal"] == {"Federated": PROVIDER}


def test_the_operators_policy_is_about_its_bucket_alone() -> None:
    policy = policies.operator("arn:aws:s3:::b", "arn:aws:kms:r:1:key/k")
    assert [statement["Resource"] for statement in policy["Statement"]] == [
        "arn:aws:s3:::b",
        "arn:aws:s3:::b/*",
        "arn:aws:kms:r:1:key/k",
    ]
    assert len(policies.operator("arn:aws:s3:::b")["Statement"]) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (document(allow()), document(allow(Action=["s3:GetObject"], Resource=["a"]))),
        (document(allow()), {"Version": "2012-10-17", "Statement": allow()}),
        (document(allow()), document(allow(Sid="named"))),
        (document(allow()), document(allow(Action="S3:getobject"))),
        (document(allow(Resource=["a", "b"])), document(allow(Resource=["b", "a"]))),
        (document(allow(), allow(Resource="b")), document(allow(Resource="b"), allow())),
        (
            document(allow(Condition={"StringEquals": {"Aws:X": "1"}})),
            document(allow(Condition={"StringEquals": {"aws:x": ["1"]}})),
        ),
        (
            document(allow(Principal={"AWS": "a"})),
            document(allow(Principal={"AWS": ["a"]})),
        ),
    ],
)
def test_the_same_in_other_writing(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert policies.same(one, other)


@pytest.mark.parametrize(
    "other",
    [
        document(allow(Resource="A")),
        document(allow(Effect="Deny")),
        document(allow(), allow(Resource="*")),
        document(allow(Condition={"StringEquals": {"aws:x": "1"}})),
        document(allow(Principal={"AWS": "a"})),
        document(),
        {},
    ],
)
def test_not_the_same(other: dict[str, Any]) -> None:
    assert not policies.same(document(allow()), other)


def trusting(condition: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        **({"Condition": condition} if condition else {}),
        **more,
    }
    return document(statement)


SUBJECT = f"{HOST}:sub"
AUD = f"{HOST}:aud"


@pytest.mark.parametrize(
    "trust",
    [
        OURS,
        trusting(),
        trusting({"StringLike": {SUBJECT: "system:serviceaccount:ns:*"}}),
        trusting({"StringLike": {SUBJECT: ["x", "system:*:anyscale-operator"]}}),
        trusting({"StringEquals": {SUBJECT.upper(): OPERATOR.subject("ns")}}),
        trusting({"StringEquals": {AUD: [AUDIENCE, "other"]}}),
        trusting({"StringNotEquals": {SUBJECT: "somebody"}}),
        trusting({"ForAnyValue:StringEquals": {AUD: AUDIENCE}}),
        trusting({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        trusting(Action=["sts:TagSession", "sts:AssumeRole*"]),
        trusting(Principal={"Federated": ["x", PROVIDER]}),
    ],
)
def test_admitted(trust: dict[str, Any]) -> None:
    assert admission(trust, BEARER).admitted


@pytest.mark.parametrize(
    "trust",
    [
        {},
        document(),
        trusting({"StringEquals": {SUBJECT: "system:serviceaccount:ns:*"}}),
        trusting({"StringEquals": {SUBJECT: OPERATOR.subject("other")}}),
        trusting({"StringEquals": {AUD: "other"}}),
        trusting({"StringLike": {SUBJECT: "system:serviceaccount:[ns]:*"}}),
        trusting({"StringNotEquals": {SUBJECT: OPERATOR.subject("ns")}}),
        trusting(Action="sts:AssumeRole"),
        trusting(Principal={"Federated": PROVIDER + "D"}),
        trusting(Principal={"AWS": PROVIDER}),
        trusting(Effect="Deny"),
        document(trusting()["Statement"][0], trusting(Effect="Deny")["Statement"][0]),
    ],
)
def test_not_admitted(trust: dict[str, Any]) -> None:
    assert not admission(trust, BEARER).admitted


def test_what_was_found_is_told() -> None:
    found = admission(policies.trust(PROVIDER, ISSUER, "other", "aud"), BEARER)
    assert found.evidence == (
        f"trusted identity providers: {PROVIDER}",
        "trusted subjects: system:serviceaccount:other:anyscale-operator",
        "trusted audiences: aud",
    )
    assert admission({}, BEARER).evidence[0] == "trusted identity providers: none"


def test_who_uses_a_provider() -> None:
    assert mentions(OURS, PROVIDER)
    assert not mentions(OURS, PROVIDER + "D")
    assert not mentions(trusting(Effect="Deny"), PROVIDER)
    assert subjects(OURS) == (OPERATOR.subject("ns"),)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (
            document(allow(Action=["s3:GetObject", "s3:PutObject"])),
            ("Action s3:putobject", None),
        ),
        (
            document(allow(Action="s3:ListBucket")),
            ("Action s3:listbucket", "Action s3:getobject"),
        ),
        (
            document(allow(Condition={"StringEquals": {"aws:Region": "x"}})),
            ("StringEquals aws:region=x", None),
        ),
        (
            document(allow(), allow(Resource="b", Effect="Deny")),
            ("Action s3:getobject, Deny, Resource b", None),
        ),
        (document(), (None, "Action s3:getobject, Allow, Resource a")),
        (document(allow(), allow()), ("a statement twice", "once")),
    ],
    ids=["action", "other action", "condition", "statement", "empty", "twice"],
)
def test_how_one_differs_is_told(
    found: dict[str, Any], told: tuple[str | None, str | None]
) -> None:
    assert policies.unlike(found, document(allow())) == told


def test_a_trust_without_its_audience_is_told() -> None:
    (statement,) = OURS["Statement"]
    condition = {"StringEquals": {f"{HOST}:sub": OPERATOR.subject("ns")}}
    found = document({**statement, "Condition": condition})

    lacks = f"StringEquals {HOST.lower()}:aud={AUDIENCE}"
    assert policies.unlike(found, OURS) == (None, lacks)

"""The evaluation of policies, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.aws.policy import (
    Decision,
    Grants,
    Question,
    UnsupportedPolicy,
    decide,
    like,
)

ALLOWED, EXPLICIT, IMPLICIT = Decision.ALLOWED, Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def statement(effect: str = "Allow", **parts: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": "*", "Resource": "*", **parts}


def ask(
    action: str = "s3:GetObject", resource: str = "arn:aws:s3:::b/k", **context: Any
) -> Question:
    return Question(action, resource, {k.replace("__", ":"): v for k, v in context.items()})


@pytest.mark.parametrize(
    ("statements", "decision"),
    [
        ([], IMPLICIT),
        ([statement()], ALLOWED),
        ([statement(), statement("Deny")], EXPLICIT),
        ([statement("Deny"), statement()], EXPLICIT),
        ([statement("Deny", Action="s3:PutObject"), statement()], ALLOWED),
        ([statement(Action="s3:getobject")], ALLOWED),
        ([statement(Action=["iam:*", "s3:Get*"])], ALLOWED),
        ([statement(Action="s3:Get?bject")], ALLOWED),
        ([statement(Action="s3:Get")], IMPLICIT),
        ([statement(Resource="arn:aws:s3:::b/*")], ALLOWED),
        ([statement(Resource="arn:aws:s3:::b")], IMPLICIT),
        ([statement(Resource="arn:aws:s3:::B/*")], IMPLICIT),
        ([statement(Resource="arn:aws:s3:::[a-c]/k")], IMPLICIT),
    ],
)
def test_effects_actions_and_resources(statements: list[Any], decision: Decision) -> None:
    assert decide([document(*statements)], ask()) is decision


def test_not_action_and_not_resource() -> None:
    everything_but_iam = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}
    assert decide([document(everything_but_iam)], ask("s3:GetObject")) is ALLOWED
    assert decide([document(everything_but_iam)], ask("iam:GetRole")) is IMPLICIT
    elsewhere = {"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::b/*"}
    assert decide([document(elsewhere)], ask()) is IMPLICIT
    assert decide([document(elsewhere)], ask(resource="arn:aws:s3:::c/k")) is EXPLICIT


def test_single_statement_need_not_be_in_a_list() -> None:
    assert decide([{"Statement": statement()}], ask()) is ALLOWED


@pytest.mark.parametrize(
    ("operator", "wanted", "values", "holds"),
    [
        ("StringEquals", "a", ("a",), True),
        ("StringEquals", ["a", "b"], ("b",), True),
        ("StringEquals", "a*", ("ab",), False),
        ("StringEquals", "a", None, False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringEqualsIgnoreCase", "A", ("a",), True),
        ("StringNotEquals", "a", ("b",), True),
        ("StringNotEquals", ["a", "b"], ("b",), False),
        ("StringNotEquals", "a", None, True),
        ("StringLike", "system:serviceaccount:*:x", ("system:serviceaccount:n:x",), True),
        ("StringNotLike", "a*", ("ab",), False),
        ("ArnLike", "arn:aws:iam::*:role/x", ("arn:aws:iam::1:role/x",), True),
        ("Bool", "true", ("True",), True),
        ("Null", "true", None, True),
        ("Null", "true", ("a",), False),
        ("Null", "false", ("a",), True),
        ("NumericLessThan", "10", ("9",), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
        ("ForAllValues:StringEquals", ["a"], None, True),
        ("ForAnyValue:StringEquals", ["a"], ("a", "c"), True),
        ("ForAnyValue:StringEquals", ["a"], ("c",), False),
        ("ForAnyValue:StringEquals", ["a"], None, False),
    ],
)
def test_conditions(operator: str, wanted: Any, values: Any, holds: bool) -> None:
    conditional = statement(Condition={operator: {"Some:Key": wanted}})
    question = ask(some__key=values) if values is not None else ask()
    assert decide([document(conditional)], question) is (ALLOWED if holds else IMPLICIT)


def test_all_conditions_must_hold() -> None:
    conditional = statement(
        Condition={"StringEquals": {"a:x": "1", "a:y": "2"}, "StringLike": {"a:z": "3*"}}
    )
    right = {"a__x": ("1",), "a__y": ("2",), "a__z": ("33",)}
    assert decide([document(conditional)], ask(**right)) is ALLOWED
    for key in right:
        assert decide([document(conditional)], ask(**{**right, key: ("0",)})) is IMPLICIT


def test_variables() -> None:
    own = statement(Resource="arn:aws:s3:::b/${aws:username}/*")
    for name, decision in (("ann", ALLOWED), ("bob", IMPLICIT)):
        question = ask(resource="arn:aws:s3:::b/ann/k", aws__username=(name,))
        assert decide([document(own)], question) is decision
    assert decide([document(own)], ask(resource="arn:aws:s3:::b//k")) is IMPLICIT
    literal = statement(Resource="arn:aws:s3:::b/${*}")
    assert decide([document(literal)], ask(resource="arn:aws:s3:::b/*")) is ALLOWED


def test_principals() -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": ["a", "b"]}, "Action": "sts:AssumeRole"}
    for kind, name, decision in (
        ("AWS", "b", ALLOWED),
        ("AWS", "c", IMPLICIT),
        ("Service", "b", IMPLICIT),
    ):
        question = Question("sts:AssumeRole", principals={kind: frozenset({name})})
        assert decide([document(trust)], question) is decision
    everybody = {**trust, "Principal": "*"}
    assert decide([document(everybody)], Question("sts:AssumeRole")) is ALLOWED


@pytest.mark.parametrize(
    "unknown",
    [
        statement(Condition={"DateLessThan": {"aws:currenttime": "2030-01-01"}}),
        statement(Condition={"IpAddress": {"aws:sourceip": "10.0.0.0/8"}}),
        statement(NotPrincipal={"AWS": "a"}),
    ],
)
def test_what_is_not_understood_is_not_guessed(unknown: dict[str, Any]) -> None:
    question = ask(aws__currenttime=("x",), aws__sourceip=("y",))
    with pytest.raises(UnsupportedPolicy):
        decide([document(unknown)], question)


def test_boundary_and_session_only_take_away() -> None:
    everything, reading = document(statement()), document(statement(Action="s3:Get*"))
    denying = document(statement("Deny"))
    assert Grants([everything]).decide(ask()) is ALLOWED
    assert Grants([], [everything], [everything]).decide(ask()) is IMPLICIT
    assert Grants([everything], [reading]).decide(ask()) is ALLOWED
    assert Grants([everything], [reading]).decide(ask("s3:PutObject")) is IMPLICIT
    assert Grants([everything], None, [reading]).decide(ask("s3:PutObject")) is IMPLICIT
    assert Grants([everything], []).decide(ask()) is IMPLICIT
    assert Grants([everything], [everything], [denying]).decide(ask()) is EXPLICIT


def test_text_without_wildcards_is_like_itself_only() -> None:
    from tests.properties import holds_for, text

    def like_itself_only(told: str) -> None:
        plain = told.replace("*", "").replace("?", "")
        assert like(plain, plain)
        assert like("*", told)
        assert not like(plain, plain + "x")

    holds_for(like_itself_only, told=text())

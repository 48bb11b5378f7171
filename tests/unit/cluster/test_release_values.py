"""Which values of a release differ."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.cluster.rendering import Secrecy, changed_values

OPEN = Secrecy(frozenset(), frozenset())


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": {}}, {}, []),
        ({"a": None}, {}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["values.a.b"]),
        ({}, {"a": False}, ["values.a"]),
        ({"a": [1]}, {"a": [1, 2]}, ["values.a"]),
        ({"a": 1, "b": 1}, {"b": 2}, ["values.a", "values.b"]),
    ],
)
def test_changed_keys(found: Any, wanted: Any, expected: list[str]) -> None:
    assert [item.field for item in changed_values(found, wanted, OPEN)] == expected


def told(old: Any, new: Any, users: Any, *shown: str, closed: str = "") -> list[str]:
    secrecy = Secrecy.of(old, new, users, frozenset(shown), frozenset({closed}))
    return [str(item) for item in changed_values(old, new, secrecy)]


def test_what_the_user_wrote_is_never_told() -> None:
    users = {"token": "new-secret", "pin": 4711, "more": {"a": "secret-3", "b": 1}}
    assert told({"token": "old-secret", "pin": 815}, users, users) == [
        "values.more.a: 'not set' → 'set'",
        "values.more.b: 'not set' → 'set'",
        "values.pin: 'set' → 'set otherwise'",
        "values.token: 'set' → 'set otherwise'",
    ]


def test_which_image_the_user_wants_is_told() -> None:
    users = {"image": {"tag": "2", "registry": {"password": "s3cret"}}, "tag": ["s3cret"]}
    assert told({"image": {"tag": "1", "repository": "of/mine"}}, users, users) == [
        "values.image.registry.password: 'not set' → 'set'",
        "values.image.repository: 'of/mine' → absent",
        "values.image.tag: '1' → '2'",
        "values.tag: 'not set' → 'set'",
    ]


def test_what_goes_may_have_been_the_users_but_where_options_have_their_values() -> None:
    old = {"env": [{"name": "A", "value": "secret"}], "nodeSelector": {"pool": "ray"}}
    assert told(old, {}, {}, "nodeSelector") == [
        "values.env: 'set' → 'not set'",
        "values.nodeSelector.pool: 'ray' → absent",
    ]


def test_what_this_tool_gives_is_told() -> None:
    old = {"global": {"imageRegistry": "mirror", "proxy": "http://me:old@p/"}}
    new = {
        "global": {"imageRegistry": "mirror2", "proxy": "http://me:new@p/"},
        "hook": {"enabled": False},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    }
    assert told(old, new, {}) == [
        "values.global.imageRegistry: 'mirror' → 'mirror2'",
        "values.global.proxy: 'http://(hidden)@p/' → 'http://(hidden, another)@p/'",
        "values.hook.enabled: absent → false",
        """values.tolerations: absent → [{"key": "dedicated", "operator": "Exists"}]""",
    ]


def test_what_the_user_had_in_a_list_is_hidden_where_ours_stands_now() -> None:
    old = {"env": [{"name": "A", "value": "s3cret"}]}
    [line] = told(old, {"env": [{"name": "HTTP_PROXY", "value": "http://p/"}]}, {})
    assert "s3cret" not in line
    assert "http://p/" in line


def test_a_secret_that_this_tool_gives_is_not_told() -> None:
    old, new = ({"auth": {"token": value, "id": value[:2]}} for value in ("a1-secret", "b2-secret"))
    assert told(old, new, {}, closed="auth.token") == [
        "values.auth.id: 'a1' → 'b2'",
        "values.auth.token: 'set' → 'set otherwise'",
    ]

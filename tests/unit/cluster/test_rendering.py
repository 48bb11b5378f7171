"""What is told of rendered manifests that differ, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.rendering import Secrecy, part_changes
from anyscale_k8s_cli.parts import PartChange

OPEN = Secrecy(frozenset(), frozenset())


def config(name: str, kind: str = "ConfigMap", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": data}


def changes(
    old: list[dict[str, Any]], new: list[dict[str, Any]], secret: Secrecy = OPEN
) -> list[PartChange]:
    return list(part_changes(old, new, lambda item: Reference.of(item, "ray"), secret))


def test_each_object_that_becomes_another_is_told() -> None:
    old = [config("gone", a="1"), config("same", a="1"), config("moved", text="one\ntwo\nthree\n")]
    new = [config("moved", text="one\n2\nthree\n"), config("same", a="1"), config("new", a="1")]
    found = changes(old, new)
    assert [(part.name, part.change) for part in found] == [
        ("gone", "delete"),
        ("moved", "update"),
        ("new", "create"),
    ]
    # Line by line, also inside of a text.
    assert "\n-    two\n+    2\n     three" in found[1].diff
    assert found[0].namespace == "ray"


def test_of_a_secret_only_that_it_changes_is_told() -> None:
    one, other = (
        config("s", "Secret", a="b25l", b="c2FtZQ=="),
        config("s", "Secret", a="dHdv", b="c2FtZQ=="),
    )
    [part] = changes([one], [other])
    assert "-  a: (hidden)\n+  a: (hidden, another)\n   b: (hidden)" in part.diff
    assert not [text for text in ("b25l", "dHdv", "c2FtZQ") if text in part.diff]
    [made] = changes([], [other])
    assert "dHdv" not in made.diff


USERS = {"env": [{"name": "TOKEN", "value": "s3cret-now"}], "flag": "on"}


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        # A text of the user's, whole and inside of another.
        ("s3cret-then", "s3cret-now", "-  a: (hidden)\n+  a: (hidden, another)"),
        ("x-s3cret-then", "x-s3cret-now", "-  a: x-(hidden)\n+  a: x-(hidden, another)"),
        ("off", "on", "-  a: (hidden)\n+  a: (hidden, another)"),
        # What we say ourselves, then and now; and what nobody says.
        ("1.2.3.4", "5.6.7.8", "-  a: 1.2.3.4\n+  a: 5.6.7.8"),
        ("image:1", "image:2", "-  a: image:1\n+  a: image:2"),
        ("http://me:old@p/", "http://me:new@p/", "+  a: http://(hidden, another)@p/"),
    ],
)
def test_what_a_user_wrote_is_nobodys_business(before: str, after: str, shown: str) -> None:
    old = {"ip": "1.2.3.4", "env": [{"name": "TOKEN", "value": "s3cret-then"}], "flag": "off"}
    secret = Secrecy.of(old, {"ip": "5.6.7.8", **USERS}, USERS)
    [part] = changes([config("c", a=before)], [config("c", a=after)], secret)
    assert shown in part.diff


def test_what_the_last_setup_had_from_a_user_is_hidden_where_ours_stands_in_its_list() -> None:
    """Lists of ours and theirs are one: what moved up in it is still theirs."""
    old = {"env": [{"name": "TOKEN", "value": "s3cret-then"}]}
    new = {"env": [{"name": "OURS", "value": "plain-text"}]}
    secret = Secrecy.of(old, new, {})
    [part] = changes([config("c", a="s3cret-then")], [config("c", a="plain-text")], secret)
    assert "s3cret-then" not in part.diff
    assert "+  a: plain-text" in part.diff


def test_which_image_comes_is_told_whoever_chose_it() -> None:
    old = {"image": {"registry": "mirror.then", "tag": "tag-of-then"}, "pullKey": "s3cret-then"}
    users = {"image": {"registry": "mirror.now", "tag": "tag-of-now"}, "pullKey": "s3cret-now"}
    before, after = (
        config("c", image=f"{side}/x:tag-of-{side[7:]}", key=f"s3cret-{side[7:]}")
        for side in ("mirror.then", "mirror.now")
    )
    [part] = changes([before], [after], Secrecy.of(old, users, users))
    assert "-  image: mirror.then/x:tag-of-then\n" in part.diff
    assert "+  image: mirror.now/x:tag-of-now\n" in part.diff
    assert "s3cret" not in part.diff

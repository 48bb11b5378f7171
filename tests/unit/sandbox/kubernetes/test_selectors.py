"""Selectors as query strings."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError
from anyscale_k8s_cli.sandbox.kubernetes.resources import Registry
from anyscale_k8s_cli.sandbox.kubernetes.selectors import (
    from_object,
    matches_labels,
    parse_field_selector,
    parse_label_selector,
)

LABELS = {"app": "web", "tier": "front", "empty": ""}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app=web,tier=back", False),
        ("app!=web", False),
        ("other!=x", True),
        ("app in (web, api)", True),
        ("app in (api)", False),
        ("tier notin (back),app", True),
        ("other notin (x)", True),
        ("app", True),
        ("!app", False),
        ("!other", True),
        ("empty=", True),
        ("example.com/name=x", False),
    ],
)
def test_label_selectors(selector: str, expected: bool) -> None:
    assert matches_labels(parse_label_selector(selector), LABELS) is expected


@pytest.mark.parametrize("selector", ["app in web", "a=b=c", "=x", "app in (a"])
def test_what_cannot_be_read_is_refused(selector: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_label_selector(selector)
    assert caught.value.status == 400


def test_selector_objects_combine_labels_and_expressions() -> None:
    selector = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["back"]}],
    }
    assert matches_labels(from_object(selector), LABELS)
    assert not matches_labels(from_object(selector), {**LABELS, "tier": "back"})
    assert matches_labels(from_object({}), {})


def test_field_selectors_know_the_fields_of_their_kind() -> None:
    pods = Registry().by_key("pods")
    pod = {"metadata": {"name": "p"}, "spec": {}, "status": {"phase": "Running"}}
    assert parse_field_selector("status.phase=Running,metadata.name=p", pods).matches(pod)
    assert parse_field_selector("spec.nodeName=", pods).matches(pod)
    assert not parse_field_selector("status.phase!=Running", pods).matches(pod)
    with pytest.raises(ApiError, match=r"field label not supported: spec.image"):
        parse_field_selector("spec.image=x", pods)

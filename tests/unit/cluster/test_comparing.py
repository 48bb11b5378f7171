"""What counts as a difference between what is wanted and what the API answers."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.cluster.comparing import (
    HIDDEN,
    Difference,
    abandoned,
    applied_by,
    changed_by,
    differences,
    spelled,
    within,
    without,
)


def seen(wanted: Any, found: Any) -> list[str]:
    return [str(item.as_change()) for item in differences(wanted, found)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": {}}, {}),
        ({"a": [], "b": None, "c": "", "d": False, "e": 0}, {}),
        ({"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "1"}}),
        ({"requests": {"memory": "1024Mi"}}, {"requests": {"memory": "1Gi"}}),
        ({"a": [{"x": 1}]}, {"a": [{"x": 1, "defaulted": True}]}),
    ],
)
def test_defaults_and_spellings_are_no_difference(wanted: Any, found: Any) -> None:
    assert seen(wanted, found) == []


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ({"a": 1}, {"a": 2}, "a: 2 → 1"),
        ({"a": {"b": "x"}}, {"a": {}}, "a.b: absent → 'x'"),
        ({"a": [{"x": 1}]}, {"a": [{"x": 2}]}, "a[0].x: 2 → 1"),
        ({"a": [1]}, {"a": [1, 2]}, "a: [1, 2] → [1]"),
        ({"a": True}, {}, "a: absent → true"),
        ({"a": False}, {"a": True}, "a: true → false"),
        ({"limits": {"cpu": "2"}}, {"limits": {"cpu": "1"}}, "limits.cpu: '1' → '2'"),
        ({"cpu": "1000m"}, {"cpu": "1"}, "cpu: '1' → '1000m'"),
    ],
)
def test_differences_are_named(wanted: Any, found: Any, expected: str) -> None:
    assert seen(wanted, found) == [expected]


def test_paths_are_readable() -> None:
    path = ("metadata", "annotations", "a.b/c", 0, "name")
    assert spelled(path) == 'metadata.annotations["a.b/c"][0].name'


def test_hidden_values_are_not_told() -> None:
    change = Difference(("data", "key"), "c2VjcmV0", "b2xk").as_change(hide=True)
    assert change.old == HIDDEN
    assert "c2VjcmV0" not in str(change)


def managed(manager: str, fields: Any, operation: str = "Apply") -> dict[str, Any]:
    return {
        "metadata": {
            "managedFields": [{"manager": manager, "operation": operation, "fieldsV1": fields}]
        }
    }


def test_what_we_once_applied_and_no_longer_want_is_found() -> None:
    found = managed("us", {"f:spec": {"f:old": {}, "f:kept": {}}})
    found["spec"] = {"old": 1, "kept": 2, "theirs": 3}
    assert [item.path for item in abandoned({"spec": {"kept": 2}}, found, "us")] == [
        ("spec", "old")
    ]
    assert not list(abandoned({"spec": {"kept": 2}}, found, "others"))


def test_what_we_once_applied_and_is_gone_already_is_no_difference() -> None:
    found = managed("us", {"f:spec": {"f:old": {}}})
    found["spec"] = {}
    assert not list(abandoned({"spec": {}}, found, "us"))


def test_marks_of_updates_are_not_taken_for_applied() -> None:
    found = managed("us", {"f:metadata": {"f:annotations": {"f:mark": {}}}}, "Update")
    found["metadata"]["annotations"] = {"mark": "true"}
    assert not list(abandoned({"metadata": {}}, found, "us"))


@pytest.mark.parametrize(
    ("manager", "fields", "path", "expected"),
    [
        ("kubectl-edit", {"f:spec": {"f:replicas": {}}}, ("spec", "replicas"), "kubectl-edit"),
        ("helm", {"f:spec": {"f:replicas": {}}}, ("spec", "replicas"), ""),
        ("kube-controller-manager", {"f:spec": {"f:replicas": {}}}, ("spec", "replicas"), ""),
        ("kubectl-edit", {"f:spec": {"f:other": {}}}, ("spec", "replicas"), ""),
        (
            "kubectl-edit",
            {"f:containers": {'k:{"name":"a"}': {".": {}, "f:image": {}}}},
            ("containers", 0, "image"),
            "kubectl-edit",
        ),
        ("kubectl-edit", {"f:args": {}}, ("args", 0), "kubectl-edit"),
    ],
)
def test_who_changed_a_field(
    manager: str, fields: Any, path: tuple[str | int, ...], expected: str
) -> None:
    assert changed_by(managed(manager, fields, "Update"), path) == expected


POD = {
    "containers": [
        {"name": "main", "env": [{"name": "A"}, {"name": "OURS"}], "image": "x"},
        {"name": "beside"},
    ],
    "volumes": [{"name": "charts"}, {"name": "ours", "emptyDir": {}}],
    "args": ["a", "b"],
}
PART = {
    "containers": [{"name": "main", "env": [{"name": "OURS"}]}],
    "volumes": [{"name": "ours"}],
}


def test_a_part_is_compared_without_what_others_have_in_the_same_lists() -> None:
    cut = within(PART, POD)
    assert list(differences(PART, cut)) == []
    assert [item["name"] for item in cut["volumes"]] == ["ours"]
    missing = {**POD, "volumes": [{"name": "charts"}]}
    assert [spelled(item.path) for item in differences(PART, within(PART, missing))] == ["volumes"]


def test_what_a_part_adds_is_taken_out_of_what_others_compare() -> None:
    chart = {
        "containers": [{"name": "main", "env": [{"name": "A"}], "image": "x"}, {"name": "beside"}],
        "volumes": [{"name": "charts"}],
        "args": ["a", "b"],
    }
    assert without(POD, PART, chart) == chart
    stranger = {**POD, "volumes": [*POD["volumes"], {"name": "strangers"}]}
    assert without(stranger, PART, chart)["volumes"] == [{"name": "charts"}, {"name": "strangers"}]


def test_who_has_applied_something_is_known() -> None:
    def managed(manager: str, operation: str) -> dict[str, Any]:
        entry = {"manager": manager, "operation": operation, "fieldsV1": {"f:spec": {}}}
        return {"metadata": {"managedFields": [entry]}}

    assert applied_by(managed("us", "Apply"), "us")
    assert not applied_by(managed("us", "Update"), "us")
    assert not applied_by(managed("helm", "Apply"), "us")

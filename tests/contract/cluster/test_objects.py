"""Objects and namespaces as resources of a plan, against the stand-in's API server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.namespaces import ENFORCE, Namespace
from anyscale_k8s_cli.cluster.objects import KubernetesObject
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import Change, Ownership

SETTINGS = Reference("v1", "ConfigMap", "settings", "default")


def settings(surroundings: Any, **data: str) -> KubernetesObject:
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "default"},
        "data": data,
    }
    return KubernetesObject(surroundings, SETTINGS, lambda: manifest)


def live(world: Any, reference: Reference = SETTINGS) -> Document:
    found = world.kubernetes.get(
        reference.api_version, reference.kind, reference.name, reference.namespace
    )
    assert found is not None
    return dict(found)


def test_a_second_plan_changes_nothing(world: Any) -> None:
    surroundings = world.surroundings(tags={"team": "ml", "not a key!": "x"})
    world.apply([settings(surroundings, a="1")])
    assert world.changes([settings(surroundings, a="1")]) == {}
    annotations = live(world)["metadata"]["annotations"]
    assert Install.from_locator(annotations) == surroundings.install
    assert annotations["team"] == "ml"
    assert "not a key!" not in annotations


def test_a_change_by_hand_is_named_and_mended(world: Any) -> None:
    made = settings(world.surroundings(), a="1", b="2")
    world.apply([made])
    world.kubernetes.patch_merge(SETTINGS, {"data": {"a": "other"}})
    (item,) = world.plan([made]).changes
    assert item.change is Change.UPDATE
    assert item.decision.reason == "data.a: 'other' → '1'"
    world.apply([made])
    assert live(world)["data"] == {"a": "1", "b": "2"}


def test_what_is_no_longer_wanted_is_taken_away_and_the_rest_left(world: Any) -> None:
    surroundings = world.surroundings()
    world.apply([settings(surroundings, a="1", b="2")])
    world.kubernetes.patch_merge(SETTINGS, {"metadata": {"labels": {"theirs": "yes"}}})
    world.apply([settings(surroundings, a="1")])
    found = live(world)
    assert found["data"] == {"a": "1"}
    assert found["metadata"]["labels"]["theirs"] == "yes"


def test_a_deleted_object_is_made_again(world: Any) -> None:
    made = settings(world.surroundings(), a="1")
    world.apply([made])
    world.kubernetes.delete(SETTINGS)
    assert world.changes([made]) == {"k8s:configmap/default/settings": "create"}


def test_a_foreign_object_is_refused(world: Any) -> None:
    world.kubernetes.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": "default"},
        }
    )
    made = settings(world.surroundings(), a="1")
    (item,) = world.plan([made]).changes
    assert (item.change, item.decision.ownership) == (Change.REFUSE, Ownership.FOREIGN)
    with pytest.raises(errors.CliError) as caught:
        made.create()
    assert caught.value.code is errors.FOREIGN_OBJECT
    assert "data" not in live(world)


def test_another_installs_object_is_refused(world: Any) -> None:
    world.apply([settings(world.surroundings("first"), a="1")])
    (item,) = world.plan([settings(world.surroundings("second"), a="1")]).changes
    assert item.change is Change.REFUSE
    assert "cloud 'first'" in item.decision.reason


def test_an_object_that_argo_manages_is_refused(world: Any) -> None:
    made = settings(world.surroundings(), a="1")
    world.apply([made])
    mark = {"argocd.argoproj.io/tracking-id": "shop:/ConfigMap:default/settings"}
    world.kubernetes.patch_merge(SETTINGS, {"metadata": {"annotations": mark}})
    (item,) = world.plan([made]).changes
    assert item.change is Change.REFUSE
    assert "Argo CD application shop" in item.decision.reason


def test_creation_is_safe_to_repeat(world: Any) -> None:
    made = settings(world.surroundings(), a="1")
    assert made.create().id == made.create().id


def test_an_object_that_is_going_is_awaited_and_made_again(world: Any) -> None:
    made = settings(world.surroundings(), a="1")
    first = made.create()
    world.kubernetes.patch_merge(SETTINGS, {"metadata": {"finalizers": ["example.com/hold"]}})
    world.kubernetes.delete(SETTINGS)
    (item,) = world.plan([made]).changes
    assert item.change is Change.UPDATE
    assert "deletionTimestamp" in item.decision.reason
    world.kubernetes.patch_merge(SETTINGS, {"metadata": {"finalizers": None}})
    world.apply([made])
    assert live(world)["metadata"]["uid"] != first.id


def test_deletion_of_what_is_gone_is_done(world: Any) -> None:
    made = settings(world.surroundings(), a="1")
    observed = made.create()
    made.delete(observed)
    made.delete(observed)
    assert made.read() is None


def test_deletion_leaves_a_namesake_alone(world: Any) -> None:
    made = settings(world.surroundings(), a="1")
    observed = made.create()
    made.delete(replace(observed, id="uid-of-another"))
    assert live(world)["metadata"]["uid"] == observed.id


def namespace(world: Any, cloud: str = "prod", **options: Any) -> Namespace:
    return Namespace(
        world.surroundings(cloud), "ray", privileged=True, ours=lambda item: False, **options
    )


def test_two_installs_share_a_namespace_by_marks(world: Any) -> None:
    first, second = namespace(world, "first"), namespace(world, "second")
    world.apply([first])
    world.apply([second])
    assert world.changes([first, second]) == {}
    observed = first.read()
    assert observed is not None
    assert observed.marks == {first.install.mark, second.install.mark}
    assert observed.output["metadata"]["labels"][ENFORCE] == "privileged"
    first.unmark(observed)
    left = second.read()
    assert left is not None
    assert left.marks == {second.install.mark}


def test_tags_of_a_namespace_are_those_of_the_run_that_has_the_lock(world: Any) -> None:
    """Another run may have made it, before it was refused the lock that this one got."""

    def of_run(tags: dict[str, str], dropped: dict[str, str] | None = None) -> Namespace:
        around = replace(world.surroundings(), tags=tags, dropped=dropped or {})
        return Namespace(around, "ray", ours=lambda item: False, early=True)

    def tags() -> dict[str, str]:
        seen = live(world, Reference("v1", "Namespace", "ray"))["metadata"]["annotations"]
        return {key: seen[key] for key in ("team", "cost") if key in seen}

    refused, first = of_run({"cost": "9"}), of_run({"team": "a"})
    refused.observed = refused.create()
    first.observed = first.create()
    assert tags() == {}
    assert world.changes([first]) == {"k8s:namespace/ray": "update"}
    world.apply([first])
    assert tags() == {"team": "a"}
    assert world.changes([first]) == {}
    # What a later setup is told no more goes.
    later = of_run({"cost": "1"}, dropped={"team": "a"})
    world.apply([later])
    assert tags() == {"cost": "1"}


def test_a_foreign_namespace_is_used_and_not_written(world: Any) -> None:
    made = world.kubernetes.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ray"}}
    )
    assert world.changes([namespace(world)]) == {"k8s:namespace/ray": "keep"}
    world.apply([namespace(world)])
    after = live(world, Reference("v1", "Namespace", "ray"))
    assert after["metadata"]["uid"] == made["metadata"]["uid"]
    assert not after["metadata"].get("annotations")
    assert ENFORCE not in after["metadata"]["labels"]


def test_a_foreign_namespace_that_forbids_our_pods_is_refused_with_the_command(world: Any) -> None:
    world.kubernetes.create(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "ray", "labels": {ENFORCE: "restricted"}},
        }
    )
    with pytest.raises(errors.CliError) as caught:
        world.apply([namespace(world)])
    assert caught.value.fix == world.kubernetes.access.kubectl(
        "label namespace ray pod-security.kubernetes.io/enforce=privileged --overwrite"
    )


def test_strangers_keep_a_namespace(world: Any) -> None:
    made = namespace(world)
    world.apply([made])
    observed = made.read()
    assert observed is not None
    assert not made.others(observed)
    labels = {"app": "shop"}
    world.kubernetes.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "shop", "namespace": "ray"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "shop", "image": "shop"}]},
                },
            },
        }
    )
    users = made.others(observed)
    assert users.names == ("Deployment shop",)
    kinds = "deployments,statefulsets,daemonsets,persistentvolumeclaims"
    assert users.look == world.kubernetes.access.kubectl(f"get {kinds} -n ray")


def test_a_namespace_goes_with_all_that_is_in_it(world: Any) -> None:
    made = namespace(world)
    world.apply([made])
    observed = made.read()
    assert observed is not None
    made.delete(observed)
    assert made.read() is None

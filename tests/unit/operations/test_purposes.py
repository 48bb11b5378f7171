"""Each object that any platform plans has a text, and no text is without one."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

import pytest

import anyscale_k8s_cli.addons
import anyscale_k8s_cli.cluster
import anyscale_k8s_cli.providers
from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.purposes import PURPOSES, WITHOUT_IDENTITY
from anyscale_k8s_cli.addons.traces import traces
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.purposes import declared_by, meant, of_platform
from anyscale_k8s_cli.provider_registry import PLATFORMS, load
from anyscale_k8s_cli.purpose import Fate, Purpose, purpose_of
from anyscale_k8s_cli.resource import AdoptedResource, DataResource, Resource, SharedResource
from anyscale_k8s_cli.run import Run

EVERY = {
    item.key: item
    for item in (
        *PURPOSES,
        *WITHOUT_IDENTITY,
        *(item for name in PLATFORMS for item in declared_by(name)),
    )
}
KEYS = ("aws:s3-bucket/a", "aws:iam-role/a-operator", "k8s:namespace/ray", "k8s:namespace/other")


def kinds_of(base: type) -> Iterator[type]:
    """The classes of the product that are made, with a kind of their own or their base's."""
    for found in base.__subclasses__():
        yield from kinds_of(found)
        if found.__module__.startswith("anyscale_k8s_cli") and hasattr(found, "kind"):
            yield found


@pytest.fixture(scope="module")
def by_kind() -> dict[str, list[type]]:
    for package in (anyscale_k8s_cli.addons, anyscale_k8s_cli.cluster, anyscale_k8s_cli.providers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    found: dict[str, list[type]] = {}
    for kind in kinds_of(Resource):
        found.setdefault(kind.kind, []).append(kind)  # type: ignore[attr-defined]
    return found


def test_every_kind_has_a_text_and_every_text_a_kind(by_kind: dict[str, list[type]]) -> None:
    assert {item.kind for item in EVERY.values()} == set(by_kind)


def test_what_a_deletion_does_is_what_the_kind_says(by_kind: dict[str, list[type]]) -> None:
    for item in EVERY.values():
        made = [kind for kind in by_kind[item.kind] if not issubclass(kind, AdoptedResource)]
        fates = {_fate(kind) for kind in made} or {Fate.UNTOUCHED}

        assert item.fate in fates, item.key


def _fate(kind: type) -> Fate:
    if issubclass(kind, DataResource):
        return Fate.KEPT
    return Fate.SHARED if issubclass(kind, SharedResource) else Fate.DELETED


def test_all_that_setup_makes_in_a_cluster_is_told_of() -> None:
    install = Install("eks", "1", "r", "c", "ray", "prod")
    told = {trace.key: purpose_of(trace.key, PURPOSES) for trace in traces(install)}

    assert [key for key, found in told.items() if found is None] == []
    assert len({found.key for found in told.values() if found}) == len(told)


def test_texts_are_sentences_and_unlike_each_other() -> None:
    for item in EVERY.values():
        for text in (item.why, item.without):
            assert text[0].isupper()
            assert text.endswith(".")
    assert len({item.key for item in EVERY.values()}) == len(EVERY)


@pytest.mark.parametrize("name", PLATFORMS)
def test_each_platform_tells_of_its_bucket(name: str) -> None:
    known = of_platform(load(name, Run()))

    assert [item for item in known if item.fate is Fate.KEPT]
    assert ("anyscale:api-key" in {item.kind for item in known}) is (
        not load(name, Run()).workload_identity
    )


def test_the_most_particular_text_is_taken() -> None:
    any_one = Purpose("k", "k8s:namespace/<name>", "", "", "")
    that_one = Purpose("k", "k8s:namespace/eg", "", "", "")

    assert purpose_of("k8s:namespace/eg", (any_one, that_one)) is that_one
    assert purpose_of("k8s:namespace/ray", (any_one, that_one)) is any_one
    assert purpose_of("k8s:namespace", (any_one, that_one)) is None


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ("aws:s3-bucket/a", "aws:s3-bucket/a"),
        ("namespace/ray", "k8s:namespace/ray"),
        ("iam-role", "aws:iam-role/a-operator"),
        ("aws:iam-role", "aws:iam-role/a-operator"),
        ("namespace/o", "k8s:namespace/other"),
        ("aws:s", "aws:s3-bucket/a"),
    ],
)
def test_a_key_is_found_by_as_much_as_tells_it(asked: str, key: str) -> None:
    assert meant(asked, KEYS) == key


def test_where_several_are_meant_all_are_told() -> None:
    with pytest.raises(errors.CliError) as caught:
        meant("namespace", KEYS)

    assert caught.value.code is errors.USAGE
    assert caught.value.evidence == ("k8s:namespace/ray", "k8s:namespace/other")


@pytest.mark.parametrize(
    ("asked", "near"), [("iam-rol", None), ("iam-roel", "aws:iam-role/a-operator"), ("qq", "")]
)
def test_a_slip_is_told_the_nearest(asked: str, near: str | None) -> None:
    if near is None:
        assert meant(asked, KEYS) == "aws:iam-role/a-operator"
        return
    with pytest.raises(errors.CliError) as caught:
        meant(asked, KEYS)

    assert caught.value.code is errors.NOT_FOUND
    assert near in caught.value.fix
    assert set(caught.value.evidence) == set(KEYS)
    if near:
        assert caught.value.cause == f"did you mean {near}?"
        assert caught.value.evidence[0] == near

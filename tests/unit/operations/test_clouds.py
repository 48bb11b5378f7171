"""Which cloud is meant."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.failures import ApiFailure
from anyscale_k8s_cli.controlplane.models import Cloud, CloudResource
from anyscale_k8s_cli.operations import clouds


class Listed:
    """A control plane with these clouds."""

    plane = SimpleNamespace(host="https://console.example.test")

    def __init__(self, *names: str) -> None:
        self.clouds = [
            Cloud(id=f"cld_{number}", name=name, region="r") for number, name in enumerate(names)
        ]

    def list_clouds(self) -> list[Cloud]:
        return self.clouds

    def find_clouds(self, name: str) -> list[Cloud]:
        return [cloud for cloud in self.clouds if cloud.name == name]

    def get_cloud(self, cloud_id: str) -> Cloud | None:
        return next((cloud for cloud in self.clouds if cloud.id == cloud_id), None)


class Recorded(Listed):
    """The same, and their resources by the names of these; of the cloud `gone` none is told."""

    def list_resources(self, cloud_id: str) -> list[CloudResource]:
        name = next(cloud.name for cloud in self.clouds if cloud.id == cloud_id)
        if name == "gone":
            raise ApiFailure(errors.NOT_FOUND, "There is no such cloud", status=404)
        names = {"prod": ["oke-1f3a9c2e", "eks-0b1c2d3e"], "theirs": ["vm-resource"]}[name]
        return [CloudResource(name=item, provider="AWS") for item in names]


def test_platforms_are_known_where_this_tool_has_registered_clusters() -> None:
    recorded = Recorded("prod", "theirs", "gone")
    found = clouds.with_platforms(cast(Clouds, recorded), recorded.clouds)
    told = found.as_json()["clouds"]
    assert [item["platforms"] for item in told] == [["eks", "oke"], [], []]


def choose(listed: Listed, name: str | None = None, cloud_id: str | None = None) -> str:
    return clouds.choose(cast(Clouds, listed), name, cloud_id).id


def test_the_one_that_is_named() -> None:
    assert choose(Listed("a", "b"), name="b") == "cld_1"
    assert choose(Listed("a", "a"), cloud_id="cld_1") == "cld_1"
    assert choose(Listed("a", "a"), name="a", cloud_id="cld_1") == "cld_1"


def test_the_only_one_there_is() -> None:
    assert choose(Listed("a")) == "cld_0"


@pytest.mark.parametrize(
    ("names", "name", "cloud_id", "code", "said"),
    [
        (
            ("a", "b"),
            None,
            None,
            errors.MISSING_INPUT,
            "There are 2 clouds; say which one you mean",
        ),
        ((), None, None, errors.CLOUD_NOT_FOUND, "There is no cloud"),
        (("a",), "b", None, errors.CLOUD_NOT_FOUND, "There is no cloud named 'b'"),
        (("a", "a"), "a", None, errors.CLOUD_AMBIGUOUS, "2 clouds are named 'a'"),
        (("a",), None, "cld_9", errors.CLOUD_NOT_FOUND, "There is no cloud with the id cld_9"),
        (("a",), "b", "cld_0", errors.USAGE, "The cloud cld_0 is not named 'b'"),
    ],
)
def test_what_cannot_be_meant(
    names: tuple[str, ...],
    name: str | None,
    cloud_id: str | None,
    code: errors.ErrorCode,
    said: str,
) -> None:
    with pytest.raises(errors.CliError) as caught:
        choose(Listed(*names), name, cloud_id)

    assert caught.value.code is code
    assert caught.value.message == said
    assert caught.value.exit_code == errors.ExitCode.BAD_INPUT


def test_several_clouds_are_listed() -> None:
    with pytest.raises(errors.CliError) as caught:
        choose(Listed("a", "b"))

    assert caught.value.evidence == ("a  cld_0  r", "b  cld_1  r")
    assert caught.value.fix == "add its name: a"


def test_a_long_list_is_cut() -> None:
    with pytest.raises(errors.CliError) as caught:
        choose(Listed(*(f"c{number}" for number in range(50))))

    assert len(caught.value.evidence) == 21
    assert caught.value.evidence[-1] == "and 30 more"


def test_a_list_of_a_name_that_no_cloud_has_is_no_empty_list() -> None:
    there = cast(Clouds, Listed("a", "b", "a"))
    assert [cloud.id for cloud in clouds.listed(there, "a")] == ["cld_0", "cld_2"]
    assert len(clouds.listed(there, None)) == 3
    assert clouds.listed(cast(Clouds, Listed()), None) == []
    with pytest.raises(errors.CliError) as caught:
        clouds.listed(there, "c")
    assert caught.value.code is errors.CLOUD_NOT_FOUND

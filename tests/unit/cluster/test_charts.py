"""The cache of charts, with a repository that lives in memory."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.charts import Charts, default_values
from anyscale_k8s_cli.cluster.pins import pins
from anyscale_k8s_cli.events import Event, Notice
from anyscale_k8s_cli.run import Run

NAME = "anyscale-operator"


def archive(name: str = NAME, version: str = "1.8.0", extra: bytes = b"") -> bytes:
    """A chart's archive; a subchart's Chart.yaml comes first, to be passed over."""
    files = {
        f"{name}/charts/other/Chart.yaml": b"name: other\nversion: 0.0.1\n",
        f"{name}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n".encode(),
        f"{name}/charts/other/values.yaml": b"theirs: 1\n",
        f"{name}/values.yaml": b"operator: {replicas: 1}\n",
        f"{name}/extra": extra,
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as bundle:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            bundle.addfile(member, io.BytesIO(content))
    return packed.getvalue()


class Repository:
    """Gives out one archive and writes down what it was asked for."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[tuple[str, str | None, str]] = []

    async def pull(self, reference: str, version: str | None, repository: str, into: Path) -> None:
        self.asked.append((reference, version, repository))
        (into / f"{reference.rsplit('/', 1)[-1]}-{version}.tgz").write_bytes(self.content)


@pytest.fixture
def repository() -> Repository:
    return Repository(archive())


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def charts(repository: Repository, events: list[Event], tmp_path: Path) -> Charts:
    return Charts(repository, Run(listeners=(events.append,)), tmp_path)


async def test_the_pinned_version_from_its_own_repository(
    charts: Charts, repository: Repository
) -> None:
    pin = pins().charts[NAME]
    found = await charts.fetch(NAME)
    assert (found.name, found.version) == (NAME, pin.version)
    assert repository.asked == [(NAME, pin.version, pin.repository)]
    assert await charts.fetch(NAME) == found
    assert len(repository.asked) == 1


async def test_an_oci_registry_is_asked_by_reference(tmp_path: Path) -> None:
    repository = Repository(archive("gateway-helm", "v1.7.0"))
    charts = Charts(repository, Run(), tmp_path)
    await charts.fetch("gateway-helm")
    assert repository.asked == [("oci://docker.io/envoyproxy/gateway-helm", "v1.7.0", "")]


@pytest.mark.parametrize("name", sorted(pins().charts))
@pytest.mark.parametrize("mirror", ["oci://mirror.example/charts/", "https://mirror.example/c"])
async def test_a_mirror_replaces_every_registry(tmp_path: Path, name: str, mirror: str) -> None:
    version = pins().charts[name].version
    repository = Repository(archive(name, version))
    charts = Charts(repository, Run(), tmp_path, mirror)
    await charts.fetch(name)
    [(reference, asked, where)] = repository.asked
    assert asked == version
    if mirror.startswith("oci://"):
        assert (reference, where) == (f"oci://mirror.example/charts/{name}", "")
    else:
        assert (reference, where) == (name, mirror)
    assert charts.reference(name).startswith(mirror)


async def test_two_origins_do_not_share_a_place(tmp_path: Path) -> None:
    first = Charts(Repository(archive(extra=b"1")), Run(), tmp_path)
    second = Charts(Repository(archive(extra=b"2")), Run(), tmp_path, "https://mirror.example")
    assert (await first.fetch(NAME)).sha256 != (await second.fetch(NAME)).sha256


async def test_an_archive_that_changed_in_the_cache_is_not_used(
    charts: Charts, repository: Repository, events: list[Event]
) -> None:
    good = await charts.fetch(NAME)
    good.path.write_bytes(archive(extra=b"tampered"))
    assert (await charts.fetch(NAME)).sha256 == good.sha256
    assert len(repository.asked) == 2
    assert [event.level for event in events if isinstance(event, Notice)] == ["warning"]


async def test_a_pinned_digest_is_held_against_the_cache_too(
    repository: Repository, tmp_path: Path
) -> None:
    good = await Charts(repository, Run(), tmp_path).fetch(NAME)
    pin = pins().charts[NAME]
    right = {NAME: pin.model_copy(update={"sha256": good.sha256})}
    wrong = {NAME: pin.model_copy(update={"sha256": "0" * 64})}
    assert await Charts(repository, Run(), tmp_path, pinned=right).fetch(NAME) == good
    with pytest.raises(errors.CliError) as caught:
        await Charts(repository, Run(), tmp_path, pinned=wrong).fetch(NAME)
    assert caught.value.code is errors.CHART_UNAVAILABLE
    assert good.sha256 in caught.value.cause
    # The pin is about its own version alone.
    await Charts(repository, Run(), tmp_path, pinned=wrong).fetch(NAME, "1.7.1")


async def test_another_chart_under_the_name_is_refused(tmp_path: Path) -> None:
    charts = Charts(Repository(archive("something-else")), Run(), tmp_path)
    with pytest.raises(errors.CliError) as caught:
        await charts.fetch(NAME)
    assert caught.value.code is errors.CHART_UNAVAILABLE
    assert "something-else" in caught.value.cause


async def test_whoever_was_first_wins(repository: Repository, tmp_path: Path) -> None:
    """Another process finished the same chart while ours was being pulled."""

    class Slow(Repository):
        async def pull(
            self, reference: str, version: str | None, repository: str, into: Path
        ) -> None:
            await super().pull(reference, version, repository, into)
            await Charts(other, Run(), tmp_path).fetch(NAME)

    other = repository
    slow = Slow(archive(extra=b"later"))
    found = await Charts(slow, Run(), tmp_path).fetch(NAME)
    assert found == await Charts(other, Run(), tmp_path).fetch(NAME)
    assert len(other.asked) == 1


class TestTheUsersOwnChart:
    async def test_an_archive(self, charts: Charts, tmp_path: Path) -> None:
        (tmp_path / "mine.tgz").write_bytes(archive(version="9.9.9"))
        found = await charts.fetch(NAME, source=str(tmp_path / "mine.tgz"))
        assert (found.version, found.path) == ("9.9.9", tmp_path / "mine.tgz")

    async def test_a_folder_has_a_digest_of_its_contents(
        self, charts: Charts, tmp_path: Path
    ) -> None:
        folder = tmp_path / "mine"
        folder.mkdir()
        (folder / "Chart.yaml").write_text(f"name: {NAME}\nversion: 2.0.0\n")
        before = await charts.fetch(NAME, source=str(folder))
        (folder / "values.yaml").write_text("a: 1\n")
        after = await charts.fetch(NAME, source=str(folder))
        assert before.version == after.version == "2.0.0"
        assert before.sha256 != after.sha256

    async def test_a_reference(self, charts: Charts, repository: Repository) -> None:
        await charts.fetch(NAME, "2.0.0", f"oci://mine.example/{NAME}")
        assert repository.asked == [(f"oci://mine.example/{NAME}", "2.0.0", "")]

    async def test_a_reference_without_a_version_means_the_pinned_one(
        self, charts: Charts, repository: Repository
    ) -> None:
        await charts.fetch(NAME, source=f"oci://mine.example/{NAME}")
        assert repository.asked[0][1] == pins().charts[NAME].version

    async def test_the_url_of_an_archive(self, charts: Charts, repository: Repository) -> None:
        await charts.fetch(NAME, source="https://mine.example/mine.tgz")
        assert repository.asked == [("https://mine.example/mine.tgz", None, "")]

    async def test_nothing_there(self, charts: Charts, tmp_path: Path) -> None:
        with pytest.raises(errors.CliError) as caught:
            await charts.fetch(NAME, source=str(tmp_path / "no"))
        assert caught.value.code is errors.NOT_FOUND

    @pytest.mark.parametrize("content", [b"not an archive", archive("something-else")])
    async def test_no_chart_or_another(
        self, charts: Charts, tmp_path: Path, content: bytes
    ) -> None:
        (tmp_path / "mine.tgz").write_bytes(content)
        with pytest.raises(errors.CliError) as caught:
            await charts.fetch(NAME, source=str(tmp_path / "mine.tgz"))
        assert caught.value.code is errors.CHART_UNAVAILABLE


async def test_the_values_of_an_archive_and_of_a_folder(charts: Charts, tmp_path: Path) -> None:
    own = {"operator": {"replicas": 1}}
    assert default_values(await charts.fetch(NAME)) == own
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "Chart.yaml").write_text(f"name: {NAME}\nversion: 1.0.0\n")
    mine = await charts.fetch(NAME, source=str(folder))
    assert default_values(mine) == {}
    (folder / "values.yaml").write_text("operator: {replicas: 1}\n")
    assert default_values(mine) == own

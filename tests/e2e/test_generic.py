"""The life of a cloud on a cluster without a cloud, with each kind of store beside it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from anyscale_k8s_cli.cluster.context import from_context
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.azure.seed import TEAM_DATA
from anyscale_k8s_cli.sandbox.world import AksWorld, GkeWorld, World
from tests.e2e.story import Story
from tests.processes import UNTRIED, Desk, Sandbox, started

# What a cluster makes of other objects in its own time.
DERIVED = r"^(events|pods)/|^configmaps/.*/kube-root-ca.crt$|^serviceaccounts/.*/default$"
CLUSTER = "generic/demo"
NAMESPACE = "anyscale-operator"
SECRET = Reference("v1", "Secret", "anyscale-aws-credentials", NAMESPACE)
SECRET_KEY = f"k8s:secret/{NAMESPACE}/{SECRET.name}"
SETUP = (
    "setup",
    *("--provider", "generic", "--context", "demo", "--region", "onprem"),
    *("--name", "w", "--instance-types", "auto", "--yes"),
)


def kubernetes(sandbox: Sandbox) -> Kubernetes:
    """The cluster as its administrator has it."""
    file = Path(sandbox.environment["KUBECONFIG"])
    return Kubernetes(from_context("demo", file), Run())


def secret_of(sandbox: Sandbox) -> Document:
    found = kubernetes(sandbox).get(SECRET.api_version, SECRET.kind, SECRET.name, NAMESPACE)
    assert found is not None
    return found


WORLD = World(
    platforms=("generic", "gke", "aks"),
    # To own an account is not to have a role on what is in it.
    gke=GkeWorld(others=False),
    aks=AksWorld(admin_roles=({"role": "Owner"}, {"role": "Storage Blob Data Contributor"})),
)


@pytest.fixture(scope="module")
def story(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Story]:
    with started(desks(), homes, WORLD) as sandbox:
        told = Story(sandbox)
        told.tell("wrong region", *SETUP, *UNTRIED, "--storage-region", "elsewhere")
        nobodys = {"ANYSCALE_K8S_STORAGE_ACCESS_KEY_ID": "NOBODYS"}
        told.tell("no keys", *SETUP, *UNTRIED, env=nobodys)
        values = str(told.folder / "values.yaml")
        told.tell("setup", *SETUP, "--values-file", values, "-v")
        none = {
            name: ""
            for name in sandbox.environment
            if name.endswith(("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
        }
        told.tell("again without keys", *SETUP, *UNTRIED, env=none)
        kubernetes(sandbox).delete(SECRET, uid=secret_of(sandbox)["metadata"]["uid"])
        told.tell("mended", *SETUP, *UNTRIED)
        told.tell("status", "status", "w")
        nowhere = ("--kubernetes-redis-endpoint", "127.0.0.1:1")
        told.tell("probed", *SETUP, *UNTRIED, *nowhere, "--probe")
        no_image = ("--probe-image", "registry.invalid/no-such-image/python:3")
        told.tell("no image", "verify", "w", "--probe", *no_image, "--only", "pod-storage")
        by_work = ("--only", "functional-job", "--only", "functional-gpu")
        told.tell("works", "verify", "w", "--functional", "--gpu", *by_work)
        [bucket] = sandbox.admin.snapshot()["onprem_store"]["buckets"]
        nothing = {
            name: "" for name in sandbox.environment if "_STORAGE_" in name or "AWS_" in name
        }
        told.tell("delete", "delete", "w", "--yes", "--delete-bucket", bucket, env=nothing)
        for store in STORES:
            another_store(told, store)
        yield told


@dataclass(frozen=True)
class Store:
    """A store that is not S3. `without` are the variables that a later run does not need."""

    kind: str
    secret: Reference
    file: str
    bucket: str
    without: tuple[str, ...]
    objects: str


STORES = (
    Store(
        "gcs",
        Reference("v1", "Secret", "anyscale-gcp-credentials", NAMESPACE),
        "key.json",
        "gcp:bucket/",
        ("GOOGLE_APPLICATION_CREDENTIALS",),
        "storage.objects.",
    ),
    Store(
        "azure",
        Reference("v1", "Secret", "anyscale-azure-credentials", NAMESPACE),
        "AZURE_CLIENT_SECRET",
        "azure:container/",
        ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_AUTHORITY_HOST"),
        "Blob ",
    ),
)


def another_store(told: Story, store: Store) -> None:
    """Set up, changed by hand, mended, looked at and taken down, in the same cluster.

    Nothing but the store is of interest.
    """
    blobs = told.sandbox.admin.status()["addresses"]["azure-blob"]
    where = {"ANYSCALE_K8S_STORAGE_ACCOUNT": f"{blobs}/{TEAM_DATA.name}"}
    setup = (*SETUP, "--storage-kind", store.kind, "--network", "none", "--gpu", "off", *UNTRIED)
    secret = store.secret
    told.tell(f"{store.kind} setup", *setup, env=where)
    without = dict.fromkeys(store.without, "")
    told.tell(f"{store.kind} again", *setup, env={**where, **without})
    broken = {"data": {store.file: base64.b64encode(b"broken").decode()}}
    kubernetes(told.sandbox).patch_merge(secret, broken)
    told.tell(f"{store.kind} mended", *setup, env=where)
    told.tell(f"{store.kind} probed", "verify", "w", "--only", "pod-storage")
    name = next(key for key in told[f"{store.kind} setup"].changes if store.bucket in key)
    bucket = name.partition("/")[2]
    told.tell(
        f"{store.kind} delete", "delete", "w", "--yes", "--delete-bucket", bucket, env=without
    )


@pytest.mark.parametrize(
    ("page", "code"), [("wrong region", "store-signing-region"), ("no keys", "store-keys-denied")]
)
def test_a_wrong_setting_ends_it_before_anything_is_made(
    story: Story, page: str, code: str
) -> None:
    assert story[page].ended.code == 6
    assert story[page].document["error"]["code"] == code
    assert story[page].writes == []


def test_setup_makes_everything_and_ends_well(story: Story) -> None:
    done = story["setup"].done
    assert done["health"] == "HEALTHY"
    changes = story["setup"].changes
    assert changes[SECRET_KEY] == "create"
    assert [key for key in changes if key.startswith("s3-bucket/anyscale-w-")]


def test_instance_types_are_as_the_nodes_are(story: Story) -> None:
    text = (story.folder / "values.yaml").read_text(encoding="utf-8")
    found = yaml.safe_load(text)["workloads"]
    assert set(found["instanceTypes"]["additional"]) == {
        "28CPU-111GB",
        "57CPU-446GB-2xL40S",
        "28CPU-223GB-1xL40S",
    }
    assert found["instanceTypes"]["defaults"] == {"8CPU-32GB-1xT4": None}
    assert found["accelerator"]["nodeSelectors"]["additional"] == {"L40S": "NVIDIA-L40S"}


def test_a_second_setup_only_reads(story: Story) -> None:
    """It needs no keys, either: the cluster has them."""
    again = story["again without keys"]
    assert again.done["summary"]["none"] > 0
    assert set(again.changes.values()) <= {"none", "adopt", "keep"}
    assert again.writes == []


def test_a_lost_secret_is_written_again(story: Story) -> None:
    story["mended"].done  # noqa: B018
    changed = {key for key, change in story["mended"].changes.items() if change == "create"}
    assert changed == {SECRET_KEY}


def test_status_says_that_it_works(story: Story) -> None:
    assert story["status"].done["health"] == "HEALTHY"


def test_a_pod_uses_the_bucket_with_the_mounted_keys_and_tells_what_it_does_not_reach(
    story: Story,
) -> None:
    """The install stays; what fails is told by its code."""
    ended = story["probed"]
    assert ended.ended.code == 6
    assert ended.document["health"] == "HEALTHY"
    assert ended.document["error"]["code"] == "checks-failed"
    found = {item["code"]: item for item in ended.document["probe"]}
    assert found["pod-storage"]["status"] == "pass", found
    assert found["pod-storage"]["detail"].endswith("by shared credentials file")
    assert found["pod-egress"]["status"] == "fail"
    assert "127.0.0.1:1" in ended.document["error"]["cause"]


def test_without_an_image_nothing_is_known_of_the_bucket(story: Story) -> None:
    (asked,) = story["no image"].done["checks"]
    assert asked["status"] == "unknown"
    assert "--probe-image" in asked["fix"]


def test_pods_as_the_workloads_do_their_work(story: Story) -> None:
    """Where the operator would place them: the machine with GPUs is tainted and labelled."""
    job, gpu = story["works"].done["checks"]
    assert (job["code"], job["status"]) == ("functional-job", "pass"), job
    assert "put, get, list, multipart, delete, by shared credentials file" in job["detail"]
    assert gpu["status"] == "pass", gpu
    assert gpu["detail"] == "L40S: NVIDIA L40S on gpu-1.demo.internal"


def test_the_secret_key_is_nowhere_but_in_its_secret(story: Story) -> None:
    secret = story.sandbox.environment["ANYSCALE_K8S_STORAGE_SECRET_ACCESS_KEY"]
    assert secret
    for page in story.pages.values():
        assert secret not in page.ended.out + page.ended.err
        assert secret not in str(page.seen)
    assert secret not in str(story.sandbox.admin.calls())
    assert secret not in (story.folder / "values.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.kind)
def test_with_another_kind_of_store(story: Story, store: Store) -> None:
    pages = {name: story[f"{store.kind} {name}"] for name in ("setup", "again", "mended", "delete")}
    assert pages["setup"].done["health"] == "HEALTHY"
    assert pages["setup"].changes[f"k8s:secret/{NAMESPACE}/{store.secret.name}"] == "create"
    assert set(pages["again"].changes.values()) <= {"none", "adopt", "keep"}
    # The operator tries the bucket with the same key.
    assert [call for call in pages["again"].writes if store.objects not in call] == []
    changed = {key for key, change in pages["mended"].changes.items() if change == "update"}
    assert changed == {f"k8s:secret/{NAMESPACE}/{store.secret.name}"}
    assert pages["mended"].done["health"] == "HEALTHY"
    (asked,) = story[f"{store.kind} probed"].done["checks"]
    assert asked["status"] == "pass", asked
    assert pages["delete"].ended.code == 0, pages["delete"].ended.err


def test_deletion_leaves_what_was_there_before(story: Story) -> None:
    end = story["delete"]
    assert end.ended.code == 0, end.ended.err
    assert end.seen["onprem_store"] == story.beginning["onprem_store"]
    before, after = (set(world["kubernetes"][CLUSTER]) for world in (story.beginning, end.seen))
    assert {key for key in after - before if not re.search(DERIVED, key)} == set()
    assert end.seen["control_plane"]["clouds"] == story.beginning["control_plane"]["clouds"]

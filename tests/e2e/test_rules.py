"""What a company demands of what is made, and what it brings itself: two clouds in one cluster.

`prod` obeys every rule; `brought` uses a bucket and a role that its user has. The
commands are run once, in order; each test looks at another side of what they left.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli.sandbox.aws.seed import ACCOUNT_ID, DATA_KEY, EksClusterSeed
from anyscale_k8s_cli.sandbox.world import World
from tests.e2e.story import Story
from tests.processes import UNTRIED, Desk, started

WHERE = ("--provider", "eks", "--cluster-name", "demo", "--region", "us-west-2")
NAME = "acme-prod-92c04b15"
TAGS = {"team": "ml", "cost-center": "4711"}
CIDRS = ["10.0.0.0/8", "192.168.0.0/16"]
BOUNDARY = f"arn:aws:iam::{ACCOUNT_ID}:policy/boundary"
KEY = f"arn:aws:kms:us-west-2:{ACCOUNT_ID}:key/{DATA_KEY.id}"
RULES = (
    *(word for key, value in TAGS.items() for word in ("--tag", f"{key}={value}")),
    *(word for cidr in CIDRS for word in ("--allow-cidr", cidr)),
    *("--name-prefix", "acme", "--role-path", "/company/ml/", "--expose", "internal"),
    *("--workload-identity", "separate"),
    *("--permissions-boundary", BOUNDARY, "--kms-key", f"alias/{DATA_KEY.alias}"),
    *("--values", "first.yaml", "--values", "second.yaml"),
)
COMPANY_BUCKET, COMPANY_ROLE = "company-data", "company-operator"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT_ID}:role/{COMPANY_ROLE}"
BROUGHT = ("--name", "brought", "--namespace", "brought", "--bucket", COMPANY_BUCKET)


@pytest.fixture(scope="module")
def story(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Story]:
    with started(desks(), homes, World(platforms=("eks",))) as sandbox:
        made = Story(sandbox)
        make_what_the_company_has(made)
        made.beginning = sandbox.admin.snapshot()
        set_up(made)
        take_down(made)
        yield made


def make_what_the_company_has(story: Story) -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    objects = {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{COMPANY_BUCKET}*"}
    issuer = EksClusterSeed().issuer.removeprefix("https://")
    subject = "system:serviceaccount:brought:anyscale-operator"
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{issuer}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{issuer}:sub": subject, f"{issuer}:aud": "sts.amazonaws.com"}
        },
    }
    iam, s3 = story.hand.aws("iam"), story.hand.aws("s3")
    iam.create_policy(PolicyName="boundary", PolicyDocument=policy(everything))
    iam.create_role(RoleName=COMPANY_ROLE, AssumeRolePolicyDocument=policy(trust))
    iam.put_role_policy(RoleName=COMPANY_ROLE, PolicyName="data", PolicyDocument=policy(objects))
    location = {"LocationConstraint": "us-west-2"}
    s3.create_bucket(Bucket=COMPANY_BUCKET, CreateBucketConfiguration=location)
    console = {
        "AllowedOrigins": [story.hand.environment["ANYSCALE_HOST"]],
        "AllowedMethods": ["GET", "PUT", "POST", "HEAD", "DELETE"],
        "ExposeHeaders": ["Accept-Ranges", "Content-Range", "Content-Length"],
    }
    s3.put_bucket_cors(Bucket=COMPANY_BUCKET, CORSConfiguration={"CORSRules": [console]})
    s3.put_object(Bucket=COMPANY_BUCKET, Key="models/base.bin", Body=b"weights")
    for name, owner in (("first", "nobody"), ("second", "ml")):
        values = {"operator": {"labels": {"owner": owner, name: "yes"}}}
        (story.folder / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    (story.folder / "notes.yaml").write_text("mine: true\n", encoding="utf-8")


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def set_up(story: Story) -> None:
    prod = (*WHERE, "--name", "prod", *RULES)
    story.tell("foreign file", "setup", *prod, "--values-file", "notes.yaml", *UNTRIED, "--yes")
    file = ("--values-file", "values.yaml")
    story.tell("prod", "setup", *prod, *file, *UNTRIED, "--yes", "--probe")
    story.tell("prod again", "setup", *prod, *file, *UNTRIED, "--yes")
    fewer = (*WHERE, "--name", "prod", *without_tag(RULES))
    story.tell("fewer tags", "setup", *fewer, *UNTRIED, "--yes")
    brought = (*WHERE, *BROUGHT, "--identity", ROLE_ARN)
    story.tell("brought", "setup", *brought, *UNTRIED, "--yes")
    (story.folder / "kept.yaml").write_text("mine: true\n", encoding="utf-8")
    story.tell("plan without bucket", "plan", *WHERE, *BROUGHT[:4], *UNTRIED)
    inside = ("--expose", "internal", "--values-file", "kept.yaml", "--overwrite")
    story.tell("brought inside", "setup", *brought, *inside, *UNTRIED, "--yes")
    story.tell("as spec", "get", "brought", "--as-spec")
    (story.folder / "kept-spec.yaml").write_text(story["as spec"].done["text"], encoding="utf-8")
    story.tell("plan inside", "plan", "-f", "kept-spec.yaml", *UNTRIED)
    story.tell("forgotten inside", "setup", *brought, *UNTRIED, "--yes")
    story.tell("plan dropped", "plan", *brought, *UNTRIED, "--drop-options")
    dropping = ("--drop-options", "--only-create", *UNTRIED)
    story.tell("only create", "setup", *brought, *dropping, "--yes")
    for command in ("get", "status"):
        story.tell(f"{command} which", command)
    story.tell("delete which", "delete", "--yes")


@contextmanager
def watched(story: Story, cloud_id: str) -> Iterator[list[tuple[str, str]]]:
    """When the operator of a cloud has reported, and what, while something else is done."""
    seen: list[tuple[str, str]] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            answer = story.hand.control_plane.get(f"clouds/{cloud_id}/resources").json()
            [resource] = answer["results"]
            details = resource["operator_status_details"]
            seen.append((details["reported_at"], resource["operator_status"]))

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield seen
        finally:
            over.set()
        watching.result()


def without_tag(words: tuple[str, ...]) -> tuple[str, ...]:
    place = words.index("cost-center=4711")
    return (*words[: place - 1], *words[place + 1 :])


def take_down(story: Story) -> None:
    named = ("--delete-bucket", COMPANY_BUCKET)
    story.tell("delete brought bucket", "delete", "brought", *named, "--yes")
    with watched(story, story["prod"].done["cloud_id"]) as seen:
        story.tell("delete brought", "delete", "brought", "--yes")
    story.verdicts = seen
    story.tell("delete other bucket", "delete", "prod", "--delete-bucket", "team-data", "--yes")
    story.tell("delete prod", "delete", "prod", "--delete-bucket", NAME, "--yes")


# -- rules -----------------------------------------------------------------------


def test_names_and_paths_are_the_companys(story: Story) -> None:
    assert story["prod"].ended.code == 0
    aws = story["prod"].seen["aws"]
    assert NAME in aws["buckets"]
    assert aws["roles"][f"{NAME}-operator"]["path"] == "/company/ml/"


def test_every_object_carries_the_tags(story: Story) -> None:
    seen = story["prod"].seen
    made = new_objects(seen["aws"], story.beginning["aws"])
    assert {kind for kind, _ in made} == {*("buckets", "roles", "oidc_providers", "load_balancers")}
    for item in made.values():
        assert TAGS.items() <= item["tags"].items()
    cluster = seen["kubernetes"]["demo"]
    names = {
        *("namespaces//anyscale-operator", "serviceaccounts/anyscale-operator/anyscale-operator"),
        f"gatewayclasses.gateway.networking.k8s.io//{NAME}",
        "gateways.gateway.networking.k8s.io/anyscale-operator/gateway",
        "envoyproxies.gateway.envoyproxy.io/anyscale-operator/gateway",
    }
    for name in names:
        assert TAGS.items() <= cluster[name]["metadata"]["annotations"].items(), name


def test_a_tag_that_is_left_out_goes_and_the_ledger_forgets_it(story: Story) -> None:
    page = story["fewer tags"]
    reasons = {item["key"]: item["reason"] for item in page.done["resources"]}
    roles = [f"{NAME}-operator", f"{NAME}-workloads"]
    for key in (f"aws:s3-bucket/{NAME}", *(f"aws:iam-role/{role}" for role in roles)):
        assert reasons[key] == "tag cost-center: '4711' → absent"
    aws, cluster = page.seen["aws"], page.seen["kubernetes"]["demo"]
    for item in (aws["buckets"][NAME], *(aws["roles"][role] for role in roles)):
        assert "cost-center" not in item["tags"]
        assert item["tags"]["team"] == "ml"
    ledger = cluster["configmaps/anyscale-operator/anyscale-k8s-ledger"]["data"]["ledger.json"]
    assert json.loads(ledger)["said"]["rules.tags"] == {"team": "ml"}


def new_objects(now: dict[str, Any], before: dict[str, Any]) -> dict[tuple[str, str], Any]:
    return {
        (kind, name): item
        for kind, items in now.items()
        for name, item in items.items()
        if name not in before[kind] and kind != "security_groups"
    }


def test_the_role_is_bounded_and_may_use_the_key(story: Story) -> None:
    role = story["prod"].seen["aws"]["roles"][f"{NAME}-operator"]
    assert role["boundary"] == BOUNDARY
    assert story["prod"].seen["aws"]["roles"][f"{NAME}-workloads"]["boundary"] == BOUNDARY
    [document] = [json.loads(text) for text in role["inline"].values()]
    assert [item["Action"] for item in document["Statement"] if item["Resource"] == KEY] == [
        ["kms:Decrypt", "kms:GenerateDataKey"]
    ]


def test_the_bucket_is_encrypted_with_the_key(story: Story) -> None:
    rule = story["prod"].seen["aws"]["buckets"][NAME]["encryption"]["Rule"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": KEY,
    }


def test_the_load_balancer_listens_where_it_may_and_to_whom_it_may(story: Story) -> None:
    for name, scheme, ranges in (("prod", "internal", CIDRS), ("brought", "internet-facing", None)):
        seen = story[name].seen
        before = story.beginning if name == "prod" else story["prod"].seen
        known = before["aws"]["load_balancers"]
        [balancer] = [
            item for key, item in seen["aws"]["load_balancers"].items() if key not in known
        ]
        assert balancer["scheme"] == scheme
        [service] = [
            item
            for item in seen["kubernetes"]["demo"].values()
            if item["kind"] == "Service"
            and (item["metadata"].get("annotations") or {}).get("anyscale-k8s/install")
            == story[name].done["install"]
        ]
        assert service["spec"].get("loadBalancerSourceRanges") == ranges


def test_what_was_public_becomes_internal_by_another_load_balancer(story: Story) -> None:
    moved = story["brought inside"].done
    assert {
        key: change for key, change in story["brought inside"].changes.items() if change == "update"
    } == {
        "k8s:envoyproxy/brought/gateway": "update",
        "helm:release/brought/anyscale-operator": "update",
    }
    assert moved["health"] == "HEALTHY"
    assert "update" not in story["plan inside"].changes.values()
    schemes = [
        item["scheme"]
        for item in story["plan inside"].seen["aws"]["load_balancers"].values()
        if not item["deleting"]
    ]
    assert schemes == ["internal", "internal"]


def test_a_cloud_tells_with_which_file_it_is_set_up_again(story: Story) -> None:
    assert story["as spec"].writes == []
    assert story["as spec"].done["missing"] == []
    summary = story["plan inside"].done["summary"]
    assert summary["create"] == summary["update"] == 0
    assert story["plan inside"].document["warnings"] == []


def test_what_keeps_the_cloud_inside_cannot_be_forgotten(story: Story) -> None:
    page = story["forgotten inside"]
    assert page.ended.code == 5
    error = page.document["error"]
    assert error["code"] == "options-left-out"
    assert error["cause"] == "without --expose internal: the load balancer would become public"
    assert "--bucket company-data" in error["fix"]
    assert error["fix"].endswith("--expose internal")
    assert page.writes == []


def test_what_is_dropped_on_purpose_is_told(story: Story) -> None:
    page = story["plan dropped"].done
    said = "\n".join(page["warnings"])
    assert "without --expose internal: the load balancer would become public" in said
    assert "--expose changes from internal to public" in said
    assert len(page["warnings"]) == 2
    assert "update" in story["plan dropped"].changes.values()


def test_who_may_only_create_changes_nothing(story: Story) -> None:
    page = story["only create"]
    error = page.document["error"]
    assert (page.ended.code, error["code"]) == (5, "changes-existing")
    changed = {key for key, change in page.changes.items() if change == "update"}
    assert {line.partition(": ")[0] for line in error["evidence"]} == changed
    assert page.writes == []


def test_a_plan_that_forgets_the_bucket_says_what_would_come_of_it(story: Story) -> None:
    page = story["plan without bucket"]
    assert page.ended.code == 5
    error = page.document["error"]
    assert error["code"] == "options-left-out"
    told = " ".join((error["cause"], *error["evidence"]))
    assert "a new, empty bucket would be made and registered" in told
    assert "another identity would be made and registered" in told
    assert f"--bucket {COMPANY_BUCKET} --identity {ROLE_ARN}" in error["fix"]
    assert any("stays there and is not copied" in text for text in page.document["warnings"])


def test_a_plan_says_public_in_so_many_words(story: Story) -> None:
    assert "PUBLIC" in story["brought"].ended.err
    assert "PUBLIC" not in story["prod"].ended.err
    assert "internal" in story["prod"].ended.err


def test_the_same_rules_again_change_nothing(story: Story) -> None:
    assert set(story["prod again"].changes.values()) == {"none"}
    assert story["prod again"].writes == []


def test_pods_of_workloads_use_the_bucket_by_their_own_role(story: Story) -> None:
    (asked,) = [item for item in story["prod"].done["probe"] if item["code"] == "pod-storage"]
    assert asked["status"] == "pass"
    assert f"{NAME}-workloads" in asked["detail"]


# -- values ------------------------------------------------------------------------


def values(story: Story) -> dict[str, Any]:
    return dict(yaml.safe_load((story.folder / "values.yaml").read_text(encoding="utf-8")))


def test_values_of_ones_own_are_merged_last_in_their_order(story: Story) -> None:
    labels = values(story)["operator"]["labels"]
    assert labels == {"owner": "ml", "first": "yes", "second": "yes"}
    deployment = story["prod"].seen["kubernetes"]["demo"][
        "deployments.apps/anyscale-operator/anyscale-operator"
    ]
    assert labels.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_the_values_file_is_what_was_installed_and_is_written_again(story: Story) -> None:
    found = values(story)
    assert found["global"]["cloudDeploymentId"] == story["prod"].done["cloud_resource_id"]
    assert found["global"]["auth"]["iamIdentity"].endswith(f"role/company/ml/{NAME}-operator")
    assert found["workloads"]["serviceAccount"]["name"] == "anyscale-workloads"
    assert story["prod again"].ended.code == 0


def test_a_file_of_somebody_elses_is_refused_before_anything_is_written(story: Story) -> None:
    refused = story["foreign file"].ended
    assert refused.code == 1
    assert refused.document["error"]["code"] == "file-not-ours"
    assert story["foreign file"].writes == []
    assert (story.folder / "notes.yaml").read_text(encoding="utf-8") == "mine: true\n"


def test_only_overwrite_writes_over_it(story: Story) -> None:
    assert story["brought inside"].ended.code == 0
    text = (story.folder / "kept.yaml").read_text(encoding="utf-8")
    assert "mine" not in text
    assert story["brought"].done["cloud_resource_id"] in text


# -- brought -----------------------------------------------------------------------


def test_what_is_brought_is_adopted(story: Story) -> None:
    made = story["brought"].done
    wanted = {f"aws:s3-bucket/{COMPANY_BUCKET}", f"aws:iam-role/{COMPANY_ROLE}"}
    adopted = {key for key, change in story["brought"].changes.items() if change == "adopt"}
    assert adopted == wanted
    assert made["summary"]["adopt"] == 2
    owned = {item["ownership"] for item in made["resources"] if item["key"] in wanted}
    assert owned == {"adopted"}
    assert made["health"] == "HEALTHY"


def test_what_is_brought_is_never_written_nor_deleted(story: Story) -> None:
    before = brought_things(story.beginning)
    for name, page in story.pages.items():
        assert brought_things(page.seen) == before, name


def brought_things(seen: dict[str, Any]) -> dict[str, Any]:
    """But for the objects of the proofs that the bucket can be used."""
    bucket = dict(seen["aws"]["buckets"][COMPANY_BUCKET])
    proofs = ("anyscale-operator-check/", "anyscale-k8s-cli/", "org_")
    bucket["versions"] = [item for item in bucket["versions"] if not item[0].startswith(proofs)]
    assert bucket["versions"]
    role = seen["aws"]["roles"][COMPANY_ROLE]
    return {"bucket": bucket, "role": role, "policies": seen["aws"]["policies"]}


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("delete brought bucket", "you brought it, and what you brought is never deleted"),
        ("delete other bucket", f"its own is {NAME}"),
    ],
)
def test_a_bucket_that_is_not_the_clouds_own_cannot_be_named(
    story: Story, name: str, cause: str
) -> None:
    page = story[name]
    assert page.ended.code == 1
    assert page.document["error"]["cause"] == cause
    assert page.writes == []


# -- two clouds ----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["get", "status", "delete"])
def test_without_a_name_and_with_two_clouds_they_are_listed(story: Story, command: str) -> None:
    page = story[f"{command} which"]
    assert page.ended.code == 1
    listed = " ".join(page.document["error"]["evidence"])
    assert "prod" in listed
    assert "brought" in listed
    assert page.writes == []


def test_the_first_to_go_leaves_what_the_other_uses(story: Story) -> None:
    document = story["delete brought"].done
    assert document["left"] == []
    shared = {item["key"]: item for item in document["kept"] if item["ownership"] == "shared"}
    assert "helm:release/envoy-gateway-system/eg" in shared
    for item in shared.values():
        assert item["reason"].startswith("still used by cloud prod (install 92c04b15); ")
        assert item["command"] is None
    adopted = {item["id"] for item in document["kept"] if item["ownership"] == "adopted"}
    assert adopted == {f"s3://{COMPANY_BUCKET}", ROLE_ARN}
    install = story["brought"].done["install"]
    assert f"anyscale-k8s/user-{install}" not in json.dumps(story["delete brought"].seen)


def test_the_other_is_well_at_every_moment_of_the_deletion(story: Story) -> None:
    """What Anyscale was told of it meanwhile, report after report."""
    assert len({moment for moment, _ in story.verdicts}) > 1
    assert {verdict for _, verdict in story.verdicts} == {"HEALTHY"}


def test_no_object_of_the_other_is_written_by_the_deletion(story: Story) -> None:
    """Nor of anybody's: a write that is taken back leaves another resourceVersion."""
    before, after = (
        story[name].seen["kubernetes"]["demo"]
        for name in ("delete brought bucket", "delete brought")
    )
    assert all("resourceVersion" in item["metadata"] for item in after.values())
    gone = {key for key in before if key not in after}
    assert {key for key in gone if "brought" not in key} == set()
    written = {key for key in before if key not in gone and before[key] != after[key]}
    # What is shared loses the mark of the one that goes, and its claim.
    assert written == {
        "configmaps/envoy-gateway-system/anyscale-k8s-eg",
        "configmaps/nvidia-device-plugin/anyscale-k8s-nvdp",
        "customresourcedefinitions.apiextensions.k8s.io//envoyproxies.gateway.envoyproxy.io",
        "customresourcedefinitions.apiextensions.k8s.io//gateways.gateway.networking.k8s.io",
        "namespaces//envoy-gateway-system",
        "namespaces//nvidia-device-plugin",
    }
    mark = f"anyscale-k8s/user-{story['brought'].done['install']}"
    for key in written:
        old, new = unversioned(before[key]), unversioned(after[key])
        assert old["metadata"]["annotations"].pop(mark) == "true"
        assert old == new


def unversioned(item: dict[str, Any]) -> dict[str, Any]:
    apart = ("resourceVersion", "managedFields")
    found: dict[str, Any] = copy.deepcopy(item)
    found["metadata"] = {key: part for key, part in found["metadata"].items() if key not in apart}
    return found


def test_the_last_to_go_leaves_nothing_but_what_the_companys_role_trusts(story: Story) -> None:
    document = story["delete prod"].done
    assert document["left"] == []
    [kept] = document["kept"]
    assert kept["kind"] == "iam-oidc-provider"
    assert kept["reason"] == f"still used by the trust of {ROLE_ARN}"
    assert kept["command"] is None
    assert kept["look"].startswith("aws iam list-roles ")
    end, beginning = story["delete prod"].seen, story.beginning
    assert brought_things(end) == brought_things(beginning)
    for seen in (end, beginning):
        del seen["aws"]["buckets"][COMPANY_BUCKET]
    assert end["aws"]["oidc_providers"].pop(kept["id"])["tags"].keys() == {
        *("anyscale-k8s/managed-by", *TAGS)
    }
    assert end["aws"] == beginning["aws"]
    assert end["control_plane"]["clouds"] == []
    assert names(end) == names(beginning)
    assert {key for key in names(end) if lasting(end, key) != lasting(beginning, key)} == set()


def lasting(seen: dict[str, Any], key: str) -> Any:
    """An object as it is; of a node only what people say, since its kubelet tells the rest."""
    found = seen["kubernetes"]["demo"][key]
    return found["spec"] if found["kind"] == "Node" else found


def names(seen: dict[str, Any]) -> set[str]:
    return {key for key in seen["kubernetes"]["demo"] if not key.startswith("events/")}

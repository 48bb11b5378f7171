"""What setup makes, finds changed, mends, and will not touch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.providers.gcs import codes as gcs_codes
from anyscale_k8s_cli.providers.gke import codes
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.sandbox.google.constraints import KEY_REQUIRED, ConstraintSeed
from anyscale_k8s_cli.sandbox.google.policies import Grant
from anyscale_k8s_cli.sandbox.google.seed import email_of
from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings
from anyscale_k8s_cli.sandbox.wire import FaultKind
from tests.cloud_sides import CONSOLE

from .conftest import STRANGERS, World, by_hand, patch_bucket

BUCKET = "anyscale-prod-730b39fb"
ACCOUNT = email_of(BUCKET)
TWIN = "serviceAccount:demo.svc.id.goog[anyscale-operator/anyscale-operator]"
KINDS = ("gcs-bucket", "service-account", "gcs-bucket-access")
ALL = set(KINDS)
KEY = "projects/demo/locations/us-central1/keyRings/ring/cryptoKeys/data"


def of_kind(resources: tuple[Resource[Any], ...], kind: str) -> Any:
    return next(item for item in resources if item.kind == kind)


def bucket_of(world: World, name: str = BUCKET) -> dict[str, Any]:
    return dict(world.snapshot()["buckets"][name])


def account_of(world: World, email: str = ACCOUNT) -> dict[str, Any]:
    return dict(world.snapshot()["service_accounts"][email])


def test_a_plan_writes_nothing(world: World) -> None:
    before = world.snapshot()
    assert world.writes(world.changes) == []
    assert world.snapshot() == before


def test_everything_is_made_once(world: World) -> None:
    assert world.changes() == dict.fromkeys(ALL, "create")
    world.setup()
    assert world.changes() == dict.fromkeys(ALL, "none")
    assert world.writes(world.setup) == []


def test_what_is_made(world: World) -> None:
    before = world.snapshot()["buckets"]["team-data-demo"]
    world.setup(world.spec(rules={"tags": {"team": "ml"}}))
    bucket = bucket_of(world)
    assert (bucket["location"], bucket["storage_class"]) == ("US-CENTRAL1", "STANDARD")
    assert bucket["uniform"]
    assert bucket["versioning"]
    assert bucket["public_access_prevention"] == "enforced"
    assert [rule["origin"] for rule in bucket["cors"]] == [[CONSOLE]]
    assert [rule["action"]["type"] for rule in bucket["lifecycle"]["rule"]] == [
        "Delete",
        "AbortIncompleteMultipartUpload",
    ]
    assert bucket["labels"]["team"] == "ml"
    assert bucket["labels"]["anyscale-k8s-install"] == "730b39fb"
    member = f"serviceAccount:{ACCOUNT}"
    assert bucket["policy"]["roles/storage.objectAdmin"] == [member]
    assert member in bucket["policy"]["roles/storage.legacyBucketReader"]
    assert account_of(world)["policy"] == {
        "roles/iam.workloadIdentityUser": [TWIN],
        "roles/iam.serviceAccountTokenCreator": [member],
    }
    assert world.snapshot()["policy"] == world.stand_in.snapshot()["policy"]
    assert world.snapshot()["buckets"]["team-data-demo"] == before


def test_what_others_need_is_known_before_it_exists(world: World) -> None:
    """So that a plan names a bucket that is gone, and nothing that stands on it."""
    foreseen = world.cloud_side()
    assert world.changes() == dict.fromkeys(ALL, "create")
    annotations = foreseen.service_account_annotations()
    assert annotations == {"iam.gke.io/gcp-service-account": ACCOUNT}
    made = world.setup()
    assert foreseen.storage.output == made.storage.output
    assert foreseen.identity.output == made.identity.output


def test_a_zonal_cluster_has_its_bucket_in_the_region(world: World) -> None:
    spec = world.spec(cluster={"name": "zonal"})
    side = world.setup(spec)
    assert side.storage.output.region == "us-central1"
    assert set(world.changes(spec).values()) == {"none"}
    assert bucket_of(world, side.storage.output.url[5:])["location"] == "US-CENTRAL1"


def test_the_same_spec_again_and_again_over_what_was_deleted(
    start: Callable[[GoogleSettings], World], settings: GoogleSettings
) -> None:
    """Names of deleted buckets and accounts are in the way for days; setup does not mind."""
    world = start(replace(settings, refused_attempts=0))
    before = world.snapshot()
    for _ in range(3):
        side = world.setup()
        assert len(world.prove(side)) == 2
        assert set(world.changes().values()) == {"none"}
        for item in (of_kind(side.resources, kind) for kind in reversed(KINDS)):
            item.delete(item.read())
        assert world.snapshot() == before
    assert len(world.stand_in.project.accounts.deleted()) == 3
    assert len(world.stand_in.buckets.soft_deleted()) == 3


# -- what changed by itself --------------------------------------------------------------


def break_labels(world: World) -> None:
    labels = {"anyscale-k8s-location": "elsewhere", "put-by": "somebody"}
    patch_bucket(world, BUCKET, {"labels": labels})


def break_uniform(world: World) -> None:
    off = {"uniformBucketLevelAccess": {"enabled": False}}
    patch_bucket(world, BUCKET, {"iamConfiguration": off})


def break_prevention(world: World) -> None:
    inherited = {"publicAccessPrevention": "inherited"}
    patch_bucket(world, BUCKET, {"iamConfiguration": inherited})


def break_lifecycle(world: World) -> None:
    theirs = {"action": {"type": "Delete"}, "condition": {"age": 1, "matchesPrefix": ["tmp/"]}}
    patch_bucket(world, BUCKET, {"lifecycle": {"rule": [theirs]}})


def break_cors(world: World) -> None:
    theirs = {"origin": ["https://x.example"], "method": ["GET"], "maxAgeSeconds": 60}
    patch_bucket(world, BUCKET, {"cors": [theirs]})


BREAKS: Mapping[str, Callable[[World], None]] = {
    "label anyscale-k8s-location": break_labels,
    "uniform access": break_uniform,
    "public access prevention": break_prevention,
    "versioning": lambda world: patch_bucket(world, BUCKET, {"versioning": {"enabled": False}}),
    "CORS for the console": break_cors,
    "lifecycle rules": break_lifecycle,
}


def test_each_setting_of_the_bucket_is_watched_and_mended(world: World) -> None:
    """One world for all: each is broken and mended by itself."""
    world.setup()
    for told, make in BREAKS.items():
        make(world)
        assert world.changes() == {**dict.fromkeys(ALL, "none"), "gcs-bucket": "update"}, told
        assert told in world.reasons()["gcs-bucket"]
        writes = [call.operation.name for call in world.writes(world.setup)]
        assert writes == ["storage.buckets.patch"], told
    assert world.changes() == dict.fromkeys(ALL, "none")
    bucket = bucket_of(world)
    assert bucket["labels"]["put-by"] == "somebody"
    assert bucket["cors"][0]["origin"] == ["https://x.example"]
    assert bucket["lifecycle"]["rule"][0]["condition"]["matchesPrefix"] == ["tmp/"]


def forget(world: World, policy: Any, role: str) -> None:
    """Somebody takes away all that is granted by a role."""
    policy.grants = [grant for grant in policy.grants if grant.role != role]
    policy.revision += 1


GRANTS = (
    ("service-account", "roles/iam.workloadIdentityUser"),
    ("service-account", "roles/iam.serviceAccountTokenCreator"),
    ("gcs-bucket-access", "roles/storage.objectAdmin"),
    ("gcs-bucket-access", "roles/storage.legacyBucketReader"),
)


def test_each_grant_is_watched_and_mended(world: World) -> None:
    world.setup()
    project, buckets = world.stand_in.project, world.stand_in.buckets
    policies = {
        "service-account": project.accounts.get(ACCOUNT).policy,
        "gcs-bucket-access": buckets.get(BUCKET).policy,
    }
    for kind, role in GRANTS:
        forget(world, policies[kind], role)
        assert world.changes() == {**dict.fromkeys(ALL, "none"), kind: "update"}
        assert role in world.reasons()[kind]
        assert len(world.writes(world.setup)) == 1, role
    assert world.changes() == dict.fromkeys(ALL, "none")


def test_a_description_of_another_cluster_is_mended(world: World) -> None:
    world.setup()
    rebuilt = world.spec()
    cluster = world.provider.discover(rebuilt)
    install = world.install(rebuilt, cluster, uid="11111111-2222-3333-4444-555555555555")
    side = world.provider.cloud_side(rebuilt, cluster, install, world.anyscale)
    planned = world.plan(side)
    reasons = {item.resource.kind: item.decision.reason for item in planned.changes}
    assert "cluster-uid" in reasons["gcs-bucket"]
    assert "description" in reasons["service-account"]
    world.apply(side)
    assert install.cluster_uid in account_of(world)["description"]


def test_grants_of_others_and_under_conditions_stay(world: World) -> None:
    world.setup()
    policy = world.stand_in.project.accounts.get(ACCOUNT).policy
    theirs = [
        Grant("roles/iam.serviceAccountUser", "user:somebody@example.com"),
        Grant(
            "roles/iam.serviceAccountTokenCreator",
            "user:somebody@example.com",
            condition='{"expression": "request.auth != null"}',
        ),
    ]
    policy.grants += theirs
    forget(world, policy, "roles/iam.workloadIdentityUser")
    world.setup()
    assert world.changes() == dict.fromkeys(ALL, "none")
    for grant in theirs:
        assert grant.key in {item.key for item in policy.grants}


def test_what_was_deleted_by_hand_is_made_again(world: World) -> None:
    side = world.setup()
    wanted = dict.fromkeys(ALL, "none")
    changed = {
        # Roles go with the bucket, and stay behind an account as those of a deleted one.
        "gcs-bucket": {"gcs-bucket": "create", "gcs-bucket-access": "create"},
        "service-account": {"service-account": "create", "gcs-bucket-access": "update"},
        "gcs-bucket-access": {"gcs-bucket-access": "create"},
    }
    for gone in KINDS:
        victim = of_kind(side.resources, gone)
        victim.delete(victim.read())
        assert world.changes() == {**wanted, **changed[gone]}
        side = world.setup()
        assert world.changes() == wanted
        assert world.prove(side)


def test_grants_to_a_deleted_account_of_the_name_are_removed(world: World) -> None:
    side = world.setup()
    account = of_kind(side.resources, "service-account")
    account.delete(account.read())
    assert "deleted:serviceAccount" in str(bucket_of(world)["policy"])
    assert "deleted:serviceAccount" in world.reasons()["gcs-bucket-access"]
    world.setup()
    assert "deleted:" not in str(world.snapshot())


# -- what happens on the way -----------------------------------------------------------


def test_a_crash_at_any_write_is_gone_on_from(world: World) -> None:
    """The second install crashes at each of its writes, and ends like the first."""
    writes = world.writes(world.setup)
    whole = bucket_of(world)
    spec = world.spec(name="crash")
    world.interrupted(lambda: world.setup(spec), writes, FaultKind.ERROR, 400)
    assert world.changes(spec) == dict.fromkeys(ALL, "none")
    made = bucket_of(world, world.cloud_side(spec).storage.output.url.removeprefix("gs://"))
    assert (made["lifecycle"], made["cors"]) == (whole["lifecycle"], whole["cors"])


WRITES = (
    "storage.buckets.insert",
    "storage.buckets.setIamPolicy",
    "iam.projects.serviceAccounts.create",
    "iam.projects.serviceAccounts.setIamPolicy",
)


def test_an_answer_that_is_lost_is_no_failure(world: World) -> None:
    for operation in WRITES:
        world.fault(operation, FaultKind.ERROR_AFTER, status=503)
    world.setup()
    assert all(rule.fired for rule in world.wire.rules)
    assert world.changes() == dict.fromkeys(ALL, "none")


def test_throttling_is_waited_out(world: World) -> None:
    world.fault("*", FaultKind.THROTTLE, times=3, writes_only=True)
    world.setup()
    assert world.changes() == dict.fromkeys(ALL, "none")


def test_an_account_that_nobody_knows_yet(world: World) -> None:
    """For some seconds even its own policy is not to be had."""
    world.fault("iam.projects.serviceAccounts.getIamPolicy", status=404, code="NOT_FOUND", times=3)
    world.setup()
    assert world.changes() == dict.fromkeys(ALL, "none")


def test_an_account_that_goes_while_it_is_made(world: World) -> None:
    world.fault("iam.projects.serviceAccounts.getIamPolicy", status=404, code="NOT_FOUND", times=0)
    with pytest.raises(errors.CliError) as caught:
        world.setup(world.spec(timeouts={"identity": 0.4}))
    assert caught.value.code is codes.ACCOUNT_MISSING


@pytest.mark.parametrize("times", [1, 3])
def test_a_policy_that_somebody_else_writes_too(world: World, times: int) -> None:
    """All of reading, changing and writing is done again, and both have what they wanted."""
    world.stand_in.project.rules.meddling.left = times
    world.setup()
    world.stand_in.project.rules.meddling.left = 0
    assert world.changes() == dict.fromkeys(ALL, "none")
    both = account_of(world)["policy"], bucket_of(world)["policy"]
    assert "user:somebody@example.com" in str(both)


def test_a_policy_that_somebody_else_writes_each_time(world: World) -> None:
    world.stand_in.project.rules.meddling.left = 1000
    with pytest.raises(errors.CliError) as caught:
        world.setup(world.spec(timeouts={"identity": 0.5}))
    assert caught.value.code is codes.POLICY_CONTENDED
    assert "concurrent" in caught.value.cause or "pre-conditions" in caught.value.cause


def test_a_rule_of_an_organization_is_no_conflict(world: World) -> None:
    """Storage answers with the same status to both."""
    told = "One or more users named in the policy do not belong to a permitted customer."
    world.fault("storage.buckets.setIamPolicy", status=412, message=told, times=0)
    with pytest.raises(errors.CliError) as caught:
        world.setup()
    assert caught.value.code is gcs_codes.GCP_FAILED
    assert told in caught.value.cause
    assert "organization" in caught.value.fix


def test_a_bucket_that_somebody_else_changes_too(world: World) -> None:
    world.setup()
    break_cors(world)
    told = "At least one of the pre-conditions you specified did not hold."
    world.fault("storage.buckets.patch", status=412, code="CONDITION_NOT_MET", message=told)
    world.setup()
    assert world.changes() == dict.fromkeys(ALL, "none")


# -- names ------------------------------------------------------------------------


def test_a_name_that_somebody_else_has(world: World) -> None:
    spec = world.spec(rules={"names": {"bucket": STRANGERS.name}})
    assert world.changes(spec)["gcs-bucket"] == "refuse"
    reason = world.reasons(spec)["gcs-bucket"]
    assert "another project" in reason
    assert f"{BUCKET}-demo" in reason


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("gcs-bucket", {"bucket": "team-data-demo"}),
        ("service-account", {"service-account": "team-data-reader"}),
    ],
)
def test_objects_of_the_project_that_are_not_ours(
    world: World, kind: str, names: dict[str, str]
) -> None:
    before = world.snapshot()
    spec = world.spec(rules={"names": names})
    assert world.changes(spec)[kind] == "refuse"
    with pytest.raises(errors.CliError) as caught:
        world.setup(spec)
    assert caught.value.code is errors.FOREIGN_OBJECT
    assert world.snapshot() == before


def test_a_name_that_is_taken_in_between(world: World) -> None:
    side = world.cloud_side()
    bucket, account = side.storage, of_kind(side.resources, "service-account")
    by_hand(world, "storage", "POST", "/storage/v1/b?project=demo", name=BUCKET)
    by_hand(world, "iam", "POST", "/v1/projects/demo/serviceAccounts", accountId=BUCKET)
    for item, way in ((bucket, "--bucket"), (account, "--identity")):
        with pytest.raises(errors.CliError) as caught:
            item.create()
        assert caught.value.code is errors.FOREIGN_OBJECT
        assert way in caught.value.fix


def test_a_bucket_of_ours_in_another_place(world: World) -> None:
    world.stand_in.buckets.add(BUCKET, "418205339162", "EUROPE-WEST4", {})
    assert world.changes()["gcs-bucket"] == "refuse"
    assert "location europe-west4" in world.reasons()["gcs-bucket"]


def test_names_and_labels_of_the_company(world: World) -> None:
    names = {"bucket": "acme-data", "service-account": "acme-operator"}
    spec = world.spec(rules={"names": names, "tags": {"owner": "ml"}})
    side = world.setup(spec)
    assert side.identity.output.registered == email_of("acme-operator")
    assert bucket_of(world, "acme-data")["labels"]["owner"] == "ml"
    assert world.changes(spec) == dict.fromkeys(ALL, "none")
    assert world.prove(side)


@pytest.mark.parametrize("cloud", ["google-prod", "G00gle", "x" * 63, "Team_A-Prod"])
def test_any_cloud_has_names_that_google_takes(world: World, cloud: str) -> None:
    spec = world.spec(name=cloud)
    side = world.setup(spec)
    assert set(world.changes(spec).values()) == {"none"}
    assert side.storage.output.url.startswith("gs://anyscale-")


# -- a key ------------------------------------------------------------------------


def test_a_key(start: Callable[[GoogleSettings], World]) -> None:
    world = start(GoogleSettings(kms_keys=(KEY,)))
    world.setup()
    spec = world.spec(rules={"kms_key": KEY})
    assert "encryption key" in world.reasons(spec)["gcs-bucket"]
    world.setup(spec)
    assert bucket_of(world)["encryption"] == {"defaultKmsKeyName": KEY}
    assert world.changes(spec) == dict.fromkeys(ALL, "none")
    assert world.changes() == dict.fromkeys(ALL, "none")


LABEL = ConstraintSeed("customConstraints/custom.requireTeam", "Buckets tell a team", "team")


@pytest.mark.parametrize(
    ("demanded", "rules", "fix"),
    [
        (
            ConstraintSeed(KEY_REQUIRED),
            {"kms_key": KEY},
            "a bucket with a key of yours, by --kms-key or --bucket; gcloud org-policies describe "
            "gcp.restrictNonCmekServices --effective --project demo",
        ),
        (LABEL, {"tags": {"team": "ml"}}, "custom.requireTeam --effective --project demo; --tag"),
    ],
    ids=["a key", "a label"],
)
def test_what_an_organization_demands_of_buckets_is_told_and_met(
    start: Callable[[GoogleSettings], World],
    demanded: ConstraintSeed,
    rules: dict[str, Any],
    fix: str,
) -> None:
    world = start(GoogleSettings(kms_keys=(KEY,), constraints=(demanded,)))
    with pytest.raises(errors.CliError) as caught:
        world.setup()
    assert demanded.name in caught.value.cause
    assert fix in caught.value.fix
    spec = world.spec(rules=rules)
    world.setup(spec)
    assert set(world.changes(spec).values()) == {"none"}


@pytest.mark.parametrize("there", [False, True], ids=["new bucket", "old bucket"])
def test_a_key_that_storage_may_not_use(world: World, there: bool) -> None:
    if there:
        world.setup()
    with pytest.raises(errors.CliError) as caught:
        world.setup(world.spec(rules={"kms_key": KEY}))
    assert caught.value.code is errors.ADOPTED_UNFIT
    assert "Cloud KMS" in caught.value.cause
    assert caught.value.fix.startswith(
        f"gcloud storage service-agent --project demo --authorize-cmek {KEY}"
    )


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"account": {"project_id": "418205339162"}}, "--project-id"),
        ({"region": "US Central"}, "--region"),
        ({"rules": {"names": {"lamp": "x"}}}, "rules.names: lamp"),
        ({"rules": {"names": {"bucket": "my-google-data"}}}, "rules.names.bucket"),
        ({"rules": {"names": {"service-account": "Op"}}}, "rules.names.service-account"),
        ({"rules": {"tags": {"Team": "ml"}}}, "--tag: Team=ml"),
        ({"rules": {"tags": {f"t{n}": "x" for n in range(55)}}}, "--tag: 55"),
        ({"rules": {"kms_key": "data"}}, "--kms-key"),
        ({"rules": {"name_prefix": "thirteen-long"}}, "--name-prefix"),
        ({"rules": {"name_prefix": "7up"}}, "--name-prefix"),
        ({"rules": {"name_prefix": "goog"}}, "--name-prefix"),
        ({"existing": {"identity": "me@example.com"}}, "--identity"),
        ({"existing": {"bucket": "Not_A_Bucket"}}, "--bucket"),
        ({"existing": {"bucket": "users-own"}, "rules": {"kms_key": KEY}}, "--kms-key"),
        ({"network": {"load_balancer_subnets": ["a"]}}, "--lb-subnet"),
        (
            {"network": {"expose": "internal", "load_balancer_subnets": ["a", "b"]}},
            "--lb-subnet",
        ),
    ],
)
def test_what_means_nothing_here_is_refused(world: World, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        world.provider.check_spec(world.spec(**wrong))
    assert caught.value.code is errors.INVALID_SPEC
    assert told in caught.value.message


def test_labels_that_are_no_longer_wanted_go_and_others_stay(world: World) -> None:
    world.setup(world.spec(rules={"tags": {"team": "ml", "cost": "42"}}))
    reasons = world.dropped(world.spec(), {"team": "ml", "cost": "41"})
    assert reasons == {"gcs-bucket": "label team: 'ml' → absent"}
    labels = bucket_of(world)["labels"]
    assert "team" not in labels
    assert labels["cost"] == "42"


def test_the_review_tells_who_may_what(world: World) -> None:
    found, kept = world.reviewed(world.setup())
    assert TWIN in found[f"who may act as {ACCOUNT}"]
    held = json.loads(found[f"roles on the bucket {BUCKET}"])["bindings"]
    assert {item["role"] for item in held} == {
        "roles/storage.objectAdmin",
        "roles/storage.legacyBucketReader",
    }
    assert kept["public access"] == "prevented"
    assert kept["access lists"] == "off"

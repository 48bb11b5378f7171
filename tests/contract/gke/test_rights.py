"""Checks, and the least rights: enough for what is done, and nothing beside."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status, When
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.provider import ClusterState, Verb
from anyscale_k8s_cli.providers.gcs.bucket import Bucket
from anyscale_k8s_cli.providers.gke import GkeProvider, codes
from anyscale_k8s_cli.providers.gke.policies import BUCKET_PERMISSIONS
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.google.roles import CustomRole
from anyscale_k8s_cli.sandbox.google.seed import GCE_METADATA, ZONAL, NodePoolSeed
from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings
from anyscale_k8s_cli.sandbox.wire import Call
from anyscale_k8s_cli.spec import AccountSpec, CloudSpec, Scope

from .conftest import CLUSTER, World
from .test_adopted import BOTH
from .test_setup import ACCOUNT, BREAKS, BUCKET, KEY, forget

HERE = Scope(account=AccountSpec(project_id="demo"))
# What Google's methods are called, and which permission each needs, where the names differ.
NEEDS = {
    "insert": "create",
    "patch": "update",
    "batchGet": "get",
    "aggregatedList": "list",
}
ROLE = "projects/demo/roles/anyscaleBucket"
# Methods that nobody needs a permission for.
FREE = {"testIamPermissions", "token"}


def granted(verb: Verb) -> set[str]:
    (document,) = GkeProvider(Run()).permissions(verb)
    role = yaml.safe_load(document.text)
    assert role["stage"] == "GA"
    return set(role["includedPermissions"])


def used(calls: list[Call]) -> set[str]:
    """The permissions of the calls that were made as the administrator."""
    found = set()
    for call in calls:
        service, verb = call.operation.service, call.operation.name.rpartition(".")[2]
        if service in ("oauth2", "sts", "iamcredentials") or verb in FREE:
            continue
        kind = call.operation.name.split(".")[-2]
        prefix = {"cloudresourcemanager": "resourcemanager"}.get(service, service)
        found.add(f"{prefix}.{kind}.{NEEDS.get(verb, verb)}")
    return found


def with_all_named(world: World, **more: object) -> CloudSpec:
    """A spec that names what only those need rights for who name it."""
    world.stand_in.project.roles.custom[ROLE] = CustomRole(BUCKET_PERMISSIONS)
    return world.spec(rules={"storage_role": ROLE}, **more)


def check_all(world: World, spec: CloudSpec | None = None) -> dict[str, Finding]:
    spec = spec or world.spec()
    cluster = world.provider.discover(spec)
    return {check.code: check.run() for check in world.provider.checks(spec, cluster)}


def spoil(world: World) -> None:
    """Change by hand all that setup watches."""
    for spoil_setting in BREAKS.values():
        spoil_setting(world)
    account = world.stand_in.project.accounts.get(ACCOUNT)
    forget(world, account.policy, "roles/iam.workloadIdentityUser")
    account.description = account.description.rpartition(" ")[0]
    policy = world.stand_in.buckets.get(BUCKET).policy
    own = any(grant.role == ROLE for grant in policy.grants)
    forget(world, policy, ROLE if own else "roles/storage.objectAdmin")


def only(world: World, verb: Verb) -> None:
    """The administrator has the printed role and nothing besides, on buckets neither."""
    world.stand_in.set_admin_permissions(sorted(granted(verb)))


# The way to a cluster by its DNS endpoint, which Kubernetes itself checks.
BY_THE_CLUSTER = {"container.clusters.connect"}


def test_setup_needs_no_more_and_uses_all_that_its_role_grants(world: World) -> None:
    only(world, Verb.SETUP)

    def all_of_it() -> None:
        spec = with_all_named(world)
        assert check_all(world, spec)["gcp-permissions"].status is Status.PASS
        world.setup(spec)
        spoil_as_owner(world)
        assert check_all(world, spec)["gcp-permissions"].status is Status.PASS
        world.setup(spec)
        assert look_at_load_balancers(world) == ""

    asked = used(world.calls(all_of_it))
    assert asked == granted(Verb.SETUP) - BY_THE_CLUSTER


def look_at_load_balancers(world: World) -> str:
    spec = world.spec()
    cluster = world.provider.discover(spec)
    install = world.install(spec, cluster)
    asked = world.provider.load_balancer(spec, cluster, install, None)  # type: ignore[arg-type]
    assert asked.unlike is not None
    return asked.unlike("203.0.113.9")


def test_who_may_not_see_load_balancers_is_not_stopped(world: World) -> None:
    rights = granted(Verb.SETUP) - {"compute.forwardingRules.list"}
    world.stand_in.set_admin_permissions(sorted(rights))
    assert check_all(world)["gcp-permissions"].status is Status.WARN
    assert look_at_load_balancers(world) == ""


def spoil_as_owner(world: World) -> None:
    world.stand_in.set_admin_permissions(None)
    spoil(world)
    only(world, Verb.SETUP)


def test_a_plan_needs_no_more_and_uses_all_that_its_role_grants(world: World) -> None:
    world.setup()
    only(world, Verb.PLAN)
    # Somebody else, who knows nothing yet.
    world = replace(world)

    def all_of_it() -> None:
        assert set(world.changes().values()) == {"none"}
        check_all(world, with_all_named(world))
        assert look_at_load_balancers(world) == ""

    assert used(world.calls(all_of_it)) == granted(Verb.PLAN) - BY_THE_CLUSTER


def test_delete_needs_no_more_and_uses_all_that_its_role_grants(world: World) -> None:
    side = world.setup()
    world.prove(side)
    only(world, Verb.DELETE)

    def work() -> None:
        provider = world.elsewhere()
        (install,) = provider.search(HERE, "prod").installs
        provider.cluster_state(install)
        provider.discover(provider.locate(install))
        for item in sorted(provider.find_owned(HERE, install), key=lambda item: -len(item.needs)):
            observed = item.read()
            assert observed is not None
            if isinstance(item, Bucket):
                item.forget_cluster(observed)
                item.contents(observed)
            item.delete(observed)
        provider.load_balancer_left(install, ["203.0.113.9"])

    assert used(world.calls(work)) == granted(Verb.DELETE) - BY_THE_CLUSTER


def test_verify_needs_no_more_and_uses_all_that_its_role_grants(world: World) -> None:
    world.setup()
    only(world, Verb.VERIFY)
    world = replace(world)

    def work() -> None:
        (install,) = world.provider.search(HERE, "prod").installs
        named = with_all_named(world).rules
        spec = world.provider.locate(install).model_copy(update={"rules": named})
        cluster = world.provider.discover(spec)
        for check in world.provider.checks(spec, cluster):
            assert When.VERIFY not in check.check.when or check.run().status is Status.PASS
        assert set(world.changes().values()) == {"none"}
        assert look_at_load_balancers(world) == ""
        assert world.provider.cluster_state(install) is ClusterState.PRESENT

    assert used(world.calls(work)) == granted(Verb.VERIFY) - BY_THE_CLUSTER


# -- permissions -----------------------------------------------------------------------


def without(world: World, *permissions: str) -> None:
    world.stand_in.set_admin_permissions(sorted(granted(Verb.SETUP) - set(permissions)))


def test_who_owns_the_project_passes(world: World) -> None:
    findings = check_all(world)
    assert {finding.status for finding in findings.values()} == {Status.PASS}
    assert set(findings) == {
        *("gke-workload-identity", "gke-pool-metadata", "gcp-apis", "gcp-permissions"),
        *("gcp-load-balancer-quota", "gcp-read-permissions"),
    }


def test_what_is_denied_fails_before_it_is_needed(world: World) -> None:
    without(world, "iam.serviceAccounts.create")
    finding = check_all(world)["gcp-permissions"]
    assert finding.status is Status.FAIL
    assert finding.evidence == ("iam.serviceAccounts.create on project demo",)
    first, second, last = finding.fix.splitlines()
    assert first.endswith("--permissions=iam.serviceAccounts.create")
    assert f"--member=serviceAccount:{world.stand_in.admin.email}" in second
    assert second.split("/roles/")[1].split()[0] in first
    assert "run the same command again" in last
    assert "cloud permissions --provider gke --verb setup" in last


def test_what_is_there_needs_no_making(world: World) -> None:
    world.setup()
    without(world, "iam.serviceAccounts.create", "storage.buckets.create")
    assert check_all(world)["gcp-permissions"].status is Status.PASS


def test_what_one_may_not_change_is_a_warning(world: World) -> None:
    world.setup()
    without(world, "iam.serviceAccounts.update", "storage.buckets.setIamPolicy")
    finding = check_all(world)["gcp-permissions"]
    assert finding.status is Status.WARN
    assert finding.evidence == (
        f"storage.buckets.setIamPolicy on {BUCKET}",
        f"iam.serviceAccounts.update on {ACCOUNT}",
    )


def test_roles_on_single_objects_count(world: World) -> None:
    """They are of use once the object is there."""
    world.setup()
    without(world, "iam.serviceAccounts.setIamPolicy", "iam.serviceAccounts.update")
    policy = world.stand_in.project.accounts.get(ACCOUNT).policy
    admin = world.stand_in.admin
    owner = next(g for g in world.stand_in.project.policy.grants if g.uid == admin.unique_id)
    policy.grants.append(replace(owner, role="roles/iam.serviceAccountAdmin"))
    assert check_all(world)["gcp-permissions"].status is Status.PASS


def test_what_the_user_has_needs_no_rights(world: World) -> None:
    without(
        world,
        *(name for name in granted(Verb.SETUP) if name.startswith(("iam.", "storage."))),
    )
    assert check_all(world)["gcp-permissions"].status is Status.FAIL
    assert check_all(world, world.spec(**BOTH))["gcp-permissions"].status is Status.PASS


# -- one permission less -----------------------------------------------------------------

NAMED = re.compile(
    r"(?<![\w.@])(?:compute|container|iam|resourcemanager|serviceusage|storage)\.\w+\.\w+"
)


def told_before_anything_is_made(world: World, *codes: str) -> str:
    """By the checks of these names, or by what looking ended with."""
    spec = with_all_named(world)
    try:
        cluster = world.provider.discover(spec)
    except CliError as problem:
        return f"{problem.code.slug}: {problem}"
    findings = [item.run() for item in world.provider.checks(spec, cluster) if item.code in codes]
    assert {item.status for item in findings} != {Status.PASS}
    return " ".join(text for item in findings for text in (item.detail, *item.evidence))


@pytest.mark.parametrize(
    ("verb", "code"),
    [(Verb.SETUP, "gcp-permissions"), (Verb.VERIFY, "gcp-read-permissions")],
    ids=["setup", "verify"],
)
def test_each_permission_that_is_taken_away_is_named(world: World, verb: Verb, code: str) -> None:
    def one_by_one() -> None:
        for taken in sorted(granted(verb)):
            world.stand_in.set_admin_permissions(sorted(granted(verb) - {taken}))
            told = told_before_anything_is_made(replace(world), code)
            assert set(NAMED.findall(told)) == {taken}, told
            assert " on " in told or told.startswith(f"{errors.FORBIDDEN.slug}: "), told

    assert not world.writes(one_by_one)


def test_each_permission_of_delete_that_is_taken_away_is_named(world: World) -> None:
    """The bucket goes; or stays, and the cluster's UID is taken off it."""
    _, install = world.installed()

    def preflight(taken: str) -> str:
        provider = world.elsewhere()
        try:
            unsearched = provider.search(HERE, "prod").unsearched
            provider.discover(provider.locate(install))
            owned = provider.find_owned(HERE, install)
            for item in owned:
                item.observed = item.read()
            if unsearched:
                return " ".join(unsearched)
        except CliError as problem:
            return str(problem)
        staying = [item for item in owned if isinstance(item, Bucket)]
        kept = taken == "storage.buckets.update"
        going = [item for item in owned if not (kept and item in staying)]
        found = provider.removal_rights(install, going, staying if kept else [])
        stops = taken != "container.clusters.get"
        assert found.status is (Status.FAIL if stops else Status.WARN), taken
        return " ".join((found.detail, *found.evidence))

    def one_by_one() -> None:
        for taken in sorted(granted(Verb.DELETE) - BY_THE_CLUSTER):
            world.stand_in.set_admin_permissions(sorted(granted(Verb.DELETE) - {taken}))
            told = preflight(taken)
            assert set(NAMED.findall(told)) == {taken}, told

    assert not world.writes(one_by_one)


def test_a_basic_role_sets_up_what_it_makes(start: Callable[[GoogleSettings], World]) -> None:
    """The project does not tell it, and the bucket is made with it."""
    world = start(GoogleSettings(clusters=(CLUSTER,)))
    finding = check_all(world)["gcp-permissions"]
    assert finding.status is Status.PASS
    world.setup()


# -- quotas ----------------------------------------------------------------------------


def test_room_for_a_load_balancer_is_told(world: World) -> None:
    """By Google's own names; nobody is stopped by it, and who may not ask is told so."""
    found = check_all(world)["gcp-load-balancer-quota"]
    assert "IN_USE_ADDRESSES of us-central1: limit 575, used 0, needed 1" in found.detail
    world.stand_in.balancing.limits["EXTERNAL_NETWORK_LB_FORWARDING_RULES"] = 0
    found = check_all(world)["gcp-load-balancer-quota"]
    assert found.status is Status.WARN
    assert found.detail.endswith("us-central1: limit 0, used 0, needed 1")
    without(world, "compute.regions.get")
    assert check_all(world)["gcp-load-balancer-quota"].status is Status.UNKNOWN


# -- the cluster -----------------------------------------------------------------------


def started(start: Callable[[GoogleSettings], World], *pools: NodePoolSeed) -> World:
    return start(GoogleSettings(clusters=(replace(CLUSTER, node_pools=pools), ZONAL)))


def pool(name: str, mode: str) -> NodePoolSeed:
    return NodePoolSeed(name, "n2-standard-8", 1, metadata_mode=mode)


def test_a_cluster_without_workload_identity(start: Callable[[GoogleSettings], World]) -> None:
    world = start(GoogleSettings(clusters=(replace(CLUSTER, workload_identity=False),)))
    spec = world.spec()
    cluster = world.provider.discover(spec)
    checks = {check.code: check for check in world.provider.checks(spec, cluster)}
    check = checks["gke-workload-identity"]
    assert check.check.error is codes.WORKLOAD_IDENTITY_OFF
    finding = check.run()
    assert finding.status is Status.FAIL
    assert finding.fix.endswith("--workload-pool=demo.svc.id.goog")


def test_no_pool_gives_pods_their_identity(start: Callable[[GoogleSettings], World]) -> None:
    world = started(start, pool("one", GCE_METADATA), pool("two", GCE_METADATA))
    finding = check_all(world)["gke-workload-identity"]
    assert finding.status is Status.FAIL
    assert finding.evidence == ("one: GCE_METADATA", "two: GCE_METADATA")
    assert finding.fix == " && ".join(
        f"gcloud container node-pools update {name} --cluster demo --location us-central1 "
        "--project demo --workload-metadata=GKE_METADATA"
        for name in ("one", "two")
    )


def test_some_pools_give_pods_their_identity(start: Callable[[GoogleSettings], World]) -> None:
    world = started(start, pool("old", GCE_METADATA), pool("new", "GKE_METADATA"))
    findings = check_all(world)
    assert findings["gke-workload-identity"].status is Status.PASS
    assert findings["gke-pool-metadata"].status is Status.WARN
    assert "pods on old" in findings["gke-pool-metadata"].detail


def test_apis_that_are_off(world: World) -> None:
    world.stand_in.project.enabled -= {"sts", "iamcredentials"}
    finding = check_all(world)["gcp-apis"]
    assert finding.status is Status.FAIL
    assert finding.fix == (
        "gcloud services enable iamcredentials.googleapis.com sts.googleapis.com --project demo"
    )


@pytest.mark.parametrize(
    ("off", "denied"), [("serviceusage", ()), ("", ("serviceusage.services.get",))]
)
def test_who_may_not_ask_gets_no_verdict(world: World, off: str, denied: tuple[str, ...]) -> None:
    world.stand_in.project.enabled.discard(off)
    without(world, *denied)
    assert check_all(world)["gcp-apis"].status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("key", "status"),
    [(KEY, Status.PASS), (KEY.replace("us-central1", "europe-west4"), Status.FAIL)],
)
def test_a_key_is_to_be_where_the_bucket_is(world: World, key: str, status: Status) -> None:
    finding = check_all(world, world.spec(rules={"kms_key": key}))["gcp-kms-key"]
    assert finding.status is status


def test_a_named_subnet_must_fit_the_cluster(world: World) -> None:
    def found(name: str) -> Finding:
        network = {"expose": "internal", "load_balancer_subnets": [name]}
        return check_all(world, world.spec(network=network))["gke-subnet-named"]

    assert found("private").detail == "private of default"
    for name, why in (
        ("lost", "has no subnet lost"),
        ("proxies", "kept for REGIONAL_MANAGED_PROXY"),
        ("elsewhere", "networks/other, and the cluster of"),
    ):
        finding = found(name)
        assert finding.status is Status.FAIL
        assert why in finding.detail
        assert "gcloud compute networks subnets list --project demo" in finding.fix
    assert "gke-subnet-named" not in check_all(world)
    without(world, "compute.subnetworks.get")
    assert found("private").status is Status.UNKNOWN

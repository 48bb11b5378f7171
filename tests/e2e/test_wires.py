"""Wrong wires are told apart: whatever is broken, the cause is named, and the fix mends it.

A break is made behind the tool's back. `status` names it and gives one command; what
is ours to mend, that command mends, pasted into a shell. Of what is not, `setup` tells
whose it is, with its own code. That each fault alone is told by its own check, `test_faults`
tries on every platform.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule
from anyscale_k8s_cli.sandbox.world import EksWorld, World
from tests import aws_cli
from tests.by_hand import ByHand
from tests.processes import UNTRIED, Ended, Sandbox, eventually, finished

WORLD = World(platforms=("eks",), eks=EksWorld(gpu_nodes=False))
STATUS_SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "status.json"

WHERE = (
    *("--provider", "eks", "--cluster-name", "demo", "--region", "us-west-2", "--name", "prod"),
    *("--kms-key", "alias/team-data"),
)
# Nobody waits for minutes here for what never comes.
IMPATIENT = "timeouts:\n  load_balancer: 3\n  operator: 8\n  identity: 6\n"
NAMESPACE = "/api/v1/namespaces/anyscale-operator"
ROLE = "anyscale-prod-92c04b15-operator"
BUCKET = "anyscale-prod-92c04b15"


@dataclass(frozen=True)
class Site:
    """A cloud in a sandbox, somebody who spoils it, and a shell."""

    sandbox: Sandbox
    hand: ByHand
    folder: Path

    def words(self) -> tuple[str, ...]:
        file = self.folder / "cloud.yaml"
        file.write_text(IMPATIENT)
        return ("cloud", "setup", *WHERE, "-f", str(file), *UNTRIED, "--yes", "-o", "json")

    def setup(self, *more: str, env: Mapping[str, str] | None = None) -> Ended:
        return self.sandbox.anyscale(*self.words(), *more, env=env)

    def status(self) -> Ended:
        return self.sandbox.anyscale("cloud", "status", "prod", "-o", "json")

    def features(self, exit_code: int) -> dict[str, dict[str, Any]]:
        """What works, by names; the command ends as without them."""
        ended = self.sandbox.anyscale("cloud", "status", "prod", "--features", "-o", "json")
        assert ended.code == exit_code, ended.out + ended.err
        schema = json.loads(STATUS_SCHEMA.read_text(encoding="utf-8"))
        jsonschema.validate(ended.document, schema)
        return {item["name"]: item for item in ended.document["features"]}

    def paste(self, command: str, env: Mapping[str, str] | None = None) -> Ended:
        """What a person does with a printed command; `--yes` stands for their answer."""
        if command.startswith("anyscale cloud setup"):
            words = shlex.split(command)[1:]
            return self.sandbox.anyscale(*words, *UNTRIED, "--yes", "-o", "json", env=env)
        tools = self.folder / "tools"
        tools.mkdir(exist_ok=True)
        aws = tools / "aws"
        aws.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{aws_cli.__file__}" "$@"\n')
        aws.chmod(0o700)
        environment = {**self.sandbox.environment, **(env or {})}
        environment["PATH"] = f"{tools}:{environment['PATH']}"
        return finished(["sh", "-c", command], environment, self.sandbox.record.directory)

    @property
    def registered(self) -> dict[str, Any]:
        api = self.hand.control_plane
        [cloud] = api.get("clouds/").json()["results"]
        [resource] = api.get(f"clouds/{cloud['id']}/resources").json()["results"]
        return dict(resource)

    @property
    def resource_id(self) -> str:
        return str(self.registered["cloud_resource_id"])

    @property
    def reported(self) -> str:
        """What the control plane holds of the operator."""
        return str(self.registered["operator_status"])


def site_in(sandbox: Sandbox, folder: Path) -> Site:
    return Site(sandbox, ByHand(sandbox.environment), folder)


@pytest.fixture(scope="module")
def site(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A healthy cloud, which each test leaves healthy."""
    made = site_in(sandbox, tmp_path_factory.mktemp("site"))
    ended = made.setup()
    assert ended.code == 0, ended.err
    return made


def well(ended: Ended) -> bool:
    return ended.code == 0 and ended.document["health"] == "HEALTHY"


# -- what is ours to mend ------------------------------------------------------------------


def delete_in_console(site: Site) -> None:
    """Deleted clouds are listed for a moment more."""
    [cloud] = site.sandbox.admin.break_("registration")

    def gone() -> bool:
        listed = site.hand.control_plane.get("clouds/").json()["results"]
        return cloud not in {item["id"] for item in listed}

    eventually(gone)


def another_registration(site: Site) -> None:
    """Somebody deletes the cloud in the console and registers the same cluster again."""
    api, resource = site.hand.control_plane, site.registered
    [cloud] = api.get("clouds/").json()["results"]
    delete_in_console(site)
    fields = (
        *("name", "provider", "region", "compute_stack", "is_k8s", "auto_add_user"),
        *("is_bring_your_own_resource", "cluster_management_stack_version"),
    )
    asked = {name: cloud[name] for name in fields} | {"credentials": "0123456789abcdef"}
    made = api.post("clouds/", json=asked).json()["result"]
    again = ("name", "provider", "compute_stack", "region", "object_storage", "kubernetes_config")
    payload = {**{name: resource[name] for name in again}, "aws_config": {}}

    def added() -> bool:
        # A new cloud takes no resources for a while.
        try:
            api.put(f"clouds/{made['id']}/add_resource", json=payload)
        except AssertionError:
            return False
        return True

    eventually(added)


def pods(site: Site) -> str:
    return site.hand.kubernetes.get(f"{NAMESPACE}/pods").text


def test_status_names_the_cause_and_its_command_mends_it(site: Site) -> None:
    before = site.resource_id
    another_registration(site)
    ended = site.status()
    assert ended.code == 6, ended.out
    document = ended.document
    assert "the operator is bound to cldrsrc_" in document["cause"]
    assert "the cluster is registered as cldrsrc_" in document["cause"]
    assert "error" not in document
    mended = site.paste(document["command"])
    assert well(mended), mended.out + mended.err
    assert site.resource_id != before


def test_a_feature_that_does_not_work_is_mended_by_what_it_says(site: Site) -> None:
    whole = site.features(0)
    assert {name for name, item in whole.items() if item["verdict"] == "works"} == {
        "console-logs",
        "services",
        "zero-downtime",
    }
    assert all(item["fix"] for item in whole.values() if item["verdict"] != "works")
    site.hand.aws("s3").delete_bucket_cors(Bucket=BUCKET)
    told = site.features(6)
    logs = told.pop("console-logs")
    assert logs["verdict"] == "no"
    assert "does not allow" in logs["detail"]
    assert told == {name: item for name, item in whole.items() if name != "console-logs"}
    assert well(site.paste(logs["fix"]))
    assert site.features(0) == whole


def test_a_cloud_that_was_deleted_in_the_console_is_registered_again(site: Site) -> None:
    before = site.resource_id
    delete_in_console(site)
    ended = site.status()
    assert ended.code == 1
    error = ended.document["error"]
    assert error["code"] == "cloud-not-found", error
    assert "namespace anyscale-operator" in error["cause"]
    assert "anyscale cloud delete prod" in "".join(error["evidence"])
    mended = site.paste(error["fix"])
    assert well(mended), mended.out + mended.err
    assert site.resource_id != before


# -- what is not ours to mend --------------------------------------------------------------


def test_a_load_balancer_that_never_answers(site: Site) -> None:
    """Whoever serves load balancers has stopped: nobody says so, and setup does not wait long."""
    site.sandbox.admin.break_("load-balancer", platform="eks")
    told = site.status()
    assert told.code == 6
    assert "nobody answers for Service envoy-anyscale-operator-gateway" in told.document["cause"]
    assert "AWS Load Balancer Controller should" in told.document["cause"]
    logs = told.document["command"]
    assert logs.startswith("kubectl --server https://")
    assert logs.endswith("logs --namespace kube-system deployment/aws-load-balancer-controller")
    ended = site.setup()
    assert ended.code == 3
    error = ended.document["error"]
    assert (error["code"], error["exit_code"]) == ("no-address", 3)
    assert error["cause"] == told.document["cause"].partition(": ")[2]
    assert any(line.startswith("Programmed=False") for line in error["evidence"])
    assert error["fix"].startswith(logs)
    site.sandbox.admin.mend("load-balancer")
    assert well(site.setup())


def test_a_bucket_whose_policy_denies(site: Site) -> None:
    s3 = site.hand.aws("s3")
    arn = f"arn:aws:iam::284710593866:role/anyscale-k8s/prod/{ROLE}"
    deny = {
        "Effect": "Deny",
        "Principal": {"AWS": arn},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
    }
    s3.put_bucket_policy(Bucket=BUCKET, Policy=policy(deny))
    eventually(lambda: site.reported == "UNHEALTHY")
    told = site.status().document
    assert "the operator reports STORAGE_BUCKET: failed to write to bucket" in told["cause"]
    assert "with an explicit deny in a resource-based policy" in told["cause"]
    ended = site.setup()
    assert ended.code == 2
    error = ended.document["error"]
    assert error["code"] == "bucket-denied"
    assert f"{ROLE} may not s3:PutObject in the bucket {BUCKET}" in error["message"]
    assert error["fix"].startswith(f"aws s3api get-bucket-policy --bucket {BUCKET} ")
    assert site.paste(error["fix"].splitlines()[0]).code == 0
    s3.delete_bucket_policy(Bucket=BUCKET)
    eventually(lambda: site.reported == "HEALTHY")


def test_a_key_that_is_disabled(site: Site) -> None:
    [key] = site.sandbox.admin.break_("kms-key")
    eventually(lambda: site.reported == "UNHEALTHY")
    told = site.status().document
    assert "KMS.DisabledException" in told["cause"]
    # The options of the setup are in the command, or it would take the key away.
    assert "--kms-key alias/team-data" in told["command"]
    ended = site.paste(told["command"])
    assert ended.code == 1
    error = ended.document["error"]
    assert error["code"] == "adopted-unfit"
    assert error["cause"] == f"{key} is Disabled"
    assert error["fix"].startswith(f"aws kms enable-key --region us-west-2 --key-id {key}")
    waived = site.setup("--waive", "aws-kms-key")
    assert waived.code == 2
    assert waived.document["error"]["code"] == "bucket-denied"
    assert waived.document["error"]["fix"].startswith("aws s3api get-bucket-encryption")
    site.sandbox.admin.mend("kms-key")
    eventually(lambda: site.reported == "HEALTHY")


def test_nodes_without_room(site: Site) -> None:
    nodes = site.hand.kubernetes.get("/api/v1/nodes").json()["items"]
    paths = [f"/api/v1/nodes/{node['metadata']['name']}" for node in nodes]
    for path in paths:
        site.hand.patch(path, {"spec": {"unschedulable": True}})
    for pod in site.hand.kubernetes.get(f"{NAMESPACE}/pods").json()["items"]:
        site.hand.delete(f"{NAMESPACE}/pods/{pod['metadata']['name']}")
    eventually(lambda: "Unschedulable" in pods(site))
    told = site.status()
    assert told.code == 6
    assert f"Unschedulable: 0/{len(nodes)} nodes are available" in told.document["cause"]
    ended = site.setup()
    failed(ended, 6, "checks-failed")
    assert f"that they are cordoned ({len(nodes)} of {len(nodes)})" in ended.out
    for path in paths:
        site.hand.patch(path, {"spec": {"unschedulable": None}})
    assert well(site.setup())


# -- before anything is there, and while it is made ------------------------------------------


def held(operation: str, service: str) -> FaultRule:
    """The first call of an operation waits until the faults are cleared, and goes on."""
    return FaultRule(FaultKind.LATENCY, service=service, operation=operation, seconds=120)


def test_a_first_setup_meets_one_wrong_wire_after_another(
    new_sandbox: Callable[..., Sandbox], tmp_path: Path
) -> None:
    """Each ends the setup with its own code and cause; mended, the same command goes on."""
    # What is spoiled here is seen at once.
    site = site_in(
        new_sandbox(replace(WORLD, eks=EksWorld(refused_attempts=0, gpu_nodes=False))), tmp_path
    )
    admin = site.sandbox.admin

    admin.inject(held("AssumeRoleWithWebIdentity", "sts"))
    ended = while_it_waits(site, lambda: admin.break_("role-trust"))
    failed(ended, 2, "eks-trust-mismatch")
    evidence = "".join(ended.document["error"]["evidence"])
    assert "elsewhere:nobody" in evidence

    refused = FaultRule(FaultKind.ERROR, service="anyscale", operation=ADMISSION, times=0)
    admin.inject(refused)
    ended = site.setup()
    failed(ended, 2, "helm-failed")
    assert "instance types could not be validated" in ended.document["error"]["cause"]
    admin.clear_faults()

    ended = site.setup("--values", str(values(tmp_path, image={"image": "no-such-image"})))
    failed(ended, 3, "timed-out")
    assert "ImagePullBackOff" in ended.document["error"]["cause"]

    wish = {"requests": {"cpu": 100}}
    ended = site.setup("--values", str(values(tmp_path, resources=wish)))
    failed(ended, 2, "operator-unhealthy")
    assert "Insufficient cpu" in ended.document["error"]["cause"]

    assert well(site.setup())


ADMISSION = "POST /api/v2/kubernetes_manager/admission/*"


def values(folder: Path, **container: Any) -> Path:
    """A file of the user's own values for the operator's container."""
    file = folder / "values.yaml"
    file.write_text(json.dumps({"operator": {"container": container}}))
    return file


def failed(ended: Ended, exit_code: int, code: str) -> None:
    """It ended with that code and with nothing else."""
    assert ended.code == exit_code, ended.out + ended.err
    error = ended.document["error"]
    assert (error["code"], error["exit_code"]) == (code, exit_code), error


def code_of(ended: Ended) -> str:
    return str(ended.document["error"]["code"])


def while_it_waits(
    site: Site, spoil: Callable[[], Any], env: Mapping[str, str] | None = None
) -> Ended:
    """Spoil something while a setup waits at the call that is held, and let it go on."""
    running = site.sandbox.start(*site.words(), env=env)
    eventually(lambda: any(rule["fired"] for rule in site.sandbox.admin.faults()), 120)
    spoil()
    site.sandbox.admin.clear_faults()
    out, err = running.communicate(timeout=120)
    return Ended(running.returncode, out, err)


# -- who is asking -----------------------------------------------------------------------------


def test_a_token_that_is_over(site: Site) -> None:
    site.sandbox.admin.break_("token")
    for ended in (site.status(), site.setup()):
        failed(ended, 4, "token-rejected")
    fix = ended.document["error"]["fix"]
    # A login alone would change nothing: the variable wins over the file.
    assert fix == "unset ANYSCALE_CLI_TOKEN && anyscale login"
    assert site.paste(f"{fix} && anyscale cloud list").code == 0
    site.sandbox.admin.mend("token")


def test_the_printed_commands_let_somebody_into_the_cluster(site: Site) -> None:
    outsider = site.sandbox.admin.outsider()
    refused = site.setup("--dry-run", env=outsider)
    assert (refused.code, code_of(refused)) == (4, "cluster-unauthenticated")
    granted = site.paste(refused.document["error"]["fix"])
    assert granted.code == 0, granted.err
    assert site.setup("--dry-run", env=outsider).code == 0


def test_what_others_may_take_along_is_a_warning(site: Site) -> None:
    """The provider without our mark serves us as before, until another install goes."""
    iam = site.hand.aws("iam")
    [provider] = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    tags = iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=provider["Arn"])["Tags"]
    mark = next(tag for tag in tags if tag["Key"].startswith("anyscale-k8s/user-"))
    iam.untag_open_id_connect_provider(
        OpenIDConnectProviderArn=provider["Arn"], TagKeys=[mark["Key"]]
    )
    looked = site.status()
    [check] = [item for item in looked.document["checks"] if item["code"] == "operator-identity"]
    assert (looked.code, check["status"]) == (0, "warn"), looked.err
    assert "not marked" in check["detail"]
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"], Tags=[mark])


def test_credentials_that_end_in_the_middle(site: Site) -> None:
    """What is begun with a session that ends is gone on with by the next."""
    admin = site.sandbox.admin
    session = session_of(site)
    eventually(lambda: site.setup("--dry-run", env=session).code == 0, 60)
    admin.break_("oidc-provider")
    admin.inject(held("CreateOpenIDConnectProvider", "iam"))
    ended = while_it_waits(site, admin.expire_sessions, session)
    failed(ended, 4, "cloud-credentials-rejected")
    error = ended.document["error"]
    assert error["message"] == "Your AWS credentials have expired"
    assert "AWS_" in error["fix"]
    assert "run the same command again" in error["fix"]
    assert well(site.setup())


def session_of(site: Site) -> dict[str, str]:
    """Variables of a session of a role that may do everything, in the cluster too."""
    iam, eks = site.hand.aws("iam"), site.hand.aws("eks")
    root = "arn:aws:iam::284710593866:root"
    trust = {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:AssumeRole"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    role = iam.create_role(RoleName="ci", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="ci", PolicyName="all", PolicyDocument=policy(everything))
    eks.create_access_entry(clusterName="demo", principalArn=role)
    eks.associate_access_policy(
        clusterName="demo",
        principalArn=role,
        policyArn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
        accessScope={"type": "cluster"},
    )
    # STS learns of a new role a moment later than IAM.
    eventually(lambda: assumed(site, role) is not None)
    keys = assumed(site, role)
    assert keys is not None
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }


def assumed(site: Site, role: str) -> Any:
    sts = site.hand.aws("sts")
    try:
        return sts.assume_role(RoleArn=role, RoleSessionName="job")["Credentials"]
    except sts.exceptions.ClientError as refused:
        if refused.response["Error"]["Code"] != "AccessDenied":
            raise
        return None


def policy(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

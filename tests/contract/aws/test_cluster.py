"""What an EKS cluster asks of AWS, and what AWS tells of the cluster."""

from __future__ import annotations

import base64
import copy
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from botocore.signers import RequestSigner

from anyscale_k8s_cli.sandbox.aws.nodes import nodes
from anyscale_k8s_cli.sandbox.aws.seed import (
    ACCOUNT_ID,
    ADDONS,
    POD_IDENTITY_AGENT,
    TEAM_DATA,
    AccessEntrySeed,
    EksClusterSeed,
)
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings

NODE_ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/demo-node"
DEMO = EksClusterSeed(
    describes_while_creating=1,
    addons=(*ADDONS, POD_IDENTITY_AGENT),
    access_entries=(AccessEntrySeed(NODE_ROLE, "system:node:x", ("system:nodes",)),),
)
POD = {
    "metadata": {"name": "p", "namespace": "ns"},
    "spec": {
        "serviceAccountName": "sa",
        "initContainers": [{"name": "i", "image": "x"}],
        "containers": [{"name": "c", "image": "x", "env": [{"name": "AWS_REGION", "value": "z"}]}],
    },
}
PODS_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }
    ],
}


@pytest.fixture
def settings() -> AwsSettings:
    return AwsSettings(clusters=(DEMO,), buckets=(TEAM_DATA,))


def eks_token(aws: Any, cluster: str, *, lifetime: int = 60, region: str = "us-west-2") -> str:
    """As `aws eks get-token` makes it."""
    sts = aws.client("sts", region)
    signer: RequestSigner = sts._request_signer
    request = {
        "method": "GET",
        "url": f"{aws.stand_in.url}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster},
        "context": {},
    }
    url = signer.generate_presigned_url(
        request, region_name=region, expires_in=lifetime, operation_name=""
    )
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def pods_role(aws: Any, name: str = "pods") -> str:
    role = aws.client("iam").create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps(PODS_TRUST)
    )
    return str(role["Role"]["Arn"])


# -- the cluster ------------------------------------------------------------------


def test_cluster_is_creating_before_it_is_active(aws: Any, refused: Any) -> None:
    eks = aws.client("eks")
    aws.stand_in.set_endpoint("demo", "https://127.0.0.1:6443", b"-----BEGIN")
    assert eks.list_clusters()["clusters"] == ["demo"]
    cluster = eks.describe_cluster(name="demo")["cluster"]
    assert cluster["status"] == "CREATING"
    assert "endpoint" not in cluster
    cluster = eks.describe_cluster(name="demo")["cluster"]
    assert (cluster["status"], cluster["version"]) == ("ACTIVE", "1.33")
    assert cluster["endpoint"] == "https://127.0.0.1:6443"
    assert base64.b64decode(cluster["certificateAuthority"]["data"]) == b"-----BEGIN"
    assert cluster["identity"]["oidc"]["issuer"] == aws.issuer.url
    assert cluster["computeConfig"] == {"enabled": False}
    with refused("ResourceNotFoundException", "No cluster found for name: nope."):
        eks.describe_cluster(name="nope")
    assert aws.client("eks", "eu-west-1").list_clusters()["clusters"] == []


def test_node_groups_addons_and_entries(aws: Any, refused: Any) -> None:
    eks = aws.client("eks")
    assert eks.list_nodegroups(clusterName="demo")["nodegroups"] == ["cpu", "gpu"]
    gpu = eks.describe_nodegroup(clusterName="demo", nodegroupName="gpu")["nodegroup"]
    assert gpu["amiType"] == "AL2023_x86_64_NVIDIA"
    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}
    assert gpu["taints"] == [taint]
    agent = eks.describe_addon(clusterName="demo", addonName="eks-pod-identity-agent")["addon"]
    assert agent["status"] == "ACTIVE"
    with refused("ResourceNotFoundException"):
        eks.describe_addon(clusterName="demo", addonName="aws-ebs-csi-driver")
    entries = eks.list_access_entries(clusterName="demo")["accessEntries"]
    assert entries == [f"arn:aws:iam::{ACCOUNT_ID}:user/demo-admin", NODE_ROLE]
    entry = eks.describe_access_entry(clusterName="demo", principalArn=NODE_ROLE)["accessEntry"]
    assert entry["username"] == "system:node:x"


def test_deleted_cluster_is_gone(aws: Any, refused: Any) -> None:
    aws.stand_in.delete_cluster("demo")
    with refused("ResourceNotFoundException"):
        aws.client("eks").describe_cluster(name="demo")
    ec2 = aws.client("ec2")
    assert ec2.describe_vpcs()["Vpcs"][0]["VpcId"] == DEMO.vpc_id
    assert ec2.describe_security_groups()["SecurityGroups"] == []


def test_network_of_the_cluster(aws: Any, refused: Any) -> None:
    ec2 = aws.client("ec2")
    cluster = aws.client("eks").describe_cluster(name="demo")["cluster"]["resourcesVpcConfig"]
    subnets = ec2.describe_subnets(SubnetIds=cluster["subnetIds"])["Subnets"]
    assert {subnet["VpcId"] for subnet in subnets} == {cluster["vpcId"]}
    assert {subnet["AvailabilityZone"] for subnet in subnets} == set(DEMO.zones)
    public = ec2.describe_subnets(
        Filters=[{"Name": "tag:kubernetes.io/role/elb", "Values": ["1"]}]
    )["Subnets"]
    assert len(public) == 3
    group = ec2.describe_security_groups(GroupIds=[cluster["clusterSecurityGroupId"]])
    assert group["SecurityGroups"][0]["VpcId"] == cluster["vpcId"]
    with refused("InvalidSubnetID.NotFound"):
        ec2.describe_subnets(SubnetIds=["subnet-0"])


def test_quotas(aws: Any, refused: Any) -> None:
    quotas = aws.client("service-quotas")
    quota = quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-DB2E81BA")["Quota"]
    assert quota["Value"] == 64.0
    listed = quotas.list_service_quotas(ServiceCode="elasticloadbalancing")["Quotas"]
    assert "L-69A177A2" in {quota["QuotaCode"] for quota in listed}
    with refused("NoSuchResourceException"):
        quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-0")


def test_tagging_api_finds_buckets_but_no_roles(aws: Any) -> None:
    iam = aws.client("iam")
    tags = [{"Key": "team", "Value": "ml"}]
    iam.create_role(RoleName="tagged", AssumeRolePolicyDocument=json.dumps(PODS_TRUST), Tags=tags)
    tagging = aws.client("resourcegroupstaggingapi")
    found = tagging.get_resources(TagFilters=[{"Key": "team", "Values": ["ml"]}])
    arns = [item["ResourceARN"] for item in found["ResourceTagMappingList"]]
    assert arns == ["arn:aws:s3:::team-data"]
    elsewhere = aws.client("resourcegroupstaggingapi", "eu-west-1").get_resources()
    assert elsewhere["ResourceTagMappingList"] == []


def test_nodes_carry_what_the_operator_selects_by() -> None:
    cpu, _, gpu = nodes(DEMO)
    assert cpu["metadata"]["labels"]["eks.amazonaws.com/capacityType"] == "ON_DEMAND"
    assert cpu["metadata"]["labels"]["topology.kubernetes.io/zone"] == "us-west-2a"
    assert gpu["metadata"]["labels"]["nvidia.com/gpu.product"] == "Tesla-T4"
    assert "nvidia.com/gpu" not in gpu["status"]["allocatable"]
    assert gpu["spec"]["taints"][0]["key"] == "nvidia.com/gpu"
    assert len({node["metadata"]["name"] for node in nodes(DEMO)}) == 3


# -- tokens -------------------------------------------------------------------------


def test_eks_tokens(aws: Any) -> None:
    verify = aws.stand_in.verify_eks_token
    token = eks_token(aws, "demo")
    admin = f"arn:aws:iam::{ACCOUNT_ID}:user/demo-admin"
    assert verify(token, "demo") == admin
    assert verify(token, "other") is None
    assert verify(token[:-8] + "AAAAAAAA", "demo") is None
    assert verify("k8s-aws-v1.%%", "demo") is None
    assert verify(eks_token(aws, "demo", lifetime=3600), "demo") is None
    aws.clock.offset += timedelta(minutes=14)
    assert verify(token, "demo") == admin
    aws.clock.offset += timedelta(minutes=2)
    assert verify(token, "demo") is None


def test_users_of_the_cluster(aws: Any) -> None:
    user = aws.stand_in.kubernetes_user
    admin = f"arn:aws:iam::{ACCOUNT_ID}:user/demo-admin"
    assert user(admin, "demo") == (admin, ("system:masters",))
    node = f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/demo-node/i-1"
    assert user(node, "demo") == ("system:node:x", ("system:nodes",))
    assert user(f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/demo-cluster/x", "demo") is None


# -- identities of pods ----------------------------------------------------------------


def service_account(**annotations: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "ns", "name": "sa", "annotations": annotations}}


def admitted(aws: Any, account: dict[str, Any] | None, pod: Any = POD) -> dict[str, Any]:
    changed: dict[str, Any] = copy.deepcopy(pod)
    aws.stand_in.inject_irsa(changed, account, cluster="demo")
    return changed


def test_annotated_service_account_gives_its_pods_a_role(aws: Any) -> None:
    plain = admitted(aws, service_account())
    assert plain == admitted(aws, None)
    assert "AWS_ROLE_ARN" not in json.dumps(plain)
    annotated = service_account(**{"eks.amazonaws.com/role-arn": NODE_ROLE})
    pod = admitted(aws, annotated)
    (container,), (init,) = pod["spec"]["containers"], pod["spec"]["initContainers"]
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    assert variables["AWS_ROLE_ARN"] == NODE_ROLE
    assert variables["AWS_REGION"] == "z"
    assert variables["AWS_STS_REGIONAL_ENDPOINTS"] == "regional"
    mount = container["volumeMounts"][0]
    assert variables["AWS_WEB_IDENTITY_TOKEN_FILE"] == f"{mount['mountPath']}/token"
    assert {entry["name"]: entry["value"] for entry in init["env"]}["AWS_REGION"] == "us-west-2"
    source = pod["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]
    assert source["audience"] == "sts.amazonaws.com"
    assert admitted(aws, annotated, pod) == pod
    assert variables["AWS_ENDPOINT_URL"] == aws.stand_in.url


def test_pod_identity_associations(aws: Any, refused: Any) -> None:
    eks = aws.client("eks")
    wanted = {"clusterName": "demo", "namespace": "ns", "serviceAccount": "sa"}
    with refused("InvalidParameterException", "does not exist"):
        eks.create_pod_identity_association(**wanted, roleArn=f"{NODE_ROLE}-no")
    with refused("InvalidParameterException", "Trust policy"):
        eks.create_pod_identity_association(**wanted, roleArn=NODE_ROLE)
    role = pods_role(aws)
    with refused("InvalidParameterException", "does not exist"):
        # IAM has not told EKS of it yet.
        eks.create_pod_identity_association(**wanted, roleArn=role)
    made = eks.create_pod_identity_association(**wanted, roleArn=role, tags={"a": "b"})
    identity = made["association"]["associationId"]
    with refused("ResourceInUseException"):
        eks.create_pod_identity_association(**wanted, roleArn=role)
    (listed,) = eks.list_pod_identity_associations(**wanted)["associations"]
    assert listed["associationId"] == identity
    with refused("InvalidParameterException", "Trust policy"):
        eks.update_pod_identity_association(
            clusterName="demo", associationId=identity, roleArn=NODE_ROLE
        )
    described = eks.describe_pod_identity_association(clusterName="demo", associationId=identity)
    assert described["association"]["roleArn"] == role
    eks.delete_pod_identity_association(clusterName="demo", associationId=identity)
    assert eks.list_pod_identity_associations(clusterName="demo")["associations"] == []
    with refused("ResourceNotFoundException"):
        eks.delete_pod_identity_association(clusterName="demo", associationId=identity)


def test_agent_hands_out_the_credentials_of_an_association(aws: Any, refused: Any) -> None:
    wanted = {"clusterName": "demo", "namespace": "ns", "serviceAccount": "sa"}
    role, eks = pods_role(aws), aws.client("eks")
    with refused("InvalidParameterException"):
        eks.create_pod_identity_association(**wanted, roleArn=role)
    eks.create_pod_identity_association(**wanted, roleArn=role)
    early = admitted(aws, service_account())["spec"]["containers"][0]["env"]
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" not in {entry["name"] for entry in early}
    pod = admitted(aws, service_account())
    variables = {e["name"]: e["value"] for e in pod["spec"]["containers"][0]["env"]}
    url = variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"]

    def ask(subject: str, audience: str = "pods.eks.amazonaws.com") -> httpx.Response:
        token = aws.issuer.token(subject, audience=audience)
        return httpx.get(url, headers={"Authorization": token})

    answer = ask("system:serviceaccount:ns:sa")
    assert answer.status_code == 200
    given = answer.json()
    keys = {**given, "SessionToken": given["Token"]}
    arn = aws.client("sts", keys=keys).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/pods/eks-demo-sa"
    assert ask("system:serviceaccount:ns:other").status_code == 404
    assert ask("system:serviceaccount:ns:sa", "sts.amazonaws.com").status_code == 400

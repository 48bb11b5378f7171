"""Checks of the Azure side: what would stop a setup, or make it less than it should be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, passed, unless_denied
from anyscale_k8s_cli.checks.room import Room, room
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider import Cluster, NodePool
from anyscale_k8s_cli.providers.aks import declared, encryption_key, gpu, labels, rights, wording
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.aks.cloud_side import Names
from anyscale_k8s_cli.providers.aks.discovery import AksFacts
from anyscale_k8s_cli.providers.aks.namespaces import NETWORK, STORAGE
from anyscale_k8s_cli.providers.aks.proof import (
    NO_CONSENT,
    NO_SUCH_RESOURCE,
    application_of,
    without_anyscale,
)
from anyscale_k8s_cli.providers.aks.sdk.network import JOIN
from anyscale_k8s_cli.providers.aks.sdk.policies import Draft
from anyscale_k8s_cli.providers.aks.storage_role import StorageRole
from anyscale_k8s_cli.providers.azureblob.sdk.failures import register
from anyscale_k8s_cli.spec import CloudSpec

# How policies call fields of what is to be made.
_TAG = re.compile(r"^tags(?:\[\'?|\.)([^\]\']+)")
_KEY_SOURCE = "encryption.keySource"
_SHARED_KEY = "allowSharedKeyAccess"
NAMESPACES = ("Microsoft.ManagedIdentity", "Microsoft.Storage")


@dataclass(frozen=True)
class _Counted:
    """A limit: whose it is, its names, and what there is to do besides having it raised."""

    namespace: str
    names: Sequence[str]
    instead: str
    listed: str


# By Azure's names; that of standard addresses has two, by the age of the API.
_ADDRESSES = _Counted(
    NETWORK,
    ("PublicIPAddresses", "StandardSkuPublicIpAddresses", "IPv4StandardSkuPublicIpAddresses"),
    "delete what nobody uses of these",
    "network public-ip",
)
_ACCOUNTS = _Counted(
    STORAGE,
    ("StorageAccounts",),
    "name a container with --bucket in one of these",
    "storage account",
)


def checks(
    spec: CloudSpec,
    azure: Azure,
    cluster: Cluster,
    names: Callable[[], Names],
    audience: Callable[[], str] | None,
) -> list[BoundCheck]:
    """`audience` is what the operator's tokens are for; None where nobody has asked Anyscale.

    `names` are asked for late: they follow from the cluster, which need not be known.
    """
    facts: AksFacts = cluster.facts
    address = partial(_quota, azure, cluster.region, _ADDRESSES)
    storage = partial(_quota, azure, cluster.region, _ACCOUNTS)
    own_role = StorageRole(azure, facts.group, spec.rules.storage_role)
    public = [declared.AZURE_ADDRESS_QUOTA.bind_room(address)]
    return [
        declared.AZURE_STORAGE_QUOTA.bind_room(storage),
        *(public if spec.network.expose == "public" else []),
        *(
            declared.AKS_SUBNET_NAMED.bind(partial(_subnet, azure, facts, name))
            for name in spec.network.load_balancer_subnets
        ),
        *(
            [declared.AZURE_STORAGE_ROLE.bind(lambda: _own_role(azure, facts, own_role, names()))]
            if own_role.given
            else []
        ),
        *_key(spec, azure),
        declared.AKS_WORKLOAD_IDENTITY.bind(partial(_workload_identity, azure, cluster, facts)),
        *(
            [declared.AZURE_ANYSCALE_IN_TENANT.bind(partial(_in_tenant, azure, audience))]
            if audience
            else []
        ),
        declared.AKS_GPU_LABELS.bind(partial(_gpu_labels, azure, cluster, facts)),
        declared.AZURE_PROVIDERS.bind(partial(_providers, azure)),
        declared.AZURE_POLICIES.bind(
            lambda: _policies(azure, facts.group, cluster.region, names())
        ),
        declared.AZURE_PERMISSIONS.bind(lambda: rights.to_set_up(azure, facts.group, names())),
        declared.AZURE_READ_PERMISSIONS.bind(partial(rights.to_look, azure, facts.group)),
    ]


def _workload_identity(azure: Azure, cluster: Cluster, facts: AksFacts) -> Finding:
    switches = {
        "--enable-oidc-issuer": (bool(facts.issuer), "no OIDC issuer"),
        "--enable-workload-identity": (facts.workload_identity, "no workload identity"),
    }
    off = {option: told for option, (on, told) in switches.items() if not on}
    if not off:
        return passed(facts.issuer)
    return Finding(
        Status.FAIL,
        f"the cluster {cluster.name} has {' and '.join(off.values())}",
        fix=f"az aks update {_where(azure, facts)} --name {cluster.name} {' '.join(off)}",
    )


@unless_denied("look")
def _subnet(azure: Azure, facts: AksFacts, name: str) -> Finding:
    """Whether it is of the cluster's network, and the cluster may put a load balancer into it."""
    own = facts.subnet.partition("/subnets/")[0]
    network = own or next(iter(azure.network.networks(facts.node_group)), "")
    if not network:
        return Finding(Status.UNKNOWN, f"{facts.node_group} shows no virtual network")
    subnet = azure.network.subnet(network, name)
    if not subnet:
        return Finding(
            Status.FAIL,
            f"the cluster's virtual network {network.rpartition('/')[2]} has no subnet {name}",
            fix=f"az network vnet subnet list --ids {network} --query '[].name'\n"
            "and name one of these with --lb-subnet",
        )
    # In its own resource group the cluster may do everything.
    if own and facts.principal and not _may_join(azure, subnet, facts.principal):
        return Finding(
            Status.WARN,
            f"the cluster's identity {facts.principal} has no role by which it may join the "
            f"subnet {name}",
            fix="az role assignment create --role 'Network Contributor' "
            f"--assignee-object-id {facts.principal} "
            f"--assignee-principal-type ServicePrincipal --scope {subnet}",
        )
    return passed(f"{name} of {network.rpartition('/')[2]}")


def _may_join(azure: Azure, subnet: str, principal: str) -> bool:
    held = {item.role for item in azure.roles.held(subnet, principal)}
    return any(given.allows(JOIN) for role in held for given in azure.roles.permissions(role))


def _key(spec: CloudSpec, azure: Azure) -> Iterator[BoundCheck]:
    key = encryption_key.key_name(spec.rules.kms_key or "")
    user = wording.identity_place(spec.rules.kms_identity or "", azure.subscription_id)
    if key and user:
        yield declared.AZURE_KMS_KEY.bind(partial(encryption_key.finding, azure, key, user))


def _own_role(azure: Azure, facts: AksFacts, role: StorageRole, names: Names) -> Finding:
    """Whether the user's role can be assigned on a brought account, the assignment itself shows."""
    scope = f"/subscriptions/{azure.subscription_id}/resourceGroups/{facts.group}"
    account = f"{scope}/providers/Microsoft.Storage/storageAccounts/{names.account}"
    return role.finding(account if names.account else None)


def _in_tenant(azure: Azure, audience: Callable[[], str]) -> Finding:
    """Whoever asks Entra for a token for Anyscale is told whether it knows the application.

    That this person is not let in says nothing of the operator.
    """
    wanted = audience()
    try:
        azure.session.token(wanted)
    except CloudFailure as failure:
        if failure.api_code == NO_SUCH_RESOURCE:
            problem = without_anyscale(failure, wanted)
            return Finding(
                Status.FAIL, f"{problem.message}: {problem.cause}", problem.evidence, problem.fix
            )
        if failure.api_code != NO_CONSENT:
            return Finding(Status.UNKNOWN, f"Entra does not say: {failure.cause or failure}")
    return passed(application_of(wanted))


def _gpu_labels(azure: Azure, cluster: Cluster, facts: AksFacts) -> Finding:
    pools = [pool for pool in cluster.node_pools if pool.gpu]
    without = [pool for pool in pools if labels.GPU_PRODUCT not in pool.labels]
    if not without:
        return passed(f"{len(pools)} pools with GPUs")
    return Finding(
        Status.WARN,
        f"{', '.join(pool.name for pool in without)}: new nodes will have no label "
        f"{labels.GPU_PRODUCT}, by which Anyscale places pods with GPUs",
        fix=f"az aks nodepool update {_where(azure, facts)} --cluster-name {cluster.name} "
        f"--name {without[0].name} --labels {_all_labels(without[0])}",
    )


def _all_labels(pool: NodePool) -> str:
    """The command replaces all labels of a pool, so those that are there are said again."""
    kept = {key: value for key, value in pool.labels.items() if key != labels.AGENT_POOL}
    product = gpu.product(pool.instance_types[0])
    return " ".join(
        f"{key}={value}" for key, value in {**kept, labels.GPU_PRODUCT: product}.items()
    )


def _where(azure: Azure, facts: AksFacts) -> str:
    return f"--subscription {azure.subscription_id} --resource-group {facts.group}"


@unless_denied("ask")
def _providers(azure: Azure) -> Finding:
    registered = side_by_side(
        *(partial(azure.subscription.registered, name) for name in NAMESPACES)
    )
    off = [name for name, on in zip(NAMESPACES, registered, strict=True) if not on]
    if off:
        return Finding(
            Status.FAIL,
            f"the subscription {azure.subscription_id} is not registered to use {', '.join(off)}",
            fix=" && ".join(register(name, azure.subscription_id) for name in off),
        )
    return passed(f"{len(NAMESPACES)} resource providers")


def _policies(azure: Azure, group: str, region: str, names: Names) -> Finding:
    """Azure judges the objects as they would be made; those that are there are not made."""
    drafts = []
    try:
        if names.account and azure.storage.account(group, names.account) is None:
            drafts.append(azure.storage.draft(names.account, region, names.settings))
        drafts += [
            _identity(name, names, region)
            for name in names.identities
            if azure.identities.get(group, name) is None
        ]
        found = side_by_side(*(partial(azure.policies.denials, group, draft) for draft in drafts))
    except CloudFailure as failure:
        return Finding(Status.UNKNOWN, f"Azure does not say: {failure}", failure.evidence)
    denied = [(draft, item) for draft, told in zip(drafts, found, strict=True) for item in told]
    if not denied:
        return passed(f"{len(drafts)} objects that will be made")
    return Finding(
        Status.FAIL,
        f"denied by {', '.join(sorted({item.name for _, item in denied}))}",
        tuple(
            f"{draft.kind}: {item.assignment} looks at {', '.join(item.fields) or 'all of it'}"
            for draft, item in denied
        ),
        _way_round([field for _, item in denied for field in item.fields]),
    )


def _identity(name: str, names: Names, region: str) -> Draft:
    content = {"name": name, "location": region, "tags": dict(names.settings.tags)}
    return Draft("Microsoft.ManagedIdentity/userAssignedIdentities", "2023-01-31", content)


def _way_round(fields: Sequence[str]) -> str:
    """What says it as the policies want it, as far as that can be said."""
    tags = sorted({found[1] for field in fields if (found := _TAG.search(field))})
    options = [f"--tag {tag}=<value>" for tag in tags]
    options += ["--kms-key <key> --kms-identity <id>"] * any(
        _KEY_SOURCE in field for field in fields
    )
    options += ["--azure-shared-key off"] * any(_SHARED_KEY in field for field in fields)
    if options:
        return f"run setup again with {' '.join(options)}"
    return "have the policy's owner make an exemption, then run the same command again"


@unless_denied("ask")
def _quota(azure: Azure, region: str, counted: _Counted, needed: int) -> Finding:
    found = azure.usages.of(counted.namespace, region)
    rooms = [
        Room(f"{name} of {region}", found[name].used, found[name].limit, needed)
        for name in counted.names
        if name in found
    ]
    if not rooms:
        return Finding(Status.UNKNOWN, f"Azure tells of no such limit in {region}")
    return room(
        rooms,
        f"ask for more on the page Quotas in Azure's portal,\nor {counted.instead}:\n"
        f"az {counted.listed} list --subscription {azure.subscription_id} "
        f"--query \"[?location=='{region}'].id\"",
    )

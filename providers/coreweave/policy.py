"""The organisation's access policy for one bucket: without any, no key opens anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.install import MARK_PREFIX, Install
from anyscale_k8s_cli.provider import PolicyDocument
from anyscale_k8s_cli.providers.coreweave.coreweave import CoreWeave
from anyscale_k8s_cli.providers.coreweave.sdk.storage import Policy, Statement
from anyscale_k8s_cli.resource import FieldChange, Observed, Resource

NAME_LIMIT = 63
ACTIONS = ("s3:*",)
# What pods that prove themselves do: exchange a token, and then use the bucket.
EXCHANGE = ("cwobject:CreateAccessKeyFromOIDC",)
USE = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
)
_FIELDS = ("effect", "actions", "resources", "principals")


def default_name(install: Install) -> str:
    return install.name(limit=NAME_LIMIT)


def statement_name(install: Install) -> str:
    """What says whose a policy is: policies carry no labels."""
    return f"{MARK_PREFIX}-{install.id}"


def statement_names(install: Install) -> dict[str, str]:
    """All that ours may have, with what each is called in a plan: for whoever sets up, and for
    pods that prove themselves."""
    name = statement_name(install)
    return {name: "", f"{name}-exchange": "exchange ", f"{name}-pods": "pods "}


def is_ours(policy: Policy, install: Install) -> bool:
    """Also where somebody has taken one of its statements away."""
    names = {item.name for item in policy.statements}
    return bool(names) and names <= statement_names(install).keys()


def bucket_of(policy: Policy) -> str:
    """The bucket that one of ours is for; empty where nobody can tell any more."""
    named = [item.resources[0] for item in policy.statements if item.resources]
    return next((item for item in named if item != "*"), "")


def document(policy: Policy) -> PolicyDocument:
    """For people, as CoreWeave has it."""
    text = json.dumps(asdict(policy), indent=2)
    return PolicyDocument(policy.name, "CoreWeave organisation access policy", text)


class BucketPolicy(Resource[None]):
    """Ours, known by its statements' names. Policies of others are left alone.

    Keys are of whoever made them, and policies know principals, not keys. So everybody who
    sets up this cloud is in it, and whoever was stays: the key in use may be theirs.
    `pods` is the role of pods that prove themselves, empty where they have a key; `settled`
    returns once what the policy allows is known to the store.
    """

    kind: ClassVar[str] = "coreweave-access-policy"

    def __init__(
        self,
        coreweave: CoreWeave,
        install: Install,
        name: str,
        bucket: str,
        *,
        pods: str = "",
        settled: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(
            key=f"coreweave:access-policy/{name}",
            title=f"organisation access policy {name} for the bucket {bucket}",
            install=install,
        )
        self._coreweave = coreweave
        self._bucket = bucket
        self._pods = pods
        self._settled = settled
        self.name = name

    def read(self) -> Observed[None] | None:
        found = next(
            (item for item in self._coreweave.storage.policies() if item.name == self.name), None
        )
        if found is None:
            return None
        ours = is_ours(found, self.install)
        return Observed(
            id=found.name, output=None, owner=self.install if ours else None, state=found
        )

    def diff(self, observed: Observed[None]) -> Sequence[FieldChange]:
        found: Policy = observed.state
        current = {item.name: item for item in found.statements}
        wanted = {item.name: item for item in self._wanted(found).statements}
        return [
            FieldChange(f"{called}{name}", old, new)
            for statement, called in statement_names(self.install).items()
            for name in _FIELDS
            if (old := _shown(current.get(statement), name))
            != (new := _shown(wanted.get(statement), name))
        ]

    def create(self) -> Observed[None]:
        observed = self.read()
        if observed is not None and observed.owner is None:
            # Writing would replace it.
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The name {self.name} of an organisation access policy is taken",
                cause="the policy of that name is not ours",
                fix="set rules.names.policy to another name",
            )
        return self._write(observed.state if observed is not None else None)

    def update(self, observed: Observed[None], changes: Sequence[FieldChange]) -> Observed[None]:
        return self._write(observed.state) if changes else observed

    def delete(self, observed: Observed[None]) -> None:
        self._coreweave.storage.delete_policy(observed.id)

    def ready(self, observed: Observed[None]) -> Observed[None]:
        self._settled()
        return observed

    def grants(self, observed: Observed[None]) -> Sequence[PolicyDocument]:
        return (document(observed.state),)

    def _write(self, found: Policy | None) -> Observed[None]:
        wanted = self._wanted(found)
        self._coreweave.storage.ensure_policy(wanted)
        return Observed(id=wanted.name, output=None, owner=self.install, state=wanted)

    def _wanted(self, found: Policy | None) -> Policy:
        before = found.statements if found is not None else ()
        own = statement_name(self.install)
        admitted = {name for item in before if item.name == own for name in item.principals}
        principals = tuple(sorted({*admitted, self._coreweave.principal} - {"*"}))
        return policy_of(self.install, self.name, self._bucket, principals, self._pods)


def policy_of(
    install: Install, name: str, bucket: str, principals: tuple[str, ...], pods: str = ""
) -> Policy:
    """The policy of an install: for whoever sets up, and for pods that prove themselves."""
    own, exchange, use = statement_names(install)
    place = (bucket, f"{bucket}/*")
    statements = [Statement(own, ACTIONS, place, principals)]
    if pods:
        statements += [
            Statement(exchange, EXCHANGE, ("*",), (pods,)),
            Statement(use, USE, place, (pods,)),
        ]
    return Policy(name, tuple(statements))


def _shown(statement: Statement | None, name: str) -> str | None:
    """A field for people; None where there is no such statement."""
    if statement is None:
        return None
    value = getattr(statement, name)
    return value if isinstance(value, str) else ", ".join(sorted(value))

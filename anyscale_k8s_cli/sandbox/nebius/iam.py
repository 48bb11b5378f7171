"""IAM: service accounts, groups with members and permits, access keys, tokens, profiles.

https://docs.nebius.com/iam/overview
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import grpc

from anyscale_k8s_cli.sandbox.nebius import api, refusals, roles, tokens
from anyscale_k8s_cli.sandbox.nebius.api import Call, Method, Methods
from anyscale_k8s_cli.sandbox.nebius.collection import Collection, page
from anyscale_k8s_cli.sandbox.nebius.refusals import Refused
from anyscale_k8s_cli.sandbox.nebius.tenant import Tenant, account_of

_LONGEST_KEY_DESCRIPTION = 255


@dataclass(frozen=True)
class Iam:
    tenant: Tenant

    def methods(self) -> Methods:
        return {
            "nebius.iam.v1.TokenExchangeService/Exchange": Method(self._exchange, anonymous=True),
            "nebius.iam.v1.ProfileService/Get": Method(self._profile),
            "nebius.iam.v1.ProjectService/Get": Method(
                lambda call: self.tenant.projects.get(call.request.id), "iam.project.get"
            ),
            **self._plain("ServiceAccount", "iam.serviceaccount", self.tenant.accounts),
            **self._plain("Group", "iam.group", self.tenant.groups),
            **self._members(),
            **self._permits(),
            **self._keys(),
        }

    # -- what is alike ------------------------------------------------------------------

    def _plain(self, kind: str, right: str, items: Collection[Any]) -> Methods:
        from nebius.api.nebius.iam import v1

        listed = getattr(v1, f"List{'Groups' if kind == 'Group' else kind}Response")
        service = f"nebius.iam.v1.{kind}Service"

        def found(call: Call) -> Any:
            shown, token = page(items.of_parent(call.request.parent_id), call.request)
            return listed(items=shown, next_page_token=token)

        def update(call: Call) -> Any:
            request = call.request
            item = items.update(request.metadata.id, request.metadata, request.spec)
            return self._done(call, f"Update {kind}", item.metadata.id)

        return {
            f"{service}/Get": Method(lambda call: items.get(call.request.id), f"{right}.get"),
            f"{service}/GetByName": Method(
                lambda call: items.named_or_refused(call.request.parent_id, call.request.name),
                f"{right}.get",
                api.parent,
            ),
            f"{service}/List": Method(found, f"{right}.list", api.parent),
            f"{service}/Create": Method(
                self._creating(kind, items), f"{right}.create", api.new_parent, write=True
            ),
            f"{service}/Update": Method(update, f"{right}.update", api.changed, write=True),
            f"{service}/Delete": Method(
                lambda call: self._delete(call, kind, items), f"{right}.delete", write=True
            ),
        }

    def _creating(self, kind: str, items: Collection[Any]) -> Callable[[Call], Any]:
        def create(call: Call) -> Any:
            request = call.request
            item = items.create(request.metadata, request.spec, request.metadata.parent_id)
            return self._done(call, f"Create {kind}", item.metadata.id)

        return create

    def _delete(self, call: Call, kind: str, items: Collection[Any]) -> Any:
        found = items.delete(call.request.id)
        self._sweep(found.metadata.id)
        return self._done(call, f"Delete {kind}", found.metadata.id)

    def _sweep(self, gone: str) -> None:
        """What belonged to something that is deleted goes with it."""
        tenant = self.tenant
        below: tuple[Collection[Any], ...] = (tenant.memberships, tenant.permits)
        for items in below:
            for item in items.of_parent(gone):
                items.delete(item.metadata.id)
        for member in list(tenant.memberships.items.values()):
            if member.spec.member_id == gone:
                tenant.memberships.delete(member.metadata.id)
        for key in list(tenant.keys.items.values()):
            if account_of(key) == gone:
                tenant.keys.delete(key.metadata.id)

    def _done(self, call: Call, what: str, resource_id: str) -> Any:
        return self.tenant.operations.start(what, resource_id, call.caller)

    # -- tokens and profiles ---------------------------------------------------------------

    def _exchange(self, call: Call) -> Any:
        from nebius.api.nebius.iam.v1 import CreateTokenResponse

        request = call.request
        if request.grant_type != tokens.GRANT_TYPE or request.subject_token_type != tokens.JWT_TYPE:
            raise refusals.invalid("only JWTs of service accounts are exchanged here")
        token = self.tenant.tokens.exchange(request.subject_token)
        if token.subject not in self.tenant.accounts.items:
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, "The subject does not exist")
        left = token.expires_at - self.tenant.clock()
        return CreateTokenResponse(
            access_token=token.value,
            token_type="Bearer",
            issued_token_type="urn:ietf:params:oauth:token-type:access_token",
            expires_in=int(left.total_seconds()),
        )

    def _profile(self, call: Call) -> Any:
        from nebius.api.nebius.iam.v1 import GetProfileResponse, ServiceAccountProfile

        account = self.tenant.accounts.get(call.caller)
        return GetProfileResponse(service_account_profile=ServiceAccountProfile(info=account))

    # -- groups -------------------------------------------------------------------------------

    def _members(self) -> Methods:
        from nebius.api.nebius.iam.v1 import ListGroupMembershipsResponse, ListMemberOfResponse

        items, service = self.tenant.memberships, "nebius.iam.v1.GroupMembershipService"

        def create(call: Call) -> Any:
            metadata, spec = call.request.metadata, call.request.spec
            self.tenant.groups.get(metadata.parent_id)
            self.tenant.accounts.get(spec.member_id)
            if any(
                item.spec.member_id == spec.member_id
                for item in items.of_parent(metadata.parent_id)
            ):
                raise refusals.exists("group membership of", spec.member_id)
            item = items.create(metadata, spec, metadata.parent_id)
            return self._done(call, "Create group membership", item.metadata.id)

        def members(call: Call) -> Any:
            shown, token = page(items.of_parent(call.request.parent_id), call.request)
            return ListGroupMembershipsResponse(memberships=shown, next_page_token=token)

        def member_of(call: Call) -> Any:
            groups = [
                self.tenant.groups.get(item.metadata.parent_id)
                for item in items.items.values()
                if item.spec.member_id == call.request.subject_id
            ]
            shown, token = page(groups, call.request)
            return ListMemberOfResponse(items=shown, next_page_token=token)

        right = "iam.groupmembership"
        return {
            f"{service}/ListMemberOf": Method(
                member_of, f"{right}.list", lambda request: str(request.subject_id)
            ),
            f"{service}/Create": Method(create, f"{right}.create", api.new_parent, write=True),
            f"{service}/ListMembers": Method(members, f"{right}.list", api.parent),
            f"{service}/Delete": Method(
                lambda call: self._delete(call, "group membership", items),
                f"{right}.delete",
                write=True,
            ),
        }

    def _permits(self) -> Methods:
        from nebius.api.nebius.iam.v1 import ListAccessPermitResponse

        tenant, items = self.tenant, self.tenant.permits

        def create(call: Call) -> Any:
            metadata, spec = call.request.metadata, call.request.spec
            group = tenant.groups.get(metadata.parent_id)
            if spec.role not in roles.ROLES:
                raise refusals.invalid(f"role {spec.role} does not exist")
            places = tenant.chain(spec.resource_id)
            if group.metadata.parent_id not in places:
                raise refusals.invalid(
                    f"resource {spec.resource_id} is not in {group.metadata.parent_id}"
                )
            # Whoever gives a role must be an administrator of what it is given on.
            tenant.check(call.caller, "iam.accesspermit.create", spec.resource_id)
            if any(
                (item.spec.resource_id, item.spec.role) == (spec.resource_id, spec.role)
                for item in items.of_parent(metadata.parent_id)
            ):
                raise refusals.exists("access permit for", spec.role)
            item = items.create(metadata, spec, metadata.parent_id)
            tenant.unknown[item.metadata.id] = tenant.refused_attempts
            return self._done(call, "Create access permit", item.metadata.id)

        def found(call: Call) -> Any:
            shown, token = page(items.of_parent(call.request.parent_id), call.request)
            return ListAccessPermitResponse(items=shown, next_page_token=token)

        service, right = "nebius.iam.v1.AccessPermitService", "iam.accesspermit"
        return {
            f"{service}/Create": Method(create, f"{right}.create", api.new_parent, write=True),
            f"{service}/List": Method(found, f"{right}.list", api.parent),
            f"{service}/Delete": Method(
                lambda call: self._delete(call, "access permit", items),
                f"{right}.delete",
                write=True,
            ),
        }

    # -- access keys ------------------------------------------------------------------------------

    def _keys(self) -> Methods:
        service, right = "nebius.iam.v2.AccessKeyService", "iam.accesskey"
        return {
            f"{service}/Create": Method(
                self._create_key, f"{right}.create", api.new_parent, write=True
            ),
            f"{service}/Get": Method(self._get_key, f"{right}.get"),
            # Whoever asks has it, and nobody else can any more.
            f"{service}/GetSecret": Method(self._get_secret, f"{right}.getSecret", write=True),
            f"{service}/List": Method(
                lambda call: self._shown_keys(call, lambda key: self._in_project(key, call)),
                f"{right}.list",
                api.parent,
            ),
            f"{service}/ListByAccount": Method(
                lambda call: self._shown_keys(call, lambda key: _of_account(key, call)),
                f"{right}.list",
                lambda request: str(request.account.service_account.id),
            ),
            f"{service}/Delete": Method(
                lambda call: self._delete(call, "access key", self.tenant.keys),
                f"{right}.delete",
                write=True,
            ),
        }

    def _create_key(self, call: Call) -> Any:
        from nebius.api.nebius.iam.v2 import AccessKeyStatus, SecretDeliveryMode

        tenant: Tenant = self.tenant
        request = call.request
        tenant.accounts.get(request.spec.account.service_account.id)
        if request.spec.secret_delivery_mode == SecretDeliveryMode.MYSTERY_BOX:
            raise refusals.invalid("MysteryBox is not enabled in this project")
        ends = request.spec.expires_at
        if ends is not None and ends <= tenant.clock():
            raise refusals.invalid("expires_at must be in the future")
        if len(request.spec.description) > _LONGEST_KEY_DESCRIPTION:
            raise refusals.invalid("description is too long")
        key = tenant.keys.create(request.metadata, request.spec, request.metadata.parent_id)
        key.status = AccessKeyStatus(
            state=AccessKeyStatus.State.ACTIVE,
            aws_access_key_id=f"NAKI{secrets.token_hex(8).upper()}",
        )
        tenant.secrets[key.metadata.id] = secrets.token_urlsafe(30)
        tenant.unknown[key.metadata.id] = tenant.refused_attempts
        return self._done(call, "Create access key", key.metadata.id)

    def _get_key(self, call: Call) -> Any:
        """The key; the first time with its secret, if that is to be delivered in this way."""
        from nebius.api.nebius.iam.v2 import AccessKey, SecretDeliveryMode

        key = self.tenant.keys.get(call.request.id)
        self.tenant.usable(key)
        shown = cast(Any, AccessKey).FromString(key.SerializeToString())
        if key.spec.secret_delivery_mode != SecretDeliveryMode.EXPLICIT:
            shown.status.secret = self._once(key.metadata.id)
        return shown

    def _get_secret(self, call: Call) -> Any:
        from nebius.api.nebius.iam.v2 import GetAccessKeySecretResponse, SecretDeliveryMode

        key = self.tenant.keys.get(call.request.id)
        if key.spec.secret_delivery_mode != SecretDeliveryMode.EXPLICIT:
            raise _precondition("the secret of this key is delivered in another way")
        secret = self._once(key.metadata.id)
        if not secret:
            raise _precondition("the secret of this key was delivered already")
        status = key.status
        return GetAccessKeySecretResponse(
            aws_access_key_id=status.aws_access_key_id if status else "", secret=secret
        )

    def _once(self, key_id: str) -> str:
        if key_id in self.tenant.told:
            return ""
        self.tenant.told.add(key_id)
        return self.tenant.secrets[key_id]

    def _shown_keys(self, call: Call, wanted: Callable[[Any], bool]) -> Any:
        from nebius.api.nebius.iam.v2 import ListAccessKeysResponse

        keys = [key for key in self.tenant.keys.items.values() if wanted(key)]
        for key in keys:
            self.tenant.usable(key)
        shown, token = page(keys, call.request)
        return ListAccessKeysResponse(items=shown, next_page_token=token)

    @staticmethod
    def _in_project(key: Any, call: Call) -> bool:
        return bool(key.metadata.parent_id == call.request.parent_id)


def _of_account(key: Any, call: Call) -> bool:
    return account_of(key) == str(call.request.account.service_account.id)


def _precondition(message: str) -> Refused:
    return Refused(grpc.StatusCode.FAILED_PRECONDITION, message)

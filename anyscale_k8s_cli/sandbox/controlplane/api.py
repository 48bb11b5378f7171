"""The routes: from a request to the registry and back into the envelope."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from anyscale_k8s_cli.sandbox.controlplane import admission, azure, paging, views
from anyscale_k8s_cli.sandbox.controlplane.accounts import Account, Accounts
from anyscale_k8s_cli.sandbox.controlplane.clouds import Cloud, Registry, Resource
from anyscale_k8s_cli.sandbox.controlplane.operators import Operators
from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused, not_found
from anyscale_k8s_cli.sandbox.controlplane.shapes import (
    ApiKeyParameters,
    CloudDeployment,
    CloudName,
    PresignedUrlRequest,
    RevokeKeys,
    WriteCloud,
    fitting,
)
from anyscale_k8s_cli.sandbox.controlplane.storage import Addresses


def token_of(request: web.Request) -> str:
    """The caller's token, from the header or from the vendor's client's cookie."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    return bearer if scheme.lower() == "bearer" else request.cookies.get("cli_token", "")


@dataclass(frozen=True)
class Api:
    """Handlers only; every rule is in the parts."""

    accounts: Accounts
    registry: Registry
    operators: Operators
    addresses: Addresses

    def routes(self) -> Iterable[web.RouteDef]:
        v2 = "/api/v2"
        clouds, users = f"{v2}/clouds", f"{v2}/users"
        people = f"{v2}/organization_collaborators"
        manager = f"{v2}/kubernetes_manager"
        return [
            web.get(f"{v2}/health/", self.health),
            web.get(f"{v2}/userinfo/", self.userinfo),
            web.get(f"{v2}/userinfo/check_is_feature_flag_on", self.feature_flag),
            web.get(f"{users}/create_otp_token", self.start_login),
            web.get(f"{users}/request_otp_token/{{otp}}", self.finish_login),
            web.get("/login/{otp}", self.confirm_login),
            web.post(f"{users}/service_accounts", self.add_service_account),
            web.post(f"{users}/create_api_key", self.create_key),
            web.get(f"{users}/api_keys", self.list_own_keys),
            web.delete(f"{users}/api_keys/{{key}}", self.revoke_own_key),
            web.get(f"{users}/admin/api_keys", self.list_keys),
            web.post(f"{users}/admin/api_keys/revoke", self.revoke_keys),
            web.delete(f"{users}/admin/api_keys/{{key}}", self.revoke_key),
            web.get(f"{v2}/organizations/api_key_expiration", self.key_expiration),
            web.get(f"{people}/", self.list_people),
            web.delete(f"{people}/{{identity}}", self.remove_person),
            web.get(f"{clouds}/", self.list_clouds),
            web.post(f"{clouds}/", self.create_cloud),
            web.post(f"{clouds}/find_by_name", self.find_cloud),
            web.get(f"{clouds}/anyscale/azure_operator_audience", self.azure_audience),
            web.get(f"{clouds}/{{cloud}}", self.get_cloud),
            web.delete(f"{clouds}/{{cloud}}", self.delete_cloud),
            web.put(f"{clouds}/{{cloud}}/state", self.set_state),
            web.get(f"{clouds}/{{cloud}}/resources", self.list_resources),
            web.get(f"{clouds}/{{cloud}}/deployments", self.list_resources),
            web.put(f"{clouds}/{{cloud}}/resources", self.update_resources),
            web.put(f"{clouds}/{{cloud}}/add_resource", self.add_resource),
            web.delete(f"{clouds}/{{cloud}}/remove_resource", self.remove_resource),
            web.post(f"{clouds}/{{cloud}}/find_cloud_resource_by_name", self.find_resource),
            web.post(f"{clouds}/{{cloud}}/generate_cloud_data_bucket_presigned_url", self.presign),
            web.post(f"{clouds}/{{cloud}}/get_lb_resource", self.load_balancer),
            web.post(f"{manager}/register", self.register_operator),
            web.post(f"{manager}/report", self.take_report),
            web.post(f"{manager}/admission/{{resource}}", self.admit),
        ]

    async def health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def userinfo(self, request: web.Request) -> web.Response:
        default = next((cloud.id for cloud in self.registry.clouds() if cloud.is_default), None)
        return _result(views.user(self._caller(request), self.accounts.seed, default))

    async def feature_flag(self, request: web.Request) -> web.Response:
        self._caller(request)
        return _result({"is_on": False})

    async def start_login(self, request: web.Request) -> web.Response:
        text = request.query.get("duration_seconds", "0")
        if not text.isdigit():
            raise Refused(400, "duration_seconds must be a whole number.")
        otp = self.accounts.start_login(float(text))
        return _result({"url": f"{request.scheme}://{request.host}/login/{otp}", "otp": otp})

    async def confirm_login(self, request: web.Request) -> web.Response:
        self.accounts.confirm_login(request.match_info["otp"])
        return web.Response(text="You are logged in. You can close this page.\n")

    async def finish_login(self, request: web.Request) -> web.Response:
        token = self.accounts.finish_login(request.match_info["otp"])
        return _result({"valid": token is not None, "server_session_id": token})

    async def add_service_account(self, request: web.Request) -> web.Response:
        self._owner(request)
        account = self.accounts.add_service_account(_query(request, "name"))
        return _result(views.service_account(account, self.accounts.seed))

    async def create_key(self, request: web.Request) -> web.Response:
        caller = self._caller(request)
        asked = fitting(ApiKeyParameters, await _json(request))
        if asked.user_id not in (None, caller.id):
            self._owner(request)
        token = self.accounts.mint(
            asked.user_id or caller.id, asked.duration, asked.name, by=caller.id
        )
        return _result({"server_session_id": token})

    async def list_own_keys(self, request: web.Request) -> web.Response:
        return self._keys(request, self._caller(request).id)

    async def list_keys(self, request: web.Request) -> web.Response:
        self._owner(request)
        return self._keys(request, request.query.get("user_id"))

    def _keys(self, request: web.Request, account: str | None) -> web.Response:
        wanted = request.query.get("name", "")
        keys = [key.as_json() for key in self.accounts.keys_of(account) if wanted in key.name]
        return web.json_response(paging.page(request, keys, most=paging.MOST_KEYS))

    async def revoke_own_key(self, request: web.Request) -> web.Response:
        self.accounts.revoke(request.match_info["key"], self._caller(request).id)
        return web.Response(status=204)

    async def revoke_key(self, request: web.Request) -> web.Response:
        self._owner(request)
        self.accounts.revoke(request.match_info["key"])
        return web.Response(status=204)

    async def revoke_keys(self, request: web.Request) -> web.Response:
        self._owner(request)
        asked = fitting(RevokeKeys, await _json(request)).api_key_ids
        for key in asked:
            self.accounts.revoke(key)
        count = len(asked)
        answer = {"success_count": count, "failed_count": 0, "total_requested": count}
        return _result({**answer, "failed_keys": []})

    async def key_expiration(self, request: web.Request) -> web.Response:
        self._caller(request)
        return _result({"max_api_key_expiration_days": self.accounts.longest_days})

    async def list_people(self, request: web.Request) -> web.Response:
        self._caller(request)
        only = {"true": True, "false": False}.get(request.query.get("is_service_account", ""))
        name = request.query.get("name", "")
        people = [
            views.collaborator(person)
            for person in self.accounts.people.values()
            if only in (None, person.service) and name in person.name
        ]
        return web.json_response(paging.page(request, people))

    async def remove_person(self, request: web.Request) -> web.Response:
        self._owner(request)
        self.accounts.remove(request.match_info["identity"])
        return _result({})

    async def list_clouds(self, request: web.Request) -> web.Response:
        self._caller(request)
        part = request.query.get("name", "").lower()
        clouds = [self._shown(cloud) for cloud in self.registry.clouds()]
        found = [cloud for cloud in clouds if part in cloud["name"].lower()]
        return web.json_response(paging.page(request, found))

    async def create_cloud(self, request: web.Request) -> web.Response:
        owner = self._owner(request)
        new = fitting(WriteCloud, await _json(request))
        return _result(self._shown(self.registry.create(new, owner.id)), status=201)

    async def find_cloud(self, request: web.Request) -> web.Response:
        self._caller(request)
        name = fitting(CloudName, await _json(request)).name
        found = next((cloud for cloud in self.registry.clouds() if cloud.name == name), None)
        if found is None:
            raise not_found("Cloud", name)
        return _result(self._shown(found))

    async def get_cloud(self, request: web.Request) -> web.Response:
        self._caller(request)
        return _result(self._shown(self._cloud(request)))

    async def delete_cloud(self, request: web.Request) -> web.Response:
        self._owner(request)
        force = request.query.get("force", "false").lower() == "true"
        self.registry.delete(request.match_info["cloud"], force=force)
        return web.Response(status=204)

    async def set_state(self, request: web.Request) -> web.Response:
        self._owner(request)
        self.registry.set_state(request.match_info["cloud"], _query(request, "state"))
        return web.Response(status=204)

    async def list_resources(self, request: web.Request) -> web.Response:
        self._caller(request)
        items = [self._decorated(item) for item in self._cloud(request).resources]
        return web.json_response(paging.page(request, items))

    async def add_resource(self, request: web.Request) -> web.Response:
        self._owner(request)
        body = await _json(request)
        self.registry.add(request.match_info["cloud"], fitting(CloudDeployment, body))
        # Only the request comes back, without the name and id that the server gave.
        return _result(body)

    async def update_resources(self, request: web.Request) -> web.Response:
        self._owner(request)
        body = await _json(request)
        if not isinstance(body, list):
            problem = {"loc": ["body"], "msg": "Input should be a valid list", "type": "list_type"}
            raise Refused(422, [problem])
        items = [fitting(CloudDeployment, item) for item in body]
        self.registry.update(request.match_info["cloud"], items)
        return _result({})

    async def remove_resource(self, request: web.Request) -> web.Response:
        self._owner(request)
        self.registry.remove(request.match_info["cloud"], _query(request, "cloud_resource_name"))
        return web.Response(status=204)

    async def find_resource(self, request: web.Request) -> web.Response:
        self._caller(request)
        name = _query(request, "cloud_resource_name")
        return _result(self._decorated(self.registry.find(request.match_info["cloud"], name)))

    async def presign(self, request: web.Request) -> web.Response:
        self._caller(request)
        asked = fitting(PresignedUrlRequest, await _json(request))
        cloud = self._cloud(request)
        wanted = [
            item
            for item in cloud.resources
            if asked.cloud_resource_id == item.id
            or (asked.cloud_resource_id is None and item.is_default)
        ]
        if not wanted:
            raise not_found("Cloud resource", asked.cloud_resource_id or "by default")
        return _result(await self.addresses.presign(cloud, wanted[0], asked))

    async def load_balancer(self, request: web.Request) -> web.Response:
        self._caller(request)
        self._cloud(request)
        return _result({"is_terminated": True})

    async def azure_audience(self, request: web.Request) -> web.Response:
        self._caller(request)
        return _result({"azure_operator_audience": azure.AUDIENCE})

    async def register_operator(self, request: web.Request) -> web.Response:
        return _result(await self.operators.register(await _json(request)))

    async def take_report(self, request: web.Request) -> web.Response:
        return _result(self.operators.report(token_of(request), await _json(request)))

    async def admit(self, request: web.Request) -> web.Response:
        resource_id = request.match_info["resource"]
        registered = self.registry.resource(resource_id) is not None
        answer = admission.review(
            await _json(request), registered=registered, resource_id=resource_id
        )
        return web.json_response(answer)

    def _caller(self, request: web.Request) -> Account:
        return self.accounts.admit(token_of(request))

    def _owner(self, request: web.Request) -> Account:
        caller = self._caller(request)
        if not caller.owner:
            raise Refused(403, "Only organization owners can do this.")
        return caller

    def _cloud(self, request: web.Request) -> Cloud:
        return self.registry.cloud(request.match_info["cloud"])

    def _shown(self, cloud: Cloud) -> dict[str, Any]:
        return views.cloud(cloud, self.registry.clock())

    def _decorated(self, item: Resource) -> dict[str, Any]:
        return views.resource(item, self.registry.behaviour, self.registry.clock())


def _result(value: Any, *, status: int = 200) -> web.Response:
    return web.json_response({"result": value}, status=status)


def _query(request: web.Request, name: str) -> str:
    value = request.query.get(name, "")
    if not value:
        problem = {"loc": ["query", name], "msg": "Field required", "type": "missing"}
        raise Refused(422, [problem])
    return value


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except ValueError:
        problem = {"loc": ["body"], "msg": "JSON decode error", "type": "json_invalid"}
        raise Refused(422, [problem]) from None

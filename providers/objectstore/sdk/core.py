"""Sessions of the AWS SDK that read and import no more than is used; boto3 is given them."""

from __future__ import annotations

import gzip
import json
import os
import threading
from copy import copy
from functools import cache, cached_property
from typing import Any

from anyscale_k8s_cli.imports import without

# botocore looks there for something of urllib3's own, and without it takes that from
# where it is. Where pyOpenSSL is installed, all of it would be imported for nothing.
with without("urllib3.contrib.pyopenssl"):
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.hooks import HierarchicalEmitter
    from botocore.loaders import JSONFileLoader, Loader
    from botocore.session import Session

_MAKING = threading.Lock()
# EC2 has hundreds of operations, and a client a method for each: only these are called.
_USED = {"ec2": ("DeleteSecurityGroup", "DescribeSecurityGroups", "DescribeSubnets")}


class _Files(JSONFileLoader):
    """Descriptions in plain dictionaries, which are read in half the time of botocore's."""

    _WAYS = ((".json", open), (".json.gz", gzip.open))

    def exists(self, file_path: str) -> bool:
        return any(os.path.isfile(file_path + ending) for ending, _ in self._WAYS)

    def load_file(self, file_path: str) -> Any:
        """What the file says, its name being told without an ending; None when there is none."""
        for ending, way in self._WAYS:
            if os.path.isfile(file_path + ending):
                with way(file_path + ending, "rb") as file:
                    return json.loads(file.read())
        return None


class _Descriptions(Loader):
    def list_available_services(self, type_name: str) -> list[str]:
        """The services there may be: to look into each folder takes longer than to read one.

        For what is not there after all the SDK has its own words when it is read.
        """
        return self._services

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> Any:
        """What a service can do, as far as it is used."""
        told = super().load_service_model(service_name, type_name, api_version)
        if type_name != "service-2" or service_name not in _USED:
            return told
        used = {name: told["operations"][name] for name in _USED[service_name]}
        return {**told, "operations": used}

    @cached_property
    def _services(self) -> list[str]:
        there = filter(os.path.isdir, self.search_paths)
        return sorted({name for place in there for name in os.listdir(place)})


@cache
def _descriptions(data_path: str | None) -> Loader:
    """The SDK's descriptions of services: read once for all sessions."""
    folders = (data_path or "").split(os.pathsep) if data_path else []
    expanded = [os.path.expanduser(os.path.expandvars(folder)) for folder in folders]
    return _Descriptions(extra_search_paths=expanded, file_loader=_Files())


@cache
def _handlers() -> HierarchicalEmitter:
    """What the SDK itself does at each step of a call, hung up once: that is most of a session."""
    handlers = HierarchicalEmitter()
    Session(event_hooks=handlers)
    return handlers


def new_session(profile: str | None = None) -> Session:
    """A session of its own, with descriptions that are shared. Raises what botocore raises."""
    session = Session(
        profile=profile, event_hooks=copy(_handlers()), include_builtin_handlers=False
    )
    # Not before it is asked for: the settings may have to be told where to look for it.
    session.lazy_register_component(
        "data_loader", lambda: _descriptions(session.get_config_variable("data_path"))
    )
    return session


@cache
def _of_stores() -> boto3.session.Session:
    core = new_session()
    core.set_config_variable("config_file", "")
    core.set_config_variable("profile", None)
    return boto3.session.Session(botocore_session=core)


def store_client(service: str, **said: Any) -> Any:
    """A client for a store: nothing of this machine's settings for AWS is meant for it.

    One session makes all of them. They may be used at the same time, and are made one after the
    other.
    """
    with _MAKING:
        return _of_stores().client(service, **said)  # type: ignore[call-overload]


def endpoint(service: str, region: str) -> str:
    """Where the SDK finds a service of Amazon's. Nothing is asked, and nobody's keys are read."""
    client = new_session().create_client(
        service, region_name=region, config=Config(signature_version=UNSIGNED)
    )
    found: str = client.meta.endpoint_url
    return found

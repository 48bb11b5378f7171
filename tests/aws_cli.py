"""A stand-in for the AWS command line, to run the commands that this tool prints.

    python aws_cli.py SERVICE OPERATION [--option VALUE…]

Options become the parameters of the service's own model, as the real one's do, so a
command with a wrong name or a missing option fails.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

import boto3
from botocore import xform_name

_OWN = ("query", "output", "region")


def main(words: list[str]) -> None:
    service, operation, *rest = words
    service = "s3" if service == "s3api" else service
    options = {
        name.removeprefix("--"): value for name, value in zip(rest[::2], rest[1::2], strict=True)
    }
    client = boto3.client(
        service,  # type: ignore[call-overload]
        region_name=options.get("region"),
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
    )
    method = operation.replace("-", "_")
    shape = client.meta.service_model.operation_model(
        client.meta.method_to_api_mapping[method]
    ).input_shape
    members = {xform_name(name, "-"): name for name in shape.members}
    parameters = {
        members[name]: _value(value) for name, value in options.items() if name not in _OWN
    }
    getattr(client, method)(**parameters)


def _value(written: str) -> Any:
    """The shorthand of structures is `key=value`."""
    pair = re.fullmatch(r"(\w+)=([\w,]+)", written)
    return {pair[1]: pair[2]} if pair else written


if __name__ == "__main__":
    main(sys.argv[1:])

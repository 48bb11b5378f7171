"""`cloud`: the commands on Anyscale clouds."""

from __future__ import annotations

from anyscale_k8s_cli.cli.tree import Branch, Entry, group


class CloudCommands(Branch):
    table = {  # noqa: RUF012 - the base says that it belongs to the class
        "init": Entry("anyscale_k8s_cli.cli.cloud.init", "Write a cloud.yaml to begin with."),
        "plan": Entry("anyscale_k8s_cli.cli.cloud.plan", "Show what setup would do."),
        "setup": Entry("anyscale_k8s_cli.cli.cloud.setup", "Make a Kubernetes cluster a cloud."),
        "register": Entry(
            "anyscale_k8s_cli.cli.cloud.register", "Register what you have made by hand."
        ),
        "status": Entry("anyscale_k8s_cli.cli.cloud.status", "Tell whether a cloud is healthy."),
        "verify": Entry("anyscale_k8s_cli.cli.cloud.verify", "Check all that a cloud depends on."),
        "list": Entry("anyscale_k8s_cli.cli.cloud.list", "List your clouds."),
        "get": Entry("anyscale_k8s_cli.cli.cloud.get", "Show one cloud."),
        "review": Entry(
            "anyscale_k8s_cli.cli.cloud.review", "Tell on one page what a cloud has and may."
        ),
        "explain": Entry("anyscale_k8s_cli.cli.cloud.explain", "Tell why an object exists."),
        "rotate-token": Entry(
            "anyscale_k8s_cli.cli.cloud.rotate_token", "Give the operator another key."
        ),
        "permissions": Entry(
            "anyscale_k8s_cli.cli.cloud.permissions", "Print the least rights for a command."
        ),
        "delete": Entry("anyscale_k8s_cli.cli.cloud.delete", "Remove a cloud and all made for it."),
    }


app = group(
    CloudCommands,
    name="cloud",
    summary="Set up, look at and remove Anyscale clouds on Kubernetes.",
    examples="""
    anyscale cloud plan --provider eks --region us-west-2 --cluster-name demo --name prod
    anyscale cloud status prod
    """,
)

"""What a person may say wrong, and how it is refused: before any change, naming the field.

Plain data, for the tests and for the benchmark of what refusing costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_SAID: Mapping[str, str] = {
    "--provider": "eks",
    "--region": "us-west-2",
    "--cluster-name": "demo",
    "--name": "prod",
}
_CLOUD = "provider: eks\nregion: us-west-2\nname: prod\ncluster:\n  name: demo\n"
TOKEN = "ANYSCALE_CLI_TOKEN"
OUTSIDER = "outsider"


@dataclass(frozen=True)
class Refusal:
    """One wrong input.

    `files` are written before, and `{folder}` in the arguments is where. `says`
    must all be in the error's message, cause or fix. `environment` changes
    variables, an empty one counts as not set; `who` is somebody else than the administrator.
    """

    name: str
    arguments: tuple[str, ...]
    code: str
    exit_code: int
    says: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    who: str = ""

    def __str__(self) -> str:
        return self.name


def setup(**changed: str) -> tuple[str, ...]:
    """The arguments of a good setup, with some changed or added (`kms_key` is `--kms-key`)."""
    said = {**_SAID, **{f"--{name.replace('_', '-')}": value for name, value in changed.items()}}
    return ("cloud", "setup", "--yes", *(word for pair in said.items() for word in pair))


def from_file(text: str) -> dict[str, str]:
    return {"cloud.yaml": text}


_FROM_FILE = ("cloud", "setup", "--yes", "-f", "{folder}/cloud.yaml")

REFUSALS = (
    # The command line
    Refusal("option", setup(regoin="x"), "usage", 1, ("--regoin", "--region")),
    Refusal("choice", setup(expose="pubic"), "usage", 1, ("--expose", "'pubic'", "'internal'")),
    Refusal("timeout", setup(timeout="abc"), "usage", 1, ("--timeout", "'abc'", "30m")),
    Refusal("tag", setup(tag="team"), "usage", 1, ("--tag", "'team'", "KEY=VALUE")),
    Refusal(
        "token as a flag",
        setup(token="sss_marker"),
        "usage",
        1,
        ("--token", "secrets are not taken as options", "anyscale login", TOKEN),
    ),
    Refusal(
        "two names",
        ("cloud", "status", "prod", "--name", "other"),
        "usage",
        1,
        ("'prod'", "--name 'other'"),
    ),
    Refusal(
        "two names to list",
        ("cloud", "list", "prod", "--name", "other"),
        "usage",
        1,
        ("'prod'", "--name 'other'"),
    ),
    Refusal(
        "two names to delete",
        ("cloud", "delete", "prod", "--name", "other", "--yes"),
        "usage",
        1,
        ("'prod'", "--name 'other'"),
    ),
    Refusal(
        "nobody to say yes",
        tuple(word for word in setup() if word != "--yes"),
        "confirmation-needed",
        5,
        ("--yes", "--dry-run"),
    ),
    Refusal(
        "nothing said",
        ("cloud", "setup", "--yes"),
        "missing-input",
        1,
        ("--provider", "--name"),
    ),
    # The file
    Refusal(
        "unknown key",
        _FROM_FILE,
        "invalid-spec",
        1,
        ("bukcet in", "cloud.yaml", "did you mean existing.bucket?", "accepted here: account,"),
        from_file(_CLOUD + "bukcet: x\n"),
    ),
    Refusal(
        "unknown key inside",
        _FROM_FILE,
        "invalid-spec",
        1,
        ("network.exposed in", "did you mean expose?", "allow_cidrs"),
        from_file(_CLOUD + "network:\n  exposed: public\n"),
    ),
    Refusal(
        "Helm values as cloud.yaml",
        _FROM_FILE,
        "invalid-spec",
        1,
        ("Helm values", "did you mean --values", "cloud.yaml"),
        from_file("global:\n  region: us-west-2\nworkloads: {}\n"),
    ),
    Refusal(
        "not YAML",
        _FROM_FILE,
        "invalid-spec",
        1,
        ("cloud.yaml is not valid YAML", "line 3, column"),
        from_file("name: prod\ntags: [a\nb: c"),
    ),
    Refusal(
        "no mapping",
        _FROM_FILE,
        "invalid-spec",
        1,
        ("cloud.yaml holds no cloud", "expected keys and their values, found a list"),
        from_file("- prod\n"),
    ),
    Refusal(
        "no such file",
        ("cloud", "setup", "--yes", "-f", "{folder}/nowhere.yaml"),
        "invalid-spec",
        1,
        ("--file", "nowhere.yaml", "No such file"),
    ),
    Refusal(
        "an id that no cloud has",
        setup(cloud_id="cld_nope"),
        "cloud-not-found",
        1,
        ("no cloud with the id cld_nope", "leave --cloud-id out"),
    ),
    Refusal(
        "an id that no cloud has, to delete",
        ("cloud", "delete", "zz", "--cloud-id", "cld_nope", "--yes"),
        "cloud-not-found",
        1,
        ("no cloud with the id cld_nope", "leave --cloud-id out"),
    ),
    Refusal(
        "values that are no mapping",
        setup(values="{folder}/values.yaml"),
        "invalid-spec",
        1,
        ("--values", "values.yaml", "expected a mapping"),
        {"values.yaml": "- a\n"},
    ),
    Refusal(
        "values that part the operator from its cloud",
        setup(values="{folder}/values.yaml"),
        "invalid-spec",
        1,
        ("--values: global.cloudDeploymentId is set by setup alone",),
        {"values.yaml": "global: {cloudDeploymentId: cldrsrc_x}\n"},
    ),
    Refusal(
        "a plan that is none",
        ("cloud", "setup", "--yes", "--plan", "{folder}/prod.plan"),
        "invalid-spec",
        1,
        ("prod.plan is not a saved plan", "it has no 'install'", "--out"),
        {"prod.plan": "{}"},
    ),
    Refusal(
        "a plan of another kind",
        ("cloud", "setup", "--yes", "--plan", "{folder}/prod.plan"),
        "invalid-spec",
        1,
        ("prod.plan is not a saved plan", "its schema is 'x', not 'anyscale-k8s/saved-plan/v1'"),
        {"prod.plan": '{"schema": "x", "install": {}}'},
    ),
    Refusal(
        "a plan whose install was edited",
        ("cloud", "setup", "--yes", "--plan", "{folder}/prod.plan"),
        "invalid-spec",
        1,
        ("prod.plan is not a saved plan", "its 'install' is not as it was written"),
        {"prod.plan": '{"schema": "anyscale-k8s/saved-plan/v1", "install": {"a": "b"}}'},
    ),
    # Values that mean nothing
    Refusal(
        "name", setup(name="-my cloud"), "invalid-spec", 1, ("--name", "'-my cloud'", "letters")
    ),
    Refusal("namespace", setup(namespace="Ray"), "invalid-spec", 1, ("--namespace", "lower-case")),
    Refusal(
        "CIDR",
        setup(allow_cidr="10.0.0.0/99"),
        "invalid-spec",
        1,
        ("--allow-cidr", "'10.0.0.0/99'", "203.0.113.0/24"),
    ),
    Refusal(
        "identity",
        setup(identity="my-role"),
        "invalid-spec",
        1,
        ("--identity", "'my-role'", ":role/<name>"),
    ),
    Refusal(
        "malformed bucket", setup(bucket="My_Data"), "invalid-spec", 1, ("--bucket", "'My_Data'")
    ),
    Refusal(
        "malformed region",
        setup(region="US West 2"),
        "invalid-spec",
        1,
        ("--region", "'US West 2'", "us-west-2"),
    ),
    Refusal(
        "malformed account",
        setup(account_id="2847"),
        "invalid-spec",
        1,
        ("--account-id", "'2847'", "twelve digits"),
    ),
    Refusal(
        "provider",
        setup(provider="ekss"),
        "provider-unavailable",
        1,
        ("--provider", "'ekss'", "eks"),
    ),
    # Who is asking
    Refusal(
        "no token", setup(), "not-logged-in", 4, (TOKEN, "anyscale login"), environment={TOKEN: ""}
    ),
    Refusal(
        "malformed token",
        setup(),
        "token-malformed",
        4,
        (TOKEN, "sss_", "anyscale login"),
        environment={TOKEN: "hello"},
    ),
    Refusal(
        "rejected token",
        setup(),
        "token-rejected",
        4,
        (TOKEN, "anyscale login"),
        environment={TOKEN: "sss_nobody"},
    ),
    Refusal(
        "no AWS credentials",
        setup(),
        "cloud-credentials-missing",
        4,
        ("credentials", "--aws-profile"),
        environment={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
    ),
    Refusal(
        "wrong AWS credentials",
        setup(),
        "cloud-credentials-rejected",
        4,
        ("does not accept your credentials", "AWS_"),
        environment={"AWS_SECRET_ACCESS_KEY": "not-the-secret-of-this-key"},
    ),
    Refusal(
        "no such profile",
        setup(aws_profile="nobody"),
        "cloud-credentials-missing",
        4,
        ("nobody", "--aws-profile"),
    ),
    Refusal(
        "wrong account",
        setup(account_id="999999999999"),
        "account-mismatch",
        1,
        ("284710593866, not 999999999999", "credentials of 999999999999", "demo-admin"),
    ),
    Refusal(
        "no rights in the cluster",
        setup(),
        "cluster-unauthenticated",
        4,
        (
            "user/demo-outsider is not known to the cluster",
            "aws eks create-access-entry --cluster-name demo --region us-west-2 "
            "--principal-arn arn:aws:iam::284710593866:user/demo-outsider",
            "aws eks associate-access-policy",
        ),
        who=OUTSIDER,
    ),
    # Whose plane it is
    Refusal(
        "Azure's own plane",
        setup(),
        "azure-hosted-plane",
        1,
        ("console.azure.anyscale.com", "Anyscale.Platform/clouds", "Azure's portal", "extension"),
        environment={"ANYSCALE_HOST": "https://console.azure.anyscale.com"},
    ),
    Refusal(
        "to delete on Azure's own plane",
        ("cloud", "delete", "prod", "--yes"),
        "azure-hosted-plane",
        1,
        ("console.azure.anyscale.com", "delete the cloud in Azure's portal"),
        environment={"ANYSCALE_HOST": "https://console.azure.anyscale.com"},
    ),
    # What is not there
    Refusal(
        "no such cluster",
        setup(cluster_name="nope"),
        "cluster-not-found",
        1,
        ("'nope' in us-west-2", "--cluster-name", "demo"),
    ),
    Refusal(
        "another region",
        setup(region="eu-west-1"),
        "cluster-not-found",
        1,
        ("'demo' in eu-west-1", "--region"),
    ),
    Refusal(
        "no such bucket",
        setup(bucket="nobodys-data"),
        "adopted-missing",
        1,
        ("nobodys-data", "does not exist"),
    ),
    Refusal(
        "somebody else's bucket",
        setup(bucket="acme-data"),
        "adopted-unfit",
        1,
        ("acme-data", "not in the account 284710593866", "s3:ListBucket"),
    ),
    Refusal(
        "no such role",
        setup(identity="arn:aws:iam::284710593866:role/nobody"),
        "adopted-missing",
        1,
        ("IAM role nobody", "does not exist"),
    ),
    Refusal(
        "no such key",
        setup(kms_key="alias/none"),
        "adopted-unfit",
        1,
        ("there is no key alias/none in us-west-2", "--kms-key"),
    ),
    Refusal(
        "malformed key", setup(kms_key="my key"), "invalid-spec", 1, ("--kms-key", "alias/<name>")
    ),
    Refusal(
        "no such subnet",
        setup(lb_subnet="subnet-0123456789abcdef0"),
        "adopted-unfit",
        1,
        ("no subnet subnet-0123456789abcdef0", "demo-public-us-west-2a", "--lb-subnet"),
    ),
)

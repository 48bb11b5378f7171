"""The sandbox's own life, as processes: up, attached, down, run, and what its children see."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from anyscale_k8s_cli.sandbox import processes
from anyscale_k8s_cli.sandbox.environment import Folder
from anyscale_k8s_cli.sandbox.record import SandboxRecord, load
from tests.processes import (
    UNTRIED,
    Desk,
    Ended,
    eventually,
    finished,
    outcome,
    processes_that_name,
)

PLANTED = "PLANTED-real-secret"
REAL_VARIABLES = (
    "ANYSCALE_CLI_TOKEN",
    "ANYSCALE_HOST",
    "ANYSCALE_SSL_CA_CERT",
    "ARM_CLIENT_SECRET",
    "AWS_ACCESS_KEY_ID",
    "AWS_CA_BUNDLE",
    "AWS_ENDPOINT_URL_S3",
    "AWS_PROFILE",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "CLOUDSDK_CONFIG",
    "COREWEAVE_API_TOKEN",
    "GITHUB_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "HELM_KUBETOKEN",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "KUBECONFIG",
    "NEBIUS_IAM_TOKEN",
    "OCI_CLI_KEY_FILE",
    "REQUESTS_CA_BUNDLE",
    "https_proxy",
)
GOOGLE_SERVICES = (
    *("CLOUDRESOURCEMANAGER", "COMPUTE", "CONTAINER", "IAM", "IAMCREDENTIALS"),
    *("SERVICEUSAGE", "STORAGE", "STS"),
)
# What a child may have; each name is here because it has to do with this machine and
# terminal, or because the sandbox sets it.
ALLOWED = {
    *("ANYSCALE_CLI_TOKEN", "ANYSCALE_HOST", "ANYSCALE_K8S_CHART_MIRROR", "ANYSCALE_K8S_HELM"),
    "ANYSCALE_K8S_DNS_SERVER",
    *("ANYSCALE_SANDBOX_ADMIN", "ANYSCALE_SANDBOX_ADMIN_TOKEN", "ANYSCALE_SANDBOX_RECORD"),
    *(
        f"ANYSCALE_K8S_STORAGE_{what}"
        for what in ("ENDPOINT", "REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
    ),
    *("AWS_ACCESS_KEY_ID", "AWS_CONFIG_FILE", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED"),
    *("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SHARED_CREDENTIALS_FILE"),
    *("ARM_CLOUD_METADATA_URL", "AZURE_AUTHORITY_HOST", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
    *("AZURE_SUBSCRIPTION_ID", "AZURE_TENANT_ID", "AZURE_TOKEN_CREDENTIALS", "REQUESTS_CA_BUNDLE"),
    *("CLOUDSDK_CONFIG", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "NO_GCE_CHECK"),
    *(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service}" for service in GOOGLE_SERVICES),
    *("NEBIUS_CREDENTIALS_FILE", "NEBIUS_ENDPOINT", "NEBIUS_PROJECT_ID", "NEBIUS_STORAGE_ENDPOINT"),
    *("COREWEAVE_API_ENDPOINT", "COREWEAVE_API_TOKEN", "COREWEAVE_S3_ENDPOINT"),
    *("OCI_CONFIG_FILE", "OCI_ENDPOINT", "OCI_S3_ENDPOINT", "HTTP_PROXY", "http_proxy"),
    *("CI", "COLORTERM", "COLUMNS", "HOME", "KUBECONFIG", "LANG", "LANGUAGE", "LINES", "LOGNAME"),
    *("NO_COLOR", "NO_PROXY", "PATH", "SHELL", "SSL_CERT_FILE", "TEMP", "TERM", "TMP", "TMPDIR"),
    *("TZ", "USER", "USERPROFILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
    *("XDG_STATE_HOME", "no_proxy"),
}
SHOW_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)), flush=True)"
# Refuses every connection and every name that is not this machine's.
ONLY_LOOPBACK = """
import sys
def check(event, args):
    if event == "socket.connect":
        host = args[1][0] if isinstance(args[1], tuple) else "unix"
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if host not in ("127.0.0.1", "localhost", "::1", "unix", None):
        print("LEFT", host, flush=True)
        raise SystemExit(99)
sys.addaudithook(check)
"""
ASK_EVERYBODY = (
    SHOW_ENVIRONMENT
    + ONLY_LOOPBACK
    + """
import boto3
cluster = boto3.client("eks").describe_cluster(name="demo")["cluster"]
who = boto3.client("sts").get_caller_identity()["Account"]
buckets = [item["Name"] for item in boto3.client("s3").list_buckets()["Buckets"]]
print(cluster["status"], who, buckets, flush=True)
import os
import google.auth
from google.cloud.container_v1 import ClusterManagerClient
scopes = ["https://www.googleapis.com/auth/cloud-platform"]
credentials, project = google.auth.default(scopes=scopes)
options = {"api_endpoint": os.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER"].rstrip("/")}
gke = ClusterManagerClient(credentials=credentials, transport="rest", client_options=options)
clusters = gke.list_clusters(parent=f"projects/{project}/locations/-").clusters
print([found.name for found in clusters], flush=True)
from anyscale_k8s_cli.cli.main import run
sys.exit(run(["cloud", "list", "-o", "json"]))
"""
)


def world_of(*platforms: str) -> dict[str, str]:
    return {"ANYSCALE_SANDBOX_WORLD": json.dumps({"platforms": platforms})}


# What is the same with one platform as with all is tried with one: each takes time to start.
SMALL = world_of("generic")


def started(desk: Desk, env: Mapping[str, str] | None = None) -> SandboxRecord:
    up = desk.anyscale("sandbox", "up", env=env)
    assert up.code == 0, up.err
    record = load(desk.record)
    assert record is not None
    return record


def is_running(record: SandboxRecord) -> bool:
    return bool(processes.is_running(record.pid, record.born or ""))


def plant(home: Path) -> dict[str, str]:
    """Real-looking profiles in a home, and variables that lead to them."""
    files = {
        ".aws/credentials": f"[default]\naws_access_key_id = AKIA{PLANTED}\n"
        f"aws_secret_access_key = {PLANTED}\n[prod]\naws_access_key_id = AKIA{PLANTED}\n",
        ".aws/config": "[default]\nregion = eu-north-1\nendpoint_url = https://aws.example.com\n",
        ".anyscale/credentials.json": json.dumps({"cli_token": f"aph0_{PLANTED}"}),
        ".kube/config": f"users: [{{name: prod, user: {{token: {PLANTED}}}}}]\n",
        ".config/gcloud/application_default_credentials.json": json.dumps({"key": PLANTED}),
        ".netrc": f"machine 127.0.0.1 login me password {PLANTED}\n",
    }
    for name, content in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(content)
    variables = dict.fromkeys(REAL_VARIABLES, PLANTED)
    proxy = f"http://{PLANTED}.example.com:3128"
    return {**variables, "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "https_proxy": proxy}


def in_run(desk: Desk, *command: str, env: Mapping[str, str] | None = None) -> Ended:
    return desk.anyscale("sandbox", "run", "--", *command, env=env)


@pytest.fixture(scope="module")
def attached(desks: Callable[[], Desk]) -> Iterator[tuple[Desk, SandboxRecord]]:
    """A sandbox of all platforms for tests that leave it up, and the desk that it is of."""
    desk = desks()
    # The installed command ends, and closes its streams, while the sandbox stays.
    assert outcome(desk.start("sandbox", "up")).code == 0
    record = load(desk.record)
    assert record is not None
    yield desk, record
    assert desk.anyscale("sandbox", "down").code == 0


@pytest.fixture(scope="module")
def asked(desks: Callable[[], Desk]) -> tuple[Desk, Ended]:
    """A child of `run` that shows its environment and asks everybody, and whose desk it ran at."""
    desk = desks()
    env = {**plant(desk.home), **world_of("eks", "gke")}
    return desk, in_run(desk, sys.executable, "-c", ASK_EVERYBODY, env=env)


def test_up_and_attach(attached: tuple[Desk, SandboxRecord]) -> None:
    desk, record = attached
    assert stat.S_IMODE(desk.record.stat().st_mode) == 0o600
    assert stat.S_IMODE(record.directory.stat().st_mode) == 0o700
    assert is_running(record)

    again = desk.anyscale("sandbox", "up", "-o", "json")
    assert again.code == 0
    assert again.document["pid"] == record.pid
    assert desk.anyscale("sandbox", "status", "-o", "json").document["url"] == record.url
    # From within, without the record of this home, it is found as well.
    inside = desk.anyscale("sandbox", "status", "-o", "json", env=dict(record.environment))
    assert inside.document["pid"] == record.pid
    assert record.admin.status()["pid"] == record.pid

    looked = desk.anyscale("doctor", "--sandbox", "-o", "json")
    assert looked.code == 0, looked.out
    found = {item["code"]: item for item in looked.document["checks"]}
    assert found["machine-login"]["status"] == "pass"
    for whose in ("eks: arn:aws:iam::", "gke: demo-admin@", "coreweave: ", "nebius: ", "oke: "):
        assert whose in found["machine-credentials"]["detail"]

    assert desk.anyscale("sandbox", "break", "load-balancer", "--platform", "eks").code == 0
    mended = desk.anyscale("sandbox", "mend", "load-balancer", "--platform", "eks", "-o", "json")
    assert mended.document["changed"]
    unknown = desk.anyscale("sandbox", "break", "nosuch", "-o", "json").document["error"]
    assert "there are: " in unknown["message"]
    assert "role-trust" in unknown["message"]


def test_commands_in_a_row_share_the_sandbox(attached: tuple[Desk, SandboxRecord]) -> None:
    desk, record = attached
    kubeconfig = Path(record.environment["KUBECONFIG"])
    before = kubeconfig.read_bytes()
    first = desk.anyscale("cloud", "list", "--sandbox", "-o", "json", env=plant(desk.home))
    assert first.code == 0, first.err
    assert [call["operation"]["name"] for call in record.admin.calls() if "cloud" in call["path"]]
    assert PLANTED not in first.out + first.err
    assert kubeconfig.read_bytes() == before


def test_dead_sandboxes_are_cleared_away(desk: Desk) -> None:
    """By whoever has the record, or else by the next that starts.

    A living one's folder stays, and what says nothing of a process.
    """
    lost = started(desk, SMALL)
    desk.record.rename(desk.home / "moved.json")
    strange = lost.directory.parent / "anyscale-sandbox-strange"
    strange.mkdir(exist_ok=True)
    known = started(desk, SMALL)
    assert known.pid != lost.pid
    assert lost.directory.exists()

    for record in (lost, known):
        os.kill(record.pid, signal.SIGKILL)
    eventually(lambda: not is_running(lost) and not is_running(known))
    assert desk.anyscale("sandbox", "status").code == 1
    assert not desk.record.exists()
    assert not known.directory.exists()
    assert lost.directory.exists()

    assert in_run(desk, "true", env=SMALL).code == 0
    assert not lost.directory.exists()
    strange.rmdir()


def test_down_ends_the_sandbox_and_believes_no_record_of_another_process(desk: Desk) -> None:
    record = started(desk, SMALL)
    assert desk.anyscale("sandbox", "down").code == 0
    assert not is_running(record)
    assert not desk.record.exists()
    assert not record.directory.exists()
    assert desk.anyscale("sandbox", "status").code == 1

    somebody = os.getpid()
    SandboxRecord(
        **{**vars(record), "pid": somebody, "born": "1", "directory": desk.home / "mine"}
    ).save(desk.record)
    (desk.home / "mine").mkdir()
    assert desk.anyscale("sandbox", "down").code == 0
    assert not desk.record.exists()
    assert (desk.home / "mine").exists()


def test_kubectl_and_helm_reach_every_cluster(attached: tuple[Desk, SandboxRecord]) -> None:
    """With what the clouds' own tools would have written; the product has no need of it."""
    desk, record = attached
    kubeconfig = record.environment["KUBECONFIG"]
    assert stat.S_IMODE(Path(kubeconfig).stat().st_mode) == 0o600
    names = (
        "arn:aws:eks:us-west-2:284710593866:cluster/demo",
        *("gke_demo_us-central1_demo", "gke_demo_us-central1-f_zonal", "gke_demo_us-central1_auto"),
        *("demo-admin", "bare-admin", "nebius-mk8s-demo", "coreweave-demo"),
        *("context-330f7d9564f", "demo"),
    )
    contexts, current = config.list_kube_config_contexts(kubeconfig)
    assert [context["name"] for context in contexts] == list(names)
    assert current["name"] == names[0]
    for name in names:
        with config.new_client_from_config(kubeconfig, name) as api:
            client.CoreV1Api(api).list_node()
            assert client.CoreV1Api(api).read_namespace("kube-system").metadata.uid
    helm = str(Folder(record.directory).helm)
    for name in names[:2]:
        arguments = [helm, "list", "--all-namespaces", "--output", "json", "--kube-context", name]
        listed = finished(arguments, dict(record.environment), desk.home)
        assert (listed.code, listed.out.strip()) == (0, "[]"), listed.err

    away = Path(kubeconfig).rename(desk.home / "away")
    where = ("--provider", "eks", "--cluster-name", "demo", "--region", "us-west-2")
    planned = desk.anyscale("cloud", "plan", "--sandbox", *where, "--name", "prod", *UNTRIED)
    assert planned.code == 0, planned.err
    away.rename(kubeconfig)


def test_env_speaks_the_shells_language(attached: tuple[Desk, SandboxRecord]) -> None:
    desk, record = attached
    lines = desk.anyscale("sandbox", "env").out
    script = f'{lines}\nexec "{sys.executable}" -c "{SHOW_ENVIRONMENT}"'
    shown = subprocess.run(
        ["sh", "-c", script],
        env={**desk.environment, "AWS_PROFILE": "prod"},
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(shown.stdout)
    assert dict(record.environment).items() <= seen.items()
    document = desk.anyscale("sandbox", "env", "-o", "json", env={"AWS_PROFILE": "prod"}).document
    assert document["set"] == dict(record.environment)
    assert "AWS_PROFILE" in document["unset"]


def test_children_see_only_what_is_on_the_list(
    asked: tuple[Desk, Ended], attached: tuple[Desk, SandboxRecord]
) -> None:
    desk, shown = asked
    assert attached[1].environment.keys() <= ALLOWED
    # The planted KUBECONFIG and the like are no reason to fail, either.
    assert shown.code == 0, shown.err
    seen = json.loads(shown.out.partition("\n")[0])
    names = {name for name in seen if not name.startswith("LC_")}
    assert names <= ALLOWED
    assert PLANTED not in shown.out
    assert str(desk.home) not in shown.out
    assert seen["ANYSCALE_CLI_TOKEN"].startswith("aph0_")


def test_nothing_leaves_this_machine(asked: tuple[Desk, Ended]) -> None:
    _, done = asked
    assert "\nLEFT" not in done.out
    assert done.code == 0, done.err
    _, first, second, rest = done.out.split("\n", 3)
    assert first == "ACTIVE 284710593866 ['team-data']"
    assert second == "['demo', 'zonal', 'auto']"
    assert json.loads(rest)["clouds"] == []


def test_tokens_are_in_nobodys_arguments(attached: tuple[Desk, SandboxRecord]) -> None:
    _, record = attached
    secrets = [record.token, record.environment["ANYSCALE_CLI_TOKEN"]]
    secrets.append(record.environment["AWS_SECRET_ACCESS_KEY"])
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            assert not any(secret in line for secret in secrets)


def test_run_answers_with_the_signal_that_ended_its_command(desk: Desk) -> None:
    script = f"echo out; echo {desk.home} >&2; kill -KILL $$"
    done = in_run(desk, "sh", "-c", script, env=SMALL)
    assert done.code == 128 + signal.SIGKILL
    assert done.out == "out\n"


def test_a_world_in_a_file(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    told = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "told"}}
    world: dict[str, Any] = {"platforms": ["generic"], "kubernetes": {"objects": [told]}}
    nowhere = {**told, "metadata": {"name": "told", "namespace": "nosuch"}}
    odd = {**world, "kubernetes": {"objects": [nowhere]}}

    file.write_text(json.dumps(odd), encoding="utf-8")
    error = desk.anyscale("sandbox", "up", "--world", str(file), "-o", "json").document["error"]
    assert error["code"] == "sandbox-failed"
    assert error["evidence"] == ['ConfigMap told: namespaces "nosuch" not found']

    file.write_text(json.dumps(world), encoding="utf-8")
    up = desk.anyscale("sandbox", "up", "--world", str(file), "-o", "json")
    assert up.document["world"] == str(file)
    record = load(desk.record)
    assert record is not None
    (objects,) = record.admin.snapshot()["kubernetes"].values()
    assert "configmaps/default/told" in objects
    other = desk.anyscale("sandbox", "up", "--world", "eks-old-kubernetes", "-o", "json")
    assert other.document["error"]["cause"] == f"it was started with {file}"


def test_run_hands_signals_on_and_own_executables_come_first(desk: Desk) -> None:
    show = "command -v helm; command -v anyscale; helm version --short"
    script = f"trap 'echo told; exit 9' TERM; {show}; while :; do sleep 0.1; done"
    # With the installed command, from the start of Python on.
    running = desk.start("sandbox", "run", "--", "sh", "-c", script, env=SMALL)
    assert running.stdout is not None
    helm, anyscale, version = (running.stdout.readline().strip() for _ in range(3))
    assert Path(helm).parent == Path(anyscale).parent
    assert version.startswith("v")
    running.send_signal(signal.SIGTERM)
    rest, _ = running.communicate(timeout=60)
    assert rest == "told\n"
    assert running.returncode == 9


def test_a_killed_run_leaves_no_process(desk: Desk) -> None:
    # The marker is an argument of the command's own child.
    script = 'echo "$ANYSCALE_SANDBOX_RECORD"; sleep 3600.125; echo not reached'
    running = desk.start("sandbox", "run", "--", "sh", "-c", script, env=SMALL)
    assert running.stdout is not None
    folder = Path(running.stdout.readline().strip()).parent
    running.kill()
    running.communicate(timeout=60)
    eventually(lambda: not processes_that_name("sleep 3600.125"))
    eventually(lambda: not processes_that_name(str(folder)))
    eventually(lambda: not folder.exists())


def test_a_command_that_does_not_exist(desk: Desk) -> None:
    done = in_run(desk, "no-such-command", env=SMALL)
    assert done.code == 1
    assert "no-such-command" in done.err


def test_a_world_that_does_not_exist(desk: Desk) -> None:
    world = {"ANYSCALE_SANDBOX_WORLD": '{"weather": "rain"}'}
    done = desk.anyscale("sandbox", "up", "-o", "json", env=world)
    assert done.code == 2
    assert done.document["error"]["code"] == "sandbox-failed"
    assert "weather" in done.out
    assert not desk.record.exists()

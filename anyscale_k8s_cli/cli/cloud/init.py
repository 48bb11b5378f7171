"""`cloud init`: a cloud.yaml to begin with."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from anyscale_k8s_cli.cli.options import Common
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.spec_options import SpecOptions
from anyscale_k8s_cli.cli.tree import OUTPUT, command

SCHEMA = "anyscale-k8s/init/v1"
STANDARD_OUTPUT = Path("-")

app, register = command(
    examples="""
    anyscale cloud init --provider eks --region us-west-2 --cluster-name demo --name prod
    anyscale cloud init --provider gke --out - | less
    """
)

Out = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="FILE",
        rich_help_panel=OUTPUT,
        help="Where to write it, cloud.yaml if not given; - is standard output.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--force", rich_help_panel=OUTPUT, help="Overwrite a file that is there.")
]


@register
@spread
def init(
    spec: SpecOptions, common: Common, *, out: Out = Path("cloud.yaml"), force: Overwrite = False
) -> int:
    """Write a commented cloud.yaml: what is said by options, and all else that can be said.

    In a terminal it asks for what is missing. Nothing is looked at and nothing is
    changed but the file.
    """
    from anyscale_k8s_cli import errors
    from anyscale_k8s_cli.cli import prompts, settings
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.init import show_init

    with Session(common, schema=SCHEMA) as session:
        from anyscale_k8s_cli import provider_registry
        from anyscale_k8s_cli.cli.spec_file import spec_file
        from anyscale_k8s_cli.spec_loading import check

        said = session.off_the_clock(
            lambda: prompts.fill_in(
                settings.from_options(spec), {}, session.environment, may_ask=True
            )
        )
        if "provider" not in said:
            raise errors.CliError(
                errors.MISSING_INPUT,
                "Missing: --provider",
                cause="what can be said depends on the platform",
                fix=f"add --provider, one of {', '.join(provider_registry.available())}",
            )
        platform = provider_registry.load(str(said["provider"]), session.run)
        check(flags=said, file=None)
        text = spec_file({**said, "provider": platform.name}, platform.settings)
        if out != STANDARD_OUTPUT:
            _write(out, text, force=force)
        return session.finish(
            {
                "schema": SCHEMA,
                "file": None if out == STANDARD_OUTPUT else str(out),
                "text": text,
                "next": shlex.join(["anyscale", "cloud", "plan", "-f", str(out)]),
            },
            show_init,
        )


def _write(out: Path, text: str, *, force: bool) -> None:
    """Raises `usage` where it is there, or cannot be written."""
    from anyscale_k8s_cli import errors

    try:
        with out.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise errors.CliError(
            errors.USAGE,
            f"--out: {out} is there already",
            cause="what you wrote there would be lost",
            fix="add --force to overwrite it, or name another file",
        ) from None
    except OSError as problem:
        raise errors.CliError(
            errors.USAGE,
            f"--out: cannot write {out}",
            cause=problem.strerror or "",
            fix="name a file in a folder that you may write to, or - for standard output",
        ) from None

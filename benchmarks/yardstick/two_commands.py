"""The yardstick for the cost of help: a Typer app with two commands and nothing else."""

import typer

app = typer.Typer()


@app.command()
def hello(name: str) -> None:
    """Say hello to NAME."""
    typer.echo(f"Hello {name}")


@app.command()
def goodbye(name: str, formal: bool = False) -> None:
    """Say goodbye to NAME, with style if asked for."""
    typer.echo(f"Good day, {name}." if formal else f"Bye {name}!")


if __name__ == "__main__":
    app()

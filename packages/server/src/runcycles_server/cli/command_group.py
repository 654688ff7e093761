"""Commands that belong together: `cycles tenant …`."""

import typer


def group(sentence: str) -> typer.Typer:
    """An empty group; without a command it shows its help."""
    return typer.Typer(help=sentence, no_args_is_help=True, rich_markup_mode="rich")

"""How a wrong use ends: one line that says what to do, an exit code, and nothing changed."""

from difflib import get_close_matches
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from workers.cli.terminal.console import error_console

WRONG = 2
"""The exit code where the words of the command are wrong."""

CANNOT = 1
"""The exit code where they are right, and it cannot be done now."""


def wrong(what: str) -> NoReturn:
    """End with a line for words that are wrong."""
    _end(what, WRONG)


def cannot(what: str) -> NoReturn:
    """End with a line for what cannot be done now."""
    _end(what, CANNOT)


def one_of(option: str, told: str, known: tuple[str, ...]) -> str:
    """Return `told` where it is one of `known`; otherwise end with a line that names them, and the one meant."""
    if told in known:
        return told
    near = get_close_matches(told, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    wrong(f"{option} {told!r} is none of {', '.join(known)}{hint}")


def remark(what: str) -> None:
    """Say something that is no answer."""
    error_console().print(what, highlight=False, soft_wrap=True, markup=False)


def _end(what: str, code: int) -> NoReturn:
    remark(f"payferry: {' '.join(what.split())}")
    raise typer.Exit(code)


class OneLineGroup(TyperGroup):
    """A group of verbs whose wrong words end in one line, too, instead of a frame over several."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:  # noqa: ANN401 - typer's own types are private
        """Read the words of the group itself. Without any, its help is shown."""
        has_words = bool(args)  # reading them takes them away
        try:
            return super().make_context(info_name, args, parent, **extra)
        except typer.TyperException as error:
            if not has_words:
                raise  # which shows the help
            _end_for(error, info_name or "payferry")

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - likewise
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except typer.TyperException as error:
            if type(error).__name__ == _HELP:  # a group within this one, without any words
                raise
            _end_for(error, f"{ctx.command_path} {ctx.invoked_subcommand or ''}".rstrip())


_HELP = "NoArgsIsHelpError"
"""What shows a group's help. Typer keeps it to itself."""


def plain_reason(message: str) -> str:
    """Return pydantic's words, which typer and the settings speak with, without those that it puts before ours."""
    return message.replace("Value error, ", "")


def _end_for(error: typer.TyperException, command: str) -> NoReturn:
    """End with what is wrong, and where to look: at `command`, unless the error names a nearer one."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else command
    _end(f"{plain_reason(error.format_message()).rstrip('.')}; see `{command} --help`", error.exit_code)

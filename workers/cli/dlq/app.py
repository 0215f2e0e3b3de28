"""Where the verbs of `payferry dlq` come together."""

import typer

from workers.cli.dlq import changing, edit, listing, numbers, putting_away, replay, steering, transfer
from workers.cli.dlq.office import Office
from workers.cli.terminal.refusal import OneLineGroup

dlq = typer.Typer(
    help="Dead letters: find, understand and mend them, send them back, put them away.",
    cls=OneLineGroup,
    no_args_is_help=True,
)


@dlq.callback()
def begin(context: typer.Context) -> None:
    """Dead letters: find, understand and mend them, send them back, put them away."""
    office = Office()
    context.obj = office
    context.call_on_close(office.close)


dlq.command("list")(listing.listing)
dlq.command("show")(listing.show)
dlq.command("groups")(listing.groups)
dlq.command("stats")(numbers.stats)
dlq.command("replay")(replay.replay)
dlq.command("jobs")(steering.jobs)
dlq.command("watch")(steering.watch)
dlq.command("pause")(steering.pause)
dlq.command("resume")(steering.resume)
dlq.command("cancel")(steering.cancel)
dlq.command("edit")(edit.edit)
dlq.command("park")(changing.park)
dlq.command("discard")(changing.discard)
dlq.command("restore")(changing.restore)
dlq.command("export")(transfer.export)
dlq.command("import")(transfer.take_in)
dlq.command("purge")(putting_away.purge)
dlq.command("archives")(putting_away.archives)

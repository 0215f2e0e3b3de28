"""Every wrong use of every verb gives one line that says what to do, an exit code, and changes nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import load_settings
from payments.flows.dead_letters.archiving import ArchiveDesk, put_away
from payments.ledger.dead_letters.actor import Actor
from payments.ledger.dead_letters.archives import Archives
from payments.ledger.dead_letters.choice import Choice
from payments.ledger.dead_letters.jobs import ReplayJobs
from payments.ledger.sweeps import Sweeps
from tests.builders import a_message
from tests.integration.cli.dlq.conftest import Graveyard, Run

JO = Actor("jo@host", "an audit")
PENDING, PARKED, RESOLVED, DISCARDED, REPLAYING, REPLACED, CHILD, PURGED = range(1, 9)
RUNNING_JOB, PAUSED_JOB, CANCELLED_JOB = 2, 3, 4

Use = tuple[str, str]
"""The words, and what the line must hold."""

FILTERS: list[Use] = [
    ("--provider strpe", "did you mean stripe?"),
    ("--provider x", "none of stripe, razorpay, paypal, canonical, unknown"),
    ("--category bad", "none of transient, unknown, permanent"),
    ("--category permanen", "did you mean permanent?"),
    ("--state lost", "none of pending, replaying, resolved, parked, discarded"),
    ("--state parkd", "did you mean parked?"),
    ("--since yesterday", "2026-01-05"),
    ("--until 2026-13-01", "2026-01-05"),
    ("--since 2026-02-01 --until 2026-01-01", "exchange them?"),
    ("--older-than soon", "30s, 15m, 2h or 3d"),
    ("--older-than 5", "30s, 15m, 2h or 3d"),
    ("--older-than 99999d", "a hundred years"),
    ("--id x", "write 7, or 1,2,3, or 5-9"),
    ("--id 0", "numbers begin with 1"),
    ("--id 9-5", "the smaller one comes first"),
    ("--id 1,,2", "write 7, or 1,2,3, or 5-9"),
    ("--id 1-100002", "use another filter"),
    ("--id 99999999999999999999", "write 7, or 1,2,3, or 5-9"),
    ("--fingerprint xyz", "payferry dlq groups"),
    ("--reason=", "--reason is empty"),
    ("--payment=", "--payment is empty"),
    ("--contains=", "--contains is empty"),
    ("--colour blue", "No such option: --colour"),
    ("blue", "unexpected extra argument"),
    ("--provider", "requires an argument"),
]
FILTERED = ("list", "groups", "stats", "replay", "discard --why x", "restore", "park", "export -", "purge")

WRONG: list[Use] = [
    ("lst", "Did you mean 'list'"),
    ("--json", "No such option"),
    ("list --limit 0", "--limit"),
    ("list --limit many", "--limit"),
    ("list --limit 99999999", "--limit"),
    ("list --after x", "--after"),
    ("list --after 0", "--after"),
    ("list --count --after 3", "--after goes without it"),
    ("show", "Missing argument 'ID'"),
    ("show x", "'ID'"),
    ("show 0", "'ID'"),
    ("show 1 2", "unexpected extra argument"),
    ("show 1 --json --payload", "leave out --payload"),
    ("show 1 --raw - --json", "leave out --json"),
    ("groups --limit 0", "--limit"),
    ("stats --json --prometheus", "choose one"),
    ("replay", "name at least one filter, or --all"),
    ("replay --yes", "name at least one filter, or --all"),
    ("replay --dry-run", "name at least one filter, or --all"),
    ("replay --all --provider stripe", "leave out one or the other"),
    ("replay --all --rate fast", "50 or 50/s"),
    ("replay --all --rate 0", "50 or 50/s"),
    ("replay --all --rate=-3", "50 or 50/s"),
    ("replay --all --rate 9999999999", "50 or 50/s"),
    ("replay --all --here", "--here goes with --due"),
    ("replay --all --why=", "--why is empty"),
    ("replay --due --provider stripe", "--due sends back what is due"),
    ("replay --due --all", "--due sends back what is due"),
    ("replay --due --rate 5", "--rate does not go with it"),
    ("replay --due --detach", "--detach does not go with it"),
    ("replay --state discarded", "restore it first"),
    ("replay --state resolved", "only pending and parked ones can be replayed"),
    ("replay --state replaying", "wait for it"),
    ("discard --id 1", "say --why"),
    ("discard --id 1 --why=", "--why is empty"),
    ("discard --why x", "name at least one filter, or --all"),
    ("discard --why x --all --state parked", "leave out one or the other"),
    ("discard --why x --all", "say --yes"),
    ("discard --why x --state discarded", "only pending and parked ones can be discarded"),
    ("park", "name at least one filter, or --all"),
    ("park --all", "say --yes"),
    ("park --state parked", "only pending ones can be parked"),
    ("restore", "name at least one filter, or --all"),
    ("restore --all", "say --yes"),
    ("restore --state pending", "only discarded ones can be restored"),
    ("purge", "name at least one filter, or --all"),
    ("purge --all --provider stripe", "leave out one or the other"),
    ("purge --state pending", "never purged; discard it first"),
    ("purge --state parked", "never purged; discard it first"),
    ("purge --state replaying", "never purged; wait for it"),
    ("purge --older-than 0s", "say --yes"),
    ("edit", "Missing argument 'ID'"),
    ("edit x", "'ID'"),
    ("edit 1", "--set path=value, or --file"),
    ("edit 1 --set amount", "write for example data.object.amount=1200"),
    ("edit 1 --set =5", "write for example data.object.amount=1200"),
    ("edit 1 --set a=1 --file x", "choose one"),
    ("edit 1 --file /no/such/file", "cannot read /no/such/file"),
    ("edit 1 --set no.such.place=1", "there is no such place"),
    ("edit 1 --set note=mended", "say --yes"),
    ('edit 1 --set amount="20.00" --yes', "its amount_minor must stay"),
    ("edit 1 --set id=other --yes", "it must stay"),
    ("edit 1 --set amount=-1 --yes", "is no payment event: $.amount: negative"),
    ("edit 1 --why= --set a=1", "--why is empty"),
    ("export", "Missing argument 'FILE'"),
    ("export - --json", "name a file, or leave it out"),
    ("export {file}", "say --overwrite"),
    ("import", "Missing argument 'FILE'"),
    ("import /no/such/file", "cannot read /no/such/file"),
    ("import {folder}", "cannot read"),
    ("import {file}", "line 1"),
    ("import {letters}", "say --yes"),
    ("watch", "Missing argument 'JOB'"),
    ("watch x", "'JOB'"),
    ("jobs --limit 0", "--limit"),
    ("pause --job x", "--job"),
    ("pause --why=", "--why is empty"),
    ("pause 1", "unexpected extra argument"),
    ("resume --job 0", "--job"),
    ("resume 1", "unexpected extra argument"),
    ("cancel", "Missing argument 'JOB'"),
    ("cancel 2", "say --yes"),
    ("cancel x", "'JOB'"),
    ("archives --save 1", "requires 2 arguments"),
    ("archives --save x y", "--save"),
    ("archives --save 1 - --json", "leave out --json"),
]

CANNOT: list[Use] = [
    ("show 99", "there is no dead letter 99; see `payferry dlq list`"),
    (f"show {PURGED}", "was purged; it is in one of `payferry dlq archives`"),
    ("show 1 --raw /no/such/folder/file", "cannot write /no/such/folder/file"),
    ("replay --id 99", "there is no dead letter 99"),
    (f"replay --id {PENDING},99", "there is no dead letter 99"),
    (f"replay --id {PURGED}", "was purged"),
    (f"replay --id {DISCARDED}", "dead letter 4 is discarded: restore it first"),
    (f"replay --id {RESOLVED}", "dead letter 3 is resolved: it has ended well"),
    (f"replay --id {REPLAYING}", "dead letter 5 is replaying: it is on its way now"),
    (f"replay --id {REPLACED}", f"dead letter 6 was edited: number {CHILD} took its place; name that one"),
    (f"discard --why x --id {RESOLVED} --yes", "dead letter 3 is resolved"),
    (
        f"discard --why x --id {PARKED} --id {DISCARDED} --yes",
        "dead letter 4 is discarded: there is nothing left to do",
    ),
    ("discard --why x --id 99 --yes", "there is no dead letter 99"),
    (f"park --id {PARKED} --yes", "dead letter 2 is parked: there is nothing left to do"),
    (f"park --id {REPLAYING} --yes", "it is on its way now"),
    (f"restore --id {PARKED} --yes", "nobody has discarded it"),
    (f"restore --id {RESOLVED} --yes", "it has ended well"),
    (f"purge --id {PENDING} --yes", "discard it first"),
    (f"purge --id {REPLAYING} --yes", "wait for it"),
    ("edit 99 --set a=1", "there is no dead letter 99"),
    (f"edit {RESOLVED} --set a=1 --yes", "nothing is left to mend"),
    (f"edit {DISCARDED} --set a=1 --yes", "restore it first"),
    (f"edit {REPLAYING} --set a=1 --yes", "it is on its way now"),
    (f"edit {REPLACED} --set a=1 --yes", f"number {CHILD} took its place"),
    ('edit 1 --set amount="10.00" --yes', "says what the old one does"),
    ("edit 1 --file /dev/null --yes", "the new payload is empty"),
    ("export /no/such/folder/file", "cannot write /no/such/folder/file"),
    ("watch 99", "there is no job 99; see `payferry dlq jobs`"),
    ("pause --job 99", "there is no job 99"),
    (f"pause --job {PAUSED_JOB}", "job 3 is paused; only a running one can be paused"),
    (f"pause --job {CANCELLED_JOB}", "job 4 is cancelled"),
    ("resume", "replay by beat is not paused"),
    ("resume --job 99", "there is no job 99"),
    (f"resume --job {RUNNING_JOB}", "job 2 is running; only a paused one can be resumed"),
    ("cancel 99", "there is no job 99"),
    (f"cancel {CANCELLED_JOB} --yes", "job 4 is cancelled already"),
    ("archives --save 99 -", "there is no archive 99; see `payferry dlq archives`"),
]


EVERY_VERB = (
    *("list", "show 1", "groups", "stats", "replay --all", "jobs", "watch 1", "pause", "resume", "cancel 1 --yes"),
    *("edit 1 --set a=1", "park --all", "discard --all --why x", "restore --all", "export -", "import {letters}"),
    *("purge --all", "archives"),
)


@pytest.fixture
def full(graveyard: Graveyard, run: Run) -> Graveyard:
    """A letter in each state, and jobs in theirs; the numbers are those at the top."""
    graveyard.message("p1")
    graveyard.parked("p2")
    for state in ("resolved", "discarded"):
        graveyard.set_aside(graveyard.undecodable(state.encode()), state)
    graveyard.undecodable(a_message("m5"))
    jobs = ReplayJobs(graveyard.database)
    assert jobs.make(Choice(ids=(REPLAYING,)), JO)
    graveyard.work()
    graveyard.undecodable(a_message("m6", amount="-1.00"))
    assert run("edit", str(REPLACED), "--set", 'amount="1.00"', "--yes").code == 0
    graveyard.set_aside(graveyard.undecodable(b"purged"), "discarded")
    purge(graveyard, PURGED)
    for to in (None, "paused", "cancelled"):
        job = jobs.make(Choice(ids=(PARKED,)), JO)
        assert job is not None
        assert to is None or jobs.steer(job.id, JO, to=to, only_from=("running",))
    assert [graveyard.state(each) for each in range(PENDING, PURGED)] == [
        *("pending", "parked", "resolved", "discarded", "replaying", "resolved", "replaying")
    ]
    return graveyard


def purge(graveyard: Graveyard, letter_id: int) -> None:
    database = graveyard.database
    desk = ArchiveDesk(
        archives=Archives(database),
        sweeps=Sweeps(database),
        retention_seconds=0.0,
        folder=None,
        tell=lambda *_, **__: None,
    )
    assert put_away(desk, Choice(ids=(letter_id,)), 0.0, JO)


def with_files(words: str, folder: Path) -> list[str]:
    """Return the words of a use, with the places that it names."""
    places = {"file": folder / "not-letters", "folder": folder, "letters": folder / "letters.jsonl"}
    return words.format(**places).split()


def complaints(run: Run, full: Graveyard, folder: Path, uses: list[Use], code: int) -> Iterator[str]:
    """Yield what is wrong with how each use ends."""
    before = full.dump()
    for words, hint in uses:
        said = run(*with_files(words, folder))
        lines = said.err.splitlines()
        if said.code != code or said.out or len(lines) != 1 or not lines[0].startswith("payferry: "):
            yield f"{words}: {said.code} {said.out!r} {said.err!r}"
        elif hint not in lines[0]:
            yield f"{words}: {lines[0]!r} does not hold {hint!r}"
        if full.dump() != before:
            yield f"{words}: it has changed something"
            before = full.dump()


@pytest.mark.parametrize("verb", FILTERED)
def test_a_wrong_filter_of_any_verb(run: Run, graveyard: Graveyard, tmp_path: Path, verb: str) -> None:
    graveyard.undecodable()
    wrong = [(f"{verb} {words}", hint) for words, hint in FILTERS]
    if verb.startswith("purge"):
        wrong = [(words, hint) for words, hint in wrong if "hundred years" not in hint]
    assert list(complaints(run, graveyard, tmp_path, wrong, 2)) == []


def test_wrong_words_of_every_verb(run: Run, full: Graveyard, tmp_path: Path) -> None:
    (tmp_path / "not-letters").write_text("no letters\n")
    assert run("export", str(tmp_path / "letters.jsonl"), "--state", "parked").code == 0
    assert list(complaints(run, full, tmp_path, WRONG, 2)) == []


def test_what_cannot_be_done_now(run: Run, full: Graveyard, tmp_path: Path) -> None:
    assert list(complaints(run, full, tmp_path, CANNOT, 1)) == []


def test_text_that_no_database_could_hold(run: Run, graveyard: Graveyard) -> None:
    before = graveyard.dump()
    for words in (("list", "--contains", "\udcff"), ("pause", "--why", "\udcff")):
        said = run(*words)
        assert (said.code, said.err) == (2, f"payferry: {words[1]} is no UTF-8 text\n")
    assert graveyard.dump() == before


def test_without_a_ledger_the_variable_is_named(
    run: Run, graveyard: Graveyard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graveyard.undecodable()
    assert run("export", str(tmp_path / "letters.jsonl")).code == 0
    monkeypatch.delenv("DATABASE_URL")
    load_settings.cache_clear()
    for words in EVERY_VERB:
        said = run(*with_files(words, tmp_path))
        assert (said.code, said.out) == (2, ""), words
        assert said.err.startswith("payferry: DATABASE_URL"), words


def test_a_ledger_that_is_away_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("DATABASE_CONNECT_TIMEOUT_SECONDS", "1")
    load_settings.cache_clear()
    said = run("list")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("payferry: ")
    assert "Traceback" not in said.err

import io
from pathlib import Path

from rich.console import Console

from workers.supervisor.output import KEPT_LINES, ConsoleOutput, FolderOutput, LastLines


def test_lines_stand_after_the_name_of_their_process_in_one_column() -> None:
    screen = io.StringIO()
    output = ConsoleOutput(Console(file=screen, width=40))
    output.line("worker.1", "x" * 60)
    output.line("beat", "[tick] 1")
    assert screen.getvalue() == f"worker.1 | {'x' * 60}\nbeat     | [tick] 1\n"


def test_a_terminal_gets_colours_and_each_process_its_own() -> None:
    screen = io.StringIO()
    output = ConsoleOutput(Console(file=screen, force_terminal=True, color_system="standard"))
    output.line("worker", "a")
    output.line("beat", "a")
    worker, beat = screen.getvalue().splitlines()
    assert "\x1b[" in worker
    assert worker.split("worker")[0] != beat.split("beat")[0]


def test_a_folder_holds_one_file_a_process(tmp_path: Path) -> None:
    output = FolderOutput(tmp_path / "logs")
    output.line("worker.1", "hello")
    output.note("worker.1", "ended")
    assert (tmp_path / "logs" / "worker.1.log").read_text() == "hello\nended\n"
    assert (tmp_path / "logs" / "supervisor.log").read_text() == "worker.1: ended\n"


def test_only_the_last_lines_are_kept(tmp_path: Path) -> None:
    lines = LastLines(FolderOutput(tmp_path))
    for number in range(KEPT_LINES + 5):
        lines.line("worker", str(number))
    assert lines.of("worker")[0] == "5"
    assert len(lines.of("worker")) == KEPT_LINES
    assert lines.of("nobody") == []


def test_a_closed_screen_ends_nothing() -> None:
    screen = io.StringIO()
    lines = LastLines(ConsoleOutput(Console(file=screen)))
    screen.close()
    lines.line("worker", "still here")
    assert lines.of("worker") == ["still here"]

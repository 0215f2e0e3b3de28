import os
import signal
import sys
from pathlib import Path

import pytest

from workers.embedded.child import ServerChild, ServerNotReadyError, log_tail

HINT = "Try turning it off and on."


@pytest.fixture
def child(tmp_path: Path) -> ServerChild:
    return ServerChild("Thing", tmp_path / "thing.log")


def test_a_child_that_ends_at_once_is_explained_with_its_code_command_log_and_a_hint(
    child: ServerChild, tmp_path: Path
) -> None:
    child.start(["sh", "-c", "echo no port for me; exit 3"], cwd=tmp_path)
    with pytest.raises(ServerNotReadyError) as caught:
        child.wait_ready(lambda: False, deadline_seconds=10, hint=HINT)
    text = str(caught.value)
    assert "Thing ended with code 3" in text
    assert "sh -c echo no port for me" in text
    assert "  | no port for me" in text
    assert text.endswith(HINT)


def test_a_child_that_is_never_ready_is_given_up_on_at_the_deadline(child: ServerChild, tmp_path: Path) -> None:
    child.start(["sleep", "60"], cwd=tmp_path)
    with pytest.raises(ServerNotReadyError, match=r"was not ready after 0\.1 s"):
        child.wait_ready(lambda: False, deadline_seconds=0.1, hint=HINT)
    child.kill()


def test_an_answer_from_elsewhere_does_not_make_up_for_a_dead_child(child: ServerChild, tmp_path: Path) -> None:
    child.start(["false"], cwd=tmp_path)
    child.process.wait()
    with pytest.raises(ServerNotReadyError):
        child.wait_ready(lambda: True, deadline_seconds=1, hint=HINT)


def test_a_child_that_ignores_every_signal_is_killed(child: ServerChild, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"import pathlib, signal; signal.signal(15, signal.SIG_IGN); pathlib.Path({str(ready)!r}).touch()"
    child.start([sys.executable, "-c", f"{script}; signal.pause()"], cwd=tmp_path)
    child.wait_ready(ready.exists, deadline_seconds=10, hint=HINT)
    child.stop((signal.SIGTERM, 0.1))
    assert child.process.returncode == -signal.SIGKILL


def test_a_child_leads_a_session_of_its_own(child: ServerChild, tmp_path: Path) -> None:
    child.start(["sleep", "60"], cwd=tmp_path)
    assert os.getsid(child.pid) == child.pid
    child.stop((signal.SIGTERM, 5))
    assert child.process.returncode == -signal.SIGTERM


def test_stopping_twice_or_before_the_start_is_harmless(child: ServerChild, tmp_path: Path) -> None:
    child.stop((signal.SIGTERM, 1))
    child.start(["sleep", "60"], cwd=tmp_path)
    child.stop((signal.SIGTERM, 5))
    child.stop((signal.SIGTERM, 5))
    assert not child.running


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    lines = log_tail(log).splitlines()
    assert lines[-1] == "  | line 99"
    assert len(lines) < 30


def test_a_log_that_is_missing_or_empty_is_said_to_be_empty(tmp_path: Path) -> None:
    assert log_tail(tmp_path / "none") == "  | (empty)"

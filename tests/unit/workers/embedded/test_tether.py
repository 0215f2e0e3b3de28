import os
import signal
import subprocess
import sys

import pytest

from workers.embedded.tether import SUPPORTED, tethered


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(tethered(command), capture_output=True, text=True, check=False, timeout=20)


def test_the_command_takes_the_place_of_the_tether_and_keeps_its_arguments() -> None:
    done = _run([sys.executable, "-c", "import sys; print(sys.argv[1:])", "--", "-x", "a b"])
    assert done.stdout == "['--', '-x', 'a b']\n"


def test_the_exit_code_is_the_commands_own() -> None:
    assert _run(["sh", "-c", "exit 7"]).returncode == 7


def test_a_program_that_does_not_exist_is_named() -> None:
    done = _run(["no-such-program-here"])
    assert done.returncode == 1
    assert "cannot run no-such-program-here" in done.stderr


def test_the_command_does_not_ignore_a_closed_pipe() -> None:
    script = "import signal, sys; sys.exit(0)"
    done = _run(["sh", "-c", f"kill -PIPE $$; {sys.executable} -c '{script}'"])
    assert done.returncode == -signal.SIGPIPE


@pytest.mark.skipif(not SUPPORTED, reason="only Linux ties a process to its parent")
def test_a_command_whose_parent_is_gone_already_is_not_run() -> None:
    command = tethered(["echo", "ran"])
    command[command.index("--parent") + 1] = str(os.getpid() + 1)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.stdout == ""
    assert "the parent is gone" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another account")
def test_root_becomes_the_account_with_none_of_its_own_groups() -> None:
    done = subprocess.run(
        tethered(["id", "-un"], account="nobody"), capture_output=True, text=True, check=False, timeout=20, cwd="/"
    )
    assert done.stdout == "nobody\n"

"""The jars of a Kafka broker, resolved by Maven once and kept."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

_POM = Path(__file__).with_name("pom.xml")
_RESOLVE_SECONDS = 600  # some 45 MB, over a slow line

DEFAULT_CACHE = Path(__file__).parents[2] / "var" / "kafka"
"""In the checkout; git ignores it."""


class JarsMissingError(RuntimeError):
    """Java or Maven is missing, or Maven could not resolve the jars. The text says what to do."""


def resolve_jars(cache: Path = DEFAULT_CACHE) -> Path:
    """Return a folder with every jar that the pom names; Maven is asked only when the pom has changed."""
    _require("java", "a Java 17 run-time (Debian: apt install openjdk-17-jre-headless)")
    folder = cache / hashlib.sha256(_POM.read_bytes()).hexdigest()[:16]
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as unfinished:
            _ask_maven(Path(unfinished) / "jars")
            _keep(Path(unfinished) / "jars", folder)
    return folder


def _ask_maven(folder: Path) -> None:
    maven = _require("mvn", "Maven (Debian: apt install maven)")
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    done = subprocess.run(
        [maven, "-q", "-B", "-f", str(_POM), *goal],
        check=False,
        capture_output=True,
        text=True,
        timeout=_RESOLVE_SECONDS,
    )
    if done.returncode != 0:
        raise JarsMissingError(f"Maven could not resolve the jars of Kafka:\n{done.stdout}{done.stderr}")


def _keep(unfinished: Path, folder: Path) -> None:
    """Put the whole folder in its place, unless another process was faster."""
    try:
        unfinished.rename(folder)
    except OSError:
        if not folder.exists():
            raise


def _require(program: str, what: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise JarsMissingError(f"{program} is not on the PATH; the real Kafka for tests needs {what}")
    return path

"""Self-signed certificates for tests of TLS, each its own authority. Made by openssl."""

import subprocess
from pathlib import Path


class Certificate:
    """A certificate and its key, as files in `folder`. With `host` it is good for that name."""

    def __init__(self, folder: Path, name: str, host: str | None = None) -> None:
        self.cert, self.key = folder / f"{name}.crt", folder / f"{name}.key"
        names = ("-addext", f"subjectAltName=DNS:{host}") if host else ()
        command = (
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", f"/CN={name}", *names, "-keyout", str(self.key), "-out", str(self.cert)),
        )
        subprocess.run(command, check=True, capture_output=True)

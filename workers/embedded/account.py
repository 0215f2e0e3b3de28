"""The system account that a server runs as where we are root and the server refuses to be."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """A system account: its name, and the numbers that the kernel knows it by."""

    name: str
    user_id: int
    group_id: int

    @classmethod
    def named(cls, name: str) -> "Account":
        """Return the account of that name; KeyError where there is none."""
        entry = pwd.getpwnam(name)
        return cls(name, entry.pw_uid, entry.pw_gid)

    def own(self, path: Path) -> None:
        """Make the account the owner of the file or folder."""
        os.chown(path, self.user_id, self.group_id)

    def barred_at(self, path: Path) -> Path | None:
        """Return the outermost folder on the way to `path`, itself included, that the account may not enter."""
        path = path.resolve()
        return next((folder for folder in [*reversed(path.parents), path] if not self._may_enter(folder)), None)

    def _may_enter(self, folder: Path) -> bool:
        about = folder.stat()
        if about.st_uid == self.user_id:
            return bool(about.st_mode & stat.S_IXUSR)
        if about.st_gid == self.group_id:
            return bool(about.st_mode & stat.S_IXGRP)
        return bool(about.st_mode & stat.S_IXOTH)

"""How many files this process may have open: each connection of a client is one."""

import resource


def allow_all_descriptors() -> None:
    """Take as many as the system lets us have. Many begin with 1024, which a thousand subscribers use up."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

"""What happened in the last while, kept in buckets so that it need not be kept call by call."""

from payments.resilience.policy import BreakerPolicy


class Window:
    """Calls, failures and slow calls of the last `window_seconds`. Times are whole microseconds, and never go back."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._kept = policy.buckets
        self._bucket_us = max(1, micros(policy.window_seconds / policy.buckets))
        self._last_bucket = 0
        self._buckets: dict[int, tuple[int, int, int]] = {}
        self.calls = self.failures = self.slow = 0

    def add(self, *, failed: bool, slow: bool, now_us: int) -> None:
        """Count one call."""
        self.forget(now_us)
        calls, failures, slows = self._buckets.get(self._last_bucket, (0, 0, 0))
        self._buckets[self._last_bucket] = (calls + 1, failures + failed, slows + slow)
        self.calls += 1
        self.failures += failed
        self.slow += slow

    def forget(self, now_us: int) -> None:
        """Let go of what has become too old."""
        bucket = now_us // self._bucket_us
        if bucket == self._last_bucket:
            return
        self._last_bucket = bucket
        for old in [number for number in self._buckets if number <= bucket - self._kept]:
            calls, failures, slow = self._buckets.pop(old)
            self.calls -= calls
            self.failures -= failures
            self.slow -= slow


def micros(seconds: float) -> int:
    """Return whole microseconds, rounded as the Lua scripts do."""
    return int(seconds * 1_000_000 + 0.5)

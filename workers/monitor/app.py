"""The monitor over HTTP: /livez, /readyz, /health, /metrics."""

from collections.abc import Iterable

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from payments.failures import ServiceUnavailable
from payments.log_events import Tell
from workers.http.failures import FailureAnswers
from workers.monitor.answers import health_of
from workers.monitor.exposition import SampleCollector
from workers.monitor.finding import Status
from workers.monitor.samples import samples
from workers.monitor.watch import Watch

_DEADLINE_SECONDS = 10.0
_OK, _AWAY = 200, 503
_FRESH = {"cache-control": "no-store"}


def build_app(watch: Watch, tell: Tell, others: Iterable[Collector] = ()) -> Starlette:
    """Return the application. `others` are collectors whose metrics are shown beside those of the fleet."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SampleCollector(lambda: samples(watch.latest.survey, watch.latest.verdict)))
    for other in others:
        registry.register(other)
    answers = _Answers(watch, registry)
    routes = [
        Route("/livez", answers.livez),
        Route("/readyz", answers.readyz),
        Route("/health", answers.health),
        Route("/metrics", answers.metrics),
    ]
    return Starlette(
        routes=routes, middleware=[Middleware(FailureAnswers, deadline_seconds=_DEADLINE_SECONDS, tell=tell)]
    )


class _Answers:
    """The handlers. They are called in threads: one may read files for a while."""

    def __init__(self, watch: Watch, registry: CollectorRegistry) -> None:
        self._watch = watch
        self._registry = registry

    def livez(self, _request: Request) -> Response:
        """Say whether the monitor itself makes progress."""
        if self._watch.is_late:
            return _words(_AWAY, f"it has not looked around for {self._watch.age_seconds:.0f} s")
        return _words(_OK, "alive")

    def readyz(self, request: Request) -> Response:
        """Say whether it can be asked. It has looked around before it takes requests."""
        return self.livez(request) if self._watch.is_late else _words(_OK, "ready")

    def health(self, _request: Request) -> Response:
        """Say how the whole system is: 503 where it is unhealthy, otherwise 200."""
        told = health_of(self._watch)
        status = _AWAY if told.status is Status.UNHEALTHY else _OK
        return Response(msgspec.json.encode(told), status, _FRESH, media_type="application/json")

    def metrics(self, _request: Request) -> Response:
        """Tell the metrics. Raises ServiceUnavailable rather than tell what was long ago."""
        if self._watch.is_late:
            raise ServiceUnavailable("the monitor does not look around", service="monitor")
        return Response(generate_latest(self._registry), _OK, _FRESH, media_type=CONTENT_TYPE_LATEST)


def _words(status: int, words: str) -> Response:
    return PlainTextResponse(f"{words}\n", status, _FRESH)

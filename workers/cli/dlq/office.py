"""What the verbs have at hand, each part made when it is first needed."""

from functools import cached_property

from config.settings import Settings, load_settings
from payments.failures import QueueAway
from payments.flows.dead_letters.desk import ReplayDesk
from payments.flows.dead_letters.plan import Lookout
from payments.ledger.dead_letters.archives import Archives
from payments.ledger.dead_letters.changes import Changes
from payments.ledger.dead_letters.jobs import ReplayJobs
from payments.ledger.dead_letters.plan import Plans
from payments.ledger.dead_letters.replays import Replays
from payments.ledger.dead_letters.search import Search
from payments.ledger.dead_letters.statistics import DeadLetterStatistics
from payments.ledger.dead_letters.switch import ReplaySwitch
from payments.wiring import Wiring
from workers.cli.terminal.refusal import remark
from workers.logs import configure_logs


class Office:
    """The ledger's parts that are about dead letters, and the way to the workers."""

    @cached_property
    def settings(self) -> Settings:
        """What is set; the ledger must be."""
        settings = load_settings()
        configure_logs(settings.log)
        settings.require("DATABASE_URL")
        return settings

    @cached_property
    def wiring(self) -> Wiring:
        """Where everything is put together."""
        return Wiring(self.settings)

    @cached_property
    def search(self) -> Search:
        """Finding them."""
        return Search(self.wiring.database)

    @cached_property
    def statistics(self) -> DeadLetterStatistics:
        """Counting them."""
        return DeadLetterStatistics(self.wiring.database)

    @cached_property
    def plans(self) -> Plans:
        """Looking ahead."""
        return Plans(self.wiring.database)

    @cached_property
    def changes(self) -> Changes:
        """Changing them."""
        return Changes(self.wiring.database)

    @cached_property
    def jobs(self) -> ReplayJobs:
        """The jobs."""
        return ReplayJobs(self.wiring.database)

    @cached_property
    def switch(self) -> ReplaySwitch:
        """The switch of replay by beat."""
        return ReplaySwitch(self.wiring.database)

    @cached_property
    def archives(self) -> Archives:
        """What was put away."""
        return Archives(self.wiring.database)

    @cached_property
    def lookout(self) -> Lookout:
        """What a plan needs. The breakers are the fleet's, so Redis must be set."""
        self.settings.require("REDIS_URL")
        return Lookout(self.plans, self.wiring.switchboard, self.wiring.policies)

    @cached_property
    def desk(self) -> ReplayDesk:
        """What sends letters back."""
        from workers.app import app  # noqa: PLC0415 - only verbs that send need Celery in memory

        self.settings.require("REDIS_URL")
        return self.wiring.replay_desk(app)

    def start_job(self, job_id: int) -> None:
        """Send a job on its way."""
        try:
            self.desk.start_job(job_id, 0.0)
        except QueueAway:
            remark("Redis does not answer; the sweep starts the job within seconds of its return")

    def due(self, most: int) -> dict[str, int]:
        """Return how many letters of each provider are due, counting no further than `most` for each."""
        return Replays(self.wiring.database).due(most)

    def close(self) -> None:
        """Give the connections back."""
        if "wiring" in self.__dict__:
            self.wiring.database.close()

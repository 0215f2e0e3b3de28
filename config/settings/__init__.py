"""Everything that can be set, with its documentation. The environment is read here and nowhere else.

Each group is a frozen value whose fields name their unit; `.env.example` is printed from this catalogue.
"""

from config.settings.alerts import AlertSettings
from config.settings.api import ApiSettings
from config.settings.bridge import BridgeSettings
from config.settings.client import ClientSettings
from config.settings.database import DatabaseSettings
from config.settings.dead_letters import DeadLetterSettings
from config.settings.flower import FlowerSettings
from config.settings.gateway import GatewaySettings
from config.settings.group import Group, SettingsError
from config.settings.kafka import KafkaSettings
from config.settings.log import LogSettings
from config.settings.metrics import MetricsSettings
from config.settings.monitor import MonitorSettings
from config.settings.policies import POLICY_PREFIX, PolicySettings, policy_variables
from config.settings.process import ProcessSettings
from config.settings.redis import RedisSettings
from config.settings.tokens import ApiClient, Grant, digest_of
from config.settings.tracing import TraceSettings
from config.settings.whole import GROUPS, Settings, load_settings
from config.settings.work import WorkSettings

__all__ = [
    "GROUPS",
    "POLICY_PREFIX",
    "AlertSettings",
    "ApiClient",
    "ApiSettings",
    "BridgeSettings",
    "ClientSettings",
    "DatabaseSettings",
    "DeadLetterSettings",
    "FlowerSettings",
    "GatewaySettings",
    "Grant",
    "Group",
    "KafkaSettings",
    "LogSettings",
    "MetricsSettings",
    "MonitorSettings",
    "PolicySettings",
    "ProcessSettings",
    "RedisSettings",
    "Settings",
    "SettingsError",
    "TraceSettings",
    "WorkSettings",
    "digest_of",
    "load_settings",
    "policy_variables",
]

"""What there is to examine: every dependency and every upstream of the settings."""

from typing import Any

from app.checks.check import CheckConfig
from app.checks.kinds import kind_of
from app.connections.dialler import Dialler
from app.connections.target import Target
from app.doctor.approach import Approach, Place
from app.doctor.http import HttpApproach
from app.doctor.mongodb import MongoDbApproach
from app.doctor.redis import RedisApproach
from app.doctor.websocket import KIND, UpstreamApproach, UpstreamCheck
from app.factory import configured, dialler_of
from app.settings import Settings
from app.settings.drivers import unescaped

AnyApproach = Approach[Any]
# A kind that is not in this table gets the steps of Approach.
APPROACHES: dict[str, type[AnyApproach]] = {"http": HttpApproach, "mongodb": MongoDbApproach, "redis": RedisApproach}


def dependencies(settings: Settings, place: Place) -> list[AnyApproach]:
    """One approach for each dependency, sorted by name."""
    return [approach(dependency.kind, config, place) for dependency, config in configured(settings)]


def upstreams(settings: Settings, place: Place) -> list[AnyApproach]:
    """One approach for each upstream, sorted by name."""
    dialler = dialler_of(settings)
    every = sorted(settings.ws_upstreams, key=lambda each: each.name)
    return [upstream(each.name, each.url.get_secret_value(), dialler, place) for each in every]


def upstream(name: str, url: str, dialler: Dialler, place: Place) -> AnyApproach:
    """The approach to an upstream."""
    target = Target.parse(url)
    config = CheckConfig(name, url, dialler.timeout, dialler.ca_bundle, dialler.resolver)
    return UpstreamApproach(KIND, config, UpstreamCheck(name, dialler, target), target.port, place, unescaped(url))


def approach(kind: str, config: CheckConfig, place: Place) -> AnyApproach:
    """The approach to a dependency of `kind`."""
    made = APPROACHES.get(kind, AnyApproach)
    if kind == "postgresql":
        # Imported where it is needed, as in app/checks/kinds.py: libpq costs 8 MB.
        from app.doctor.postgresql import PostgresqlApproach

        made = PostgresqlApproach
    check = kind_of(config.url)
    return made(kind, config, check.create(config), check.port or 0, place, unescaped(config.url))

"""What can be set, all of it by environment variables: each setting's type, default and meaning."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, field_validator

from app.settings import types as t
from app.settings import urls, warnings
from app.settings.declarations import PREFIX, declarations, settings_of
from app.settings.dependencies import BUILT_IN, INHERITED, DependencySettings
from app.settings.masks import MASK, mask, secrets_in, shown
from app.settings.source import Source


class SettingsError(ValueError):
    """Bad values: `lines` has one line for each bad variable, and none shows a secret."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Settings(BaseModel):
    """The settings in force. Frozen; made by `load`.

    In a description, {values} stands for what the type accepts, in short.
    """

    # Defaults are validated too: one setting may leave no room for the default of another.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, validate_default=True)

    host: t.Host = Field("0.0.0.0", description="address to listen on")
    port: t.Port = Field(8080, description="port to listen on")
    mongo_uri: urls.MongoAddress = Field(
        SecretStr(BUILT_IN["mongodb"].address), description="MongoDB; empty: not watched"
    )
    ai_service_url: urls.HttpAddress = Field(
        SecretStr(BUILT_IN["ai_service"].address), description="AI service, `/health` is added; empty: not watched"
    )
    service_name: t.Text = Field("server", description="name as reported")
    service_version: t.Text = Field("1.0.0", description="version as reported")
    check_timeout_seconds: Annotated[float, t.seconds(0.1, 5)] = Field(
        5.0, description="total deadline of one check ({values})"
    )
    check_interval_seconds: t.Seconds = Field(5.0, description="between checks that no probe asks for")
    check_max_age_seconds: Annotated[float, t.seconds(0.1, at_most="check_interval_seconds")] = Field(
        1.0, description="a result older than this makes a probe ask for a new check ({values})"
    )
    probe_wait_seconds: Annotated[float, t.seconds(0, at_most="check_timeout_seconds")] = Field(
        0.25, description="longest time that a probe waits for that check ({values})"
    )
    unhealthy_status_code: Annotated[int, t.one_of(503, 200)] = Field(
        503, description="status code of `/health` and `/health/details` when unhealthy: {values}"
    )
    readiness_requires: t.Names = Field(
        (), description="names of the dependencies that must be connected for `/health/ready` to return 200"
    )
    sweep_interval_seconds: t.Seconds = Field(30.0, description="between sweeps over the WebSocket connections")
    reconnect_max_attempts: t.Count = Field(5, description="attempts to reconnect before a pause")
    reconnect_backoff_seconds: Annotated[float, t.seconds(0.1)] = Field(
        1.0, description="attempt n waits n times this ({values})"
    )
    reconnect_cooldown_seconds: t.SecondsOrNone = Field(
        300.0, description="pause before the next attempts; 0: never try again"
    )
    dial_timeout_seconds: t.Seconds = Field(5.0, description="one attempt to connect, in total")
    ws_upstreams: urls.Upstreams = Field(
        (), description="WebSocket servers to keep a connection to: `name=ws://host/path,…`"
    )
    ws_max_connections: t.Count = Field(96, description="limit of simultaneous clients of `/ws`")
    ws_ping_interval_seconds: t.Seconds = Field(25.0, description="between pings on every WebSocket")
    ws_allowed_origins: urls.Origins = Field((), description="other origins whose pages may open `/ws`")
    http_threads: t.Count = Field(32, description="threads for requests, in addition to those of the WebSockets")
    drain_seconds: t.SecondsOrNone = Field(
        3.0, description="after SIGTERM: readiness is 503 this long before the listening socket closes"
    )
    shutdown_timeout_seconds: t.Seconds = Field(
        5.0, description="after that: time for requests in flight, which are then cut"
    )
    ca_bundle: t.CaBundle = Field("", description="PEM file of the authorities for TLS peers; empty: certifi's")
    worker_class: Annotated[str, t.LowerCase, t.one_of("probe", "gthread")] = Field(
        "probe", description="{values}; `gthread` is gunicorn's own, on which probes can be crowded out"
    )
    status_token: t.Token = Field(
        SecretStr(""),
        description="if set, `/`, `/health/details`, `/metrics` and `/ws` require it, as Bearer token or Basic password",
    )
    log_level: Annotated[str, t.UpperCase, t.one_of("DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL")] = Field(
        "INFO", description="{values}"
    )
    log_format: Annotated[str, t.LowerCase, t.one_of("text", "json")] = Field("text", description="{values}")

    _tidy = field_validator("*", mode="before")(t.tidy)
    _dependencies: tuple[DependencySettings, ...] = PrivateAttr(())
    _options: dict[str, str] = PrivateAttr(default_factory=dict)  # those of dependencies, as they may be shown

    @property
    def dependencies(self) -> tuple[DependencySettings, ...]:
        """What is watched, sorted by name."""
        return self._dependencies

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings in an environment.

        Raises SettingsError, which reports every bad variable.
        """
        variables = [name.upper() for name in cls.model_fields]
        source = Source(environ, lambda name: name in variables or name.startswith(PREFIX))
        declared = declarations(source)
        values = {name.lower(): source.values[name] for name in variables if name in source.values}
        # The default address of a dependency whose URL is an option is not in force.
        values |= {
            BUILT_IN[each.name].variable.lower(): ""
            for each in declared
            if each.name in BUILT_IN and "URL" in each.options
        }
        known = [each.name for each in declared if not each.left_out]
        settings = source.validate(cls, values, str.upper, {"dependencies": known})
        good = settings or cls.model_construct()  # the defaults
        inherited = {option: getattr(good, variable.lower()) for option, variable in INHERITED.items()}
        dependencies = settings_of(declared, inherited, source)
        if settings is None or source.bad:
            order = [*variables, *sorted(source.bad)]
            raise SettingsError([source.bad[name] for name in dict.fromkeys(order) if name in source.bad])
        settings._dependencies = tuple(dependencies)
        options = sorted(name for name in source.values if name.startswith(PREFIX))
        settings._options = {name: _shown_option(name, source.values[name]) for name in options}
        return settings

    def masked(self) -> dict[str, str]:
        """Every variable and its value in force, as it may be shown."""
        fields = {name.upper(): shown(getattr(self, name)) for name in type(self).model_fields}
        return fields | {"STATUS_TOKEN": MASK * bool(self.status_token)} | self._options

    def secrets(self) -> set[str]:
        """What no log line may contain: the token, what is secret in a URL, and headers."""
        found = {secret for up in self.ws_upstreams for secret in secrets_in(up.url.get_secret_value())}
        for dependency in self.dependencies:
            found |= dependency.secrets()
        return found | ({self.status_token.get_secret_value()} - {""})

    def warnings(self, environ: Mapping[str, str]) -> list[str]:
        """What is worth a warning at start: lines without secrets, none if all is as it should be."""
        variables = [name.upper() for name in type(self).model_fields]
        return [*warnings.misspelt(environ, variables), *warnings.driver(self.dependencies)]


def _shown_option(variable: str, value: str) -> str:
    if variable.endswith("__HEADERS"):
        return MASK * bool(value)
    return mask(value) if variable.endswith("__URL") else value

"""What can be set, all of it by environment variables: each setting's type, default and meaning.

`python -m app.settings` prints the table in the README.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo

from app import setting_types as t
from app import setting_urls as urls


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
    mongo_uri: urls.MongoAddress = Field(SecretStr("mongodb://localhost:27017"), description="MongoDB")
    ai_service_url: urls.HttpAddress = Field(
        SecretStr("http://localhost:8000"), description="AI service; `/health` is added"
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
    readiness_requires: Annotated[tuple[str, ...], t.Items, t.some_of("mongodb", "ai_service")] = Field(
        (), description="dependencies that must be connected for `/health/ready` to return 200: `{values}`"
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
    ca_bundle: t.CaBundle = Field(
        "", description="PEM file of the authorities for `https` and `wss` peers; empty: certifi's"
    )
    worker_class: Annotated[str, t.one_of("probe", "gthread")] = Field(
        "probe", description="{values}; `gthread` is gunicorn's own, on which probes can be crowded out"
    )
    status_token: t.Token = Field(
        SecretStr(""),
        description="if set, `/`, `/health/details`, `/metrics` and `/ws` require it, as Bearer token or Basic password",
    )
    log_level: Annotated[str, t.UpperCase, t.one_of("DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL")] = Field(
        "INFO", description="{values}"
    )
    log_format: Annotated[str, t.one_of("text", "json")] = Field("text", description="{values}")

    _tidy = field_validator("*", mode="before")(t.tidy)

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings in an environment.

        Raises SettingsError, which reports every bad variable.
        """
        fields = cls.model_fields
        values = {name: environ[name.upper()] for name in fields if name.upper() in environ}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            bad = {each["loc"][0] for each in error.errors(include_input=False)}
        raise SettingsError([_complaint(name, fields[name], values.get(name)) for name in fields if name in bad])

    def masked(self) -> dict[str, str]:
        """Every variable and its value in force, as it may be shown."""
        shown = {name.upper(): _shown(getattr(self, name)) for name in type(self).model_fields}
        return shown | {"STATUS_TOKEN": urls.MASK * bool(self.status_token)}

    def secrets(self) -> set[str]:
        """What no log line may contain: the token, and what is secret in a URL."""
        addresses = [self.mongo_uri, self.ai_service_url, *(up.url for up in self.ws_upstreams)]
        found = {secret for url in addresses for secret in urls.secrets_in(url.get_secret_value())}
        return found | ({self.status_token.get_secret_value()} - {""})


def _may_be(field: FieldInfo) -> t.MayBe:
    return next(each for each in field.metadata if isinstance(each, t.MayBe))


def _complaint(name: str, field: FieldInfo, value: str | None) -> str:
    may_be = _may_be(field)
    line = f"{name.upper()}: must be {may_be.words}"
    if may_be.secret:
        return line
    # A default is bad where another setting leaves no room for it.
    return f"{line}, not {f'its default {_shown(field.default)}' if value is None else repr(value[:100])}"


def _shown(value: Any) -> str:
    match value:
        case SecretStr():
            return urls.mask(value.get_secret_value())
        case urls.Upstream():
            return f"{value.name}={_shown(value.url)}"
        case tuple():
            return ",".join(map(_shown, value))
        case float():
            return f"{value:g}"
    return str(value)


def table() -> str:
    """The settings as a Markdown table."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = _shown(field.default)
        meaning = (field.description or "").format(values=_may_be(field).values)
        rows.append(f"| `{name.upper()}` | {f'`{default}`' if default else 'empty'} | {meaning} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())

"""What can be set, all of it by environment variables: each one's type, default and meaning.

`python -m app.settings` prints the table of the README.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from app import setting_types as t
from app.setting_types import MayBe


class SettingsError(ValueError):
    """Bad values: `lines` has one line for each bad variable, and none shows a secret."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def _at_most(other: str) -> AfterValidator:
    """At most the value of another setting, declared before (if that one is bad, it alone is told of)."""

    def check(value: float, info: ValidationInfo) -> float:
        if value > info.data.get(other, value):
            raise ValueError(f"more than {other}")
        return value

    return AfterValidator(check)


def _unhealthy(value: int) -> int:
    if value not in (503, 200):
        raise ValueError("neither")
    return value


class Settings(BaseSettings):
    """The settings in force. Frozen; made by `load`."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    host: t.Host = Field("0.0.0.0", description="address to listen on")
    port: t.Port = Field(8080, description="port to listen on")
    mongo_uri: t.MongoAddress = Field(SecretStr("mongodb://localhost:27017"), description="MongoDB")
    ai_service_url: t.HttpAddress = Field(
        SecretStr("http://localhost:8000"), description="AI service; `/health` is added"
    )
    service_name: t.Text = Field("server", description="name as reported")
    service_version: t.Text = Field("1.0.0", description="version as reported")
    check_timeout_seconds: Annotated[t.AnySeconds, Field(ge=0.1, le=5), MayBe("a number of seconds, 0.1 to 5")] = Field(
        5.0, description="total deadline of one check (0.1 to 5)"
    )
    check_interval_seconds: t.Seconds = Field(5.0, description="between checks that no probe asks for")
    check_max_age_seconds: Annotated[
        t.AnySeconds,
        Field(ge=0.1),
        _at_most("check_interval_seconds"),
        MayBe("a number of seconds, 0.1 to CHECK_INTERVAL_SECONDS"),
    ] = Field(
        1.0, description="a result older than this makes a probe ask for a new check (0.1 to `CHECK_INTERVAL_SECONDS`)"
    )
    probe_wait_seconds: Annotated[
        t.AnySeconds,
        Field(ge=0),
        _at_most("check_timeout_seconds"),
        MayBe("a number of seconds, 0 to CHECK_TIMEOUT_SECONDS"),
    ] = Field(0.25, description="longest that a probe waits for it (0 to `CHECK_TIMEOUT_SECONDS`)")
    unhealthy_status_code: Annotated[int, t.Tidy, AfterValidator(_unhealthy), MayBe("503 or 200")] = Field(
        503, description="status code of `/health` and `/health/details` when unhealthy: 503 or 200"
    )
    readiness_requires: Annotated[
        tuple[Literal["mongodb", "ai_service"], ...],
        NoDecode,
        t.Tidy,
        t.Items,
        t.Once,
        MayBe("mongodb, ai_service, or mongodb,ai_service, or empty"),
    ] = Field((), description="which dependencies readiness needs: `mongodb,ai_service`")
    sweep_interval_seconds: t.Seconds = Field(30.0, description="between sweeps over the WebSocket connections")
    reconnect_max_attempts: t.Count = Field(5, description="attempts to reconnect before a rest")
    reconnect_backoff_seconds: Annotated[
        t.AnySeconds, Field(ge=0.1, le=t.DAY), MayBe(f"a number of seconds, 0.1 to {t.DAY}")
    ] = Field(1.0, description="attempt n waits n times this (at least 0.1)")
    reconnect_cooldown_seconds: t.SecondsOrNone = Field(300.0, description="rest before the next attempts; 0: for good")
    dial_timeout_seconds: t.Seconds = Field(5.0, description="one attempt to connect, in all")
    ws_upstreams: t.Upstreams = Field(
        (), description="WebSocket servers to hold a connection to: `name=ws://host/path,…`"
    )
    ws_max_connections: t.Count = Field(96, description="most clients of `/ws` at one time")
    ws_ping_interval_seconds: t.Seconds = Field(25.0, description="between pings on every WebSocket")
    ws_allowed_origins: t.Origins = Field((), description="origins besides our own whose pages may open `/ws`")
    http_threads: t.Count = Field(32, description="threads kept for requests, beside those of WebSockets")
    drain_seconds: t.SecondsOrNone = Field(
        3.0, description="after SIGTERM: readiness says 503 this long before the listener closes"
    )
    shutdown_timeout_seconds: t.Seconds = Field(
        5.0, description="after that, for requests in flight; then they are cut"
    )
    ca_bundle: t.CaBundle = Field(
        "", description="PEM file of the authorities for `https` and `wss` peers; empty: certifi's"
    )
    worker_class: Annotated[Literal["probe", "gthread"], MayBe("probe or gthread")] = Field(
        "probe", description="`probe`, or `gthread`: gunicorn's own, on which probes can be crowded out"
    )
    status_token: t.Token = Field(
        SecretStr(""),
        description="if set, `/`, `/health/details`, `/metrics` and `/ws` want it, as Bearer token or Basic password",
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
        t.Tidy,
        t.Level,
        MayBe("DEBUG, INFO, WARNING (or WARN), ERROR or CRITICAL"),
    ] = Field("INFO", description="DEBUG, INFO, WARNING (or WARN), ERROR or CRITICAL")
    log_format: Annotated[Literal["text", "json"], MayBe("text or json")] = Field(
        "text", description="`text` or `json`"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_others: PydanticBaseSettingsSource,
        **_named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in: the environment is read in one place, and a test passes a dict."""
        return (init_settings,)

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings in an environment.

        Raises SettingsError, which tells of every bad variable.
        """
        variables = {name.upper(): name for name in cls.model_fields}
        values: dict[str, Any] = {
            name: environ[variable] for variable, name in variables.items() if variable in environ
        }
        try:
            return cls(**values)
        except ValidationError as error:
            bad = {str(each["loc"][0]) for each in error.errors(include_input=False)}
        raise SettingsError(
            [_complaint(name, field, values.get(name)) for name, field in cls.model_fields.items() if name in bad]
        )

    def masked(self) -> dict[str, str]:
        """Every variable and its value in force, as it may be shown."""
        shown = {name.upper(): _shown(getattr(self, name)) for name in type(self).model_fields}
        return shown | {"STATUS_TOKEN": t.MASK * bool(self.status_token)}

    def secrets(self) -> set[str]:
        """What no log line may hold: passwords, tokens, and what else is secret in a URL."""
        urls = [self.mongo_uri, self.ai_service_url, *(up.url for up in self.ws_upstreams)]
        found = {secret for url in urls for secret in t.secrets_in(url.get_secret_value())}
        return found | ({self.status_token.get_secret_value()} - {""})


def _complaint(name: str, field: FieldInfo, value: str | None) -> str:
    may_be = next(each.text for each in field.metadata if isinstance(each, MayBe))
    secret = field.annotation is SecretStr or name == "ws_upstreams"
    # A default is bad where another setting leaves no room for it.
    given = f"its default {_shown(field.default)}" if value is None else repr(value[:100])
    if secret:
        return f"{name.upper()}: must be {may_be}"
    return f"{name.upper()}: must be {may_be}, not {given}"


def _shown(value: Any) -> str:
    match value:
        case SecretStr():
            return t.mask_url(value.get_secret_value())
        case tuple():
            return ",".join(_shown_item(item) for item in value)
        case float():
            return f"{value:g}"
    return str(value)


def _shown_item(item: Any) -> str:
    if isinstance(item, t.Upstream):
        return f"{item.name}={_shown(item.url)}"
    return str(item)


def table() -> str:
    """The settings as a Markdown table."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = _shown(field.default)
        rows.append(f"| `{name.upper()}` | {f'`{default}`' if default else 'empty'} | {field.description} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())

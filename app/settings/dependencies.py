"""What can be set about a dependency."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from app.settings import http as http
from app.settings import types as t
from app.settings import urls as urls
from app.settings.masks import secrets_in

# Options whose default is another setting.
INHERITED = {
    "TIMEOUT_SECONDS": "CHECK_TIMEOUT_SECONDS",
    "INTERVAL_SECONDS": "CHECK_INTERVAL_SECONDS",
    "MAX_AGE_SECONDS": "CHECK_MAX_AGE_SECONDS",
}


class BuiltIn(NamedTuple):
    """A dependency that is watched without being declared.

    `variable` is the setting of its address, `address` the default, and `path` what is added to it.
    """

    variable: str
    address: str
    title: str
    schemes: tuple[str, ...]
    path: str = ""


BUILT_IN = {
    "ai_service": BuiltIn("AI_SERVICE_URL", "http://localhost:8000", "AI service", ("http", "https"), "/health"),
    "mongodb": BuiltIn("MONGO_URI", "mongodb://localhost:27017", "MongoDB", ("mongodb", "mongodb+srv")),
}


def _title(data: Mapping[str, Any]) -> str:
    name: str = data["name"]
    return BUILT_IN[name].title if name in BUILT_IN else name


class DependencySettings(BaseModel):
    """What is set about one dependency: its name, and the options, each under its alias.

    `interval` and `max_age` are in seconds, as `timeout` is; `interval` is at least `max_age`.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, validate_default=True)

    name: str
    url: urls.Address = Field(alias="URL", description="what to check; may hold credentials")
    required: t.Flag = Field(
        True, alias="REQUIRED", description="`false`: reported everywhere, but never makes the server unhealthy"
    )
    failures: t.InARow = Field(
        1, alias="FAILURES", description="failed checks in a row before it is reported as disconnected ({values})"
    )
    successes: t.InARow = Field(
        1, alias="SUCCESSES", description="successful checks in a row before it is connected again ({values})"
    )
    timeout: Annotated[float, t.seconds(0.1, 30)] = Field(
        alias="TIMEOUT_SECONDS", description="total deadline of one check ({values})"
    )
    interval: t.Seconds = Field(alias="INTERVAL_SECONDS", description="between checks that no probe asks for")
    max_age: Annotated[float, t.seconds(0.1, at_most="interval", called="INTERVAL_SECONDS")] = Field(
        alias="MAX_AGE_SECONDS",
        description="never checked more often than this ({values}); raises an interval that is not set",
    )
    statuses: http.Statuses = Field(
        frozenset({200}),
        alias="STATUSES",
        description="HTTP only: accepted status codes: `200`, `200-299` or `200-299,429`",
    )
    body_matches: http.Expression = Field(
        None,
        alias="BODY_MATCHES",
        description="HTTP only: a regular expression of Python that must be found in the first 64 KiB of the body; a search"
        ' has no time limit and stops all else meanwhile, so write `[^"]*` and not `.*`',
    )
    headers: http.Headers = Field(
        {}, alias="HEADERS", description='HTTP only: headers to send, a JSON object: `{"Authorization":"Bearer …"}`'
    )
    title: t.Text = Field(default_factory=_title, alias="TITLE", description="how people see it")
    affects: t.TextOrNone = Field(None, alias="AFFECTS", description="one line: what stops working without it")
    runbook_url: urls.Runbook = Field(None, alias="RUNBOOK_URL", description="a page that explains what to do about it")

    @field_validator("*", mode="before")
    @classmethod
    def _tidy(cls, value: Any, info: ValidationInfo) -> Any:
        return value if info.field_name == "headers" else t.tidy(value)  # JSON may have lines

    @field_validator("url", mode="before")
    @classmethod
    def _has_scheme_of_built_in(cls, value: Any, info: ValidationInfo) -> Any:
        built_in = BUILT_IN.get(info.data["name"])
        if built_in is not None and urls.scheme_of(value) not in built_in.schemes:
            raise t.Wrong(urls.oddity(value), urls.RULES[built_in.schemes[0]].words)
        return value

    def secrets(self) -> set[str]:
        """What no log line may contain."""
        values = {value.get_secret_value() for value in self.headers.values()}
        tokens = {value.rpartition(" ")[2] for value in values}  # of "Bearer token"
        return secrets_in(self.url.get_secret_value()) | (values | tokens) - {""}


OPTIONS: tuple[str, ...] = tuple(field.alias for field in DependencySettings.model_fields.values() if field.alias)

"""The tables of docs/settings.md."""

from collections.abc import Mapping

from pydantic import BaseModel

from app.settings.dependencies import INHERITED, DependencySettings
from app.settings.masks import shown
from app.settings.settings import Settings
from app.settings.source import rule_of


def table() -> str:
    """The settings as a Markdown table."""
    return _table("variable", Settings, {})


def dependency_table() -> str:
    """The options of a dependency as a Markdown table."""
    inherited = {option: f"`{variable}`" for option, variable in INHERITED.items()}
    return _table("option", DependencySettings, {"URL": "", "TITLE": "the name", **inherited})


def _table(heading: str, model: type[BaseModel], defaults: Mapping[str, str]) -> str:
    """A row for each field; `defaults` are those that the model does not have by itself."""
    rows = [f"| {heading} | default | meaning |", "| --- | --- | --- |"]
    for name, field in model.model_fields.items():
        if name == "name":
            continue
        variable = field.alias or name.upper()
        default = f"`{text}`" if (text := shown(field.default)) else "empty"
        meaning = (field.description or "").replace("{values}", rule_of(field.metadata).values)
        rows.append(f"| `{variable}` | {defaults.get(variable, default)} | {meaning} |")
    return "\n".join(rows)

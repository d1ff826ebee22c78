"""Prints the tables of docs/settings.md."""

from app.settings.tables import dependency_table, table

print(table(), dependency_table(), sep="\n\n")

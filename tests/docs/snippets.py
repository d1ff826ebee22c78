"""The files that docs/operations.md shows."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGE = (DOCS / "operations.md").read_text(encoding="utf-8")
# A file is a comment, <!-- file: NAME -->, followed by a fenced block.
FILES = dict(re.findall(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))


def section(heading):
    """The text under a heading, up to the next heading of the same or a higher level."""
    level, rest = re.search(rf"^(#+) {re.escape(heading)}\n(.*)", PAGE, re.DOTALL | re.MULTILINE).groups()
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def first_column(heading):
    """What stands in backquotes in the first column of the tables under a heading."""
    return re.findall(r"^\| `([^`]+)`", section(heading), re.MULTILINE)


def anchors():
    """The parts of the page to which a link can lead."""
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}

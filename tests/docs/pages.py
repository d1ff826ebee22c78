"""What README.md and the pages in docs/ show: their sections, blocks, files and commands."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


class Block(NamedTuple):
    """A fenced block: `file` is the name in a comment above it, <!-- file: NAME -->, or an empty string."""

    page: str
    heading: str
    language: str
    file: str
    text: str


class Page:
    """One page, by its path in the repository, such as docs/operations.md."""

    def __init__(self, name):
        self.name = name
        self.path = ROOT / name
        self.text = self.path.read_text(encoding="utf-8")
        # In a block, a line that begins with # is a comment.
        self.prose = re.sub(r"^```.*?^```$", "", self.text, flags=re.DOTALL | re.MULTILINE)

    @property
    def headings(self):
        return re.findall(r"^#+ (.*)$", self.prose, re.MULTILINE)

    @property
    def anchors(self):
        """The parts of the page to which a link can lead."""
        return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in self.headings}

    def section(self, heading):
        """The text under a heading, up to the next heading of the same or a higher level."""
        level, rest = re.search(rf"^(#+) {re.escape(heading)}\n(.*)", self.text, re.DOTALL | re.MULTILINE).groups()
        return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]

    def first_column(self, heading):
        """What stands in backquotes in the first column of the tables under a heading."""
        return re.findall(r"^\| `([^`]+)`", self.section(heading), re.MULTILINE)

    @property
    def blocks(self):
        """All fenced blocks, in order."""
        found, heading = [], ""
        pattern = (
            r"^#+ (?P<heading>[^\n]*)$|(?:^<!-- file: (?P<file>\S+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$"
        )
        for match in re.finditer(pattern, self.text, re.DOTALL | re.MULTILINE):
            if match["heading"] is not None:
                heading = match["heading"]
            else:
                found.append(Block(self.name, heading, match["language"], match["file"] or "", match["text"]))
        return found

    def block(self, heading, language):
        """The text of the only block of a language under a heading."""
        [text] = [each.text for each in self.blocks if (each.heading, each.language) == (heading, language)]
        return text

    def commands(self, heading):
        """The commands of the console blocks under a heading, without their comments; one may go on over lines."""
        texts = [each.text for each in self.blocks if (each.heading, each.language) == (heading, "console")]
        lines = "".join(texts).replace("\\\n", "").splitlines()
        return [re.sub(r"\s+# .*", "", line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]


PAGES = {name: Page(name) for name in ("README.md", *(f"docs/{path.name}" for path in sorted(DOCS.glob("*.md"))))}
BLOCKS = [block for page in PAGES.values() for block in page.blocks]
FILES = {block.file: block.text for block in BLOCKS if block.file}

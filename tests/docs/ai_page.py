"""What docs/ai-services.md shows, and what a check that is declared so finds."""

import json
import re
from pathlib import Path

from app.checks.check import perform
from app.factory import watched
from app.settings import Settings
from tests.peers.tcp_server import DEADLINE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/ai-services.md").read_text(encoding="utf-8")
SECTIONS = {text.partition("\n")[0]: text for text in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}
# What each server answered, and why a check of that is not connected: by name, as in the headings of the page.
SERVERS = json.loads(Path(__file__).with_name("ai_services.json").read_text(encoding="utf-8"))
PREFIX = "DEPENDENCY__AI_SERVICE__"


def block(server, language="dotenv"):
    """The text of the block in a section."""
    [text] = re.findall(rf"^```{language}\n(.*?)^```$", SECTIONS[server], re.DOTALL | re.MULTILINE)
    return text


def answer(server, situation):
    """The recorded answer of a server in a situation."""
    [found] = [each for each in SERVERS[server]["answers"] if each["situation"] == situation]
    return found


def variables(server, origin, folder):
    """The variables on the page as a reader would set them, with the server at `origin` and the key in `folder`."""
    environ = dict(line.split("=", 1) for line in block(server).splitlines())
    environ[PREFIX + "URL"] = re.sub(r"^\w+://[^/]+", origin, environ[PREFIX + "URL"])
    if PREFIX + "HEADERS_FILE" in environ:
        file = Path(folder, "ai-headers.json")
        file.write_text(block(server, "json"))
        environ[PREFIX + "HEADERS_FILE"] = str(file)
    return environ


def reason_of(environ):
    """Why the dependency "ai_service" of an environment is not connected, by one check; None if it is connected."""
    [check] = [check for dependency, check in watched(Settings.load(environ)) if dependency.name == "ai_service"]
    try:
        return perform(check, DEADLINE).reason
    finally:
        check.close()

"""Imports run one way, and each outside library and the environment are known to one part only."""

import ast
import pathlib
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What gunicorn loads by name: like app.wsgi they are where a process begins, and nothing imports them.
ENTRIES = frozenset(
    {"app.wsgi", "app.doctor.command", "app.serving.command", "app.serving.gunicorn_conf", "app.serving.probe_worker"}
)

ALLOWED = {
    "app.net": {"app.net"},
    "app.tally": set(),
    "app.checks": {"app.checks", "app.net"},
    "app.health": {"app.health", "app.checks", "app.net", "app.tally"},
    "app.connections": {"app.connections", "app.net", "app.tally"},
    "app.settings": {"app.settings", "app.checks"},
    "app.logs": {"app.logs"},
    "app.startup": {"app.settings", "app.logs"},
    "app.problem": {"app.health"},
    "app.runtime": {"app.health", "app.connections", "app.tally"},
    "app.metrics": {"app.health", "app.checks", "app.connections", "app.net", "app.tally"},
    "app.page": {"app.page", "app.health", "app.net"},
    "app.web": {"app.web", "app.page", "app.metrics", "app.problem", "app.health", "app.connections", "app.net"},
    "app.serving": {"app.serving", "app.runtime", "app.problem", "app.health"},
    "app.factory": {
        "app.settings",
        "app.web",
        "app.runtime",
        "app.metrics",
        "app.health",
        "app.checks",
        "app.connections",
        "app.net",
        "app.tally",
        "app.logs",
    },
    "app.doctor": {
        "app.doctor",
        "app.factory",
        "app.settings",
        "app.health",
        "app.checks",
        "app.connections",
        "app.net",
        "app.logs",
    },
}

FLASK = frozenset({"flask", "flask_sock", "werkzeug", "jinja2"})
ONLY_IN = {
    **dict.fromkeys(FLASK, ("app.web", "app.factory")),
    "gunicorn": ("app.serving",),
    "pymongo": ("app.checks", "app.settings.drivers"),
    "psycopg": ("app.checks", "app.settings.drivers"),
    "requests": ("app.checks",),
    "prometheus_client": ("app.metrics",),
    "simple_websocket": ("app.connections", "app.web"),
    "pydantic": ("app.settings",),
}
ENVIRONMENT = frozenset({"environ", "environb", "getenv", "getenvb", "putenv"})


def belongs(module, part):
    """Whether a module is `part` or in it."""
    return module == part or module.startswith(f"{part}.")


class Module:
    """A module's text, and what it imports: modules, and the names taken out of them (which may be modules)."""

    def __init__(self, path):
        parts = path.relative_to(ROOT).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(text)
        self.imported = set()
        self.relative = False
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                self.imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                self.relative |= node.level > 0
                # `from app import settings` names a module, `from app.settings import Settings` does not.
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                self.imported |= names if node.module == "app" else names | {node.module}

    def reads_environment(self):
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT:
                if isinstance(node.value, ast.Name) and node.value.id == "os":
                    return True
            if isinstance(node, ast.ImportFrom) and node.module == "os":
                if any(alias.name in ENVIRONMENT for alias in node.names):
                    return True
        return False


MODULES = [Module(path) for path in sorted((ROOT / "app").rglob("*.py"))]


class ImportsTest(unittest.TestCase):
    def test_imports_run_one_way(self):
        for module in MODULES:
            if module.name == "app" or module.name in ENTRIES:
                continue
            part = next((part for part in ALLOWED if belongs(module.name, part)), None)
            self.assertIsNotNone(part, f"{module.name} has no place in the architecture")
            ours = {name for name in module.imported if belongs(name, "app")} - {"app.__version__"}
            strays = {name for name in ours if not any(belongs(name, allowed) for allowed in ALLOWED[part])}
            with self.subTest(module.name):
                self.assertEqual(strays, set())

    def test_nothing_imports_what_a_process_begins_with(self):
        self.assertLessEqual(ENTRIES, {module.name for module in MODULES})
        for module in MODULES:
            with self.subTest(module.name):
                self.assertEqual({n for n in module.imported if any(belongs(n, entry) for entry in ENTRIES)}, set())

    def test_every_library_is_known_to_its_part_only(self):
        for module in MODULES:
            for name in {imported.partition(".")[0] for imported in module.imported} & set(ONLY_IN):
                with self.subTest(module.name, library=name):
                    self.assertTrue(any(belongs(module.name, part) for part in ONLY_IN[name]))

    def test_the_environment_is_read_where_a_process_begins(self):
        self.assertEqual(
            [module.name for module in MODULES if module.reads_environment()], ["app.doctor.command", "app.startup"]
        )

    def test_imports_are_written_out(self):
        self.assertEqual([module.name for module in MODULES if module.relative], [])

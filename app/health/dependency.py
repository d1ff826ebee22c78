"""What is declared about a dependency, before anything is known of it."""

from dataclasses import dataclass, field

from app.health.timing import Timing


@dataclass(frozen=True, slots=True)
class Dependency:
    """A dependency as it is reported and judged.

    `kind` is the kind of its check, `title` its name for people. An optional one (`required` is False) never makes the
    service unhealthy. `failures` and `successes` are how many results in a row it takes to be reported as disconnected
    and as connected again. `affects` and `runbook_url` are for people; empty: there is none.
    """

    name: str
    kind: str
    title: str
    required: bool = True
    failures: int = 1
    successes: int = 1
    timing: Timing = field(default_factory=Timing)
    affects: str = ""
    runbook_url: str = ""

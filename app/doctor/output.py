"""How diagnoses are shown: to people, and as JSON."""

import json
from collections.abc import Sequence
from typing import Any

from app.doctor.examination import Diagnosis, State, Step
from app.logs.formats import printable
from app.logs.redaction import Redactor

TEXT_CHARACTERS = 600
"""The longest text that is shown of a step; the middle of a longer one is cut out."""
COLOURS = {State.OK: "32", State.FAILED: "1;31", State.SKIPPED: "2"}


class Output:
    """Shows diagnoses without secrets, however a peer has echoed them, and no more of a text than fits on a screen."""

    def __init__(self, redact: Redactor, *, coloured: bool = False) -> None:
        self._redact = redact
        self._coloured = coloured

    def json(self, dependencies: Sequence[Diagnosis], upstreams: Sequence[Diagnosis]) -> str:
        """One object on one line, in ASCII."""
        shown = {
            "ok": all(each.ok for each in (*dependencies, *upstreams)),
            "dependencies": [self._facts(each) for each in dependencies],
            "upstreams": [self._facts(each) for each in upstreams],
        }
        return json.dumps(shown)

    def text(self, diagnoses: Sequence[Diagnosis]) -> str:
        """A paragraph for each diagnosis, and a last line that names those that are not well."""
        return "\n\n".join([*map(self._paragraph, diagnoses), _summary(diagnoses)])

    def _facts(self, diagnosis: Diagnosis) -> dict[str, Any]:
        advice = diagnosis.advice
        return {
            "name": diagnosis.name,
            "kind": diagnosis.kind,
            "ok": diagnosis.ok,
            "steps": [
                {"step": each.name, "state": each.state, "ms": each.ms, "text": self._safe(each.text)}
                for each in diagnosis.steps
            ],
            "means": advice and self._safe(advice.means),
            "do": advice and self._safe(advice.do),
        }

    def _paragraph(self, diagnosis: Diagnosis) -> str:
        state = State.OK if diagnosis.ok else State.FAILED
        lines = [f"{diagnosis.name} ({diagnosis.kind})  {self._in_colour(state, state)}"]
        lines += map(self._line, diagnosis.steps)
        if diagnosis.advice is not None:
            lines += [
                f"  It means: {printable(self._safe(diagnosis.advice.means))}",
                f"  Do: {printable(self._safe(diagnosis.advice.do))}",
            ]
        return "\n".join(lines)

    def _line(self, step: Step) -> str:
        time = "" if step.state is State.SKIPPED else f"{step.ms} ms"
        state = self._in_colour(step.state, f"{step.state:<7}")
        return f"  {step.name:<12}  {state}  {time:>7}  {printable(self._safe(step.text))}".rstrip()

    def _in_colour(self, state: State, text: str) -> str:
        return f"\033[{COLOURS[state]}m{text}\033[0m" if self._coloured else text

    def _safe(self, text: str) -> str:
        return self._redact.fit([text], TEXT_CHARACTERS, len)[0]


def _summary(diagnoses: Sequence[Diagnosis]) -> str:
    failed = [each.name for each in diagnoses if not each.ok]
    if failed:
        return f"{len(failed)} of {len(diagnoses)} failed: {', '.join(failed)}"
    return f"{len(diagnoses)} of {len(diagnoses)} are well"

"""One dependency, examined step by step until the first step that fails; and many at the same time."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from app.doctor.advice import UNEXPECTED, Advice
from app.net.clock import clock as default_clock
from app.net.deadline import Deadline


class State(StrEnum):
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Skipped(NamedTuple):
    """What a step returns if it had nothing to try: why it had not."""

    text: str


Attempt = Callable[[Deadline], str | Skipped]
"""What a step does: it returns what it found, or raises any Exception, by its deadline."""


class StepFailed(Exception):
    """The end of an examination: what was found, what it means and what to do."""

    def __init__(self, text: str, advice: Advice) -> None:
        super().__init__(text)
        self.text = text
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it went. `ms` is how long it took; `text` is what was found, and may quote the peer."""

    name: str
    state: State
    ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found out about one dependency or upstream; `advice` is None if all is well."""

    name: str
    kind: str
    steps: tuple[Step, ...]
    advice: Advice | None

    @property
    def ok(self) -> bool:
        return self.advice is None


class Examinable(Protocol):
    """What can be examined: `limit` is the longest time of a step, in seconds."""

    name: str
    kind: str
    limit: float

    def steps(self) -> Iterator[tuple[str, Attempt]]:
        """The steps in their order; which ones follow may depend on what those before have found."""

    def explained(self, step: str, error: Exception, deadline: Deadline) -> StepFailed:
        """What an exception of a step means. May ask the peer once more, by the deadline of the step."""

    def close(self) -> None:
        """Let go of what the steps have opened."""


def examine(subject: Examinable, clock: Callable[[], float] = default_clock) -> Diagnosis:
    """Do the steps of `subject` until one fails; the others are skipped."""
    steps: list[Step] = []
    advice = None
    for name, attempt in subject.steps():
        if advice is not None:
            steps.append(Step(name, State.SKIPPED, 0, ""))
            continue
        began = clock()
        deadline = Deadline(subject.limit, clock)
        try:
            found = attempt(deadline)
            text = found if isinstance(found, str) else found.text
            state = State.OK if isinstance(found, str) else State.SKIPPED
        except Exception as error:
            failure = error if isinstance(error, StepFailed) else subject.explained(name, error, deadline)
            state, text, advice = State.FAILED, failure.text, failure.advice
        steps.append(Step(name, state, round((clock() - began) * 1000), text))
    subject.close()
    return Diagnosis(subject.name, subject.kind, tuple(steps), advice)


def examine_all(subjects: Sequence[Examinable]) -> list[Diagnosis]:
    """The diagnoses of all subjects, in their order, made at the same time: one that hangs holds up no other."""
    diagnoses: dict[int, Diagnosis] = {}  # each written once, by its own thread, and read after that has ended

    def run(position: int) -> None:
        subject = subjects[position]
        try:
            diagnoses[position] = examine(subject)
        except Exception as error:  # a defect of the doctor must not cost the other diagnoses
            advice = UNEXPECTED.about(error=type(error).__name__)
            diagnoses[position] = Diagnosis(subject.name, subject.kind, (), advice)

    threads = []
    for position, subject in enumerate(subjects):
        thread = threading.Thread(target=run, args=(position,), name=f"doctor-{subject.name}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system gives no thread: this one has to do
            run(position)
        else:
            threads.append(thread)
    for thread in threads:
        thread.join()
    return [diagnoses[position] for position in range(len(subjects))]

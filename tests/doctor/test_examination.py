"""How an examination goes, whatever is examined."""

import threading
import time
import unittest
from unittest import mock

from app.doctor.advice import Advice
from app.doctor.examination import Diagnosis, Skipped, State, Step, StepFailed, examine, examine_all
from tests.doctor.broken import SOON, answering
from tests.doctor.diagnosing import NamesHere, subject
from tests.fakes import DEADLINE, ScriptedClock

ADVICE = Advice("It is broken.", "Repair it.")


class Scripted:
    """Its steps are `(name, callable)`; an exception of one other than StepFailed is explained by its text."""

    def __init__(self, *steps, name="it", limit=5.0):
        self.name, self.kind, self.limit = name, "scripted", limit
        self._steps = steps
        self.closes = 0

    def steps(self):
        yield from self._steps

    def explained(self, step, error, deadline):
        return StepFailed(f"{step}: {error}", ADVICE)

    def close(self):
        self.closes += 1


def failing(error):
    def attempt(deadline):
        raise error

    return attempt


class ExamineTest(unittest.TestCase):
    def test_every_step_that_goes_well_is_reported_with_its_time_and_what_it_found(self):
        clock = ScriptedClock()

        def slow(deadline):
            clock.advance(0.25)
            return "found"

        it = Scripted(("name", slow), ("speak", lambda deadline: Skipped("nothing to do")))
        steps = (Step("name", State.OK, 250, "found"), Step("speak", State.SKIPPED, 0, "nothing to do"))
        self.assertEqual(examine(it, clock), Diagnosis("it", "scripted", steps, None))
        self.assertEqual(it.closes, 1)

    def test_the_first_step_that_fails_is_the_last_that_is_tried(self):
        it = Scripted(
            ("name", lambda deadline: "found"),
            ("connect", failing(StepFailed("refused", ADVICE))),
            ("check", failing(AssertionError("tried"))),
        )
        diagnosis = examine(it, ScriptedClock())
        self.assertEqual(
            [(each.state, each.text) for each in diagnosis.steps],
            [(State.OK, "found"), (State.FAILED, "refused"), (State.SKIPPED, "")],
        )
        self.assertEqual((diagnosis.ok, diagnosis.advice, it.closes), (False, ADVICE, 1))

    def test_any_other_exception_is_explained_by_the_subject(self):
        diagnosis = examine(Scripted(("name", failing(KeyError("odd")))), ScriptedClock())
        self.assertEqual(diagnosis.steps[0].text, "name: 'odd'")

    def test_every_step_has_the_whole_limit_for_itself(self):
        clock, left = ScriptedClock(), []

        def attempt(deadline):
            left.append(deadline.remaining())
            clock.advance(3)
            return ""

        examine(Scripted(("name", attempt), ("connect", attempt), limit=5.0), clock)
        self.assertEqual(left, [5.0, 5.0])


class ExamineAllTest(unittest.TestCase):
    def test_all_subjects_are_examined_at_the_same_time_and_reported_in_their_order(self):
        meeting = threading.Barrier(6, timeout=DEADLINE)

        def meet(deadline):
            meeting.wait()  # raises BrokenBarrierError unless all six are there
            return "met"

        diagnoses = examine_all([Scripted(("name", meet), name=str(number)) for number in range(6)])
        self.assertEqual([each.name for each in diagnoses], ["0", "1", "2", "3", "4", "5"])
        self.assertEqual({each.steps[0].text for each in diagnoses}, {"met"})

    def test_without_a_thread_to_be_had_the_subjects_are_examined_one_after_the_other(self):
        subjects = [Scripted(("name", lambda deadline: "found"), name=name) for name in "ab"]
        with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
            self.assertEqual([each.name for each in examine_all(subjects)], ["a", "b"])

    def test_a_defect_of_the_doctor_is_reported_for_one_subject_and_costs_no_other_its_diagnosis(self):
        defective = Scripted(("name", failing(KeyError("odd"))), name="a")
        defective.explained = failing(ZeroDivisionError())
        diagnoses = examine_all([defective, Scripted(("name", lambda deadline: "found"), name="b")])
        self.assertEqual([(each.name, each.ok) for each in diagnoses], [("a", False), ("b", True)])
        self.assertEqual(diagnoses[0].advice.means, "The doctor itself failed here, with TypeError.")

    def test_six_dependencies_that_hang_take_the_time_of_one(self):
        released = threading.Event()
        self.addCleanup(released.set)

        class Hanging(NamesHere):
            def _find(self, *arguments, **options):
                if not options.get("flags"):
                    released.wait(DEADLINE)
                return super()._find(*arguments, **options)

        with answering(None) as port:
            subjects = [
                subject("http://name.internal", resolver=Hanging(), **SOON),
                subject(f"http://127.0.0.1:{port}", **SOON),
                subject(f"mongodb://127.0.0.1:{port}", **SOON),
                subject(f"redis://127.0.0.1:{port}", **SOON),
                subject(f"postgresql://u:p@127.0.0.1:{port}/", **SOON),
                subject(f"ws://127.0.0.1:{port}", **SOON),
            ]
            began = time.monotonic()
            diagnoses = examine_all(subjects)
            took = time.monotonic() - began
        failed = [next(step for step in each.steps if step.state is State.FAILED) for each in diagnoses]
        self.assertEqual([step.name for step in failed], ["name", *["speak"] * 5])
        self.assertEqual({step.text.removeprefix("name.internal: ") for step in failed}, {"no answer in time"})
        self.assertGreaterEqual(took, SOON["limit"])
        self.assertLess(took, 5 * SOON["limit"])


if __name__ == "__main__":
    unittest.main()

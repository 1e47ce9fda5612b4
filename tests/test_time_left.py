"""The time that is left: studies on a clock of their own, made of a few lines of arithmetic, with what goes wrong."""

import random
from dataclasses import dataclass, field

import pytest

from actlab.engine.time_left import EVIDENCE, InHand, TimeLeft, Waiting

LOOK = 0.5  # seconds between two looks, as ``scheduling`` takes them


@dataclass
class Schedule:
    """A study: jobs of some work and programs, on workers that compile, and train at a pace of their own.

    Attributes:
        jobs: (work, programs) each; work is what the estimate is told, in seconds of a core.
        compile: seconds for programs that no worker has, and for those that another has.
        pace: how many times as fast as that a job really trains, given its number.
        resumed: share of each job's work that was done before.
        every: seconds between two words of a worker.
    """

    jobs: list
    workers: int = 2
    compile: tuple = (5.0, 1.0)
    pace: object = staticmethod(lambda number: 1.0)
    resumed: float = 0.0
    every: float = 0.25
    events: list = field(default_factory=list)

    def spans(self):
        """List when each job is handed out, trains and ends, and on which worker; and when all are done."""
        free, has, anywhere, spans = [0.0] * self.workers, [set() for _ in range(self.workers)], {}, []
        for number, (work, programs) in enumerate(self.jobs):
            worker = min(range(self.workers), key=free.__getitem__)
            begin = free[worker]
            wait = 0.0
            if programs not in has[worker]:
                wait = self.compile[programs in anywhere and anywhere[programs] <= begin]
                has[worker].add(programs)
                anywhere.setdefault(programs, begin + wait)
            end = begin + wait + work * (1 - self.resumed) / self.pace(number)
            spans.append((begin, begin + wait, end, worker))
            free[worker] = end
        return spans, max(free)

    def looks(self):
        """Take looks at it; yields the time that is really left, and what was said."""
        spans, over = self.spans()
        left, finished, at = TimeLeft(), set(), 0.0
        while at < over:
            hands, waiting, ended = {}, [], {}
            for number, ((work, programs), (begin, trains, end, worker)) in enumerate(
                zip(self.jobs, spans, strict=True)
            ):
                if at >= end and number not in finished:
                    finished.add(number)
                    ended[str(number)] = work, end - trains
                elif at < begin:
                    waiting.append(Waiting(work * (1 - self.resumed), programs))
                elif at < end:
                    heard = (at - trains) // self.every * self.every
                    share = self.resumed + (1 - self.resumed) * min(max(heard / (end - trains), 0.0), 1.0)
                    done = work * (share if at >= trains else self.resumed)
                    hands[str(number)] = InHand(
                        work, done, programs, at < trains, worker, at > begin, work * self.resumed
                    )
            yield at, over - at, left.look(at, hands, waiting, ended)
            ends = [end for _, _, end, _ in spans if end > at]
            at = min(at + LOOK, *ends) if ends else over


def uneven(number):
    return random.Random(number).uniform(0.8, 1.25)


MANY = [(20.0, "p")] * 27
SCHEDULES = {
    "one shape": Schedule(MANY),
    "a slow compiler": Schedule(MANY, compile=(60.0, 40.0)),
    "a tail of one job": Schedule([(60.0, "p")] * 5, workers=4),
    "fewer jobs than workers": Schedule([(90.0, "p"), (30.0, "p")], workers=8),
    "dear jobs first": Schedule([(40.0 / (1 + i), "p") for i in range(20)]),
    "resumed near its end": Schedule([(400.0, "p")] * 4, resumed=0.9),
    "jobs of uneven pace": Schedule(MANY, pace=uneven),
    "a slow machine": Schedule(MANY, pace=lambda number: 0.1),
    "a word in ten seconds": Schedule([(200.0, "p")] * 6, every=10.0),
    "ten shapes": Schedule([(30.0, f"p{i % 10}") for i in range(30)], compile=(20.0, 2.0)),
    "more compiling than training": Schedule([(20.0, f"p{i}") for i in range(12)], compile=(30.0, 2.0)),
    "jobs of a blink": Schedule([(0.2, "p")] * 400),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_time_left_is_near_what_comes(name):
    """Within 25 % (and 2 s) from a fifth of the training on, and within a factor of two from when it is first said."""
    schedule = SCHEDULES[name]
    spans, over = schedule.spans()
    begun = min(trains for _, trains, _, _ in spans)
    said = [(at, true, left) for at, true, left in schedule.looks() if left is not None]
    assert said[0][0] >= begun + EVIDENCE / schedule.workers - LOOK, "said before anything was known"
    for at, true, left in said:
        factor = 1.25 if at - begun > 0.2 * (over - begun) else 2.0
        assert true / factor - 2 <= left <= true * factor + 2, (at, true, left)
    assert len(said) > 5

"""How long a study will still train, from what its workers have done so far: pure arithmetic, fed look by look.

A rate alone is wrong at both ends of a study. At its beginning every worker compiles, which says nothing of how fast it
will train. At its end there are fewer jobs than workers, and the last job decides. So the pace of one worker is learned
from the time in which workers trained, and the jobs that are left are handed out on paper as they will be in earnest.
"""

import heapq
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

EVIDENCE = 10.0  # seconds that workers must have trained, all together, before anything is said
LEAST_SHARE = 0.05  # of all work that they must have done then
LONGEST_WAIT = 60.0  # seconds of training after which less of a share will do
HALF_LIFE = 20.0, 600.0  # seconds after which a pace counts half: at first, and in a study of hours
SMOOTH = 4.0  # seconds over which what is said follows what is thought
LOADING = 0.5  # seconds in which a worker has programs that another has compiled, before any has done so


@dataclass(frozen=True)
class Waiting:
    """A job that is not handed out yet.

    Attributes:
        work: what is left of it, in units of which only ratios matter.
        programs: what tells its compiled programs from others.
    """

    work: float
    programs: Hashable


@dataclass(frozen=True)
class InHand:
    """A job that a worker has.

    Attributes:
        work: all of it.
        done: how much of that is done.
        programs: see ``Waiting``.
        compiling: its worker has no programs for it yet.
        worker: which worker; those that cannot be told apart are one.
        begun: its worker has said anything of it.
        resumed: how much of it was done before it was handed out.
    """

    work: float
    done: float
    programs: Hashable
    compiling: bool
    worker: Hashable = None
    begun: bool = True
    resumed: float = 0.0


class TimeLeft:
    """What is learned from one look to the next.

    >>> one, left = InHand(work=40.0, done=0.0, programs="p", compiling=False), TimeLeft()
    >>> for second in range(13):
    ...     seconds = left.look(second, {"a": InHand(40.0, 2.0 * second, "p", False)}, [Waiting(20.0, "p")], {})
    >>> round(seconds)
    18
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.now: float | None = None
        self.before: dict[str, InHand] = {}
        self.moved: dict[str, float] = {}  # when each job was last seen to get on
        self.since: dict[str, float] = {}  # since when each job is compiling
        self.trained = self.all_trained = 0.0  # work, by now of less weight; all of it
        self.seconds = self.all_seconds = 0.0  # that workers trained, likewise
        self.known: dict[Hashable, set[Hashable]] = {}  # programs that each worker has
        self.first: list[float] = []  # seconds that it took to compile what no worker had
        self.again: list[float] = []  # seconds that it took a worker to have what another has
        self.begun = 0.0  # seconds in which anything was trained
        self.said: float | None = None

    def look(
        self,
        now: float,
        in_hand: Mapping[str, InHand],
        waiting: Sequence[Waiting],
        finished: Mapping[str, tuple[float, float]],
    ) -> float | None:
        """Take a look; return the seconds that are left, None as long as there is nothing to tell them from.

        Args:
            now: seconds, on a clock that stands still while this process does.
            in_hand: {job: how far it is}.
            waiting: in the order in which they will be handed out.
            finished: {job: (work, seconds of training)} of those that are done since the look before.
        """
        passed = 0.0 if self.now is None else max(now - self.now, 0.0)
        self.now = now
        self.learn(now, passed, in_hand, finished)
        thought = self.think(now, in_hand, waiting)
        if thought is None:
            self.said = None
        elif self.said is None:
            self.said = thought
        else:
            expected = max(self.said - passed, 0.0)
            self.said = expected + (thought - expected) * min(passed / SMOOTH, 1.0)
        return self.said

    def learn(
        self, now: float, passed: float, in_hand: Mapping[str, InHand], finished: Mapping[str, tuple[float, float]]
    ) -> None:
        """Add up what was done since the look before, and in how many seconds of training."""
        fading = min(max(self.all_seconds / 4, HALF_LIFE[0]), HALF_LIFE[1])
        kept = 0.5 ** (passed / fading)
        done, unseen = 0.0, 0.0
        for job, one in in_hand.items():
            before = self.before.get(job)
            done += max(one.done - (one.resumed if before is None or not self.busy(before) else before.done), 0.0)
        for job, (whole, trained) in finished.items():
            before = self.before.get(job)
            if before is not None and self.busy(before):
                done += max(before.work - before.done, 0.0)
            else:  # it trained between two looks
                done, unseen = done + whole, unseen + trained
        busy = max(sum(map(self.busy, hands)) for hands in (self.before.values(), in_hand.values()))
        seconds = busy * passed + unseen
        for job, one in in_hand.items():
            before_one = self.before.get(job)
            if one.compiling:
                self.since.setdefault(job, now)
            elif job in self.since:
                self.note_compiled(one, now - self.since.pop(job))
            if before_one is None or before_one.done != one.done or before_one.compiling or not one.begun:
                self.moved[job] = now
            if one.begun and not one.compiling:
                self.known.setdefault(one.worker, set()).add(one.programs)
        for gone in set(self.before) - set(in_hand):
            self.since.pop(gone, None)
            self.moved.pop(gone, None)
        self.before = dict(in_hand)
        self.trained, self.seconds = kept * self.trained + done, kept * self.seconds + seconds
        self.all_trained, self.all_seconds = self.all_trained + done, self.all_seconds + seconds
        self.begun += passed if seconds else 0.0

    def busy(self, one: InHand) -> bool:
        """Whether a worker trains; so does one that has yet to say so of its next job, for which it has programs."""
        return not one.compiling if one.begun else one.programs in self.known.get(one.worker, ())

    def note_compiled(self, one: InHand, seconds: float) -> None:
        """Note how long a worker took to have programs."""
        others = any(one.programs in programs for programs in self.known.values())
        (self.again if others else self.first).append(seconds)

    def think(self, now: float, in_hand: Mapping[str, InHand], waiting: Sequence[Waiting]) -> float | None:
        """Hand out on paper what is left."""
        left = sum(one.work - one.done for one in in_hand.values()) + sum(one.work for one in waiting)
        share = self.all_trained / max(self.all_trained + left, 1e-300)
        enough = self.all_seconds >= EVIDENCE and (share >= LEAST_SHARE or self.all_seconds >= LONGEST_WAIT)
        if not enough or self.trained <= 0.0 or self.seconds <= 0.0:
            return None
        unheard = sum(now - self.moved.get(job, now) for job, one in in_hand.items() if self.busy(one))
        pace = self.trained / max(self.seconds - unheard, self.seconds / 4)  # of one worker
        has = {worker: set(programs) for worker, programs in self.known.items()}
        anywhere = set[Hashable]().union(*has.values())
        free: list[tuple[float, int, Hashable]] = []
        for number, (job, one) in enumerate(in_hand.items()):
            at = (one.work - one.done) / pace
            if one.compiling:
                at += max(self.compile_seconds(one.programs, anywhere) - (now - self.since.get(job, now)), 0.0)
            else:  # a worker that says nothing for a while is getting on meanwhile
                at = max(at - (now - self.moved.get(job, now)), 0.0)
            free.append((at, number, one.worker))
            has.setdefault(one.worker, set()).add(one.programs)
        anywhere |= {one.programs for one in in_hand.values()}
        if not free:
            return 0.0 if not waiting else None
        heapq.heapify(free)
        for job_waiting in waiting:
            at, number, worker = free[0]
            if job_waiting.programs not in has[worker]:
                at += self.compile_seconds(job_waiting.programs, anywhere)
                has[worker].add(job_waiting.programs)
                anywhere.add(job_waiting.programs)
            heapq.heapreplace(free, (at + job_waiting.work / pace, number, worker))
        return max(at for at, _, _ in free)

    def compile_seconds(self, programs: Hashable, anywhere: set[Hashable]) -> float:
        """How long a worker will take to have programs, by whether any has them."""
        if programs in anywhere:
            return sum(self.again) / len(self.again) if self.again else LOADING
        return sum(self.first) / len(self.first) if self.first else LOADING

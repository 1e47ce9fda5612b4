"""Claims on trial: a study's own file turns the study's cells into verdicts, each with a number and its interval."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from numpy.typing import ArrayLike

from actlab.analysis.cells import Cells, handed_out
from actlab.analysis.escaping import code, plain
from actlab.analysis.intervals import (
    COMPUTED,
    FEWEST,
    NEWCOMBE,
    NOTHING,
    UNBOUNDED,
    WILSON,
    Interval,
    percent,
    quantity_of,
)
from actlab.analysis.layout import Table, with_interval
from actlab.analysis.parts import ReportError, users_failures
from actlab.analysis.seeds import what_would_decide_each
from actlab.analysis.stages import but_for
from actlab.analysis.stats import mean_interval
from actlab.analysis.typeset import in_print
from actlab.analysis.under import CONDITIONS, Condition, Under, columns_of
from actlab.errors import ActlabError
from actlab.later import pd
from actlab.measures import Measure, about
from actlab.naming import counted

SUPPORTED, CONTRADICTED, INCONCLUSIVE, ONLY_IF = "supported", "contradicted", "inconclusive", "true only if"
FAILED = "failed"
AT_LEAST, AT_MOST, WITHIN, EXACTLY = "at least", "at most", "within", "exactly"
SIGNATURE = """a claim is a function of the study's cells, or of several studies' ({name: cells}):
    def claim(cells: actlab.analysis.cells.Cells) -> actlab.analysis.claims.Verdict
    CLAIMS = [claim, across("depth", "dying_relu")(claim_on_both)]
`judge` in actlab.analysis.claims makes the verdict; experiments/depth.py is an example"""


class ClaimsError(ActlabError, ValueError):
    """A claims file that cannot be used."""


@dataclass(frozen=True)
class Verdict:
    """What an experiment says of a claim.

    Attributes:
        id: its short name, as R3.
        activation: whose claim it is; empty where it is on several.
        statement: the claim, as it is usually made.
        form: ``at least``, ``at most``, ``within`` (±) or, of a law that holds of every value, ``exactly``.
        effect: δ, the effect that matters, in the unit of the estimate; of a law the value.
        estimate, low, high, n, method: mean and interval; under several conditions those least favourable to the claim,
            of one that is inconclusive among the conditions that leave it open, where these have any.
        verdict: ``supported``, ``contradicted``, ``inconclusive`` or ``true only if``; ``failed`` is for actlab to say.
        condition: of a claim under several conditions what holds under each, with its interval, those under which it is
            true first; of others, in parentheses, what makes them false or would decide; of one that failed, why.
        evidence: what the number is, with its unit.
        unit: that of the estimate and of δ, by the measure's record; empty for a pure number.
        figure: the name of the study's figure that shows it, if one does.
        under: what was found under each of its conditions, in the order in which they were given; empty where nothing
            is said of these.
    """

    id: str
    activation: str
    statement: str
    form: str
    effect: float
    estimate: float
    low: float
    high: float
    n: int
    method: str
    verdict: str
    condition: str
    evidence: str
    unit: str = ""
    figure: str = ""
    under: tuple[Under, ...] = ()


COLUMNS = tuple(field.name for field in fields(Verdict) if field.name != "under")
"""Of the table of claims; what was found under each condition is in a table beside it, ``CONDITIONS``."""
DOUBT = "; to doubt: "
"""What stands in ``evidence`` before what to doubt of the selections that it rests on, at its end."""
Claim = Callable[[Cells], Verdict]
Texts = Mapping[str, str]


@dataclass(frozen=True)
class Across:
    """A claim on several studies, by their names."""

    studies: tuple[str, ...]
    claim: Callable[[Mapping[str, Cells]], Verdict]


def across(*studies: str) -> Callable[[Callable[[Mapping[str, Cells]], Verdict]], Across]:
    """Make a claim on several studies of a function of {study: cells}.

    >>> across("depth", "dying_relu")(lambda cells_by_study: ...).studies
    ('depth', 'dying_relu')
    """
    if not studies or not all(isinstance(name, str) for name in studies):
        raise ValueError(f"across: expected names of studies, not {', '.join(map(repr, studies)) or 'none'}")
    return lambda claim: Across(studies, claim)


def at_least(effect: float, interval: Interval) -> str:
    """Judge "at least δ" by the whole interval.

    >>> at_least(0.1, Interval(0.2, 0.1, 0.3, 5, "Student t")), at_least(0.3, Interval(0.1, 0.0, 0.2, 5, "Student t"))
    ('supported', 'contradicted')
    """
    if interval.low >= effect:
        return SUPPORTED
    return CONTRADICTED if interval.high < effect else INCONCLUSIVE


def within(effect: float, interval: Interval) -> str:
    """Judge "within ±δ" by the whole interval.

    >>> within(0.3, Interval(0.1, 0.0, 0.2, 5, "Student t")), within(0.1, Interval(0.1, 0.0, 0.2, 5, "Student t"))
    ('supported', 'inconclusive')
    """
    if -effect <= interval.low and interval.high <= effect:
        return SUPPORTED
    return CONTRADICTED if interval.low > effect or interval.high < -effect else INCONCLUSIVE


def at_most(effect: float, interval: Interval) -> str:
    """Judge "at most δ": at least −δ of the negated quantity.

    >>> at_most(-0.1, Interval(-0.2, -0.3, -0.1, 5, "Student t"))
    'supported'
    """
    return at_least(-effect, Interval(-interval.mean, -interval.high, -interval.low, interval.n, interval.method))


FORMS: dict[str, Callable[[float, Interval], str]] = {AT_LEAST: at_least, AT_MOST: at_most, WITHIN: within}
# How well an estimate agrees with a claim: the least of several is shown.
FAVOUR: dict[str, Callable[[float], float]] = {AT_LEAST: lambda x: x, AT_MOST: lambda x: -x, WITHIN: lambda x: -abs(x)}


def judge(
    id: str,
    activation: str,
    statement: str,
    form: str,
    effect: float,
    samples: ArrayLike | Interval | Mapping[str, ArrayLike | Interval] | Mapping[Condition, ArrayLike | Interval],
    evidence: str,
    of: str | Measure = "",
    difference: bool = False,
    figure: str = "",
) -> Verdict:
    """Judge a claim by the mean of some numbers, or under several conditions by each one's.

    Args:
        id, activation, statement, form, effect, evidence, figure: see ``Verdict``.
        samples: one number per seed; or {condition: such numbers}, each a name or a ``Condition``. Under k conditions
            each interval has the level 1 − .05/k, so that all of them hold at once with 95 %. What is not finite is
            left out. What is an interval already is taken as it is, as ``computed``. A single ``Condition`` says of
            which of the study's settings the numbers are.
        of: the measure that the numbers are of, by its name (a user's own: its record): its kind decides how intervals
            are made. Without one they are taken for unbounded.
        difference: whether they are differences of two values of it.

    Returns:
        the verdict; *true only if* where the numbers support the claim under one condition and contradict it under
        another; *contradicted* where they contradict it under one and support it under none. Numbers whose mean has no
        interval (fewer than five, or equal ones) are inconclusive; shares of runs have one all the same.

    >>> low, high = [-0.3, -0.31, -0.3, -0.32, -0.31], [0.2, 0.21, 0.2, 0.21, 0.2]
    >>> judge("S3", "sigmoid", "gradients vanish", AT_MOST, -0.03, low, "slope").verdict
    'supported'
    >>> judge("S3", "sigmoid", "gradients vanish", AT_MOST, -0.03, {"A": low, "B": high}, "slope").condition
    'A: −0.308 [−0.325, −0.295]; contradicted at B: 0.2040 [0.1954, 0.2154]'
    """
    by_condition = samples if isinstance(samples, Mapping) else {"": samples}
    k = len(by_condition)
    record = about(of) if isinstance(of, str) else of
    quantity = quantity_of(record) if of else UNBOUNDED
    quantity = quantity.difference if difference else quantity
    intervals = {
        name: values if isinstance(values, Interval) else mean_interval(values, 1 - 0.05 / k, quantity)
        for name, values in by_condition.items()
    }
    words = {name: FORMS[form](effect, interval) for name, interval in intervals.items()}
    verdict = overall(words.values())
    of_open = {name: interval for name, interval in intervals.items() if words[name] == INCONCLUSIVE}
    more = what_would_decide_each(effect, of_open, form == WITHIN)
    condition = (
        conditions_text(words, intervals, verdict, more)
        if k > 1
        else "".join(f"({one})" for one in more.values() if one)
    )
    known = [name for name in intervals if intervals[name].n]
    among = [name for name in known if verdict == words[name] == INCONCLUSIVE] or known  # what leaves it open is shown
    least = min(among, key=lambda name: FAVOUR[form](intervals[name].mean), default="")
    one = intervals.get(least, NOTHING)
    method = f"{one.method}, {percent(1 - 0.05 / k)}" if k > 1 and one.known and one.method != COMPUTED else one.method
    evidence = f"{evidence}; least favourable: {least}" if least and k > 1 else evidence
    numbers = (*numbers_of(one)[:-1], method)
    said = (verdict, condition, evidence, record.unit, figure)
    under = tuple(
        Under(str(name), *numbers_of(found), words[name], more.get(name, ""), getattr(name, "settings", ()))
        for name, found in intervals.items()
        if k > 1 or isinstance(name, Condition)
    )
    return Verdict(id, activation, statement, form, effect, *numbers, *said, under)


def numbers_of(one: Interval) -> tuple[float, float, float, int, str]:
    """Return what verdicts hold of an interval."""
    return one.mean, one.low, one.high, one.n, one.method


def overall(words: Iterable[str]) -> str:
    """Give the verdict on a claim that is said of all conditions, by the verdicts under each.

    >>> overall([SUPPORTED, INCONCLUSIVE]), overall([CONTRADICTED, INCONCLUSIVE]), overall([SUPPORTED, CONTRADICTED])
    ('inconclusive', 'contradicted', 'true only if')
    """
    match sorted({*words}):
        case [word]:
            return word
        case [*some] if CONTRADICTED in some:
            return ONLY_IF if SUPPORTED in some else CONTRADICTED
    return INCONCLUSIVE


def conditions_text(words: Texts, intervals: Mapping[str, Interval], verdict: str, more: Texts) -> str:
    """Say of every condition what holds under it, with its interval, n where that differs, and what ``more`` says.

    >>> a, b = Interval(0.9, 0.8, 0.95, 5, "logit t"), Interval(0.1, 0.05, 0.2, 5, "logit t")
    >>> conditions_text({"A": SUPPORTED, "B": CONTRADICTED}, {"A": a, "B": b}, ONLY_IF, {})
    'A: 0.900 [0.800, 0.950]; contradicted at B: 0.100 [0.050, 0.200]'
    >>> conditions_text({"A": CONTRADICTED, "B": CONTRADICTED}, {"A": a, "B": b}, CONTRADICTED, {})
    '(contradicted at A: 0.900 [0.800, 0.950]; B: 0.100 [0.050, 0.200])'
    """
    counts = len({one.n for one in intervals.values()}) > 1
    parts = []
    for word in (SUPPORTED, CONTRADICTED, INCONCLUSIVE):
        those = [
            f"{name}: {with_interval(intervals[name])}{f', n = {intervals[name].n}' * counts}"
            f"{f' ({more.get(name)})' * bool(more.get(name))}"
            for name in words
            if words[name] == word
        ]
        if those:
            bare = verdict == ONLY_IF and word == SUPPORTED
            parts.append(f"{'' if bare else f'{word} at '}{'; '.join(those)}")
    text = "; ".join(parts)
    return text if verdict == ONLY_IF else f"({text})"


def decide(
    claims: Sequence[Claim | Across],
    cells: Cells,
    study: str = "",
    find: Callable[[str], Cells | None] = lambda name: None,
    short: Callable[[str], str] = str,
) -> Table:
    """Decide every claim, as a table.

    Args:
        claims: as ``load`` gives them.
        cells: the study's own.
        study: its name.
        find: gives another study's cells by its name, None where it is not at hand: a claim on it is named in the note.
            What it raises fails that claim.
        short: shortens the paths in why a claim failed.
    """
    number_diverged, number_of_runs = int((cells.runs["status"] != "ok").sum()), len(cells.runs)
    verdicts, undecided = [], []
    for claim in claims:
        if not isinstance(claim, Across):
            verdicts.append(decided(claim, handed_out(cells)))
            continue
        try:
            by_study = {name: cells if name == study else find(name) for name in claim.studies}
        except ValueError as error:
            verdicts.append(failed(name_of(claim.claim), f"{name_of(claim.claim)}: {error}"))
            continue
        there = {name: handed_out(one) for name, one in by_study.items() if one is not None}
        if len(there) == len(by_study):
            verdicts.append(decided(claim.claim, there))
        else:
            undecided.append(f"{name_of(claim.claim)} ({', '.join(name for name in by_study if name not in there)})")
    verdicts = [replace(one, condition=short(one.condition)) if one.verdict == FAILED else one for one in verdicts]
    return as_table(verdicts, undecided, number_diverged, number_of_runs, but_for(cells))


def as_table(verdicts: Sequence[Verdict], undecided: Sequence[str], diverged: int, runs: int, but: str = "") -> Table:
    """Tabulate verdicts.

    Args:
        verdicts: in their order.
        undecided: claims that could not be asked, with the studies that they lack.
        diverged, runs: how many of the runs that claims are given diverged, and how many these are.
        but: which of the study's runs these are not.
    """
    # It reads verdicts, and has their words from here.
    from actlab.analysis.conditions import measured, on_page

    frame = pd.DataFrame([vars(one) for one in verdicts], columns=list(COLUMNS))
    found = [{"id": one.id, **columns_of(each)} for one in verdicts for each in one.under]
    beside = {CONDITIONS: pd.DataFrame(found)}
    wide = pd.DataFrame(
        {
            "claim": [plain(one.id) for one in verdicts],
            "activation": [code(one.activation) if one.activation else "–" for one in verdicts],
            "statement": [plain(one.statement) for one in verdicts],
            "evidence": [plain(in_print(one.evidence)) for one in verdicts],
            "claimed": ["–" if one.verdict == FAILED else claimed(one) for one in verdicts],
            "estimate": [plain(measured(one)) for one in verdicts],
            "verdict": [f"**{one.verdict}** {plain(one.condition)}".strip() for one in verdicts],
        }
    )
    laws, fails = EXACTLY in set(frame["form"]), FAILED in set(frame["verdict"])
    shares = frame["method"].astype(str).str.contains(f"{WILSON}|{NEWCOMBE}").any()
    sentences = [
        "A claim is supported where the whole interval agrees with it, contradicted where none of it does, else",
        "inconclusive. Intervals: 95 %; of a claim that is judged under k conditions 1 − .05/k, and the estimate least",
        "favourable to it is shown, those of all conditions with the verdict or below. *True only if*: supported under",
        "some conditions, contradicted under others; of either the estimate least favourable is shown. What is",
        "contradicted under one condition and supported under none is contradicted.",
        *(
            ["Of an inconclusive claim it is that of a condition that leaves it open, if one has a number."]
            if found
            else []
        ),
        *(["*Exactly*: of every value; shown are the least and the greatest."] if laws else []),
        f"A mean of fewer than {FEWEST} numbers, or of equal ones, has no interval and decides nothing"
        + ("; a share of runs has one all the same (Wilson's; of a difference Newcombe's)." if shares else "."),
        f"{diverged or 'None'} of the {counted(runs, 'run')} that claims are asked of{but} diverged"
        + (
            ": at the end they have no value, and enter no mean of it; at the start they have one, and *trained* is "
            "false of them: means at initialisation and shares of runs that trained may count them."
            if diverged
            else "."
        ),
        *([f"Not decided, for want of another study: {plain('; '.join(undecided))}."] if undecided else []),
        *(["*Failed*: the claim could not be decided, for the reason given."] if fails else []),
    ]
    shown = on_page(verdicts, wide)
    return Table("Claims", " ".join(sentences), frame, wide, "claims", beside if found else {}, on_page=shown)


def decided(claim: Callable[[Any], Any], measured: Any) -> Verdict:
    """Ask a claim for its verdict; one that fails, or gives something else, has failed, and the others go on."""
    name = name_of(claim)
    try:
        with users_failures(name):
            verdict = claim(measured)
    except ReportError as error:
        return failed(name, str(error))
    if not isinstance(verdict, Verdict):
        return failed(name, f"{name}: gives {type(verdict).__name__}, not a Verdict; {SIGNATURE}")
    wrong = wrong_in(verdict)
    return failed(name, f"{name}: {wrong}; {SIGNATURE}") if wrong else verdict


def claimed(one: Verdict) -> str:
    """Write what a claim says of the number: ``at least 0.1``."""
    return f"{plain(one.form)} {'±' * (one.form == WITHIN)}{one.effect:.3g}".replace("-", "−")


def failed(name: str, why: str) -> Verdict:
    """Make the row of a claim, or of a whole file of them, that could not be decided."""
    nothing = (NOTHING.mean, NOTHING.low, NOTHING.high, 0, "")
    return Verdict(name, "", "", "", math.nan, *nothing, FAILED, " ".join(why.split()), "")


def wrong_in(verdict: Verdict) -> str:
    """Say what of a verdict is not what it is to be; empty where all is."""
    for field in fields(Verdict):
        value = getattr(verdict, field.name)
        kind = {"str": str, "float": numbers.Real, "int": numbers.Integral}.get(str(field.type), tuple)
        if not isinstance(value, kind) or isinstance(value, bool):
            return f"the verdict's {field.name} is {type(value).__name__}, not {field.type}"
    if not all(isinstance(one, Under) for one in verdict.under):
        return "the verdict's under holds something else than Under"
    words = (SUPPORTED, CONTRADICTED, INCONCLUSIVE, ONLY_IF)
    return "" if verdict.verdict in words else f"the verdict is none of {', '.join(words)}"


def name_of(claim: Callable[..., Any]) -> str:
    """A claim's name in the file."""
    return str(getattr(claim, "__name__", repr(claim)))

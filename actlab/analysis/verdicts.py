"""All verdicts of a trial in one table, and what its page says of each.

Each claim leads to its rule (a file), its numbers (a folder), its figure and the command that makes them again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from actlab import commands
from actlab.analysis import verdict_pictures
from actlab.analysis.claims import CONTRADICTED, DOUBT, FAILED, INCONCLUSIVE, ONLY_IF, SUPPORTED, Verdict, claimed
from actlab.analysis.conditions import measured, of_conditions, qualified, remark
from actlab.analysis.drawings import Spec, file_name
from actlab.analysis.escaping import code, plain
from actlab.analysis.findings.decided import stored
from actlab.analysis.intervals import COMPUTED, COUNTED
from actlab.analysis.layout import Table
from actlab.analysis.sections import Grid, Items, Picture, Section
from actlab.analysis.story import belongs
from actlab.analysis.typeset import in_print
from actlab.analysis.under import CONDITIONS, columns_of
from actlab.later import pd
from actlab.naming import counted, file_stem

COLUMNS = (
    *("id", "activation", "statement", "verdict", "estimate", "low", "high", "n", "method", "condition", "scope"),
    *("study", "form", "effect", "evidence"),
)
WORDS = (SUPPORTED, CONTRADICTED, ONLY_IF, INCONCLUSIVE, FAILED)
BOTH = (
    "Of several conditions the number is that under which a claim fits least (of an inconclusive one among those that "
    "leave it open, if these have one); of *true only if* it is given, with its condition and how many more there are, "
    "of those under which it holds, then of those under which it does not."
)
ALTERED = {
    "textbook": "*textbook* is the formula as it is written, differentiated automatically",
    "catalogue": "*catalogue* is the code that networks here are trained with, whose derivatives are closed forms",
    "accelerator": "on the *accelerator*, whose array is a thousand times as large, reading and writing it takes the "
    "time, whatever the function",
}
"""What conditions mean whose names do not say it."""
HEADINGS = {ONLY_IF: "true only under some conditions"}
"""A verdict that needs its conditions behind it, where none stand."""
FIGURES = "figures"
DRAWN = Spec("", "", "")
"""Of a picture that a study has drawn already."""
QUICK = (
    "**A quick trial**: few seeds, few rates and short training, some studies left out, to see that everything runs. "
    "Its verdicts are not those of the full one."
)


@dataclass(frozen=True)
class Part:
    """A study, or a file of computed claims, whose verdicts are part of a trial.

    Attributes:
        name: of its folder in the trial's.
        scope: on what its verdicts are: data, networks, training, seeds.
        rule: the file that decides, from its folder on.
        again: the command that makes its numbers again.
        verdicts: in the file's order.
        figures: those that are there, by name.
        study: whether it is a study, which has a report of its own.
        html: whether that is a page for a browser, too.
        captions: {figure: what the study's report calls it}.
        how: the rule in words, where no file of the user's decides.
        measured: of what is computed, the file of the numbers that its rule is given.
        redrawn: {id of a verdict whose figure the trial draws again: its title}.
        deciding: {id: the function of the rule's file that decides it, and its line}.
        splits: on how many splits of the data a study's runs are; None of what is no study, or has no data to split.
        narrower: {id of a verdict that is on less than its study: on what}.
    """

    name: str
    scope: str
    rule: str
    again: str
    verdicts: tuple[Verdict, ...]
    figures: frozenset[str] = frozenset()
    study: bool = False
    html: bool = False
    captions: Mapping[str, str] = field(default_factory=dict, hash=False)
    how: str = ""
    measured: str = ""
    redrawn: Mapping[str, str] = field(default_factory=dict, hash=False)
    deciding: Mapping[str, tuple[str, int]] = field(default_factory=dict, hash=False)
    splits: int | None = None
    narrower: Mapping[str, str] = field(default_factory=dict, hash=False)

    def scope_of(self, id: str) -> str:
        """Say on what a verdict is: its own scope where that is narrower than the study's."""
        return self.narrower.get(id, self.scope)

    def rule_of(self, id: str) -> str:
        """Link the rule of a claim: its file, at the function that decides it where that is known."""
        function, line = self.deciding.get(id, ("", 0))
        where = f"#L{line}" if line else ""
        return f"[Rule]({self.name}/{self.rule}{where})" + (f" (`{function}`, line {line})" if line else "")

    def report(self, kind: str) -> str:
        """Name the file of the study's report: of this kind where it has that, else its Markdown.

        >>> Part("depth", "", "", "", (), study=True).report("html")
        'report.md'
        """
        return "report.html" if kind == "html" and self.html else "report.md"


def read(folder: Path) -> tuple[Verdict, ...]:
    """Read the verdicts of a study's folder; none where it has no table of claims."""
    path = folder / "tables" / "claims.csv"
    return tuple(stored(path)) if path.is_file() else ()


def in_order(parts: Sequence[Part], claims: Mapping[str, str]) -> list[tuple[Verdict, Part]]:
    """Order verdicts as the story tells the claims; further ones come last."""
    ids = list(claims)

    def place(one: Verdict) -> tuple[int, str]:
        return next((i for i, claim in enumerate(ids) if belongs(one.id, claim)), len(ids)), one.id

    return sorted(((one, part) for part in parts for one in part.verdicts), key=lambda pair: place(pair[0]))


def undecided(parts: Sequence[Part], claims: Mapping[str, str]) -> list[str]:
    """List the claims that no part of the trial has a verdict on."""
    ids = [one.id for part in parts for one in part.verdicts]
    return [claim for claim in claims if not any(belongs(one, claim) for one in ids)]


def count(verdicts: Sequence[Verdict]) -> str:
    """Count verdicts by their word."""
    counts = {word: sum(one.verdict == word for one in verdicts) for word in WORDS}
    return ", ".join(f"{number} {HEADINGS.get(word, word)}" for word, number in counts.items() if number)


def table(parts: Sequence[Part], claims: Mapping[str, str], quick: bool = False) -> Table:
    """Tabulate all verdicts.

    Args:
        parts: of the trial.
        claims: {id: what is said}, of the story, in its order.
        quick: whether the trial was a quick one.
    """
    rows = [{**vars(one), "scope": part.scope_of(one.id), "study": part.name} for one, part in in_order(parts, claims)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    pairs = in_order(parts, claims)
    wide = pd.DataFrame(
        {
            "claim": [plain(one.id) for one, _ in pairs],
            "activation": [code(one.activation) if one.activation else "–" for one, _ in pairs],
            "said": [plain(one.statement) for one, _ in pairs],
            "claimed": ["–" if one.verdict == FAILED else claimed(one) for one, _ in pairs],
            "measured": [measured(one) for one, _ in pairs],
            "verdict": [f"**{one.verdict}**{qualified(one)} {plain(one.condition)}".strip() for one, _ in pairs],
            "scope": [plain(part.scope_of(one.id)) for one, part in pairs],
            "study": [f"[{part.name}](../{part.name}/report.md)" if part.study else part.name for _, part in pairs],
        }
    )
    found = [{"id": one.id, "study": part.name, **columns_of(each)} for one, part in pairs for each in one.under]
    beside = {CONDITIONS: pd.DataFrame(found)} if found else {}
    missing = undecided(parts, claims)
    note = " ".join(
        [
            *([QUICK] if quick else []),
            f"{counted(len(rows), 'verdict')}: {count([one for one, _ in pairs])}.",
            "Supported: the whole interval agrees with what is claimed; contradicted: none of it does; *true only if*:",
            f"so under some conditions, and not under others. {BOTH} Of several all are asked: a contradicted one, and",
            "none supported, contradicts; one that is open, beside others that are supported, leaves it inconclusive.",
            *([f"All conditions, each with its number, are in claims-{CONDITIONS}.csv."] if found else []),
            *([f"Without a verdict: {', '.join(missing)}."] if missing else []),
        ]
    )
    return Table("All claims and their verdicts", note, frame, wide, "claims", beside, for_paper(wide, pairs))


def for_paper(wide: pd.DataFrame, pairs: Sequence[tuple[Verdict, Part]]) -> pd.DataFrame:
    """Shorten the table of all verdicts for a paper: every verdict beside what is said, and its number.

    Whose a claim is stands in its text; of its conditions those that its numbers are of; all are in the CSV.
    """
    said = zip(wide["activation"], wide["said"], strict=True)
    return pd.DataFrame(
        {
            "claim": wide["claim"],
            "verdict": [f"{one.verdict}{qualified(one)}" for one, _ in pairs],
            "said": [text if name == "–" else f"{name} {text}" for name, text in said],
            "claimed": wide["claimed"],
            "measured": [measured(one, short=True) for one, _ in pairs],
        }
    )


def figures_of(parts: Sequence[Part]) -> dict[tuple[str, str], str]:
    """Name a picture for each verdict that has a number: {(part, id): the name of its files}, no two alike."""
    names: dict[tuple[str, str], str] = {}
    for part in parts:
        for one in part.verdicts:
            if math.isfinite(one.estimate) and (part.name, one.id) not in names:
                names[part.name, one.id] = file_stem(file_name(one.id, names.values()))
    return names


def redrawn_name(name: str, one: Verdict) -> str:
    """Name the files of a verdict's figure that is drawn again, beside those of its own picture."""
    return f"{name}-{one.figure}"


def of_verdict(
    one: Verdict, part: Part, figures: Mapping[tuple[str, str], str], kind: str = "md", level: int = 4
) -> Section:
    """Compose what is said of one verdict, with its own picture before those of its study.

    Args:
        one: the verdict.
        part: that it is of.
        figures: what ``figures_of`` returns.
        kind: of page, ``md`` or ``html``: links to a study's report go to one of the same kind, where it has that.
        level: of its heading.
    """
    heading = f"{one.id}: {plain(one.statement)} — {HEADINGS.get(one.verdict, one.verdict)}{qualified(one)}"
    head = remark(one)
    said, _, doubt = one.evidence.partition(DOUBT)
    lines = [
        f"Claimed: {claimed(one)}. Found: {plain(measured(one))}"
        + (f" ({plain(one.method)})." if one.method and one.method != COMPUTED else "."),
        f"The number: {plain(in_print(said))}.",
        *([f"It {plain(head)}." if head.startswith("would") else f"To know: {plain(head)}."] if head else []),
        *([f"To doubt: {plain(in_print(doubt))}."] if doubt else []),
        *terms(one),
        f"{scope_word(one, part)}: {plain(part.scope_of(one.id))}.",
        *([f"Rule: {part.how}"] if part.how else []),
        ("" if part.how else f"{part.rule_of(one.id)}, ")
        + f"[numbers]({part.name}/tables/claims.csv)"
        + f", [of each condition]({part.name}/tables/claims-{CONDITIONS}.csv)" * bool(one.under)
        + (f", [what was {done(one)}]({part.name}/{part.measured})" if part.measured else "")
        + (
            f", [data]({part.name}/parts) (a row a run), [study]({part.name}/{part.report(kind)})" if part.study else ""
        ),
        again_said(one, part),
    ]
    printed = 2 + bool(head) + bool(doubt)  # what was found, what that is, and what speaks against it
    blocks: tuple[Items | Grid | Picture, ...] = (Items(tuple(lines), printed=printed),)
    if (part.name, one.id) in figures:
        blocks += (Picture(heading, f"{FIGURES}/{figures[part.name, one.id]}.png", DRAWN, pd.DataFrame(), linked=True),)
    if len(one.under) > 1:  # in the order of the picture
        blocks += (Grid(of_conditions(one), "the conditions", first="condition", filtered=False),)
    pictures = {
        f"{part.name}/figures/{name}.png": verdict_pictures.caption(name, part.captions.get(name, ""), part.name)
        for name in verdict_pictures.chosen(one, part.figures)
    }
    if one.id in part.redrawn and (part.name, one.id) in figures:
        file = f"{FIGURES}/{redrawn_name(figures[part.name, one.id], one)}.png"
        pictures = {file: f"{part.redrawn[one.id]}; from the study {part.name}"}
    blocks += tuple(Picture(title, file, DRAWN, pd.DataFrame(), linked=True) for file, title in pictures.items())
    return Section(level, heading, blocks, one.id.lower(), brief=True)


def terms(one: Verdict) -> list[str]:
    """Explain the names of a verdict's conditions that do not say what they mean."""
    said = [
        text for word, text in ALTERED.items() if any(word in re.findall(r"\w+", row.condition) for row in one.under)
    ]
    return [f"Of these conditions, {'; '.join(said)}."] if said else []


def done(one: Verdict) -> str:
    """Say how the number of a claim that is of no study came about."""
    return {COMPUTED: "computed", COUNTED: "counted"}.get(one.method, "timed")


def scope_word(one: Verdict, part: Part) -> str:
    """Head the line that says on what a verdict is."""
    heads = {"computed": "Computed without a network, on", "counted": "Counted over", "timed": "Timed on"}
    return "Scope" if part.study else heads[done(one)]


def again_said(one: Verdict, part: Part) -> str:
    """Say what the command does that decides a verdict again: what is stored is used."""
    if part.how:
        return f"`{part.again}` decides it again, after all the others."
    stored, makes = ("stored runs", "trains all") if part.study else ("stored numbers", "makes all")
    return f"`{part.again}` decides again from the {stored}; with `--out DIR`, a folder without them, it first {makes}."


def again(trial: Path, only: str, quick: bool = False) -> str:
    """Write the command that makes a part of a trial again."""
    return commands.typed("trial", trial, *(["--quick"] if quick else []), "--only", only)

"""The story of the activations as its readers know it: one table, a section for each activation, and what was measured.

The rows come as plain mappings (``theory.story.Row``, with the catalogue's formula); verdicts from studies' folders.
"""

import math
import os
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from actlab.analysis.claims import COLUMNS as ALL
from actlab.analysis.claims import ONLY_IF, SUPPORTED, ClaimsError, Verdict
from actlab.analysis.conditions import found_at, qualified
from actlab.analysis.escaping import code, plain, unguarded
from actlab.analysis.findings.decided import claim_of, stored_under
from actlab.analysis.intervals import COMPUTED
from actlab.analysis.layout import Table, number, records, with_bounds, write_table
from actlab.analysis.sections import Grid, Items, Section, Text, markdown
from actlab.naming import counted
from actlab.study.trial import QUICK

Row = Mapping[str, Any]
COLUMNS = ("id", "activation", "statement", "form", "estimate", "low", "high", "verdict", "condition")
NOT_YET, NOT_HERE = "not yet tried", "not tried by a study here"
STORY = re.compile(r"^([A-Z]+\d+).*$")
"""An id, which begins with that of the story's claim that it decides, or a part of."""
CHECKED = "✓"
LEGEND = (
    f"{CHECKED} beside a step or a remark: what it states is computed from the catalogue's own function, by "
    "`tests/test_story.py`."
)
TITLE = "Nine activations: what each is said to repair, why, and what was measured"
TOLD = (
    "A widely read overview tells activation functions as a chain: each repairs the fault of the one before. Here is "
    "that chain with its derivations, with what in it is said too loosely, and with the verdicts of this project's "
    "studies."
)
NOTATION = (
    "Everywhere z is a pre-activation, h = φ(z) an activation, Z standard normal; weights have the variance "
    "σ_w²/n, n the number of inputs, biases are 0; q is the mean square of z, V(q) = σ_w² E φ(√q Z)² that of the next "
    "layer, and χ = σ_w² E φ′(√q Z)² what a layer does to the squared norm of a gradient: it vanishes with depth where "
    "χ < 1, and a norm changes by ½ log₁₀ χ decades per layer."
)
INTRO = f"{TOLD} {NOTATION}"


def verdicts(folder: Path) -> pd.DataFrame:
    """Read the claims that studies in a folder have judged, study by study.

    What a trial decided stands in the place of what single studies say of the same claims; quick trials say nothing.

    Args:
        folder: with a folder for each study, as ``results``.

    Returns:
        One row per claim: ``study``, ``file`` (its table for people), what ``claims.csv`` says, and ``under``, what was
        found under each of its conditions.

    Raises:
        ClaimsError: a ``claims.csv`` is no table of claims.
    """
    frames, trials = [], []
    for path in sorted(folder.glob("*/tables/claims.csv")):
        try:
            frame = pd.read_csv(path, keep_default_na=False, na_values={name: [""] for name in ("low", "high")})
        except (OSError, ValueError) as error:
            raise ClaimsError(f"{path}: cannot be read ({error})") from None
        if missing := [name for name in COLUMNS if name not in frame]:
            raise ClaimsError(f"{path}: has no column {missing[0]}; `actlab report {path.parents[1]}` writes it again")
        under = stored_under(path)
        frame = frame.assign(
            under=pd.Series([tuple(under.get(claim_of(row), ())) for row in records(frame)], dtype=object)
        )
        if "scope" in frame:
            if not path.parents[1].name.endswith(QUICK):
                page = str(path.parents[1] / "report.md")
                trials.append(frame.assign(file=[f"{page}#{one.lower()}" for one in frame["id"]]))
        else:
            frames.append(frame.assign(study=path.parents[1].name, file=str(path.with_suffix(".md"))))
    tried = {STORY.sub(r"\1", str(one)) for frame in trials for one in frame["id"]}
    alone = [frame[[STORY.sub(r"\1", str(one)) not in tried for one in frame["id"]]] for frame in frames]
    found = [frame for frame in [*trials, *alone] if len(frame)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=[*COLUMNS, "study", "file"])


def untried(known: pd.DataFrame) -> str:
    """Say of a claim that no study has judged: whether there are any studies here is another matter.

    >>> untried(pd.DataFrame(columns=COLUMNS))
    'not tried by a study here'
    """
    return NOT_HERE if known.empty else NOT_YET


def belongs(claim: str, to: str) -> bool:
    """Whether a study's claim decides one of the story's, or a part of it.

    >>> belongs("R3b", "R3"), belongs("R3", "R3"), belongs("R31", "R3")
    (True, True, False)
    """
    return claim.startswith(to) and not claim[len(to) :][:1].isdigit()


def judged(row: Row, known: pd.DataFrame) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Put the claims of a row beside what studies found: (id, what is said, findings); findings of further claims last.

    Args:
        row: with ``name`` and ``claims``; a name of "" takes the claims that are of no activation.
        known: what ``verdicts`` returns.
    """
    found: list[dict[str, Any]] = [
        {str(name): value for name, value in one.items()} for one in known.to_dict("records")
    ]
    listed = [
        (claim, said, [one for one in found if belongs(str(one["id"]), claim)]) for claim, said in row["claims"].items()
    ]
    there = {id(one) for _, _, ones in listed for one in ones}
    more = [one for one in found if row["name"] and one["activation"] == row["name"] and id(one) not in there]
    return [*listed, *((str(one["id"]), str(one["statement"]), [one]) for one in more)]


def measured(one: Mapping[str, Any]) -> str:
    """Write a finding: its verdict, the condition of one that has some, and the estimate.

    >>> one = {"verdict": "supported", "form": "at least", "condition": "", "estimate": 1.0, "low": 0.9, "high": 1.1}
    >>> measured(one), measured(one | {"verdict": "inconclusive", "condition": "(contradicted at 2)"})
    ('supported: 1.00 [0.90, 1.10]', 'inconclusive: 1.00 [0.90, 1.10] (contradicted at 2)')
    """
    low, high = float(one["low"]), float(one["high"])
    condition = unguarded(str(one["condition"]))
    if one["verdict"] == ONLY_IF:
        return f"{ONLY_IF} {found_at(one.get('under', ()), SUPPORTED) or condition}"
    if one["form"] == "exactly":
        estimate = f"{number(low)} to {number(high)}, the least and the greatest"
    elif math.isnan(low):
        estimate = f"{number(float(one['estimate']))}, no interval"
    elif one.get("method") == COMPUTED:
        estimate = f"{number(float(one['estimate']))}, computed"
    else:
        estimate = with_bounds(float(one["estimate"]), low, high)
    undecided = f" {condition}" if condition and one["verdict"] == "inconclusive" else ""
    some = Verdict(**{name: one[name] for name in ALL}, under=one["under"]) if one.get("under") else None
    return f"{one['verdict']}{qualified(some) if some else ''}: {estimate}{undecided}"


def summary(row: Row, known: pd.DataFrame) -> str:
    """Count a row's verdicts.

    >>> row = {"name": "relu", "claims": {"R1": "cheap"}}
    >>> summary(row, pd.DataFrame(columns=COLUMNS))
    '1 not tried by a study here'
    """
    counts: dict[str, int] = {}
    for _, _, ones in judged(row, known):
        for word in [one["verdict"] for one in ones] or [untried(known)]:
            counts[word] = counts.get(word, 0) + 1
    order = ("supported", "contradicted", "true only if", "inconclusive", untried(known))
    words = sorted(counts, key=lambda word: order.index(word) if word in order else -1)
    return ", ".join(f"{counts[word]} {word}" for word in words)


def table(rows: Sequence[Row], known: pd.DataFrame) -> Table:
    """Tabulate the story: for people what fits in a line, as numbers all of it."""
    frame = pd.DataFrame(
        {
            "activation": row["name"],
            "formula": row["formula"],
            "comparison": row["comparison"],
            "problem": row["problem"],
            "said_to_solve_it": row["solution"],
            "fact": row["fact"],
            "derivation": "; ".join(" ".join(step["text"].split("\n")) for step in row["steps"]),
            "derivation_latex": "; ".join(step["latex"] for step in row["steps"]),
            "said_too_loosely": "; ".join(f"{one['said']} {one['holds']}" for one in row["corrections"]),
            "measured": "; ".join(
                f"{claim} {said}: {', '.join(map(measured, ones)) or untried(known)}"
                for claim, said, ones in judged(row, known)
            ),
        }
        for row in rows
    )
    wide = pd.DataFrame(
        {
            "activation": [code(name) for name in frame["activation"]],
            "φ(z)": frame["formula"].map(plain),
            "problem it has": frame["problem"].map(plain),
            "what is said to solve it": frame["said_to_solve_it"].map(plain),
            "what the derivation comes to": frame["fact"].map(plain),
            "claims measured here": [summary(row, known) for row in rows],
        }
    )
    note = "Of a claim that studies judge in parts, each part counts."
    return Table("The story of the activations", note, frame, wide, "story")


def page(rows: Sequence[Row], chain: Row, known: pd.DataFrame, out: Path, pictures: Mapping[str, str]) -> list[Section]:
    """Compose the page: the table, a section for each activation, the chain.

    Args:
        rows: the activations' rows.
        chain: the claims about all of them, as a row with the name "".
        known: what ``verdicts`` returns.
        out: the folder that the page stands in: links to verdicts begin there.
        pictures: {activation: file of its graph, from there}.
    """
    grid = table(rows, known).wide.drop(columns="φ(z)")
    grid["activation"] = [f"[{cell}](#{row['name']})" for cell, row in zip(grid["activation"], rows, strict=True)]
    about = "Written by `actlab describe --story --out results/catalogue`. [All activations](tables/properties.md)."
    texts = (Text(INTRO), Grid(grid), Text(f"{LEGEND} {about}"))
    sections = [Section(1, TITLE, texts), *(section(row, known, out, pictures) for row in rows)]
    if chain["claims"]:
        sections.append(Section(2, "The chain", (Items(findings(chain, known, out)),)))
    return sections


def section(row: Row, known: pd.DataFrame, out: Path, pictures: Mapping[str, str]) -> Section:
    """Compose an activation's section: the six columns of its row, and what is said too loosely."""
    blocks: list[Text | Items] = [Text(f"![{row['name']}]({pictures[row['name']]})")] if row["name"] in pictures else []
    blocks += [Text("**Formula**"), formula(rf"\varphi(z) = {row['latex']}")]
    for head, text in (("Comparison", "comparison"), ("Problem it has", "problem"), ("Said to solve it", "solution")):
        blocks.append(Text(f"**{head}.** {plain(row[text])}"))
    blocks.append(Text(f"**Mathematical explanation:** {plain(row['fact'])}."))
    for i, step in enumerate(row["steps"], start=1):
        mark = f" {CHECKED}" if step["numbers"] else ""
        blocks += [Text(f"*Step {i}{mark}.* {plain(step['why'])}"), formula(step["latex"])]
    if row["corrections"]:
        loose = (
            f"“{plain(one['said'])}” {with_code(one['holds'])}{f' {CHECKED}' if one['numbers'] else ''}"
            for one in row["corrections"]
        )
        blocks += [Text("**Said too loosely**"), Items(tuple(loose))]
    blocks += [Text("**What this project measured**"), Items(findings(row, known, out))]
    return Section(2, row["name"], tuple(blocks))


def with_code(text: str) -> str:
    r"""Write a text in Markdown, with what stands between backticks as code.

    >>> print(with_code("see `describe relu`, a*b"))
    see `describe relu`, a\*b
    """
    return re.sub(r"\\`([\w ]+)\\`", r"`\1`", plain(text))


def formula(latex: str) -> Text:
    """Set a formula as GitHub does: in a block of its own, where Markdown leaves every character as it is."""
    return Text(f"```math\n{latex}\n```")


def findings(row: Row, known: pd.DataFrame, out: Path) -> tuple[str, ...]:
    """List in Markdown what studies found on a row's claims, each with a link to its table."""
    lines = []
    for claim, said, ones in judged(row, known):
        if not ones:
            lines.append(f"{claim}, *{plain(said)}*: {untried(known)}")
        for one in ones:
            what = plain(measured(one))
            lines.append(f"{one['id']}, *{plain(one['statement'])}*: **{what}** ([{one['study']}]({link(one, out)}))")
    return tuple(lines)


def link(one: Mapping[str, Any], out: Path) -> str:
    """Return where a finding's table is, from a folder on."""
    return Path(os.path.relpath(one["file"], out)).as_posix()


def in_terminal(rows: Sequence[Row], chain: Row, known: pd.DataFrame, width: int) -> str:
    """Write the story for a terminal: the same items in Unicode, wrapped; formulas stay whole."""
    parts = []
    for row in rows:
        items = {"φ(z)": "formula", "comparison": "comparison", "problem": "problem", "solved by": "solution"}
        lines = [row["name"], *(wrapped(f"  {head:<11}", row[name], width) for head, name in items.items())]
        lines.append(wrapped("  explained  ", row["fact"], width))
        for i, step in enumerate(row["steps"], start=1):
            lines.append(wrapped(f"    {i} {CHECKED if step['numbers'] else ' '} ", step["why"], width))
            lines += [f"        {line}" for line in step["text"].split("\n")]
        if row["corrections"]:
            lines.append("  said too loosely")
        for one in row["corrections"]:
            mark = CHECKED if one["numbers"] else " "
            lines.append(wrapped(f"    - {mark} ", f"“{one['said']}” {one['holds']}", width))
        parts.append("\n".join([*lines, "  measured here", *found_in_terminal(row, known, width)]))
    if chain["claims"]:
        parts.append("\n".join(["the chain", *found_in_terminal(chain, known, width)]))
    studies = known["study"].nunique()
    where = f"of {counted(studies, 'study', 'studies')} in results/" if studies else "of studies: none in results/ here"
    return "\n\n".join([*parts, wrapped("", f"Verdicts {where}. {LEGEND}", width)])


def wrapped(head: str, text: str, width: int) -> str:
    """Wrap a text behind a head, under which its further lines leave a space.

    >>> print(wrapped("  problem  ", "a `relu` dies", 20))
      problem  a relu
               dies
    """
    return textwrap.fill(
        text.replace("`", ""), width, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False
    )


def found_in_terminal(row: Row, known: pd.DataFrame, width: int) -> list[str]:
    """List what studies found on a row's claims."""
    lines = []
    for claim, said, ones in judged(row, known):
        if not ones:
            lines.append(wrapped(f"    {claim:<4}", f"{said}: {untried(known)}", width))
        for one in ones:
            lines.append(wrapped(f"    {one['id']:<4}", f"{one['statement']}: {measured(one)} ({one['study']})", width))
    return lines


def write_story(
    rows: Sequence[Row], chain: Row, known: pd.DataFrame, at: Path, out: Path, pictures: Mapping[str, str]
) -> list[Path]:
    """Write the page and its table.

    Args:
        rows, chain, known, pictures: as ``page`` takes them.
        at: the folder that is written into.
        out: the folder where that will stand.

    Returns:
        The files written.
    """
    path = at / "story.md"
    path.write_text(markdown(page(rows, chain, known, out, pictures)), encoding="utf-8", newline="\n")
    return [*write_table(table(rows, known), at / "tables", "catalogue"), path]

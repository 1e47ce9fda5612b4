"""The page of a trial, which a teacher could hand out: what was found, the chain, and each claim with its evidence.

It begins with its question, what was found and what of it surprises; every verdict leads to its rule, its numbers, its
figure and the command that makes them again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from actlab.analysis.claims import CONTRADICTED, DOUBT, FAILED, INCONCLUSIVE, ONLY_IF, SUPPORTED, Verdict
from actlab.analysis.conditions import qualified, where
from actlab.analysis.escaping import code, plain
from actlab.analysis.layout import Table
from actlab.analysis.lineage import NOTE
from actlab.analysis.sections import Grid, Items, Section, Text
from actlab.analysis.story import belongs
from actlab.analysis.surprises import lead, sentence, surprising
from actlab.analysis.verdicts import QUICK, WORDS, Part, count, in_order, of_verdict
from actlab.later import pd
from actlab.naming import counted

MARKS = {SUPPORTED: "✓", CONTRADICTED: "✗", ONLY_IF: "◐", INCONCLUSIVE: "?", FAILED: "failed"}
"""What stands behind an id where many are listed."""
OF_ALL = "Depth, and the chain"
"""The heading of the story's claims that are of no activation."""
FURTHER = "Further claims"
WHAT = (
    "Activation functions are taught as a story in which each repairs a fault of the one before. Here every claim of "
    "it became a number with a smallest effect that matters (δ); experiments measured it, and a rule decided."
)
HOW_TO_READ = (
    "A number is followed by its 95 % interval in brackets (of several conditions each is wider, so that all hold at "
    "once) and by n, how many times it was measured: mostly in so many seeds; in tasks, runs, rounds of timing or "
    "links where the words on the number name these; once where it was computed."
)
ONE_SPLIT = (
    "on one split of the data (each data set's): an interval speaks of initial weights and the order of batches on "
    "these rows, and not of other rows"
)
GLOSSARY = (
    "**Trained**: a run whose training loss ends at or below half of the best constant predictor's.",
    "**Dead**: a unit that is constant over all training rows, each on one flat piece of its activation; **born "
    "dead**: before training; **ever dead**: at any evaluation so far.",
    "**Weak**: a unit whose derivative is small on every row that is probed: at most 5 % of the root mean square that "
    "it has for standard normal input.",
    "**Saturated**: of a unit and a row, where the derivative stays below that from there on.",
    "**Slope**: by how many powers of ten the gradient's norm grows with each layer on its way back to the input: "
    "−0.03 halves it in ten layers, 0 keeps it.",
    "**Bias shift**: the share of a pre-activation's mean square that is its unit's own mean over the rows.",
    "**Gap**: the test split's error rate or loss minus the training split's.",
    "**Target**: the loss that a data set is given to reach, of the validation split for speed, of the training split "
    "for gaps at equal loss.",
    "**Weights**: *usual* or *auto* are those that an activation is used with (He's, Glorot's, LeCun's); *critical* "
    "are those at which mean-field theory says that a signal keeps its size.",
    "**momentum**, **adam**: SGD with momentum 0.9, and Adam; **selected rate**: the learning rate of the least mean "
    "validation loss of three other seeds.",
    "**Inconclusive**, or open: the interval has both what is claimed and what is not, or something else stands "
    "against it.",
    "**Held back**: inconclusive, though the numbers would decide, since a rate was selected at an end of its grid, "
    "where the network trains at some rate, or before the grid was widened, where today's rule would select another. A "
    "selected rate that another one clearly outscores on the test split holds nothing back: it is told as a doubt.",
)
UNDER = "under which conditions"
HOW_A_LINK = "How a link is judged, and which numbers stand in the table"
ON_PAPER = (
    "On paper each claim has its sentence, its verdict, its number and the picture of it. The conditions of each, the "
    "numbers under each of them, the rule that decided, and the command that makes all of it again stand on the page "
    "for a screen, `report.html` in the trial's folder, and in `report.md` beside it."
)
OWN = re.compile(r"A\d")
"""How ids begin of what is claimed of the trial itself."""


def page(
    title: str,
    made: Table,
    parts: Sequence[Part],
    claims: Mapping[str, str],
    names: Mapping[str, str],
    figures: Mapping[tuple[str, str], str],
    chain: Table | None = None,
    quick: bool = False,
    kind: str = "md",
) -> list[Section]:
    """Compose the page.

    Args:
        title: the trial's question.
        made: what ``verdicts.table`` returns.
        parts, claims: as it takes them.
        names: {id: the activation that it is said of}.
        figures: what ``verdicts.figures_of`` returns.
        chain: what ``lineage.table`` returns, if the trial names one.
        quick: whether the trial was a quick one.
        kind: of page: ``md`` or ``html``.
    """
    pairs = in_order(parts, claims)
    verdicts = [one for one, _ in pairs]
    on_one_split = [one for one, part in pairs if part.splits == 1]
    sections = [Section(1, plain(title), opening(verdicts, claims, quick, on_one_split))]
    if chain is not None:
        counts, rule, _ = chain.note.partition(NOTE)
        blocks = (Text(counts.strip()), *([Text(rule, fold=HOW_A_LINK)] if rule else []))
        grid = Grid(chain.wide, "the chain", fold=False, first="link", filtered=False)
        sections.append(Section(2, chain.title, (*blocks, grid)))
    sections.append(Section(2, "Words", (Items(GLOSSARY), Text("`docs/measures.md` of actlab defines all measures."))))
    ways = (Text(legend(verdicts)), ways_in(verdicts, claims, names))
    sections.append(Section(2, "Find a claim", ways, screen=True))
    every = Grid(all_of_them(made, verdicts), "the verdicts", fold=False, screen=(UNDER,))
    sections.append(Section(2, made.title, (Text(made.note), every, Text(ON_PAPER, paper=True))))
    groups = dict.fromkeys(names.get(claim, "") for claim in claims)
    for name in groups:
        sections.append(Section(2, code(name) if name else OF_ALL))
        for claim, said in claims.items():
            if names.get(claim, "") != name:
                continue
            those = [(one, part) for one, part in pairs if belongs(one.id, claim)]
            sections.append(
                Section(3, f"{claim}: {plain(said)}", () if those else (Text("No study here decides it."),))
            )
            sections += [of_verdict(one, part, figures, kind) for one, part in those]
    rest = [(one, part) for one, part in pairs if not any(belongs(one.id, claim) for claim in claims)]
    if rest:
        sections += [Section(2, FURTHER), *(of_verdict(one, part, figures, kind, 3) for one, part in rest)]
    return sections


def opening(
    verdicts: Sequence[Verdict], claims: Mapping[str, str], quick: bool, on_one_split: Sequence[Verdict] = ()
) -> tuple[Text | Items, ...]:
    """Say what was found: how many claims were decided, how, what of it surprises most, and what to doubt.

    Args:
        verdicts: all of them.
        claims, quick: as ``page`` takes them.
        on_one_split: those of runs on one split of the data.
    """
    decided = [one for one in verdicts if one.verdict not in (INCONCLUSIVE, FAILED)]
    known = [claim for claim in claims if any(belongs(one.id, claim) for one in decided)]
    own = on_itself(verdicts, claims)
    itself = f", {'one' if len(own) == 1 else len(own)} of them on the trial itself" * bool(own)
    text = (
        f"The trial puts {counted(len(claims), 'claim')} of the story to the test and decides {len(known)} of them "
        f"in at least one part; {counted(len(verdicts), 'verdict')}{itself}: "
        f"{count(verdicts)}."
    )
    blocks: list[Text | Items] = [Text(QUICK)] if quick else []
    blocks.append(Text(f"{WHAT} {text}"))
    if surprises := surprising(verdicts):
        blocks.append(Text(lead(len(surprises))))
        blocks.append(Items(tuple(sentence(one) for one in surprises)))
        blocks.append(Text(HOW_TO_READ))
    checks = [f"A check on the trial itself: {sentence(one)}" for one in own]
    if doubts := (*doubted(verdicts, on_one_split), *checks):
        blocks += [Text("What to doubt:"), Items(doubts)]
    return tuple(blocks)


def on_itself(verdicts: Sequence[Verdict], claims: Mapping[str, str]) -> list[Verdict]:
    """Return those verdicts that are on the trial itself, and on nothing that is taught."""
    return [one for one in verdicts if OWN.match(one.id) and not any(belongs(one.id, claim) for claim in claims)]


def doubted(verdicts: Sequence[Verdict], on_one_split: Sequence[Verdict] = ()) -> tuple[str, ...]:
    """List what to doubt of verdicts as a whole, each with how many it is said of.

    >>> some = doubted([Verdict("S1", "", "", "at least", 0.2, 0.3, 0.1, 0.4, 5, "", INCONCLUSIVE, "", "")])
    >>> some[0].partition(":")[0]
    '1 of 1 verdict is open'
    """
    unsettled = [one for one in verdicts if one.verdict in (INCONCLUSIVE, FAILED)]
    rates = [one for one in verdicts if DOUBT in one.evidence]
    partly = [one for one in verdicts if one.verdict == ONLY_IF]
    of = f"of {counted(len(verdicts), 'verdict')}"
    said = (
        (unsettled, "open: an interval has both what is claimed and what is not, or something else stands against it"),
        (on_one_split, ONE_SPLIT),
        (partly, "of claims that hold under some conditions and not under others, which the table names"),
        (
            rates,
            "on networks trained at a selected rate that another one clearly outscores on the test split; see there",
        ),
    )
    return tuple(f"{len(some)} {of} {'is' if len(some) == 1 else 'are'} {text}." for some, text in said if some)


def legend(verdicts: Sequence[Verdict]) -> str:
    """Explain the marks that occur.

    >>> legend([Verdict("S1", "", "", "at least", 0.2, 0.3, 0.25, 0.4, 5, "", SUPPORTED, "", "")])
    '✓ supported'
    """
    return ", ".join(f"{mark} {word}" for word, mark in MARKS.items() if any(one.verdict == word for one in verdicts))


def ways_in(verdicts: Sequence[Verdict], claims: Mapping[str, str], names: Mapping[str, str]) -> Items:
    """List the verdicts by the activation that their claim is of, then by the word."""
    of_claim = {claim: names.get(claim, "") for claim in claims}
    groups: dict[str, list[Verdict]] = {}
    for one in verdicts:
        claim = next((claim for claim in claims if belongs(one.id, claim)), None)
        head = FURTHER if claim is None else code(of_claim[claim]) if of_claim[claim] else OF_ALL
        groups.setdefault(head, []).append(one)
    words = {word: [one for one in verdicts if one.verdict == word] for word in WORDS}
    lines = [("By activation", False), *((f"{head}: {links(ones)}", True) for head, ones in groups.items())]
    lines.append(("By verdict", False))
    lines += [(f"**{word}** ({len(ones)}): {links(ones)}", True) for word, ones in words.items() if ones]
    return Items(tuple(text for text, _ in lines), under=tuple(below for _, below in lines))


def links(verdicts: Sequence[Verdict]) -> str:
    """Write ids as links to what is said of them, each with its mark."""
    return ", ".join(f"[{plain(one.id)}](#{one.id.lower()}) {MARKS[one.verdict]}" for one in verdicts)


def all_of_them(made: Table, verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Shorten the table of all verdicts to what stands on the page: links, and conditions without their numbers."""
    brief = made.wide[["claim", "activation", "said", "claimed", "measured"]].copy()
    brief["claim"] = [f"[{one}](#{one.lower()})" for one in brief["claim"]]
    brief["verdict"] = [f"**{one.verdict}**{qualified(one)}" for one in verdicts]
    brief[UNDER] = [plain(where(one)) for one in verdicts]
    return brief

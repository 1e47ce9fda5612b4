"""Standing: each activation in one row, from what it does to a gradient to how well it classifies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from actlab.analysis.cells import Cells, cell_keys
from actlab.analysis.estimates import available, records_at
from actlab.analysis.layout import Table, estimate, records
from actlab.analysis.notes import definitions, notes
from actlab.analysis.parts import table
from actlab.analysis.places import Place, places
from actlab.analysis.tables.base import by_cell
from actlab.analysis.tables.outcomes import final_performance, trained
from actlab.analysis.tables.times import times_of
from actlab.later import pd
from actlab.measures import Measure, about

UNITS = ("dead_fraction", "weak_fraction")
SLOPE = "vanishing_slope"
PLACE, SPEED = "place", "place_by_speed"
"""Measures of the CSV: ``mean`` is the number in that order, ``low`` and ``high`` are the places that are left open."""
RANK = Measure("mean_rank", "mean rank of the steps to the target", better="lower")
PLACES = (
    " *place*: one stands before another where it trains deeper, or as deep and its accuracy there is higher for "
    "certain (the interval of the difference, by pairs of one seed, does not contain 0; 95 % for all pairs together). "
    "A range, as 2–4, is what that leaves open: a tie. Rows stand in the order of that depth, then of mean accuracy."
)
SPEEDS = (
    " *place by speed*: likewise, by the mean over depths of the rank that the steps to the target have among those of "
    "one seed; never is last."
)


@table(default=False)
def standing(cells: Cells) -> Table | None:
    """Activations in order, one row each: place, how deep they train, accuracy by depth, gradients, weak units.

    It is made where activation and depth are all that varies.
    """
    if cells.untrained or set(cell_keys(cells)) != {"activation", "depth"}:
        return None
    outcome, share = final_performance(cells), trained(cells)
    assert share is not None
    wide = outcome.wide.copy()
    if "measure" in wide:  # of regression: the loss, which is what decides
        return None
    if "deepest" in share.wide:
        wide.insert(1, "trains to depth", list(share.wide["deepest"]))
    deepest = cells.selected[cells.selected["depth"] == cells.selected["depth"].max()]
    more = [
        (SLOPE, "init", "decades per layer, init"),
        *((name, "final", name.replace("_fraction", ", end")) for name in UNITS),
    ]
    frames = [outcome.frame, share.frame]
    for name, at, head in more:
        if not available(cells.steps, (name,)) or (name == SLOPE and deepest["depth"].max() < 3):
            continue
        values = records_at(cells.steps, deepest, at, [name]).rename(columns={name: "value"}).assign(measure=name)
        frame = by_cell(cells, values[["run", "measure", "value"]], ["activation"])
        texts = {str(row["activation"]): in_cell(row) for row in records(frame)}
        wide[head] = [texts.get(str(one).strip("`"), "–") for one in wide["activation"]]
        frames.append(frame.assign(depth=deepest["depth"].max(), at=at))
    found, soon = places_of(cells, share.frame), speeds_of(cells)
    if len(found) > 1:
        for measure, each in {SPEED: soon, PLACE: found}.items():
            if each:
                shown = wide["activation"].map(lambda name, each=each: each[name.strip("`")].text)
                wide.insert(1, measure.replace("_", " "), shown)
                rows = [(name, measure, one.order, one.low, one.high) for name, one in each.items()]
                frames.append(pd.DataFrame(rows, columns=["activation", "measure", "mean", "low", "high"]))
        order = {name: place.order for name, place in found.items()}
        wide = wide.sort_values("activation", key=lambda names: names.str.strip("`").map(order), ignore_index=True)
    depth = int(deepest["depth"].max())
    what = (
        f"Final {outcome.title[0].lower()}{outcome.title[1:].partition(' by ')[0]} by depth, and at depth {depth} the "
        f"slope of the signal's gradient at initialisation and the units at the end. {definitions(*UNITS)}. *trains to "
        "depth*: the deepest network of which at least 80 % of runs trained; ≥ where that is the end of the grid."
        f"{PLACES * (len(found) > 1)}{SPEEDS * bool(soon)}"
    )
    note = notes(cells, outcome.frame, what, selected=True, marks=True)
    frame = pd.concat(frames, ignore_index=True)
    marks = ["best", "as_good", "undecided"]
    frame[marks] = frame[marks].eq(True)  # of shares and places there are none
    return Table("Where each activation stands", note, frame, wide)


def places_of(cells: Cells, share: pd.DataFrame) -> dict[str, Place]:
    """Give each activation its place, by how deep it trains and its accuracy there (at the least depth, if nowhere).

    Args:
        cells: the study's.
        share: of runs that trained, with ``deepest_trained_depth``.
    """
    deepest = share.drop_duplicates("activation").set_index("activation")["deepest_trained_depth"].fillna(0.0)
    least = cells.selected["depth"].min()
    scores = {
        str(name): rows[rows["depth"] == max(deepest[name], least)].set_index("seed")["test_accuracy"].astype(float)
        for name, rows in cells.selected.groupby("activation", sort=False)
    }
    return places({str(name): float(depth) for name, depth in deepest.items()}, scores, about("test_accuracy"))


def speeds_of(cells: Cells) -> dict[str, Place]:
    """Give each activation its place by how soon its runs meet the target; none where no run does, or one stands alone.

    Score: mean over depths of the rank of its time among all activations' at that depth, in one seed; ties share ranks.
    """
    times = times_of(cells.selected)
    if not math.isfinite(times["time"].min()) or times["activation"].nunique() < 2:
        return {}
    ranks = times.assign(rank=times.groupby(["depth", "seed"])["time"].rank())
    each = ranks.groupby(["activation", "seed"], sort=False)["rank"].mean()
    scores = {str(name): rank.droplevel("activation") for name, rank in each.groupby("activation", sort=False)}
    return places(dict.fromkeys(scores, 1.0), scores, RANK)


def in_cell(row: Mapping[str, Any]) -> str:
    """Write an estimate; of units of which no run has any, 0."""
    return "0" if row["least"] == row["greatest"] == 0 else estimate(row)

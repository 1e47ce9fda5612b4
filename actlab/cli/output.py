"""What the command line prints of a plan, and before it is carried out."""

from typing import TYPE_CHECKING, Any

from actlab.cli.terminal import err, one_line, out, prose, say
from actlab.naming import counted, listed, show

MOST_SPLITS = 8  # that are named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actlab.later import pd
    from actlab.study.jobs import Run
    from actlab.study.plan import Plan


def show_plan(name: str, planned: "Plan") -> None:
    """Print a plan: what all its cells share, then a line for each activation."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    by_activation: dict[str, list[Run]] = {}
    for one in planned.runs.values():
        by_activation.setdefault(planned.label(one, "activation"), []).append(one)
    listed = {activation: settings(runs) for activation, runs in by_activation.items()}
    common = {key: value for key, value in next(iter(listed.values())).items() if all_equal(key, listed)}
    prose(f"study {name}: " + ", ".join(f"{key} {value}" for key, value in common.items()))
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("activation", no_wrap=True)
    varying = [key for key in next(iter(listed.values())) if key not in common]
    for title in (*varying, "runs", "GFLOP"):
        table.add_column(title, justify="right")
    for activation, runs in by_activation.items():
        work = sum(one.flops for one in runs) / 1e9
        table.add_row(
            one_line(activation), *(listed[activation][key] for key in varying), str(len(runs)), f"{work:,.0f}"
        )
    out.print(table)
    if text := repeats([one.labels for one in planned.runs.values()]):
        prose(text)


def repeats(labels: "Sequence[Mapping[str, Any]]") -> str:
    """Say how often each cell of a study is repeated, where it is on several splits.

    >>> repeats([{"data_seed": split, "seed": seed} for split in (0, 1, 2) for seed in (0, 1)])
    'Each cell is repeated: 2 seeds × 3 splits (data.seed 0, 1, 2).'
    """
    seeds, splits = (sorted({one[name] for one in labels}) for name in ("seed", "data_seed"))
    if len(splits) < 2:
        return ""
    times = f"{counted(len(seeds), 'seed')} × {counted(len(splits), 'split')}"
    return f"Each cell is repeated: {times} (data.seed {listed(map(str, splits), MOST_SPLITS)})."


def show_data(seen: "Sequence[Mapping[str, Any]]", most: int = 4) -> None:
    """Print what was understood of each data set, and of what it was unsure."""
    from actlab.data.look import heading, lines

    for about in seen[:most]:
        prose(f"data {one_line(heading(about))}")
        for what, text in lines(about).items():
            prose(f"  {what:<9} {one_line(text)}")
        for text in about["unsure"]:
            prose(f"  unsure    {one_line(text)}")
    if len(seen) > most:
        prose(f"and {len(seen) - most} more; `actlab plan --json` lists them")
    say()


def tell(planned: "Plan", also: str = "") -> None:
    """Print what a plan was unsure of, and what else there is to say, before it is carried out."""
    if also:
        err.print(f"actlab: {also}")
    from actlab.data.look import heading
    from actlab.study import warned

    for line in warned.warnings(planned):
        err.print(one_line(line))
    for about in planned.data:
        head = heading(about)
        for text in about["unsure"] or ([""] if about["names"][1:] else []):
            err.print(one_line(f"{head}: {text}".removesuffix(": ")))


def outside_theory(cells: "Mapping[str, int]") -> str:
    """Say of how many cells theory predicts nothing, and why.

    >>> outside_theory({"normalisation": 3, "depth/width above 0.5": 1})
    'Outside theory, and without predictions: normalisation (3 cells); depth/width above 0.5 (1 cell).'
    """
    reasons = "; ".join(f"{why} ({counted(number, 'cell')})" for why, number in cells.items())
    return f"Outside theory, and without predictions: {reasons}."


def say_comparison(frame: "pd.DataFrame", style: str) -> None:
    """Print a comparison in a format; where none was asked for, as wide as a terminal, elsewhere as Markdown."""
    from actlab.analysis.compare import format as formatted
    from actlab.analysis.comparison import keys_of
    from actlab.analysis.fitting import fitted, markdown_fitted

    text = formatted(frame, style or "markdown")
    if style or not out.is_terminal:
        return say(text)
    measures = frame["measure"].nunique() if "measure" in frame else 0
    prose(
        markdown_fitted(
            text,
            lambda columns: fitted(
                columns,
                out.size.width,
                len(columns) - measures if measures else len(keys_of(frame)) + 1,
                "--format markdown, csv",
            ),
        )
    )


def note(line: str) -> None:
    """Print a line on what is stored, beside what was asked for."""
    err.print(line)


def at_work(line: str) -> None:
    """Say on a terminal what takes more than a moment; elsewhere nothing."""
    if err.is_terminal:
        err.print(one_line(line))


def plan_as_json(planned: "Plan", totals: "Mapping[str, Any]") -> str:
    """Write a plan as JSON: its runs with their settings, its data, and what it costs (see ``analysis.answers``)."""
    from actlab.analysis.answers import PlanAnswer

    told_apart = ({column: planned.label(one, column) for column in planned.prefixes} for one in planned.runs.values())
    runs = [{**one.labels, **own} for one, own in zip(planned.runs.values(), told_apart, strict=True)]
    about = {"data": list(planned.data), "unknown_death": dict(planned.unknown_death), "started": dict(planned.started)}
    return PlanAnswer(planned=len(runs), **totals, **about, runs=runs).text()


def settings(runs: "list[Run]") -> dict[str, str]:
    """Put in words what some runs vary over, by setting."""
    columns = {"depth": "depth", "width": "width", "optimizer": "optimizer", "rate": "learning_rate", "seeds": "seed"}
    values = {title: sorted({one.labels[column] for one in runs}) for title, column in columns.items()}
    return {title: ", ".join(show(value) for value in different) for title, different in values.items()}


def all_equal(key: str, listed: dict[str, dict[str, str]]) -> bool:
    """Whether a setting is the same for every activation."""
    return len({values[key] for values in listed.values()}) == 1

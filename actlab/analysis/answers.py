"""What ``run --json`` and ``plan --json`` print: each field's name, type and meaning stands here, and nowhere else.

``docs/json.md`` is written from it (see ``documents``).
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """A document of JSON; numbers that are not finite are null in it."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")

    def text(self) -> str:
        """Write the document."""
        return self.model_dump_json(indent=2)


class Headline(Answer):
    """The table that ``actlab run`` ends with, as data."""

    title: str = Field(description="of the table")
    note: str = Field(description="how its estimates were made, as Markdown")
    rows: list[dict[str, Any]] = Field(
        description="an object for each cell and measure: settings, `measure`, `mean`, `low`, `high` (ends of "
        "the 95 % interval; null where there is none), `n` (seeds in the mean, or pairs of "
        "split and seed), `runs`, `diverged`, `missing`, `method`, and what else `tables/performance.csv` has"
    )


class RunAnswer(Answer):
    """What ``actlab run --json`` prints, once, at the end."""

    outcome: Literal["done", "incomplete", "interrupted"] = Field(
        description="done; incomplete: some runs or the report could not be completed; interrupted: by a signal"
    )
    exit: int = Field(description="the exit code: 0 done, 1 incomplete, 130 interrupted")
    study: str | None = Field(None, description="its name")
    folder: str | None = Field(
        None, description="the study's folder, as a path from the current one or an absolute one"
    )
    seconds: float = Field(description="wall-clock time of the command, in seconds")
    planned: int | None = Field(
        None, description="runs that the study asks for; null where it ended before that was known"
    )
    stored: int | None = Field(None, description="those of them that the folder held before")
    trained: int | None = Field(None, description="those that this call trained and stored")
    missing: int | None = Field(
        None, description="those that are not stored now: their jobs failed, or were interrupted"
    )
    left_out: int | None = Field(None, description="stored runs that the study does not ask for: in no table")
    ok: int | None = Field(None, description="planned runs that did not diverge; null unless done")
    diverged: int | None = Field(None, description="planned runs that diverged: a finding, no error; null unless done")
    predicted: int | None = Field(
        None, description="cells (settings but the seed) of which theory predicts something; null unless done"
    )
    outside_theory: int | None = Field(
        None, description="cells of which it predicts nothing, as its assumptions fail; null unless done"
    )
    failures: list[str] = Field([], description="of each job that failed, why")
    headline: Headline | None = Field(None, description="the table of final performance; null unless done")
    found: list[str] = Field(
        [], description="what was found, as the report says it, a sentence or two each, as Markdown"
    )
    doubts: list[str] = Field([], description="what to doubt, likewise")
    files: list[str] = Field(
        [], description="paths of what stands in the folder: report, tables, figures, study, manifest"
    )
    notes: list[str] = Field([], description="what was unsure of the data, damaged, or else to be known, a line each")
    error: str | None = Field(None, description="what went wrong, as on standard error; null where nothing did")


class PlanStage(Answer):
    """What a study in two stages trains in one of them (see ``sweep.select``)."""

    stage: Literal["tuning", "fresh"] = Field(description="tuning: every value; fresh: the selected ones")
    seeds: list[int] = Field(description="its seeds")
    runs: int = Field(description="its runs, all told")
    to_train: int = Field(description="those of them that are not stored")
    not_selected: int = Field(
        description="those of which the value is not known yet: they are not in `planned`, `runs`"
    )
    jobs: int = Field(description="pieces of work that workers take")
    flops: float = Field(description="as of the whole, of this stage")
    seconds: float = Field(description="likewise")


class PlanAnswer(Answer):
    """What ``actlab plan --json`` prints."""

    study: str = Field(description="its name")
    question: str = Field(description="what it is to answer; may be empty")
    folder: str = Field(description="the study's folder: `--out`, or `results/<study>`")
    planned: int = Field(description="runs that the study asks for")
    stored: int = Field(description="those of them that the folder holds")
    to_train: int = Field(description="the others")
    left_out: int = Field(description="stored runs that the study does not ask for")
    jobs: int = Field(description="pieces of work that workers take")
    programs: int = Field(description="programs to compile")
    workers: int = Field(description="processes that train")
    flops: float = Field(
        description="floating-point operations of the matrix products in training and measuring what is missing"
    )
    seconds: float = Field(
        description="expected time for that training, in seconds: a rough guess for a laptop's cores; predictions, "
        "tables and figures, which come after it, are in no number here"
    )
    compile_seconds: float = Field(
        description="expected time to compile its programs before, in seconds, at most: those that the cache on the "
        "disk holds take none"
    )
    worker_bytes: float = Field(description="memory that a worker holds at most, in bytes, roughly")
    weight_bytes: float = Field(
        description="what trained weights will take on the disk, in bytes; 0 where none are kept"
    )
    prediction_bytes: float = Field(
        description="memory that a process holds at most while it computes theory's predictions, in bytes, roughly; 0 "
        "where all cells are outside theory"
    )
    outside_theory: dict[str, int] = Field(
        description="{why: cells (settings but the seed) of which theory predicts nothing}, as far as settings tell"
    )
    data: list[dict[str, Any]] = Field(
        description="of each data set what was understood: `names`, `settings`, `content` (a hash), `target`, `task`, "
        "`rows` by split, `inputs` (how many), `columns` by kind, `unsure` (a line each), and `classes` (rows by class "
        "and split) or `target_range` (least and greatest), `categories`"
    )
    unknown_death: dict[str, str] = Field(
        description="{activation: why it will not be known which of its units are dead}"
    )
    started: dict[str, list[dict[str, Any]]] = Field(
        description="{activation: what theory says of how its networks are started}, an object for each initializer: "
        "`weight_init`, and `sigma_w`, `sigma_b`, `q`, `slope` (V'(q)), `stability` of a critical point and "
        "`attracts_to`, from which second moment on none is drawn to it, where there is such a bound; or `slope` "
        "(V'(1)) of one that preserves E z² = 1"
    )
    stages: list[PlanStage] = Field(description="of a study in two stages what each trains; empty of others")
    notes: list[str] = Field(description="of damage in the folder and limits of the machine, a line each")
    runs: list[dict[str, Any]] = Field(
        description="an object for each run: `run` (its hash), `seed`, every setting by its column of the frame `runs`"
    )

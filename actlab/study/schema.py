"""A whole study's YAML file, as frozen pydantic models: the sections of a run, sweep, report and claims.

A file with line numbers and overrides is ``reading.py``'s; sweeps are spelled out in ``sweep.py``.
"""

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from actlab.naming import brief
from actlab.study.fields import Section, known
from actlab.study.sections import DataConfig, MeasureConfig, ModelConfig, TrainConfig, run_keys
from actlab.study.selection import Metric, Select, tuning_seeds

MOST_SEEDS = 10_000
"""Of one cell."""


class OneRuleError(ValueError):
    """The report selects by another rule than the sweep does."""

    keys = ("report.select", "sweep.select")


class SelectConfig(Section):
    """How each cell gets its learning rate: by the lowest mean final value of a validation metric."""

    over: str = Field(Select.over, description="the swept key to choose from")
    by: Metric = Field(Select.by, description="the validation metric that chooses")

    @field_validator("over")
    @classmethod
    def _known(cls, over: str) -> str:
        whole = [f"{section}.{key}" for section, key, one in run_keys() if section != "measure" and one.column != ""]
        known(over, "key to select over", whole)
        if over == "data.seed":
            raise ValueError("splits are repeats, as seeds are: none is selected; name a setting that is swept")
        return over


class TuneConfig(SelectConfig):
    """The same, on seeds of their own."""

    seeds: int | None = Field(None, ge=1, le=MOST_SEEDS, description="how many tuning seeds: 1000000, 1000001, ...")


class SweepConfig(Section):
    """Which values to cross, and how many seeds to give each cell."""

    matrix: dict[str, list[Any]] = Field(
        {},
        description="any key of `data`, `model` or `train` with a list of values; deeper keys "
        "reach options: `model.activation.alpha`",
    )
    exclude: list[dict[str, Any]] = Field(
        [], description="cells to leave out, by some of their values, as in a CI matrix: before `include`"
    )
    include: list[dict[str, Any]] = Field([], description="extends the cells that it does not contradict, or adds one")
    seeds: Annotated[Any, WithJsonSchema({"type": ["integer", "array"], "items": {"type": "integer"}})] = Field(
        1, description="a number of seeds (0, 1, ...), or a list of them; a seed sets weights and batch order"
    )

    select: TuneConfig | None = Field(
        None,
        description="`{over: train.learning_rate, by: validation_loss, seeds: 3}`: [two stages](#two-stages): every "
        "value of that key on so many tuning seeds, then `seeds` at the value that each cell got; without `seeds` in "
        "it, what `report.select` says",
    )

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, seeds: Any) -> Any:
        listed = seeds if isinstance(seeds, list) else [seeds]
        if isinstance(seeds, int) and seeds > MOST_SEEDS:
            raise ValueError(f"expected at most {MOST_SEEDS:,} seeds, not {brief(seeds)}")
        whole = all(isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**32 for seed in listed)
        if not whole or not listed or len(set(listed)) < len(listed) or seeds == 0:
            raise ValueError(
                f"expected a number of seeds (at least 1), or a list of different whole ones, not {brief(seeds)}"
            )
        return seeds

    def seed_list(self) -> list[int]:
        """Return the seeds themselves."""
        return list(self.seeds) if isinstance(self.seeds, list) else list(range(self.seeds))

    @model_validator(mode="after")
    def _apart(self) -> "SweepConfig":
        tuning = tuning_seeds(self.select.seeds) if self.select else ()
        if both := sorted(set(tuning) & set(self.seed_list())):
            raise ValueError(
                f"seeds: {both[0]} is a tuning seed of sweep.select ({tuning[0]} to {tuning[-1]}), and what is shown "
                "must be of others; give other seeds, as in seeds: 20"
            )
        return self


class ReportConfig(Section):
    """What to write."""

    select: SelectConfig | None = Field(
        SelectConfig(),
        description="`{over: train.learning_rate, by: validation_loss}`: each cell is shown at its best value of that "
        "key; the test split never chooses; null shows every value",
    )
    tables: list[str] | None = Field(
        None, description="names from `actlab list`, or `path/to/file.py:function`; null: the default ones"
    )
    figures: list[str] | None = Field(None, description="likewise")
    html: bool = Field(True, description="whether `report.html` is written beside `report.md`: one page to explore")

    @field_validator("tables", "figures", mode="before")
    @classmethod
    def _one_is_a_list(cls, names: Any) -> Any:
        return [names] if isinstance(names, str) else names


class StudyConfig(Section):
    """A whole study file."""

    study: str = Field(
        pattern=r"^[a-z0-9_-]+$",
        description="its name, of a-z, 0-9, _ and -; also that of its folder, `results/<study>`",
    )
    question: str = Field("", description="what the study is to answer")
    data: DataConfig
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    measure: MeasureConfig = MeasureConfig()
    sweep: SweepConfig = SweepConfig()
    report: ReportConfig = ReportConfig()
    claims: str | None = Field(
        None,
        description="a file with `CLAIMS`, functions of the study's cells that return verdicts (see `experiments/`)",
    )

    @model_validator(mode="after")
    def _one_rule(self) -> "StudyConfig":
        """Let the report select as the sweep does.

        Raises:
            OneRuleError: it says something else.
        """
        rule, report = self.sweep.select, self.report.select
        if rule is None:
            return self
        if "select" not in self.report.model_fields_set:
            own = SelectConfig(over=rule.over, by=rule.by)
            self.__dict__.update(report=self.report.model_copy(update={"select": own}))
        elif report is None or (report.over, report.by) != (rule.over, rule.by):
            other = "null" if report is None else f"{{over: {report.over}, by: {report.by}}}"
            raise OneRuleError(
                f"is {other}, and sweep.select is {{over: {rule.over}, by: {rule.by}}}: a study selects "
                "by one rule; leave report.select out"
            )
        return self

"""The section ``data`` of a study's YAML: which rows to learn from, and how a file of them is read."""

import warnings
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator

from actlab import data, sources
from actlab.data.datasets import settled_options
from actlab.naming import as_yaml, brief, show
from actlab.notation import with_options
from actlab.study.choices import refuse_option_of_others, takers
from actlab.study.fields import (
    LABEL,
    LARGEST,
    MOST,
    NUMBER,
    STATIC,
    Choice,
    Key,
    OptionDefaults,
    Section,
    known,
    split_name,
)

# Nothing here calls pydantic's own ``copy``, which is going; the key of that name is worth more.
warnings.filterwarnings("ignore", 'Field name "copy" in "DataConfig" shadows', UserWarning)


def asked(column: str, unused: Any = None, unordered: bool = False) -> Key:
    """Declare a key that says how a file is read: a column that is empty where the study does not ask for it."""

    def display(value: Any) -> Any:
        if value == unused:
            return None
        return f"[{', '.join(map(as_yaml, value))}]" if isinstance(value, tuple) else str(value)

    return Key(STATIC, column, display=display, problem=True, unordered=unordered, unused=(None,))


def is_made(name: str) -> bool:
    """Whether data are made by a function, shipped or a user's, which may have options."""
    return not data.is_file(name) and (name in data.DATASETS or sources.parse(name) is not None)


def options_of(name: str) -> Mapping[str, float | bool]:
    """Return the options of data with their defaults; a file has none."""
    return settled_options(data.DATASETS.find(name), {}) if is_made(name) else {}


def split_data(value: Any) -> Any:
    """Split a name from its options; the path to a file is whole, whatever stands in it."""
    if isinstance(value, str) and data.is_file(value):
        return {"name": value}
    if not isinstance(value, str | dict | Choice):
        raise ValueError(f"expected text, or a mapping with a name and its options, not {brief(value)}")
    return split_name(value)


ONE_NAME = {"type": ["string", "number"]}
NAMES_SCHEMA = WithJsonSchema({"anyOf": [{"type": "array", "items": ONE_NAME}, ONE_NAME]})
TEXTS_SCHEMA = WithJsonSchema({"anyOf": [{"type": "array", "items": ONE_NAME}, ONE_NAME, {"type": "null"}]})


class DataConfig(Section):
    """Which rows to learn from."""

    name: Annotated[
        Choice, BeforeValidator(split_data), OptionDefaults(options_of), Key(STATIC, column="data", problem=True)
    ] = Field(
        description="a [data set](#data-sets)'s name, with options: `{name: spirals, turns: 3}`; a path to .npz, .csv, "
        ".tsv or .parquet; or `path/to/file.py:function`"
    )
    seed: Annotated[int, Key(NUMBER, column="data_seed", problem=True, unused=(0,))] = Field(
        data.DataSpec.seed,
        ge=0,
        lt=2**32,
        description="of the 60/20/20 splits (stratified), of the probe rows, of the rows that are generated, and of "
        "`label_noise`; several values repeat every cell, as several seeds do",
    )
    standardize: Annotated[bool, Key(NUMBER, problem=True, unused=(True,))] = Field(
        data.DataSpec.standardize,
        description="inputs to mean 0, variance 1, by the training rows alone; regression targets always are",
    )
    train_rows: Annotated[int | None, Key(STATIC, problem=True, follows=True)] = Field(
        data.DataSpec.train_rows,
        ge=1,
        le=MOST,
        description="keep only so many training rows, stratified; fewer are a subset of more; null: all",
    )
    label_noise: Annotated[float, Key(NUMBER, problem=True, unused=(0.0,))] = Field(
        data.DataSpec.label_noise,
        ge=0,
        lt=1,
        description="share of the training rows whose class is replaced by another, each other one equally likely, by "
        "`data.seed`; validation and test rows keep theirs",
    )
    target: Annotated[str | None, Key(STATIC, problem=True, unused=("",))] = Field(
        data.DataSpec.target,
        description="what to predict: a file's column, null: the last; an array of an .npz, null: `y`",
    )
    task: Annotated[Literal["auto", "classification", "regression"], Key(STATIC, problem=True, follows=True)] = Field(
        "auto", description="auto: text or integer labels classify, floats regress"
    )
    target_loss: Annotated[float | None, Key(LABEL, problem=True, follows=True, reported=False)] = Field(
        data.DataSpec.target_loss,
        gt=0,
        le=LARGEST,
        description="what `steps_to_target` waits for; null: stated with the data set, else a quarter of the best "
        "constant predictor's",
    )
    drop: Annotated[tuple[str, ...], NAMES_SCHEMA, asked("data_drop", (), unordered=True)] = Field(
        data.DataSpec.drop, description="columns of a file to leave out: `[id, date]`"
    )
    keep: Annotated[tuple[str, ...], NAMES_SCHEMA, asked("data_keep", (), unordered=True)] = Field(
        data.DataSpec.keep,
        description="columns to learn from although they number the rows, are a frame's index, or are constant but for "
        "rounding; such are refused or left out otherwise",
    )
    separator: Annotated[str | None, asked("data_separator")] = Field(
        data.DataSpec.separator,
        min_length=1,
        max_length=1,
        description='of a text file\'s columns, as `";"`; null: a comma, in a .tsv file a tab',
    )
    decimal: Annotated[Literal[".", ","] | None, asked("data_decimal")] = Field(
        data.DataSpec.decimal, description="mark of a text file's numbers: a point or a comma; null: a point"
    )
    header: Annotated[bool | None, asked("data_header")] = Field(
        data.DataSpec.header,
        description="whether a text file's first line names the columns (false: they are x0, x1, ...); null: it does, "
        "and a line that may be data is refused",
    )
    categorical: Annotated[Literal["refuse", "one_hot"], asked("data_categorical", "refuse")] = Field(
        "refuse",
        description="text columns: refuse them, or one_hot: an input for each value in the training split (other "
        "values are 0 in all of them)",
    )
    missing: Annotated[Literal["refuse", "drop_rows", "mean"], asked("data_missing", "refuse")] = Field(
        "refuse",
        description="missing values: refuse them, drop_rows that have one, or the column's mean over the training "
        "split (never of the target)",
    )
    na_values: Annotated[tuple[str, ...] | None, TEXTS_SCHEMA, asked("data_na_values", unordered=True)] = Field(
        data.DataSpec.na_values,
        description='what stands for a missing value, as `["?", -999]`; `[]` where a class is called None or NA; null: '
        "the words that pandas takes for one in a text file, none elsewhere. An empty field always is one",
    )

    copy: Annotated[bool, Key(LABEL, column="", identifies=False)] = Field(  # type: ignore[assignment]  # see above
        True,
        description="whether `run` copies data files to the folder's `sources/`, together up to 4 MB, so that a copy "
        "of the folder can be extended elsewhere; false leaves them out",
    )

    @field_validator("drop", "keep", "na_values", mode="before")
    @classmethod
    def _listed(cls, names: Any) -> Any:
        if names is None:
            return names
        if isinstance(names, str | int | float) and not isinstance(names, bool):
            names = [names]
        if not isinstance(names, list | tuple) or not all(isinstance(one, str | int | float) for one in names):
            raise ValueError(f"expected a list of names, as in [a, b], not {brief(names)}")
        return tuple(one if isinstance(one, str) else show(one) for one in names)

    @field_validator("separator")
    @classmethod
    def _separates(cls, separator: str | None) -> str | None:
        if separator is not None and (separator.isalnum() or separator in "\"'\r\n"):
            raise ValueError(f'expected a mark such as ";" or "\\t", not {brief(separator)}')
        return separator

    @field_validator("name")
    @classmethod
    def _known(cls, name: Choice) -> Choice:
        if data.is_file(name.name):
            if name.options:
                raise ValueError(f"a file has no options, as {brief(next(iter(name.options)))}; leave them out")
            return name
        if not sources.parse(name.name):
            known(name.name, "data set", data.DATASETS)
        record = data.DATASETS.find(name.name)
        refuse_option_of_others("data set", name, record.options, takers(data.DATASETS))
        return Choice(name=name.name, options=dict(settled_options(record, name.options)))

    @property
    def called(self) -> str:
        """The data in one word, with the options that are not at their default: what ``data.load`` takes."""
        defaults = options_of(self.name.name)
        own = {key: value for key, value in self.name.options.items() if defaults.get(key) != value}
        return with_options(self.name.name, own)

"""Controls of a page as HTML: the browser's own inputs, with labels, which set signals of charts (``controls.js``)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any


def slider(name: str, signal: str, values: Sequence[Any], start: Any, field: str = "") -> str:
    """Make a slider over the values that there are, whatever lies between them.

    Args:
        name: what stands before it.
        signal: what it sets.
        values: in order.
        start: the one at first.
        field: the column whose rows it filters.
    """
    place = list(values).index(start)
    return (
        f'<label>{escape(name)} <input type="range" min="0" max="{len(values) - 1}" value="{place}" '
        f'{attributes(signal, field)} data-values="{escape(json.dumps(list(values)))}" aria-valuetext="{start}"> '
        f"<output>{start}</output></label>"
    )


def fixed(signal: str, value: Any) -> str:
    """Make what stands for a slider with one value."""
    return f'<input type="hidden" value="0" {attributes(signal, "")} data-values="{escape(json.dumps([value]))}">'


def choice(name: str, signal: str, values: Mapping[str, str], start: str, field: str = "") -> str:
    """Make a list to choose one of: {value: what it is called}."""
    options = "".join(
        f'<option value="{escape(value)}"{" selected" * (value == start)}>{escape(text)}</option>'
        for value, text in values.items()
    )
    return f"<label>{escape(name)} <select {attributes(signal, field)}>{options}</select></label>"


def boxes(name: str, signal: str, values: Sequence[str], checked: Sequence[str], field: str = "") -> str:
    """Make a box for each value; those that are checked are the signal."""
    each = "".join(
        f'<label><input type="checkbox" value="{escape(one)}"{" checked" * (one in checked)}> {escape(one)}</label>'
        for one in values
    )
    return f"<fieldset {attributes(signal, field)}><legend>{escape(name)}</legend>{each}</fieldset>"


def attributes(signal: str, field: str) -> str:
    """Write what a control sets, and which rows it filters."""
    return f'data-signal="{escape(signal)}"' + (f' data-field="{escape(field)}"' if field else "")

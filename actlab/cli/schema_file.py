"""The JSON Schema of a study's file, as ``actlab schema`` prints it and as it lies in the package, beside this."""

import json
from pathlib import Path

from actlab.cli.terminal import one_line, say
from actlab.outputs import making

PATH = Path(__file__).parents[1] / "study.schema.json"
"""The file that the shipped studies name in their first line; ``make index`` writes it again."""


def text() -> str:
    """Write the schema."""
    from actlab.analysis.figures import FIGURES
    from actlab.analysis.tables import TABLES
    from actlab.study.json_schema import study_schema

    return json.dumps(study_schema(TABLES, FIGURES), indent=2, ensure_ascii=False)


def print_or_write(out_file: Path | None) -> None:
    """Print the schema, or write it to a file.

    Raises:
        OutputError: something stands in the way.
    """
    if out_file is None:
        say(text())
        return
    with making(out_file.parent) as made:
        (made.at / out_file.name).write_text(text() + "\n", encoding="utf-8", newline="\n")
    say(one_line(out_file))


if __name__ == "__main__":
    print_or_write(PATH)

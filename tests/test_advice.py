"""Every suggestion that a message makes is right when followed: wrong requests, whose advice a program follows."""

import re
import shlex

import pytest
import typer
from ruamel.yaml import YAML

from actlab import cli
from actlab.study.advice import flow
from tests.wrong_requests import REQUESTS, STUDY, Request

MOST_STEPS = 4
ACT = """import actlab
import jax.numpy as jnp


def bent(z):
    return jnp.tanh(z)


@actlab.table
def mine(cells):
    return None
"""
MY_ACT = """import jax.numpy as jnp


def snake(z, *, alpha=1.0):
    return z + jnp.sin(alpha * z) ** 2 / alpha
"""
WRITE = re.compile(r"write `(?P<key>[^`]+?): (?P<value>[^`]*)`(?: in place of (?:'(?P<gone>[^']*)'|(?P<old>[^']*?)))?"
                   r" (?:below '(?P<below>[^']*):'|at the file's top level)")  # fmt: skip
PLACE = re.compile(r"s\.yaml:\d+: (?P<key>[\w.]+): ")


def load(text):
    return YAML(typ="safe", pure=True).load(text)


def reach(data, place, make=False):
    """Return the mapping that holds a dotted place's last key, and that key: keys may have dots themselves."""
    if place in data or "." not in place:
        return data, place
    for end in range(place.count("."), 0, -1):
        parts = place.split(".")
        first, rest = ".".join(parts[:end]), ".".join(parts[end:])
        if isinstance(data.get(first), dict):
            return reach(data[first], rest, make)
    first, _, rest = place.partition(".")
    return reach(data.setdefault(first, {}), rest, make)


def follow(request, said):
    """Return the request that a message advises."""
    flat = " ".join(said.split())
    words, text = list(request.words), request.text
    if whole := re.search(r"did you mean `actlab ([^`]*)`\?", flat):
        return Request(tuple(shlex.split(whole[1])), text)
    if write := WRITE.search(flat):
        data, wrong = load(text), PLACE.search(flat)
        if wrong and ("unknown key" in flat or "to compare several" in flat):
            holder, key = reach(data, wrong["key"])
            del holder[key]
        if write["gone"]:
            del data["sweep"]["matrix"][write["gone"]]
            data["sweep"] = {key: values for key, values in data["sweep"].items() if values}
        holder = data
        for step in (write["below"] or "").split("."):
            if step:
                holder[step] = holder.get(step) if isinstance(holder.get(step), dict) else {}
                holder = holder[step]
        assert not write["old"] or holder[write["key"]] == load(write["old"]), said
        holder[write["key"]] = load(write["value"])
        return Request(tuple(words), flow_of(data))
    if more := re.search(r"; add '([^']*)'", flat):
        return Request((*words, more[1]), text)
    if unquoted := re.search(r": ([\w.]+): expected [^;]* as a text; write (\S+) without quotes", flat):
        data = load(text)
        holder, key = reach(data, unquoted[1])
        holder[key] = load(unquoted[2])
        return Request(tuple(words), flow_of(data))
    meant = re.search(r"did you mean ((?:'[^']*' ?)+)", flat)
    assert meant, said
    found = re.findall(r"'([^']*)'", meant[1])
    option = re.search(r"unknown option (\S+);", flat)
    wrong = re.search(r"override (.*?): (?:unknown|expected|is several|[\w.]+: )", flat)
    if option:
        at = next(i for i, word in enumerate(words) if word.partition("=")[0] == option[1])
        taken = 1 if "=" in words[at] or found[0].startswith("--") else 2
        return Request((*words[:at], *found, *words[at + taken :]), text)
    if wrong and (found[0].startswith("--") or re.match(r"[\w.]+=", found[0])):
        at = words.index(wrong[1])
        taken = next(
            n for n in range(len(words), 0, -1) if n == 1 or plain("".join(words[at : at + n])) == plain(found[0])
        )
        return Request((*words[:at], *found, *words[at + taken :]), text)
    if re.search(r": unknown key; did", flat):
        key = PLACE.search(flat)["key"].rpartition(".")[2]
        return Request(tuple(words), re.sub(rf"\b{key}:", f"{found[0]}:", text, count=1))
    if key := re.search(r"sweep\.matrix: unknown key '([^']*)'", flat):
        data = load(text)
        matrix = data["sweep"]["matrix"]
        data["sweep"]["matrix"] = {found[0] if name == key[1] else name: values for name, values in matrix.items()}
        return Request(tuple(words), flow_of(data))
    old = re.search(
        r"(?:'([^']*)'|(\S+))(?: is not in the matrix|: no such file)?; (?:in its place, )?did you mean", flat
    )
    old = old[1] or old[2] or ""
    if ": no such file" in flat or ": is a folder" in flat:
        old = re.search(r"(\S+): (?:no such file|is a folder)", flat)[1]
    if found[0].startswith("{") or not old:
        key = re.search(r"(?:s\.yaml:\d+|override .*?): ([\w.]+): ", flat)[1]
        if wrong:
            return Request((*words[: words.index(wrong[1])], f"{key}={found[0]}"), text)
        data = load(text)
        holder, last = reach(data, key)
        holder[last] = load(found[0])
        return Request(tuple(words), flow_of(data))
    if wrong or not re.search(r"\bs\.yaml:\d", flat):
        at = words.index(wrong[1]) if wrong else next(i for i, word in enumerate(words) if old in word)
        return Request((*words[:at], words[at].replace(as_written(old, words[at]), found[0]), *words[at + 1 :]), text)
    return Request(tuple(words), text.replace(as_written(old, text), found[0], 1))


def as_written(old, text):
    """Return a quoted value as it stands in a text: with its quotes, or as a number that is written otherwise."""
    if f"'{old}'" in text:
        return f"'{old}'"
    if old in text:
        return old
    return next(word for word in re.findall(r"[\w.+-]+", text.partition("=")[2] or text) if is_equal(word, old))


def is_equal(word, old):
    try:
        return float(word) == float(old)
    except ValueError:
        return False


def plain(words):
    return re.sub("[:=]", "", words)


def flow_of(data):
    return "".join(f"{key}: {flow(value)}\n" for key, value in data.items())


@pytest.fixture
def answer(monkeypatch, capsys, tmp_path):
    """Give what a command answers, in a folder with some files in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("actlab.engine.devices.has_accelerator", lambda: False)  # asked for each plan, and slow
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "rows.csv").write_text(
        "label,a,b\n" + "".join(f"{'pq'[i % 2]},{i * i % 7}.5,{i % 5}.5\n" for i in range(60))
    )
    (tmp_path / "act.py").write_text(ACT)
    (tmp_path / "my_act.py").write_text(MY_ACT)
    for name in ("configs/other.yaml", "folder/study.yaml"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(STUDY)

    def answered(request):
        (tmp_path / "s.yaml").write_text(request.text)
        monkeypatch.setattr("sys.argv", ["actlab", *request.words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        printed = capsys.readouterr()
        return stop.value.code, printed.out + printed.err

    return answered


def test_advice_is_right_when_followed(answer, pytestconfig):
    """Of every tenth; with ``--thorough`` of all."""
    assert len(set(REQUESTS)) >= 50
    wrong = []
    for first in REQUESTS[:: 1 if pytestconfig.getoption("thorough") else 10]:
        request, seen = first, []
        for step in range(MOST_STEPS):
            code, said = answer(request)
            seen.append(f"{request.words} -> {said.strip().splitlines()[-1:]}")
            if code == 0 or (code != 2) or step == MOST_STEPS - 1:
                break
            try:
                request = follow(request, said)
            except (AssertionError, AttributeError, KeyError, StopIteration, TypeError, ValueError) as error:
                seen.append(f"cannot be followed: {error!r}")
                break
        if code != 0 or len(seen) == 1:
            wrong.append("\n  ".join([*seen, request.text if request.text != STUDY else ""]))
    assert not wrong, "\n\n".join(wrong)


HOME_PATHS = [
    ["plan", "~/s.yaml"],
    ["plan", "s.yaml", "--out=~/r"],
    ["plan", "s.yaml", "--out", "~/r"],
    ["plan", "s.yaml", "data.name=~/rows.csv", "data.target=label"],
    ["plan", "s.yaml", "model.activation=relu,~/act.py:bent"],
    ["plan", "s.yaml", "claims=~/claims.py"],
    ["plan", "s.yaml", "report.tables=~/act.py:mine"],
    ["plan", "home.yaml"],
]


def test_home_is_read_wherever_a_path_may_stand(answer, tmp_path):
    (tmp_path / "claims.py").write_text("def first(cells):\n    return None\n\n\nCLAIMS = [first]\n")
    own = "data: {name: ~/rows.csv, target: label}\nmodel: {activation: ~/act.py:bent}\nclaims: ~/claims.py\n"
    (tmp_path / "home.yaml").write_text(f"study: home\n{own}report: {{tables: [~/act.py:mine]}}\n")
    for words in HOME_PATHS:
        code, said = answer(Request(tuple(words)))
        assert code == 0, (words, said)
    for words in (["plan", "~nobody-here/s.yaml"], ["plan", "s.yaml", "data.name=~nobody-here/rows.csv"]):
        code, said = answer(Request(tuple(words)))
        assert (code, "no such file" in said) == (2, True), said


def test_variables_are_the_shells_alone(answer):
    code, said = answer(Request(("plan", "s.yaml", "data.name=$HOME/rows.csv")))
    assert (code, "did you mean '~/rows.csv'?" in said) == (2, True), said
    code, said = answer(Request(("plan", "s.yaml", "data.name=$NOWHERE/rows.csv")))
    assert (code, "variables are not read in a path" in said, "did you mean" in said) == (2, True, False), said


WITHOUT_ANOTHER = {  # what a message says, and what it must not advise
    ("plan", "s.yaml", "model.activation=my_act.py:snake:beta=2"): ("its options are alpha", "swish"),
    ("plan", "s.yaml", "model.activation=my_act.py:snake:per=unit"): ("its options are alpha", "prelu"),
    ("plan", "s.yaml", "model.activation=elu:beta=2"): ("its options are alpha", "name: swish"),
    ("describe", "elu:beta=2"): ("its options are alpha", "name: swish"),
    ("plan", "s.yaml", "model.activation=softmax"): ("no elementwise function", "did you mean"),
    ("plan", "s.yaml", "model.activation=qqqzz"): ("path/to/file.py:function", "did you mean"),
    ("plan", "s.yaml", "model.activation=act.py"): ("act.py:bent, act.py:mine", "did you mean"),
    ("describe", "act.py"): ("act.py:bent, act.py:mine", "did you mean"),
    ("plan", "s.yaml", "model.weight_init=normal"): ("choose from he_normal, he_truncated_normal", "did you mean"),
    ("plan", "s.yaml", "name=foo"): ("choose from study", "data.name"),
    ("plan", "s.yaml", "matrix=relu"): ("choose from study", "sweep.matrix"),
    ("plan", "s.yaml", "sweep.exclude=relu"): ("a list of mappings", "did you mean"),
    ("plan", "s.yaml", "data.keep=null"): ("expected a list", "tuple"),
    ("plan", "s.yaml", "data.name=zzz.csv"): ("rows.csv", "did you mean"),
    ("plan", "s.yaml", "--csv"): ("unknown option --csv", "data.name"),
    ("runs", "folder", "--csv"): ("did you mean '--format=csv'?", "data.name"),
    ("show", "folder"): ("actlab runs folder", "did you mean"),
    ("new", "z", "--data", "iris", "--target", "foo"): ("iris is no file", "Then look at"),
    ("new", "s", "--data", "rows.csv"): ("is there already", "unsure"),
}


def test_nothing_is_advised_that_was_not_meant(answer):
    for words, (said_so, not_so) in WITHOUT_ANOTHER.items():
        code, said = answer(Request(words))
        assert (code, said_so in said, not_so in said) == (2, True, False), said


OF_A_KIND = (  # options of one of some words, or a number
    *("run s.yaml --executor zzz", "plan s.yaml --workers zzz", "compare x --select zzz", "compare x --format zzz"),
    *("runs x --format zzz", "example --input zzz"),
)


def test_whatever_the_parser_refuses_is_one_line_in_our_words(answer):
    """Of every command: without what it needs, with an unknown option, a word too many, an option with no value."""
    commands, odd = typer.main.get_command(cli.app).commands, []
    requests = [("zzz",), ("--zzz",), ("plan", "s.yaml", "--workers=0"), *(words.split() for words in OF_A_KIND)]
    for name, command in commands.items():
        options = [one for one in command.params if one.opts[0].startswith("--")]
        arguments = [one for one in command.params if one not in options]
        requests += [(name, "--zzz")]
        requests += [(name,)] * any(one.required for one in command.params)
        requests += [(name, *["x"] * (len(arguments) + 1))] * all(one.nargs == 1 for one in arguments)
        for one in options:
            flag = bool(getattr(one, "is_flag", False) or one.name == "help")
            requests.append((name, f"{one.opts[0]}=zzz") if flag else (name, one.opts[0]))
    for words in requests:
        code, said = answer(Request(words))
        if code != 2 or len(said.splitlines()) != 1 or not re.match(r"actlab: .+[^.]$", said.strip()):
            odd.append((words, code, said))
    assert not odd
    assert len(requests) > 70


def test_an_own_function_is_named_from_where_the_study_lies(answer, tmp_path):
    (tmp_path / "folder" / "far.py").write_text(MY_ACT.replace("snake", "far"))
    (tmp_path / "folder" / "study.yaml").write_text(STUDY.replace("depth: 2", "activation: far.far"))
    code, said = answer(Request(("plan", "folder/study.yaml")))
    found = re.search(r"did you mean '(.*)'", said)[1]
    (tmp_path / "folder" / "study.yaml").write_text(STUDY.replace("depth: 2", f"activation: {found}"))
    assert (code, answer(Request(("plan", "folder/study.yaml")))[0]) == (2, 0), said

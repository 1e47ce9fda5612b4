"""Odd values, keys, bytes and words: what fuzzed configs and command lines are made of."""

NESTED = "[" * 1500 + "]" * 1500
TENFOLD = [f", &{b} [{','.join(['*' + a] * 10)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
BOMB = "[&a [x,x,x,x,x,x,x,x,x,x]" + "".join(TENFOLD) + "]"

# fmt: off
ODD = [
    "", "~", "null", "true", "false", "yes", "0", "-0", "-0.0", "-1", "1", "2", "3.5", "1e400", "-1e400", "1e-400",
    ".nan", ".inf", "-.inf", "1e18", "10000000", "1000000000", str(2**31), str(2**32), str(2**63), str(2**64),
    "1" * 39, "9" * 5000, "-" + "9" * 400, "0x" + "f" * 60, "0o7", "0b1", "1_0", "010", "1:30", "2020-01-01", "1e31",
    "3.5 [a, b]", "[]", "{}", "[[]]", "[{}]", "[null]", "{a: }", "{name: }", "{name: relu, name: elu}", "{rate: x}",
    "{? [a, b] : c}", "{[a]: b}", "{1: 2}", "{null: 1}", "{true: 1}", "{2020-01-01: 1}", "{<<: {a: b}}", "{<<: 3}",
    "&a [*a]", "&a {b: *a}", "&a {<<: *a}", "*nowhere", BOMB, NESTED, "{a: " * 60 + "1" + "}" * 60, "[" * 40,
    "!!python/object/apply:os.system [echo]", "!!binary aGVsbG8=", "!!set {a, b}", "!!timestamp 2020-01-01",
    "!!int x", "!!float x", "!!bool x", "!!int ''", "!!float ''", "!own 1", "!", "! 1", "!!omap [a: 1]", "!!null x",
    "'" + "x" * 9000 + "'", "x" * 15000, "{" + "k" * 150 + ": 1}", "{" + "k" * 5000 + ": 1}", "[" + "1," * 9000 + "]",
    "[" + ", ".join(map(str, range(3000))) + "]", '"\\0"', '"\\uD800"', '"\\e[31m"', "'☃'", "Ωé", "'a\tb'", "\tx",
    "'\n'", "x.py:f", "pipe.py:f", "nowhere/x.py:f", "no.csv", "no/such.npz", "/dev/null", "/dev/zero", "/", ".",
    "..", "~/x.csv", "'a" + "b" * 300 + ".csv'", "'" + "d/" * 2500 + "x.csv'", "'x\\0.csv'", '"x\\0.csv"',
    '"x\\0.py:f"', "loop/x.csv", "loop.csv", "loop.py:f", "folder.csv", "folder.py:f", "'" + "e" * 300 + ".py:f'",
    "relu", "auto", "all", "[all, all]", "[relu, [elu]]", "{name: [relu]}", "{name: {name: relu}}",
    "{name: relu, options: 3}", "{name: relu, options: {}}", "{name: leaky_relu, options: {negative_slope: 1}}",
    "{name: prelu, per: unit}", "{name: prelu, per: 3}", "<<", "=", "{over: 3}", "{over: model.depth, by: x}",
    "[performance, performance]", "[3]", "[x.py:f]", "'a: b'", "a: b", "- a", "'{'", "'['", ":", "::", "?", "-", "--",
    "---", "...", "# x", "%YAML 1.1", "@", "`", "|", ">", "|9\n  x", "&x", "&x &y 1",
]
ODD_KEYS = [
    "", "~", "1", "null", "x", "model", "name", "options", "<<", "[a]", "{a: b}", "? a", "'" + "k" * 5000 + "'",
    "- a", "a.b.c", "model.depth.x", "model." + "a." * 30 + "b", ".", "..", "'☃'", "model.activation.name",
    "model.activation", "seed", "activation.negative_slope", "!!int 1", "&a b", "*a", '"\\0"', "data.name",
    "measure.every", "true",
]
ODD_BYTES = [
    b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\t", b"\x1b[2J", b"\xed\xa0\x80", b"\xe2\x80\xa8",
    b"{", b"}", b"[", b"]", b":", b": ", b",", b"- ", b"? ", b"#", b"&a ", b"*a", b"!", b"'", b'"', b"|", b">", b"%",
    b"9" * 5000, b"[" * 3000, b" " * 30000, b"\n---\n", b"\n...\n", b"<<: ", b"\n%YAML 1.1\n---\n", b"-" * 3000,
]
KEYS = [
    "model.depth", "model.width", "model.activation", "train.steps", "sweep.seeds", "data.name", "data.drop", "sweep",
    "model", "sweep.matrix", "report.tables", "claims", "study", "x", "", ".", "model.", ".depth",
    "model.activation.name", "a." * 500 + "b", "☃", "model\n.depth", "\udcff", "\0", "measure.probes",
    "sweep.exclude", "sweep.include", "data.separator", "sweep.matrix.model.depth", "question", "report",
    "report.select", "train.schedule.warmup_steps", "model.dropout",
]
VALUES = [
    *ODD, "2,3", "2,x", "=", "a==b", "]", "2] #", "[a],[b]", "2],[3", "\udcff", "a\0b", "," * 3000, "x" * 5000,
    "a, &b c, *b", "]: 3 #",
]
ODD_WORDS = [
    "", "-", "--", "-1", "0", "1", "x", "=", "\udcff", "a\0b", "x" * 5000, "☃", "nan", "inf", "1e9", "9" * 31,
    "9" * 5000, "a\nb", "4GB", "-4GB", "nanGB", "1e400", "1e400GB", "9e999TB", "4 GB", "lots", "final", "max", "3.5",
    "relu", "[red]", ":smile:", "../x", "/dev/null", "/dev/zero", "/", ".", "folder", "pipe", "loop", "x" * 300,
    "d/" * 2500, "s.yaml", "a:b:c", "x.py:f", "x.py:", ":f", "pipe.py:f", "pipe.py", "leaky_relu:negative_slope=nan",
    "leaky_relu:negative_slope=", "leaky_relu:x=1", "relu:", "relu:a:b", "rellu", "folder.py:f",
]
OPTIONS = [
    "--out", "--executor", "--scheduler", "--cluster", "--workers", "--memory", "--metric", "--by", "--at",
    "--preset", "--format", "--json", "--fresh", "--version", "--help", "--nonsense", "--" + "y" * 3000, "-q",
]
# fmt: on

r"""Texts of strangers (names of files, labels, a question) made safe to stand in Markdown, in LaTeX and in a CSV cell.

Who opens a report sees such a text as it was written: it makes no heading, no formula, no HTML and no link, unless it
is one (some renderers link every address). LaTeX meets ASCII alone, whatever the script: known symbols become commands,
accented letters their accents, everything else Latin letters. A spreadsheet takes no cell for a formula.
"""

import re
import unicodedata
from functools import lru_cache

SPECIAL = {
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"$\sim$",
}
SPECIAL |= {"^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "<": r"\textless{}", ">": r"\textgreater{}"}
SPECIAL |= {"`": r"\textasciigrave{}", "*": r"\textasteriskcentered{}", "|": r"\textbar{}"}
LETTERS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
)
LETTERS += "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
for name in LETTERS.split():
    size, spelt = "CAPITAL" if name[0].isupper() else "SMALL", name.upper().replace("LAMBDA", "LAMDA")
    SPECIAL[unicodedata.lookup(f"GREEK {size} LETTER {spelt}")] = rf"$\{name}$"
SPECIAL |= {"±": r"$\pm$", "−": "$-$", "†": r"$^\dagger$", "‡": r"$^\ddagger$", "≥": r"$\geq$", "≤": r"$\leq$"}
SPECIAL |= {"∞": r"$\infty$", "–": "--", "φ": r"$\varphi$", "·": r"$\cdot$", "²": r"$^2$", "‖": r"$\Vert$"}
SPECIAL |= {
    "√": r"$\surd$",
    "→": r"$\to$",
    "×": r"$\times$",
    "∪": r"$\cup$",
    "∅": r"$\emptyset$",
    "¹": "$^1$",
    "³": "$^3$",
}
SPECIAL |= {"⁻": "$^-$", "⁰": "$^0$"} | {chr(0x2070 + i): f"$^{i}$" for i in range(4, 10)}
SPECIAL |= {chr(0x2080 + i): f"$_{i}$" for i in range(10)}
SPECIAL |= {"∂": r"$\partial$", "∓": r"$\mp{}$", "′": "$'$", "″": "$''$", "½": r"$\frac{1}{2}$"}
ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0307": ".", "\u0308": '"'}
ACCENTS |= {"\u0306": "u", "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c", "\u0331": "b"}
"""LaTeX's commands for combining marks; all of them work with every font encoding."""

# Marks that turn the direction of writing; and halves of characters, as names of files have that are not UTF-8.
TURNING, HALVES = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069", "\ud800-\udfff"
UNSEEN = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f{TURNING}{HALVES}]")
WRONG = "\ufffd"  # what stands for a character that cannot be shown
# What Markdown marks up, a token each; everything else is a character.
TOKENS = re.compile(r"\\(?P<escaped>[!-/:-@\[-`{-~])|&(?P<entity>lt|gt|amp);|`(?P<code>[^`]*)`|(?P<other>.)", re.DOTALL)
ENTITIES = {"lt": "<", "gt": ">", "amp": "&"}
BOLD, EMPHASIS = re.compile(r"\*\*(.+?)\*\*"), re.compile(r"\*([^*]+)\*")
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t")
INNER = re.compile(rf"(;\s*)([{re.escape(''.join(FORMULA))}])")  # where a spreadsheet parts cells by semicolons
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
SUBSCRIPT = re.compile(r"\$(\\[a-z]+)\$\\_([A-Za-z0-9])(?![A-Za-z0-9\\])")  # σ_w
# 1.1e−19, as it is once its signs are LaTeX
POWER = re.compile(r"(?<![\w.,/{\\])(?<!\w[-$])(\$-\$)?(\d(?:\.\d+)?)e(\$-\$|[-+])?0*(\d{1,4})(?!\w|[./-]\w)")


def one_line(text: str) -> str:
    r"""Write a text on one line, a sign in the place of each character that has no appearance.

    >>> one_line("a\n\tb\x1b")
    'a b�'
    """
    return UNSEEN.sub(WRONG, " ".join(text.split()))


def plain(text: str) -> str:
    r"""Write a text in Markdown so that it is shown as it is; a pipe is for whoever makes a table of it.

    >>> print(plain("<script> [a](b) *c* my_data.csv"))
    &lt;script&gt; [a\](b) \*c\* my_data.csv
    >>> print(plain("# no heading"), plain("-0.5"), plain("1. no list"))
    \# no heading -0.5 1\. no list
    """
    text = re.sub(r"[\\`*$]|\](?=[(\[:])|~(?=~)|(?<=~)~|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", one_line(text))
    text = re.sub(r"&(?=#?\w+;)", "&amp;", text).replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"^(\d{1,9})(?=[.)](\s|$))|^(?=#|[-+=]([-+=\s]|$))", r"\1\\", text)


def code(text: str) -> str:
    r"""Write a name as code in Markdown; one that code cannot hold as it is, as plain text.

    >>> print(code("leaky_relu"), code("a`b"))
    `leaky_relu` a\`b
    """
    return plain(text) if not text.strip() or set("`\\") & set(text) else f"`{one_line(text)}`"


def bare(markdown: str) -> str:
    r"""Return a Markdown string's text, without its marks; bold is left for the caller.

    >>> print(bare(plain("<b> [x] `y`") + " `code` **bold**"))
    <b> [x] `y` code **bold**
    """
    return "".join(token for token, _ in tokens(markdown))


def tokens(markdown: str) -> list[tuple[str, str]]:
    """Cut Markdown into texts, each with what it is: ``code``, ``other`` (one character), ``escaped``, ``entity``."""
    found = [(match[str(match.lastgroup)], str(match.lastgroup)) for match in TOKENS.finditer(markdown)]
    return [(ENTITIES[text] if kind == "entity" else text, kind) for text, kind in found]


def tex(markdown: str) -> str:
    r"""Translate a Markdown string into LaTeX, in ASCII; bold, italics and code are translated, all else is escaped.

    >>> print(tex("**`leaky_relu`** 50 % ± 1 †"))
    \textbf{\texttt{leaky\_relu}} 50 \% $\pm$ 1 $^\dagger$
    >>> print(tex("Ωé ☃ 北京"))
    $\Omega$\'{e} :snowman2: BeiJing
    >>> print(tex("1.1e−19 [−2e−20, 1.5e6]"))
    $1.1\times10^{-19}$ [$-2\times10^{-20}$, $1.5\times10^{6}$]
    """
    parts = [""]
    for text, kind in tokens(unicodedata.normalize("NFC", one_line(markdown))):
        letters = "".join("*" if kind == "other" and one == "*" else in_latex(one) for one in text)
        if kind == "code":
            parts += [rf"\texttt{{{letters}}}", ""]
        else:
            parts[-1] += letters
    parts[::2] = [SUBSCRIPT.sub(r"$\1_\2$", POWER.sub(in_powers, text)) for text in parts[::2]]
    bold = BOLD.sub(lambda match: around("textbf", match), "".join(parts))
    return EMPHASIS.sub(lambda match: around("emph", match), bold)


def in_powers(match: re.Match[str]) -> str:
    """Write a number in powers of ten."""
    minus, sign = "-" * bool(match[1]), "-" * (match[3] in ("$-$", "-"))
    times = "" if match[2] == "1" else rf"{match[2]}\times"
    return rf"${minus}{times}10^{{{sign}{match[4]}}}$"


def around(command: str, match: re.Match[str]) -> str:
    """Put a command around what two marks enclose; where that has half of another command, leave the marks."""
    braces = re.sub(r"\\[{}]", "", match[1])
    depths = [braces[:end].count("{") - braces[:end].count("}") for end in range(len(braces) + 1)]
    return rf"\{command}{{{match[1]}}}" if depths[-1] == 0 == min(depths) else match[0]


@lru_cache(maxsize=4096)
def in_latex(character: str) -> str:
    r"""Write one character in LaTeX, with ASCII only.

    >>> print(*map(in_latex, "aé_Ж≥"))
    a \'{e} \_ Zh $\geq$
    """
    if character in SPECIAL:
        return SPECIAL[character]
    if " " <= character <= "~":
        return character
    base, *marks = list(unicodedata.normalize("NFD", character))
    if base.isascii() and base.isalpha() and marks and set(marks) <= set(ACCENTS):
        letter = rf"\{base}" if base in "ij" and set(marks).isdisjoint("\u0323\u0327\u0331") else base
        for mark in marks:
            letter = rf"\{ACCENTS[mark]}{{{letter}}}"
        return letter
    from anyascii import anyascii

    latin = anyascii(character)
    if not latin and unicodedata.category(character) not in ("Cf", "Mn", "Me"):  # what has no letters keeps its number
        latin = "?" if character == WRONG else f"U+{ord(character):04X}"
    return "".join(SPECIAL.get(one, one) for one in latin if " " <= one <= "~")


def safe_cell(value: object) -> object:
    """Write a text so that no spreadsheet takes it for a formula: with an apostrophe before it; numbers stay numbers.

    >>> safe_cell("=1+1"), safe_cell("-0.5"), safe_cell("relu"), safe_cell(-1.0)
    ("'=1+1", '-0.5', 'relu', -1.0)
    >>> safe_cell("a;=1+1")
    "a;'=1+1"
    >>> safe_cell("68 diverged; 3 settings left out")
    '68 diverged; 3 settings left out'
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")  # a bare one is not quoted, and ends a row
    text = INNER.sub(r"\1'\2", UNSEEN.sub(WRONG, text))
    begins = text.lstrip(" \n\u00a0\u200b\ufeff")
    return f"'{text}" if begins.startswith(FORMULA) and not NUMBER.fullmatch(text) else text


def unguarded(text: str) -> str:
    """Read a cell's text without the apostrophes that a spreadsheet needs behind a semicolon.

    >>> unguarded(str(safe_cell("supported; =1+1"))), unguarded("68 diverged; '3 settings left out")
    ('supported; =1+1', '68 diverged; 3 settings left out')
    """
    return re.sub(r"(;\s*)'(?=[^\w\s']|\d)", r"\1", text)

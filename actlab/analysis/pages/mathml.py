r"""Formulas of a page: LaTeX, as records and the story have it, made MathML by latex2mathml when the page is written.

Every browser sets MathML itself: a page needs no script, font or network for its formulas, screen readers read them,
and they take the colour of the text. (KaTeX or MathJax would be in every page, up to a megabyte with their fonts.)
What the converter returns is not taken as it is: it does not escape what stands in ``\text``, and knows links, classes
and styles. Its tree is copied element by element, and only MathML's own elements and their sizes are kept.
"""

import html
import re
from functools import lru_cache
from itertools import zip_longest
from xml.etree import ElementTree

ELEMENTS = re.compile(
    "math|m(row|i|n|o|text|space|sup|sub|subsup|frac|sqrt|root|under|over|underover|table|tr|td|style|padded|phantom)"
)
ATTRIBUTES = re.compile(
    "display|displaystyle|scriptlevel|stretchy|fence|form|minsize|maxsize|width|height|depth|columnalign|mathvariant|"
    "accent|accentunder|linethickness|movablelimits"
)
UNDER = ("lim", "max", "min")  # what is below them stands below them where a formula has a line of its own
THIN, THICK = "0.1667em", "0.2778em"
SIGNS, ARROWS = ("−", "±"), ("⇒", "⇔", "⟹", "⟺", "→")
NO_SUMMAND = tuple("([{=<>≤≥≈→∈,:")  # behind one of these a sign belongs to what follows
SCRIPTED = ("msub", "msup", "msubsup")
BREAKS = re.compile(r"\\q?quad(?![a-zA-Z])|(?:\\;)?(?=\\(?:Rightarrow|iff)(?![a-zA-Z]))")
OPENING = re.compile(r"\\(?:left|begin)(?![a-zA-Z])|(?<!\\)\{")
CLOSING = re.compile(r"\\(?:right|end)(?![a-zA-Z])|(?<!\\)\}")
IF, ELSE = r"\text{ if }", r"\text{ else }"


class FormulaError(ValueError):
    """LaTeX that the converter does not take."""


def by_cases(latex: str) -> str:
    r"""Write ``A if B else C`` as cases; what stands behind the first comma with a space remains behind them.

    >>> print(by_cases(r"z \text{ if } z > 0 \text{ else } \alpha z, \quad \alpha = 1"))
    \begin{cases} z & \text{if } z > 0 \\ \alpha z & \text{otherwise} \end{cases}, \quad \alpha = 1
    >>> print(by_cases("z^2"))
    z^2
    """
    formula, comma, rest = latex.partition(r", \quad")
    if IF not in formula or ELSE not in formula:
        return latex
    lines = []
    for piece in formula.split(ELSE):
        value, said, where = piece.partition(IF)
        lines.append(value.strip() + " & " + (rf"\text{{if }} {where.strip()}" if said else r"\text{otherwise}"))
    body = r" \\ ".join(lines)
    return rf"\begin{{cases}} {body} \end{{cases}}{comma}{rest}"


def parts(latex: str) -> list[str]:
    r"""Cut a formula where a line may end: at the spaces between statements, and before ⇒ and ⇔, outside of braces.

    >>> parts(r"a = b, \quad c = d \;\Rightarrow\; e")
    ['a = b,', 'c = d', '\\Rightarrow\\; e']
    """
    cut = [0]
    for match in BREAKS.finditer(latex):
        before = latex[: match.start()]
        if len(OPENING.findall(before)) == len(CLOSING.findall(before)):
            cut += [match.start(), match.end()]
    pieces = [latex[begin:end].strip() for begin, end in zip(cut[::2], [*cut[1::2], len(latex)], strict=True)]
    return [piece for piece in pieces if piece]


@lru_cache(maxsize=1024)
def mathml(latex: str) -> str:
    r"""Convert LaTeX to MathML: safe as a part of a page, whatever it holds.

    Raises:
        FormulaError: the converter does not take it.

    >>> mathml(r"\alpha")
    '<math display="block"><mrow><mi>α</mi></mrow></math>'
    >>> mathml(r"\text{<script>}")
    '<math display="block"><mrow><mtext>&lt;script&gt;</mtext></mrow></math>'
    """
    from latex2mathml.converter import convert_to_element

    try:
        found = convert_to_element(latex.replace("{aligned}", "{split}"), display="block")
    except Exception as error:  # a class of its own for every fault, and those of Python
        raise FormulaError(f"{latex}: {str(error) or type(error).__name__}") from None
    tree = copied(found)
    spaced(tree)
    return ElementTree.tostring(tree, encoding="unicode", short_empty_elements=False)


def copied(element: ElementTree.Element) -> ElementTree.Element:
    """Copy a tree with the elements and attributes of MathML that only set type; any other element becomes a row."""
    tag = element.tag if ELEMENTS.fullmatch(element.tag) else "mrow"
    one = ElementTree.Element(
        tag, {name: value for name, value in element.attrib.items() if ATTRIBUTES.fullmatch(name)}
    )
    one.text = html.unescape(element.text) if element.text else None
    one.extend(map(copied, element))
    if tag == "msub" and len(one) and (one[0].text or "") in UNDER:
        one.tag = "munder"
    return one


def spaced(element: ElementTree.Element) -> None:
    """Set the space around signs, names of functions, bars and strokes, which the converter leaves to a guess.

    >>> 'form="prefix"' in mathml("f(-1)"), 'form="prefix"' in mathml("a-1")
    (True, False)
    """
    before = None
    for one, follower in zip_longest(element, element[1:]):
        text = one.text or ""
        opens = follower is not None and (follower.text or "")[:1] in ("(", ")", ",", "")
        if one.tag in ("mi", "mo") and len(text) > 1 and text.isascii() and text.isalpha():
            one.tag = "mo"
            one.set("lspace", THIN if one is not element[0] else "0")
            one.set("rspace", "0" if opens or follower is None else THIN)
        elif one.tag == "mo" and text in ("|", "/", "‖"):
            one.set("lspace", "0")
            one.set("rspace", "0")
            one.attrib.setdefault("stretchy", "false")  # each bar of a norm as high as its partner
        elif one.tag == "mo" and text in SIGNS and (before is None or (before.text or "")[-1:] in NO_SUMMAND):
            one.set("form", "prefix")
        elif text in ARROWS:
            one.tag = "mo"
            one.set("lspace", THICK)
            one.set("rspace", THICK)
        elif text == ":" and follower is not None and follower.text == "=":
            one.text, follower.text, follower.tag, one.tag = ":=", "", "mrow", "mo"
            one.set("lspace", THICK)
            one.set("rspace", THICK)
        spaced(one)
        if one.tag in SCRIPTED and len(one) and one[0].tag == "mo" and len(one[0].text or "") > 1:  # log₁₀ χ
            one[0].set("lspace", THIN if one is not element[0] else "0")
            one[0].set("rspace", "0" if opens or follower is None else THIN)
        before = one

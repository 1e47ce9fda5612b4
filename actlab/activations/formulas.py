"""An activation as a formula, ``x * tanh(exp(x))``: read by a whitelist over its syntax tree, never run as code.

What is read is written as a file with one function, so that a formula goes the way of any other file of a user's.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from actlab.activations.base import ActivationError
from actlab.naming import brief, counted, listed, nearest

MOST_CHARACTERS, MOST_DEPTH = 500, 40
LARGEST = 1e6
"""Of the numbers that a formula may hold, and of what is computed of numbers alone."""
LARGEST_EXPONENT = 64
FAR = 80.0
"""Where an exponential is held: e^80 is 5.5e34, and float32 ends at e^88.7. Without it, the slope of tanh(e^x) would be
0 times infinity for large x."""

INPUTS = ("x", "z")
CONSTANTS = {"pi": math.pi, "e": math.e}
HELD = {"exp": "jnp.exp(jnp.minimum({}, FAR))", "expm1": "jnp.expm1(jnp.minimum({}, FAR))"}
BOTH = {name: f"jnp.{name}(jnp.clip({{}}, -FAR, FAR))" for name in ("sinh", "cosh")}
PLAIN = {
    name: f"jnp.{name}({{}})" for name in ("log", "log1p", "sqrt", "abs", "tanh", "sin", "cos", "arctan", "arcsinh")
}
OTHER = {
    "erf": "jax.scipy.special.erf({})",
    "sigmoid": "jax.nn.sigmoid({})",
    "softplus": "jax.nn.softplus({})",
    "relu": "jax.nn.relu({})",
    "min": "jnp.minimum({}, {})",
    "max": "jnp.maximum({}, {})",
}
FUNCTIONS = HELD | BOTH | PLAIN | OTHER
SIGNS: Mapping[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
ARITHMETIC: Mapping[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
# What people write, and the syntax tree's own word would not tell them.
WORDS: Mapping[type, str] = {
    ast.Attribute: "a dot",
    ast.Subscript: "an index",
    ast.Compare: "a comparison",
    ast.IfExp: "`if`",
    ast.Lambda: "`lambda`",
    ast.BoolOp: "`and` or `or`",
    ast.JoinedStr: "a string",
    ast.Constant: "what is no real number",
    ast.Call: "a call that is not of the form function(x)",
    ast.Starred: "a star",
    ast.NamedExpr: "`:=`",
    ast.BitXor: "`^` (a power is written **)",
    ast.FloorDiv: "`//`",
    ast.Mod: "`%`",
    ast.MatMult: "`@`",
    ast.Not: "`not`",
    ast.Invert: "`~`",
}
EXPECTED = f"a formula is made of x, numbers, + - * / **, and {', '.join(sorted(FUNCTIONS))}"


class FormulaError(ActivationError):
    """A text that is no formula of an activation; the message says which part."""


@dataclass(frozen=True)
class Formula:
    """A formula that was read.

    Attributes:
        text: as it is shown, of ``z``: the expression, written again from its syntax tree.
        code: the same as an expression of JAX's.
        parameters: {name: the value that it begins with}; all are learnable.
    """

    text: str
    code: str
    parameters: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name, where none is given: the words of the expression.

        >>> read("x * tanh(exp(x))").name
        'z_tanh_exp_z'
        """
        words = "_".join(re.findall(r"[A-Za-z0-9]+", self.text))[:40].rstrip("_")
        return words if words[:1].isalpha() else f"f_{words}"

    def source(self, name: str = "") -> str:
        """Write the file of a function of that name, as ``own_activation.py:function`` are loaded.

        >>> print(read("a * x * tanh(exp(x)), a=1.5").source("bent"))
        \"""a * z * tanh(exp(z))\"""
        <BLANKLINE>
        import jax
        import jax.numpy as jnp
        <BLANKLINE>
        import actlab
        <BLANKLINE>
        FAR = 80.0  # where exponentials are held: further out, slopes would be 0 times infinity
        <BLANKLINE>
        <BLANKLINE>
        @actlab.activation(formula="a * z * tanh(exp(z))", learnable=("a",))
        def bent(z, *, a=1.5):
            return a * z * jnp.tanh(jnp.exp(jnp.minimum(z, FAR)))
        <BLANKLINE>
        """
        learnable = "".join(f'"{one}", ' for one in self.parameters).rstrip()  # a comma at the end makes one a tuple
        signature = "".join(f", {one}={value!r}" for one, value in self.parameters.items())
        lines = [
            f'"""{self.text}"""',
            "",
            "import jax",
            "import jax.numpy as jnp",
            "",
            "import actlab",
            "",
            f"FAR = {FAR}  # where exponentials are held: further out, slopes would be 0 times infinity",
            "",
            "",
            f'@actlab.activation(formula="{self.text}", learnable=({learnable}))',
            f"def {name or self.name}(z{', *' * bool(self.parameters)}{signature}):",
            f"    return {self.code}",
        ]
        return "\n".join(lines) + "\n"


def read(text: str) -> Formula:
    """Read a formula, with the values that its parameters begin with behind it.

    Args:
        text: of x (or z), numbers, ``pi``, ``e``, arithmetic and ``FUNCTIONS``; any other name is a learnable parameter
            and needs a value: ``"x * sigmoid(b * x), b=1"``.

    Raises:
        FormulaError: it is longer or deeper than allowed, holds anything else, or a parameter without a value.

    >>> read("x*sigmoid(b*x), b=1").parameters
    {'b': 1.0}
    >>> read("9**9**9 * x")
    Traceback (most recent call last):
    actlab.activations.formulas.FormulaError: '9 ** 9': is 3.87e+08; numbers may be up to 1,000,000
    """
    if len(text) > MOST_CHARACTERS:
        raise FormulaError(f"has {len(text):,} characters; a formula may have {MOST_CHARACTERS}")
    try:
        # As the arguments of a call: the formula, then the parameters' values.
        call = ast.parse(f"_({text}\n)", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise FormulaError(f"{brief(text)}: is no formula ({getattr(error, 'msg', error)}); {EXPECTED}") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or len(call.args) != 1:
        raise FormulaError(f"{brief(text)}: is not one formula; {EXPECTED}")
    parameters = {one.arg: start_of(one) for one in call.keywords}
    if len(parameters) < len(call.keywords):
        raise FormulaError(f"{brief(text)}: gives a parameter two values")
    (expression,) = call.args
    code = ast.unparse(ast.parse(written(expression, parameters), mode="eval"))  # without needless parentheses
    used = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    if len(used & set(INPUTS)) != 1:
        raise FormulaError(f"{brief(text)}: an activation is a function of one input, x or z")
    if idle := [name for name in parameters if name not in used]:
        raise FormulaError(f"{listed(idle)}: has a value, and is not in the formula")
    for node in ast.walk(expression):
        if isinstance(node, ast.Name) and node.id in INPUTS:
            node.id = "z"
    return Formula(ast.unparse(expression), code, {str(name): value for name, value in parameters.items()})


def start_of(keyword: ast.keyword) -> float:
    """The value that a parameter begins with: a number.

    Raises:
        FormulaError: it is none, or its name is taken.
    """
    name = keyword.arg
    if name is None or name in (*INPUTS, *CONSTANTS, *FUNCTIONS, "jnp", "jax", "FAR", "actlab"):
        raise FormulaError(f"{name or '**'}: cannot be the name of a parameter")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise FormulaError(f"{brief(name)}: a parameter's name is of a-z, 0-9 and _")
    value = number_of(keyword.value)
    if value is None:
        raise FormulaError(f"{name}: begins with a number, as in {name}=0.25; not with {ast.unparse(keyword.value)}")
    return value


def number_of(node: ast.expr) -> float | None:
    """Compute what is made of numbers alone; None of anything else.

    Raises:
        FormulaError: it, or a part of it, is beyond what a formula may hold.
    """
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as value):
            return bounded(node, lambda: float(value))
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=one):
            inner = number_of(one)
            return inner if inner is None or isinstance(sign, ast.UAdd) else -inner
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in ARITHMETIC:
            a, b = number_of(left), number_of(right)
            if a is None or b is None:
                return None
            return bounded(node, lambda: ARITHMETIC[type(sign)](a, b))
    return None


def bounded(node: ast.expr, value: Callable[[], float]) -> float:
    """Return a number, where it is one, and no larger than a formula may hold.

    Raises:
        FormulaError: it is larger, or none.
    """
    try:
        number = value()
    except (OverflowError, ZeroDivisionError, ValueError):
        raise FormulaError(f"{brief(ast.unparse(node))}: is no number") from None
    if math.isinf(number):  # as 1e400, which the syntax tree holds no more
        raise FormulaError(f"a number in it is too large to be told from infinity; numbers may be up to {LARGEST:,.0f}")
    if not abs(number) <= LARGEST:
        raise FormulaError(f"{brief(ast.unparse(node))}: is {number:.3g}; numbers may be up to {LARGEST:,.0f}")
    return number


def written(node: ast.expr, parameters: Mapping[str | None, float], depth: int = 1) -> str:
    """Write a formula, or a part of it, as an expression of JAX's.

    Args:
        node: of the syntax tree.
        parameters: whose names it may hold.
        depth: of this part in the whole.

    Raises:
        FormulaError: it holds what is not on the list, or is nested too deeply.
    """
    if depth > MOST_DEPTH:
        raise FormulaError(f"is nested more than {MOST_DEPTH} deep")
    number = number_of(node)
    match node:
        case _ if number is not None:
            return repr(number)
        case ast.Name(id=name):
            if name in INPUTS:
                return "z"
            if name in parameters:
                return name
            raise FormulaError(unknown(name))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=one):
            return f"({'-' * isinstance(sign, ast.USub)}{written(one, parameters, depth + 1)})"
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return power(left, right, parameters, depth + 1)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in SIGNS:
            if isinstance(sign, ast.Div) and number_of(right) == 0:
                raise FormulaError(f"{brief(ast.unparse(node))}: divides by 0")
            a, b = (written(one, parameters, depth + 1) for one in (left, right))
            return f"({a} {SIGNS[type(sign)]} {b})"
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if name not in FUNCTIONS:
                raise FormulaError(f"{brief(name)}: is no function of a formula{nearest(name, FUNCTIONS)}")
            takes = FUNCTIONS[name].count("{}")
            if len(arguments) != takes:
                raise FormulaError(f"{name}: takes {counted(takes, 'argument')}, not {len(arguments)}")
            return FUNCTIONS[name].format(*(written(one, parameters, depth + 1) for one in arguments))
    part = node.op if isinstance(node, ast.UnaryOp | ast.BinOp) else node
    word = WORDS.get(type(part), type(part).__name__.lower())
    raise FormulaError(f"{brief(ast.unparse(node))}: has {word}; {EXPECTED}")


def power(base: ast.expr, exponent: ast.expr, parameters: Mapping[str | None, float], depth: int) -> str:
    """Write a power: of a whole exponent by products, of others as e^(exponent·log base).

    Raises:
        FormulaError: the exponent is a number beyond what a formula may hold; or see ``written``.
    """
    number = number_of(exponent)
    if number is not None and abs(number) > LARGEST_EXPONENT:
        text = brief(ast.unparse(exponent))
        raise FormulaError(f"** {text}: an exponent may be up to {LARGEST_EXPONENT}")
    a = written(base, parameters, depth)
    if number is not None and number == int(number):
        return f"({a} ** {int(number)})"
    return f"jnp.power({a}, {written(exponent, parameters, depth)})"


def unknown(name: str) -> str:
    """Say of a name that it stands for nothing, and what it could stand for."""
    if name in FUNCTIONS:
        return f"{name}: is a function; write {name}(x)"
    meant = f"{nearest(name, FUNCTIONS)} A" if len(name) > 2 else "; a"
    return (
        f"{brief(name)}: stands for nothing{meant} parameter needs the number that it begins with: '..., {name}=0.25'"
    )


IN_FORMULAS = (
    (r"jnp\.clip\(x, ([^,)]+), ([^,)]+)\)", r"min(max(x, \1), \2)"),
    (r"jnp\.maximum", "max"),
    (r"jnp\.minimum", "min"),
    (r"jnp\.(\w+)\(", r"\1("),
    (r"\bz\b", "x"),
)
"""What stands in advice on a function of Python, and what a formula has for it."""
OF_CASES = re.compile(
    r"; (?:both branches of a jnp\.where|keep z away from where it divides by 0).*?(z = .*)?$", re.DOTALL
)


def in_its_words(message: str) -> str:
    """Write what was said of the file that a formula was written as in words of formulas, of x and without ``jnp``.

    >>> in_its_words("f: its value at z = 0 is -inf: log(0) is -inf; write jnp.log(jnp.maximum(x, 1e-3))")
    'f: its value at x = 0 is -inf: log(0) is -inf; write log(max(x, 1e-3))'
    >>> in_its_words("f: 0/0; keep z away from where it divides by 0: begin with z = jnp.where(z == 0, 1.0, z)")
    'f: 0/0; a formula has no cases: write a function, my_act.py:f, in which z = jnp.where(z == 0, 1.0, z) comes first'
    """
    cases = OF_CASES.search(message)
    said = message[: cases.start()] if cases else message
    for of_python, own in IN_FORMULAS:
        said = re.sub(of_python, own, said)
    if cases and cases[1]:
        return f"{said}; a formula has no cases: write a function, my_act.py:f, in which {cases[1]} comes first"
    return said

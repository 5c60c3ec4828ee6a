"""Expressions of the bank files: "a + b * 2", "min(a, b) > 3", exact and without `eval`.

    price = compile_expression("n * p", names={"n", "p"})
    price({"n": 3, "p": Fraction(5, 2)})   # Fraction(15, 2)

Whole results are plain ints, all others Fractions. The bank is our own text, yet it is read as data:
only the node types listed here exist, so a bank file can compute and do nothing else.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Set
from fractions import Fraction
from typing import Any

Value = int | Fraction | bool
Compiled = Callable[[dict[str, Any]], Any]


def _divide(a, b):
    if isinstance(a, int) and isinstance(b, int) and b and not a % b:
        return a // b
    return whole(Fraction(a) / Fraction(b))


def _power(a, b):
    if abs(b) > 12:
        raise ValueError(f"exponent {b} is too large for a word problem")
    return whole(Fraction(a) ** b)


OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
FUNCTIONS = {"min": min, "max": max, "abs": abs}


def whole(value: Any) -> Any:
    """A Fraction without a denominator becomes an int."""
    return value.numerator if type(value) is Fraction and value.denominator == 1 else value


def compile_expression(text: str | int | float, names: Set[str]) -> Compiled:
    """A function from the variables' values to the value of `text`.

    Raises ValueError that names what is wrong: a syntax error, an unknown name, a forbidden form.
    """
    source = str(text)
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{source!r} is not an expression: {error.msg}") from error
    function = _compile(tree, source, names)
    if isinstance(tree, (ast.Compare, ast.BoolOp)):  # true or false
        return function
    return lambda values: whole(function(values))


def _compile(node: ast.AST, source: str, names: Set[str]) -> Compiled:
    def sub(child: ast.AST) -> Compiled:
        return _compile(child, source, names)

    match node:
        case ast.Constant(value=bool() | int() as value):
            return lambda _: value
        case ast.Constant(value=float()):
            value = whole(Fraction(ast.get_source_segment(source, node)))  # 0.1 is one tenth here
            return lambda _: value
        case ast.Constant(value=str() as value):
            return lambda _: value
        case ast.Name(id=name):
            if name not in names:
                raise ValueError(f"{source!r} uses {name!r}, which is not defined before it")
            return lambda values: values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = sub(operand)
            return lambda values: -inner(values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = sub(operand)
            return lambda values: not inner(values)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            first, second, apply = sub(left), sub(right), OPERATORS[type(op)]
            # Nearly every sum of the bank has a name on its left, and many a name on its right: a call less for each.
            if isinstance(left, ast.Name) and isinstance(right, ast.Name):
                name, other = left.id, right.id
                return lambda values: apply(values[name], values[other])
            if isinstance(left, ast.Name):
                name = left.id
                return lambda values: apply(values[name], second(values))
            return lambda values: apply(first(values), second(values))
        case ast.BoolOp(op=op, values=parts):
            functions, decide = [sub(part) for part in parts], all if isinstance(op, ast.And) else any
            return lambda values: decide(function(values) for function in functions)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            if all(type(op) in OPERATORS for op in ops):
                functions = [sub(part) for part in (left, *comparators)]
                tests = [OPERATORS[type(op)] for op in ops]
                if len(tests) == 1:
                    (first, second), test = functions, tests[0]
                    return lambda values: test(first(values), second(values))

                def compare(values):
                    sides = [function(values) for function in functions]
                    return all(test(a, b) for test, a, b in zip(tests, sides, sides[1:], strict=False))

                return compare
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            functions, apply = [sub(argument) for argument in arguments], FUNCTIONS[name]
            return lambda values: apply(*(function(values) for function in functions))
    raise ValueError(f"{source!r} uses a form that bank expressions do not have: {type(node).__name__}")

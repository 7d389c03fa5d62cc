"""The rules of checks, one by one: each place in their source that objects to something.

A rule is taken away by changing the syntax tree: what it would add to the list `wrong`, or the
objection that it would return. Tests ask whether anybody would miss it.
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rule:
    """One place that objects."""

    module: str
    function: str
    line: int
    text: str
    namespace: dict[str, Any]
    """The module as it would be without the rule."""

    def without(self, function: Callable) -> Callable:
        """Return a function of the same module as it would be without this rule."""
        return self.namespace[function.__name__]


class _Remover(ast.NodeTransformer):
    """Takes the rule with a number away, and counts them all."""

    def __init__(self, number: int):
        self.number, self.count = number, 0
        self.found: ast.AST | None = None

    def _is_it(self, node: ast.AST) -> bool:
        self.count += 1
        if self.count - 1 != self.number:
            return False
        self.found = copy.deepcopy(node)
        return True

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        if _is_wrong(node.targets[0]) and ast.unparse(node.value) != "[]" and self._is_it(node):
            return ast.Assign(targets=node.targets, value=ast.List(elts=[], ctx=ast.Load()))
        return self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        return ast.Pass() if _is_wrong(node.target) and self._is_it(node) else node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        match node.value:
            case ast.Call(func=ast.Attribute(value=value, attr="append" | "extend")):
                return ast.Pass() if _is_wrong(value) and self._is_it(node) else node
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        is_note = any(keyword.arg == "is_note" for keyword in node.keywords)
        if ast.unparse(node.func) == "Objection" and not is_note and self._is_it(node):
            return ast.Constant(None)
        return self.generic_visit(node)


def _is_wrong(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "wrong"


def rules_of(checks: Iterable) -> list[Rule]:
    """Return every rule of the modules in which these checks are."""
    rules: list[Rule] = []
    for name in dict.fromkeys(check.function.__module__ for check in checks):
        tree = ast.parse(inspect.getsource(importlib.import_module(name)))
        while True:
            remover = _Remover(sum(rule.module == name for rule in rules))
            changed = ast.fix_missing_locations(remover.visit(copy.deepcopy(tree)))
            if remover.found is None:
                break
            line = remover.found.lineno
            namespace: dict[str, Any] = {"__name__": name}
            exec(compile(changed, f"<{name}, changed>", "exec"), namespace)
            rules.append(
                Rule(name, _function_at(tree, line), line, ast.unparse(remover.found), namespace)
            )
    return rules


def _function_at(tree: ast.Module, line: int) -> str:
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return next(node.name for node in functions if node.lineno <= line <= (node.end_lineno or 0))

"""The diagrams of docs/architecture.md show the code as it is: its layers, its names, the order of its calls."""

from __future__ import annotations

import ast
import importlib
import re
import threading
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_envoke.sync.loop import LoopThread
from tests.support import ROOT
from tests.support.layers import DIRECTLY_BELOW, FOLDER, PACKAGE, own_imports_of, source_of

TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LAYERS, RUN = re.findall(r"```mermaid\n(.*?)```", TEXT, re.DOTALL)

#: Words of Mermaid's language that break a diagram in which a node is named like them.
RESERVED = {"call", "class", "click", "default", "end", "flowchart", "graph", "href", "style", "subgraph"}

CODE_NAME = re.compile(r"\b[a-z_]+(?:\.\w+)+")


def labels_of(diagram: str) -> dict[str, str]:
    """Return the nodes of a diagram: id -> label."""
    return dict(re.findall(r'^ +(\w+)\["(.*?)"\]$', diagram, re.MULTILINE))


def arrows_of(diagram: str, kind: str = "-->") -> set[tuple[str, str]]:
    """Return the arrows of a diagram, from and to. A line may hold a chain of arrows; labels are left out."""
    arrows: set[tuple[str, str]] = set()
    for line in diagram.splitlines():
        chain = re.split(rf"(?: -- \".*?\")? {re.escape(kind)} ", line.strip())
        arrows |= set(pairwise(chain))
    return arrows


STEPS = {node: found[0] for node, label in labels_of(RUN).items() if (found := CODE_NAME.findall(label))}

#: The steps whose function calls the steps that follow it.
CALLERS = ("run", "take", "run_batch", "send")


def steps_called_by(caller: str) -> list[str]:
    """Return the steps that follow a caller in the diagram, up to the next caller, in order."""
    after: dict[str, set[str]] = {}
    waiting = [caller]
    for step in waiting:
        for target in (target for source, target in arrows_of(RUN) if source == step):
            after.setdefault(target, set()).add(step)
            waiting += [target] if target not in CALLERS else []
    return [step for step in TopologicalSorter(after).static_order() if step != caller]


class Calls(ast.NodeVisitor):
    """The names that a method calls, in order; a private method of its class is replaced by the names it calls."""

    def __init__(self, methods: dict[str, ast.AST]) -> None:
        self.methods = methods
        self.names: list[str] = []

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name.startswith("_") and name in self.methods:
            self.generic_visit(self.methods.pop(name))
        else:
            self.names.append(name)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        """Leave out what happens after a failure."""


def calls_of(dotted: str) -> list[str]:
    """Return what a method calls, such as that of ``sync.run.SyncPass.run_batch``."""
    module, class_name, method = dotted.rsplit(".", 2)
    classes = {node.name: node for node in source_of(f"{PACKAGE}.{module}").body if isinstance(node, ast.ClassDef)}
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    methods = {node.name: node for node in classes[class_name].body if isinstance(node, functions)}
    calls = Calls(dict(methods))
    calls.generic_visit(methods[method])
    return calls.names


def module_of_step(step: str) -> str:
    return f"{PACKAGE}." + ".".join(STEPS[step].split(".")[:2])


def resolve(dotted: str) -> Any:
    """Return what a dotted name below the package stands for."""
    parts = dotted.split(".")
    found: Any = importlib.import_module(f"{PACKAGE}.{'.'.join(parts[:2])}")
    for part in parts[2:]:
        found = getattr(found, part)
    return found


def test_every_layer_is_in_the_diagram_and_its_arrows_are_the_import_rules() -> None:
    folders = {path.parent.name for path in FOLDER.glob("*/__init__.py")}

    assert set(labels_of(LAYERS)) == set(DIRECTLY_BELOW)
    assert folders <= set(labels_of(LAYERS))
    assert [label for layer, label in labels_of(LAYERS).items() if not label.startswith(f"<b>{layer}</b>")] == []
    assert arrows_of(LAYERS) == {
        (layer, below) for layer, all_below in DIRECTLY_BELOW.items() for below in all_below
    }


def test_every_name_in_the_diagram_of_a_run_and_in_the_text_exists() -> None:
    owners = {name.split(".")[-2]: resolve(name.rpartition(".")[0]) for name in STEPS.values()}
    named = re.findall(r"`([A-Z]\w+)\.(\w+)`", TEXT)

    assert [dotted for dotted in STEPS.values() if not callable(resolve(dotted))] == []
    assert named
    assert [f"{owner}.{name}" for owner, name in named if not hasattr(owners[owner], name)] == []


def test_every_arrow_leads_from_one_node_to_another() -> None:
    for diagram in (LAYERS, RUN):
        ends = {end for kind in ("-->", "-.->") for arrow in arrows_of(diagram, kind) for end in arrow}
        assert ends - set(labels_of(diagram)) == set()
        assert set(labels_of(diagram)) & RESERVED == set()
    assert set(STEPS) == {end for kind in ("-->", "-.->") for arrow in arrows_of(RUN, kind) for end in arrow}


@pytest.mark.parametrize(
    ("caller", "steps"),
    [
        ("run", ["keep", "scan", "hand_over", "take"]), ("take", ["batches", "room", "run_batch"]),
        ("run_batch", ["read", "compare", "guard_contact", "holders", "guard_email", "write", "count"]),
        ("send", ["slot"]),
    ],
)  # fmt: skip
def test_the_code_calls_the_steps_in_the_order_of_the_diagram(caller: str, steps: list[str]) -> None:
    calls = calls_of(STEPS[caller])
    names = [STEPS[step].rpartition(".")[2] for step in steps]

    assert steps_called_by(caller) == steps
    assert set(names) <= set(calls)
    assert sorted(names, key=calls.index) == names


def test_the_steps_with_a_dashed_arrow_are_those_that_send_requests() -> None:
    sending = {source for source, target in arrows_of(RUN, "-.->") if target == "send"}
    steps = set(steps_called_by("run_batch"))

    assert {step for step in steps if f"{PACKAGE}.client.bulk" in own_imports_of(module_of_step(step))} == sending


def test_the_second_thread_has_the_name_in_the_diagram() -> None:
    async def name() -> str:
        return threading.current_thread().name

    with LoopThread() as loop:
        assert f"The thread {loop.call(name())} runs" in RUN

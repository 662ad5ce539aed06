"""The layers of the package, their import rules, and how modules import each other. Two test modules use them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tests.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = "airflow_provider_envoke"
FOLDER = ROOT / PACKAGE

#: Layer -> the layers directly below it. A layer may import itself and all layers below it, also those further
#: down. A layer is a folder or a module of the package.
DIRECTLY_BELOW: dict[str, tuple[str, ...]] = {
    "exceptions": (),
    "get_provider_info": (),
    "envoke": ("exceptions",),
    "payload": ("envoke",),
    "client": ("envoke",),
    "sync": ("payload", "client"),
    "hooks": ("sync", "get_provider_info"),
    "operators": ("hooks",),
    "transfers": ("operators",),
    "triggers": ("hooks",),
    "sensors": ("operators", "triggers"),
    "sandbox": (),
}

#: The layers that may import Airflow.
WITH_AIRFLOW = frozenset({"hooks", "operators", "sensors", "transfers", "triggers"})


def allowed_imports(layer: str) -> set[str]:
    """Return the layers that a layer may import."""
    return {layer}.union(*map(allowed_imports, DIRECTLY_BELOW[layer]))


def module_of(path: Path) -> str:
    """Return the dotted name of a module of the package."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def modules_in(*layers: str) -> list[str]:
    """Return the modules of some layers; of the whole package if none is named."""
    found = sorted(map(module_of, FOLDER.rglob("*.py")))
    return [module for module in found if not layers or layer_of(module) in layers]


def layer_of(module: str) -> str:
    """Return the layer of a module of the package, or ``""`` for the package itself."""
    return [*module.split("."), ""][1]


def source_of(module: str) -> ast.Module:
    """Return the parsed source of a module of the package."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(module: str) -> set[str]:
    """
    Return every name that a module imports, also within functions and for type checking only.

    ``from a import b`` yields ``a`` and ``a.b``, because ``b`` may be a module.
    """
    names: set[str] = set()
    for node in ast.walk(source_of(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def own_imports_of(module: str) -> set[str]:
    """Return the modules of the package that a module imports."""
    return (imports_of(module) & set(modules_in())) - {module}

"""Imports point inward; the wings meet only in files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# room -> the rooms of this project that it may import; the longest matching name counts
MAY_IMPORT = {
    "app": {"app", "ui", "mathtutor"},
    "ui": {"ui", "mathtutor"},
    "pipeline": {"pipeline", "mathtutor"},
    "training": {"training", "mathtutor"},
    "eval": {"eval", "mathtutor"},
    "mathtutor": {"mathtutor"},
    "mathtutor.maths": {"mathtutor.maths"},
    "mathtutor.chat": set(),
    "mathtutor.io": set(),
    "mathtutor.problem": set(),
    "mathtutor.strings": set(),
    "mathtutor.engines": {"mathtutor.engines", "mathtutor.chat", "mathtutor.maths", "mathtutor.io", "mathtutor.recipes"},
    "mathtutor.bank": {"mathtutor.bank", "mathtutor.maths"},
    "mathtutor.tutoring": {
        "mathtutor.tutoring",
        "mathtutor.engines",
        "mathtutor.maths",
        "mathtutor.bank",
        "mathtutor.chat",
        "mathtutor.strings",
    },
}
PROJECT = {"app", "ui", "pipeline", "training", "eval", "mathtutor", "tests", "benchmarks"}
STANDARD_LIBRARY_ONLY = ["mathtutor/maths", "mathtutor/chat.py", "mathtutor/io.py", "mathtutor/problem.py"]


def modules():
    for room in ("app.py", "ui", "pipeline", "training", "eval", "mathtutor"):
        path = ROOT / room
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively: write the whole name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def inside(name: str, rooms: set[str]) -> bool:
    return any(name == room or name.startswith(room + ".") for room in rooms)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_every_module_imports_only_what_its_room_may(path):
    name = name_of(path)
    room = max((r for r in MAY_IMPORT if inside(name, {r})), key=len)
    ours = {target for target in imported(path) if inside(target, PROJECT)}
    assert {target for target in ours if not inside(target, MAY_IMPORT[room])} == set()


def test_the_domain_core_needs_nothing_but_the_standard_library():
    import sys

    for room in STANDARD_LIBRARY_ONLY:
        path = ROOT / room
        for file in [path] if path.is_file() else path.glob("*.py"):
            outside = {t.split(".")[0] for t in imported(file)} - set(sys.stdlib_module_names) - {"mathtutor"}
            assert not outside, f"{file} imports {outside}"


def test_importing_the_app_loads_nothing_heavy():
    import subprocess
    import sys

    code = "import app, sys; print([m for m in ('torch', 'transformers', 'openai') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_module_evaluates_or_unpickles_text():
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"eval", "exec", "compile", "pickle.load", "pickle.loads", "torch.load"}, path
                assert not any(k.arg == "trust_remote_code" and ast.unparse(k.value) != "False" for k in node.keywords)

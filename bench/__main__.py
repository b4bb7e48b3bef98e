"""Run every benchmark of this folder, one after the other: ``python -m bench [NAME...]``.

A benchmark is a module with a function ``main`` whose result is its exit code: 0 when its limits
are kept. Names choose by the start of the module's name (``bench.lab`` or ``lab``).
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def benchmarks() -> list[str]:
    """Return the names of all modules below this folder that define ``main``."""
    found = []
    for path in sorted(FOLDER.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        has_main = any(isinstance(n, ast.FunctionDef) and n.name == "main" for n in tree.body)
        if has_main and path.name != "__main__.py":
            found.append(".".join(path.relative_to(FOLDER.parent).with_suffix("").parts))
    return found


def main(names: list[str]) -> int:
    """Run the chosen benchmarks; the exit code is the largest of theirs."""
    chosen = [
        module
        for module in benchmarks()
        if not names or any(module.removeprefix("bench.").startswith(n) for n in names)
    ]
    if not chosen:
        sys.stderr.write(f"no benchmark is called {' or '.join(names)}; {benchmarks()}\n")
        return 2
    # The tools that benchmarks start (ansible-playbook) are those of this interpreter's folder.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    worst = 0
    for module in chosen:
        print(f"== {module}", flush=True)
        done = subprocess.run([sys.executable, "-m", module], env={**os.environ, "PATH": path})
        worst = max(worst, abs(done.returncode))
    return worst


if __name__ == "__main__":
    sys.exit(main([name.removeprefix("bench.") for name in sys.argv[1:]]))

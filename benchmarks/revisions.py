"""Another revision of this repository next to this one: its files, and a process that measures it on request."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
BASE = "4e41d61"  # the last revision with one program for each activation and depth: what the gates are ratios to


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which revision to race against."""
    parser.add_argument("--revision", default=BASE, help=f"the base: a revision of this repository [default: {BASE}]")
    parser.add_argument("--base", type=Path, help="an existing checkout of the base, instead of a temporary one")


@contextmanager
def checkout(revision: str, existing: Path | None = None) -> Iterator[Path]:
    """Open a folder with a revision's files: ``existing``, or a git worktree that is removed in the end.

    Its bytecode is compiled, as after an installation: the first command of a race would do it else.
    """
    if existing is not None:
        compile_bytecode(existing)
        yield existing.resolve()
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder).resolve() / revision
        git("worktree", "add", "--quiet", "--detach", str(path), revision)
        try:
            compile_bytecode(path)
            yield path
        finally:
            git("worktree", "remove", "--force", str(path))


def git(*words: str) -> None:
    """Run a git command in this repository."""
    subprocess.run(["git", *words], cwd=HERE, check=True)


def compile_bytecode(path: Path) -> None:
    """Compile what Python would compile when it first imports a checkout's package."""
    subprocess.run([sys.executable, "-m", "compileall", "-q", "actlab"], cwd=path, check=True)


def environment(path: Path) -> dict[str, str]:
    """Return environment variables with which Python imports a checkout's modules, and no other's."""
    return os.environ | {"PYTHONPATH": str(path)}


class Server:
    """A process with two workers of a checkout's own, idle between requests; see ``serve.py`` for what it answers."""

    def __init__(self, path: Path) -> None:
        """Start it, and see that it measures the code that it should."""
        # Safe path (-P): modules come from the checkout, never from beside this checkout's `serve.py`.
        command = [sys.executable, "-P", str(HERE / "benchmarks" / "serve.py")]
        self.process = subprocess.Popen(
            command, cwd=path, env=environment(path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name, file in self.ask("modules").items():
            if not Path(file).resolve().is_relative_to(path.resolve()):
                raise RuntimeError(f"{name} comes from {file}, not from {path}")

    def ask(self, op: str, **arguments: Any) -> Any:
        """Send one request, wait for its answer.

        Raises:
            RuntimeError: the server could not do it, and why.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": "it died"}
        if "error" in answer:
            raise RuntimeError(f"{op} in {self.process.args!r}: {answer['error']}")
        return answer["value"]

    def close(self) -> None:
        """End it, and its workers."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@contextmanager
def servers(*paths: Path) -> Iterator[list[Server]]:
    """Open a server for each checkout."""
    started: list[Server] = []
    try:
        for path in paths:
            started.append(Server(path))
        yield started
    finally:
        for server in started:
            server.close()

"""Each adapter alone with its framework: the newest release the index has, and the oldest claimed.

`uv run poe test-newest [ADAPTER …]`. Built wheels are installed, as a user would have them, into
environments of their own; the versions used are printed.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Adapter:
    """One adapter: its folder, the extras and the framework it claims, what else its tests need."""

    folder: str
    framework: str
    extras: str = ""
    besides: tuple[str, ...] = ()

    @property
    def claimed(self) -> str:
        """The framework as the package requires it, e.g. `openai-agents>=0.20,<0.25`."""
        project = tomllib.loads((ROOT / "packages" / self.folder / "pyproject.toml").read_text())
        required: list[str] = project["project"]["dependencies"]
        return next(each for each in required if each.startswith(self.framework))


ADAPTERS = {
    "langchain": Adapter(
        "langchain",
        "langchain-core",
        "[agents]",
        (
            "langchain>=1.4",
            "langchain-openai>=1.7",
        ),
    ),
    "openai-agents": Adapter("openai_agents", "openai-agents"),
    "crewai": Adapter("crewai", "crewai"),
}
FOR_TESTS = ("jsonschema", "pytest>=9", "pytest-cov", "hypothesis", "anyio", "trio", "vcrpy>=7")
RESOLUTIONS = {"newest": "highest", "oldest": "lowest-direct"}


def wheels(folder: Path) -> None:
    """Build every distribution of the workspace."""
    run("uv", "build", "--quiet", "--all-packages", "--wheel", "--out-dir", str(folder), cwd=ROOT)


def install(adapter: Adapter, resolution: str, built: Path, home: Path) -> Path:
    """An environment with the adapter's wheel; its Python."""
    run("uv", "venv", "--quiet", "--python", sys.executable, str(home))
    python = home / "bin/python"
    ours = [wheel(built, "runcycles"), wheel(built, f"runcycles_{adapter.folder}") + adapter.extras]
    pip = ("uv", "pip", "install", "--quiet", "--python", str(python))
    framework = (*ours, adapter.claimed, *adapter.besides)
    run(*pip, "--resolution", RESOLUTIONS[resolution], *framework)
    run(*pip, wheel(built, "runcycles_server"), *FOR_TESTS)
    return python


def wheel(built: Path, name: str) -> str:
    """The wheel of a distribution, by path: the index has others under the same names."""
    (found,) = built.glob(f"{name}-*.whl")
    return str(found)


def check_ours(python: Path, adapter: Adapter) -> str:
    """The versions that are tested; fails where `runcycles` is another implementation."""
    name = adapter.framework
    script = (
        "from importlib.metadata import version; import runcycles.adapter_suite;"
        f"print('runcycles', version('runcycles'), '·', '{name}', version('{name}'))"
    )
    return run(str(python), "-c", script)


def run(*command: str, cwd: Path | None = None) -> str:
    """What a command prints; it has to succeed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(prog="poe test-newest", description=__doc__)
    parser.add_argument("adapters", nargs="*", choices=[*ADAPTERS, []], default=[])
    wanted = parser.parse_args().adapters or ADAPTERS
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder, "wheels")
        wheels(built)
        for name in wanted:
            for resolution in RESOLUTIONS:
                adapter = ADAPTERS[name]
                python = install(adapter, resolution, built, Path(folder, f"{name}-{resolution}"))
                versions = check_ours(python, adapter)
                sys.stdout.write(f"── {name}, {resolution}: {versions}\n")
                sys.stdout.flush()
                tests = f"tests/adapters/{adapter.folder}"
                ran = subprocess.run(
                    [str(python), "-m", "pytest", "-q", "-p", "tests.no_skips", tests],
                    cwd=ROOT,
                    check=False,
                )
                if ran.returncode:
                    failed.append(f"{name} on its {resolution}")
    if failed:
        raise SystemExit("failed: " + ", ".join(failed))


if __name__ == "__main__":
    main()

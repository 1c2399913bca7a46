"""Discovery of benchmarks: public modules of this folder that define BENCHMARKS."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks._benchmark import Benchmark


@dataclass(frozen=True)
class Registry:
    """Discovered benchmarks.

    Attributes:
        benchmarks: in the order of their modules' names, then as each module lists them.
        broken: module name to the exception of its import; the other modules are still discovered.
    """

    benchmarks: tuple[Benchmark, ...]
    broken: dict[str, str]

    def select(self, names: Sequence[str]) -> "Registry":
        """Return only the benchmarks with these names.

        Raises:
            UnknownBenchmarkError: if no benchmark has one of the names.
        """
        if not names:
            return self
        known = {benchmark.name for benchmark in self.benchmarks} | self.broken.keys()
        unknown = [name for name in names if name not in known]
        if unknown:
            raise UnknownBenchmarkError(unknown, sorted(known))
        return Registry(
            tuple(benchmark for benchmark in self.benchmarks if benchmark.name in names),
            {module: reason for module, reason in self.broken.items() if module in names},
        )


class UnknownBenchmarkError(Exception):
    """No benchmark has this name."""

    def __init__(self, names: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(f"no benchmark named {', '.join(names)}; there are: {', '.join(known) or 'none'}")


def discover(folder: Path = Path(__file__).parent, package: str = "benchmarks") -> Registry:
    """Import every public module of `package` (whose files are in `folder`) and collect its BENCHMARKS."""
    found: list[Benchmark] = []
    broken: dict[str, str] = {}
    for path in sorted(folder.glob("[!_]*.py")):
        if path.stem.startswith("test_"):
            continue
        try:
            module = importlib.import_module(f"{package}.{path.stem}")
            benchmarks: Sequence[Benchmark] = getattr(module, "BENCHMARKS", ())
        except Exception as error:  # of any kind: the other benchmarks still run
            broken[path.stem] = f"{type(error).__name__}: {error}"
            continue
        taken = {benchmark.name for benchmark in found}
        for benchmark in benchmarks:
            if benchmark.name in taken:
                broken[path.stem] = f"the name {benchmark.name} is already used by an earlier benchmark"
            else:
                found.append(benchmark)
                taken.add(benchmark.name)
    return Registry(tuple(found), broken)

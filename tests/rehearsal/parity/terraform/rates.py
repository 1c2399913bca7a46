"""Count how often both providers refuse or accept the same random values."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.rehearsal.parity.terraform.comparison import Comparison, Difference, planned_only
from tests.rehearsal.parity.terraform.plugin import EndedError
from tests.rehearsal.parity.terraform.random_values import Draw

# Titles and lines of the report at the end of the run.
REPORTS = pytest.StashKey[dict[str, list[str]]]()


@dataclass
class Rates:
    """Results of draws until the provider has refused `number` of them and accepted as many.

    `missed` are accepted by the rehearsal alone, `wrong` are refused by a rule that the rehearsal ascribes to
    the provider, and `by_api` by a rule of the API or of a creation, which the provider does not plan.
    """

    comparison: Comparison
    number: int
    refused: int = 0
    accepted: int = 0
    ended: int = 0
    missed: list[Difference] = field(default_factory=list)
    wrong: list[Difference] = field(default_factory=list)
    by_api: list[Difference] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether both numbers are reached."""
        return self.refused == self.accepted == self.number

    def add(self, draw: Draw) -> None:
        """Compare the results of one draw.

        One too many of its kind does not count, and neither does one that ends the provider.
        """
        token, inputs = draw.mutation.token, draw.mutation.inputs
        try:
            ours, theirs = self.comparison.results(token, inputs)
        except EndedError:
            self.ended += 1
            return
        case = f"{draw.mutation.path}: {draw.mutation.how}"
        text = "; ".join(f"{'.'.join(map(str, one.path))} {one.text}" for one in theirs)
        found = Difference(token, case, str(ours) if ours else "accepts", text[:400] or "accepts")
        if theirs and self.refused < self.number:
            self.refused += 1
            self.missed += [] if ours else [found]
        elif not theirs and self.accepted < self.number:
            self.accepted += 1
            if not planned_only(ours):
                self.by_api += [found] if ours else []
            elif not self.comparison.refused_when_known(token, draw.declared, inputs):
                self.wrong.append(found)

    def report(self, stash: pytest.Stash, title: str) -> None:
        """Store the rates and every difference for the end of the run."""
        lines = [
            f"refused by the provider: {self.refused}, of these here: {self.refused - len(self.missed)}",
            f"accepted by the provider: {self.accepted}, refused here by its rules: {len(self.wrong)}",
            f"refused here by rules of the API or of a creation: {len(self.by_api)}",
            f"ended the provider, and not counted: {self.ended}",
        ]
        for name in ("missed", "wrong", "by_api"):
            lines += [f"{name}: {one}" for one in getattr(self, name)]
        stash.setdefault(REPORTS, {})[title] = lines

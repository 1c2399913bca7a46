"""Resource tracker: whether the resources that a function depends on exist.

Its counterpart is ``pkg/resource/deploy/resourcetracker/tracker.go``.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator


class ResourceTracker:
    """The resources that an operation has registered or read, by their URNs. Thread-safe."""

    def __init__(self) -> None:
        self._absent: dict[str, bool] = {}  # of custom resources
        self._components: set[str] = set()
        self._children: defaultdict[str, set[str]] = defaultdict(set)
        self._in_progress: Counter[str] = Counter()  # registrations by the URN of their parent
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def registering(self, parent: str) -> Iterator[None]:
        """Mark a registration below `parent` as in progress."""
        with self._changed:
            self._in_progress[parent] += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_progress[parent] -= 1
                self._changed.notify_all()

    def track(self, urn: str, parent: str, *, custom: bool, created: bool) -> None:
        """Record a resource; `created` is whether it exists, which only counts if it is `custom`."""
        with self._changed:
            self._children[parent].add(urn)
            if custom:
                self._absent[urn] = not created
            else:
                self._components.add(urn)

    def has_absent(self, roots: Iterable[str]) -> bool:
        """Return whether a custom resource among `roots`, or within a component among them, does not exist.

        Waits for registrations in progress within these components.
        """
        roots = list(roots)
        with self._changed:
            while True:
                absent, components = self._expanded(roots)
                if absent:
                    return True
                if not any(self._in_progress[urn] for urn in components):
                    return False
                self._changed.wait()

    def _expanded(self, roots: Iterable[str]) -> tuple[bool, set[str]]:
        """Return whether a custom resource is absent, and the components; unknown URNs are left out."""
        components: set[str] = set()
        waiting = list(roots)
        while waiting:
            urn = waiting.pop()
            if self._absent.get(urn):
                return True, set()
            if urn in self._components and urn not in components:
                components.add(urn)
                waiting += self._children[urn]
        return False, components

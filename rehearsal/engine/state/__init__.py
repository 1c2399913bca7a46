"""The state of a stack: its records, in memory, in a journal and in a checkpoint."""

from rehearsal.engine.state.resource_state import PendingOperation, ResourceState, Snapshot

__all__ = ["PendingOperation", "ResourceState", "Snapshot"]

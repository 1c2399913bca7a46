"""Child process of :class:`app.media.decoder.Decoder`: decodes one image under resource limits.

Usage: ``python -m app.media.decoder_main MEDIA_TYPE MEMORY_BYTES CPU_SECONDS``. Reads the file from standard
input until its end and writes one MessagePack :class:`~app.media.variants.Decoded` to standard output. Exits
with 0 both for variants and for a refusal; any other exit code is a defect of this program, and a signal is
a limit that the image exceeded.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import msgspec

from app.media.sniffing import Kind
from app.media.variants import Decoded, PictureRefused, make


def main(media_type: str, memory_bytes: int, cpu_seconds: int) -> None:
    """Decode standard input within ``memory_bytes`` of writable memory and ``cpu_seconds`` of one core."""
    _restrict(memory_bytes, cpu_seconds)
    try:
        decoded = Decoded(variants=make(sys.stdin.buffer.read(), Kind(media_type)))
    except PictureRefused as refusal:
        decoded = Decoded(refused=str(refusal))
    except MemoryError:
        decoded = Decoded(refused="It needs too much memory to decode.")
    sys.stdout.buffer.write(msgspec.msgpack.encode(decoded))
    sys.stdout.buffer.flush()
    # Without the interpreter's finalization: native libraries have nothing to save, and tear-down costs time.
    os._exit(0)


def _restrict(memory_bytes: int, cpu_seconds: int) -> None:
    # RLIMIT_DATA counts private writable mappings: heap, anonymous memory and thread stacks, but neither
    # libraries nor address space that is only reserved, which RLIMIT_AS would count.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    # The kernel sends SIGXCPU at the first limit and SIGKILL at the second.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # If the container reaches its own memory limit, the kernel must choose this process, not the worker.
    Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

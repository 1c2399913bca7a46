"""Child process of :class:`app.media.decoder.Decoder`: decode one image under resource limits.

Usage: ``python -m app.media.decoder_main MEDIA_TYPE MEMORY_BYTES CPU_SECONDS``. Reads the file from standard
input until EOF and writes one MessagePack :class:`~app.media.variants.DecodeResult` to standard output. Exits
with 0 for variants and for a rejected image. Any other exit code is a defect of this program; death by a
signal means that the image exceeded a limit.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import msgspec

from app.media.sniffing import ImageFormat
from app.media.variants import DecodeResult, ImageRejected, allow_only, render_variants


def main(media_type: str, memory_bytes: int, cpu_seconds: int) -> None:
    """Decode standard input within ``memory_bytes`` of writable memory and ``cpu_seconds`` of one core."""
    _restrict(memory_bytes, cpu_seconds)
    kind = ImageFormat(media_type)
    allow_only(kind)
    try:
        decoded = DecodeResult(variants=render_variants(sys.stdin.buffer.read(), kind))
    except ImageRejected as error:
        decoded = DecodeResult(rejected=str(error))
    except MemoryError:
        decoded = DecodeResult(rejected="Decoding the image needs too much memory.")
    sys.stdout.buffer.write(msgspec.msgpack.encode(decoded))
    sys.stdout.buffer.flush()
    # Skip the interpreter's finalization: the native libraries have no state to save, and it takes time.
    os._exit(0)


def _restrict(memory_bytes: int, cpu_seconds: int) -> None:
    # RLIMIT_DATA counts private writable mappings (heap, anonymous memory, thread stacks) but neither
    # libraries nor reserved address space, which RLIMIT_AS would count.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    # The kernel sends SIGXCPU at the first limit and SIGKILL at the second.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # The worker, which extends the leases of its jobs and responds to probes, has precedence.
    os.nice(10)
    # If the container reaches its own memory limit, the kernel must choose this process, not the worker.
    Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

"""Decode untrusted images in a child process with limits on memory and CPU time.

:mod:`app.media.sniffing` rejects images by the size that their header declares; the limits of the child also
hold if the header is false. An image that exceeds a limit is rejected permanently, because a retry would fail
the same way.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Final

import msgspec

from app.media.sniffing import ImageFormat
from app.media.variants import DecodeResult, ImageRejected, Variant

# Resident memory measured at the limits of app.media.sniffing with the encoders of every variant: AVIF 404
# MiB, interlaced PNG 326, GIF 319, progressive JPEG 165, lossless WebP 157. RLIMIT_DATA also counts allocated
# memory that is not touched, of which WebP has the most. One image at a time keeps a worker below the 1,024
# MiB limit of its container.
MAX_MEMORY_BYTES: Final = 640 * 1024 * 1024
# Ten times the CPU time measured for the slowest accepted images: other uploads wait meanwhile.
MAX_CPU_SECONDS: Final = 20
# Wall-clock time. Exceeding it means that the node is short of CPU, so the image is not rejected.
MAX_SECONDS: Final = 150.0

_REJECTIONS: Final = {
    signal.SIGXCPU: "Decoding the image takes too long.",
    signal.SIGSEGV: "The image is damaged or truncated.",
    signal.SIGBUS: "The image is damaged or truncated.",
    signal.SIGFPE: "The image is damaged or truncated.",
    signal.SIGILL: "The image is damaged or truncated.",
    # Native libraries abort or trap if an allocation fails; the kernel kills the process if the container is
    # full.
    signal.SIGABRT: "Decoding the image needs too much memory.",
    signal.SIGTRAP: "Decoding the image needs too much memory.",
    signal.SIGKILL: "Decoding the image needs too much memory.",
}


class DecoderError(Exception):
    """The child process ended without a result for a reason unrelated to the image. A retry may succeed."""


class Decoder:
    """Runs at most one child process at a time, because each may use up to `memory_bytes` of memory.

    `memory_bytes` and `cpu_seconds` (of one core) limit the child; `max_seconds` is the wall-clock timeout.
    """

    def __init__(
        self,
        *,
        memory_bytes: int = MAX_MEMORY_BYTES,
        cpu_seconds: int = MAX_CPU_SECONDS,
        max_seconds: float = MAX_SECONDS,
    ) -> None:
        self._memory_bytes = memory_bytes
        self._cpu_seconds = cpu_seconds
        self._max_seconds = max_seconds
        self._lock = asyncio.Lock()

    async def make_variants(self, data: bytes, kind: ImageFormat) -> list[Variant]:
        """Return the variants of the image ``data``, whose format is ``kind``.

        Raises :class:`ImageRejected` if the image is unreadable or exceeds a limit, and :class:`DecoderError`
        if the child failed or timed out.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(self._max_seconds):
                    code, output = await self._run(data, kind)
            except TimeoutError as error:
                raise DecoderError(f"decoding timed out after {self._max_seconds:g} s") from error
        if code < 0 and (reason := _REJECTIONS.get(signal.Signals(-code))) is not None:
            raise ImageRejected(reason)
        if code != 0:
            raise DecoderError(f"the decoder process exited with code {code}")
        decoded = msgspec.msgpack.decode(output, type=DecodeResult)
        if decoded.rejected is not None:
            raise ImageRejected(decoded.rejected)
        return decoded.variants

    async def _run(self, data: bytes, kind: ImageFormat) -> tuple[int, bytes]:
        arguments = (kind.value, str(self._memory_bytes), str(self._cpu_seconds))
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app.media.decoder_main",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_environment(),
        )
        try:
            output, _ = await child.communicate(data)
            return await child.wait(), output
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()


def _environment() -> dict[str, str]:
    """Return the child's environment: no variables of the service, so the decoder has no secrets or
    addresses.
    """
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        # One thread and one malloc arena, so that the memory limit covers the whole child.
        "VIPS_CONCURRENCY": "1",
        "MALLOC_ARENA_MAX": "1",
    }

"""Decoding of untrusted images in a child process, so that an image can exhaust neither the worker's memory
nor its CPU.

The bounds of :mod:`app.media.sniffing` are checked before an image gets here; the limits of the child hold
whatever a header claims. A child that a limit ends has refused its image for good: another attempt would end
the same way.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Final

import msgspec

from app.media.sniffing import Kind
from app.media.variants import Decoded, PictureRefused, Variant

# Measured at the bounds of app.media.sniffing with the encoders of every variant: interlaced PNG 361 MiB
# resident, GIF 350, AVIF 344, lossless WebP 279, progressive JPEG 278. The limit counts memory that is
# allocated but not touched too, of which WebP has the most. One image at a time keeps a worker below the
# 1,024 MiB of its container.
MAX_MEMORY_BYTES: Final = 640 * 1024 * 1024
MAX_CPU_SECONDS: Final = 60
# Wall-clock time: only a node without CPU to give needs this long, so it is not a refusal.
MAX_SECONDS: Final = 150.0

_REFUSALS: Final = {
    signal.SIGXCPU: "It takes too long to decode.",
    signal.SIGSEGV: "It cannot be read: it is damaged or cut off.",
    signal.SIGBUS: "It cannot be read: it is damaged or cut off.",
    signal.SIGFPE: "It cannot be read: it is damaged or cut off.",
    signal.SIGILL: "It cannot be read: it is damaged or cut off.",
    # Native libraries abort or trap when an allocation fails; the kernel kills when the container is full.
    signal.SIGABRT: "It needs too much memory to decode.",
    signal.SIGTRAP: "It needs too much memory to decode.",
    signal.SIGKILL: "It needs too much memory to decode.",
}


class DecoderError(Exception):
    """The child ended without a result for a reason that is not the image: another attempt may succeed."""


class Decoder:
    """Runs one child at a time: two images at once would need the memory of two."""

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
        self._turn = asyncio.Lock()

    async def make_variants(self, data: bytes, kind: Kind) -> list[Variant]:
        """The variants of the image ``data``, which is of ``kind``.

        Raises :class:`PictureRefused` when it is not a readable image or exceeds a limit, and
        :class:`DecoderError` when the child could not do its work.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(self._max_seconds):
                    code, output = await self._run(data, kind)
            except TimeoutError as error:
                raise DecoderError(f"decoding did not end within {self._max_seconds:g} s") from error
        if code < 0 and (reason := _REFUSALS.get(signal.Signals(-code))) is not None:
            raise PictureRefused(reason)
        if code != 0:
            raise DecoderError(f"the decoder ended with {code}")
        decoded = msgspec.msgpack.decode(output, type=Decoded)
        if decoded.refused is not None:
            raise PictureRefused(decoded.refused)
        return decoded.variants

    async def _run(self, data: bytes, kind: Kind) -> tuple[int, bytes]:
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
    """Without the service's own variables: a decoder needs no secrets and no addresses."""
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        # One thread and one arena each: a limit on memory means little when threads multiply it.
        "VIPS_CONCURRENCY": "1",
        "MALLOC_ARENA_MAX": "1",
    }

"""The decoder's child process: result on standard output, limits enforced by the kernel."""

from __future__ import annotations

import signal
import subprocess
import sys

import msgspec

from app.media.variants import DecodeResult
from tests.app.media.test_endpoints import sample_image

_MIB = 1024 * 1024


def run(data: bytes, *, memory: int = 640 * _MIB, cpu_seconds: int = 60) -> tuple[int, bytes]:
    command = [sys.executable, "-m", "app.media.decoder_main", "image/png", str(memory), str(cpu_seconds)]
    process = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
    return process.returncode, process.stdout


def test_variants_are_written_as_message_pack() -> None:
    code, output = run(sample_image(60, 40))
    result = msgspec.msgpack.decode(output, type=DecodeResult)
    assert (code, result.rejected) == (0, None)
    assert [variant.name for variant in result.variants] == ["320.avif", "320.webp"]


def test_rejected_image_is_a_result_and_not_a_failure() -> None:
    code, output = run(b"not an image")
    result = msgspec.msgpack.decode(output, type=DecodeResult)
    assert (code, result.variants) == (0, [])
    assert result.rejected


def test_memory_limit_prevents_the_decoding() -> None:
    code, output = run(sample_image(3_000, 3_000), memory=24 * _MIB)
    rejected = code == 0 and bool(msgspec.msgpack.decode(output, type=DecodeResult).rejected)
    assert rejected or code in {-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGTRAP}

"""The decoder's child process: result on standard output, limits enforced by the kernel."""

from __future__ import annotations

import signal
import subprocess
import sys

import msgspec
import pytest
import pyvips

from app.media.sniffing import ImageFormat
from app.media.variants import DecodeResult
from tests.app.media.test_endpoints import sample_image

_MIB = 1024 * 1024


def run(
    data: bytes, *, memory: int = 640 * _MIB, cpu_seconds: int = 60, media_type: str = "image/png"
) -> tuple[int, bytes]:
    command = [sys.executable, "-m", "app.media.decoder_main", media_type, str(memory), str(cpu_seconds)]
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


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'


@pytest.mark.parametrize("kind", list(ImageFormat))
def test_only_the_loader_of_the_detected_format_is_used(kind: ImageFormat) -> None:
    assert pyvips.Image.new_from_buffer(SVG, "").width == 9, "libvips decodes the format"
    for form in (".png", ".jpg", ".gif", ".webp", ".avif", ".tif"):
        code, output = run(sample_image(60, 40, form), media_type=kind.value)
        result = msgspec.msgpack.decode(output, type=DecodeResult)
        same = kind.name in form.upper().replace("JPG", "JPEG")
        # The other loaders are not called: none of them reports the format.
        assert (code, result.rejected) == (0, None if same else "The image is damaged or truncated.")
    code, output = run(SVG, media_type=kind.value)
    result = msgspec.msgpack.decode(output, type=DecodeResult)
    assert (code, result.rejected) == (0, "The image is damaged or truncated.")

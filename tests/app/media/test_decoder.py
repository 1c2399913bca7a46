"""Decoding under limits: an image costs bounded memory and CPU, whatever its header claims."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import struct
import zlib
from pathlib import Path

import pytest
import pyvips

from app.media.decoder import MAX_MEMORY_BYTES, Decoder
from app.media.sniffing import MAX_DECODED_BYTES, MAX_PIXELS, MAX_SIDE, ImageFormat, read_header
from app.media.variants import ImageRejected
from tests.app.media.test_endpoints import png_chunk, sample_image
from tests.support.backends import until

pytestmark = pytest.mark.anyio


def png(width: int, height: int, *, depth: int = 8, color: int = 0, interlace: int = 0) -> bytes:
    """Return a PNG with the header of the given size and the data of one line: a few kilobytes."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    line = zlib.compress(bytes(min(1 + width * 8, 1_000_000)), 9)
    chunks = (png_chunk(b"IHDR", header), png_chunk(b"IDAT", line), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("data", "bound"),
    [
        (png(50_000_000, 1), str(MAX_SIDE)),
        (png(1, 50_000_000), str(MAX_SIDE)),
        (png(MAX_SIDE + 1, 1), str(MAX_SIDE)),
        (png(MAX_SIDE, MAX_SIDE), str(MAX_PIXELS)),
        (png(6000, 6000, depth=16, color=6), str(MAX_DECODED_BYTES)),
        (png(6000, 6000, depth=16, color=2, interlace=1), str(MAX_DECODED_BYTES)),
    ],
)
def test_each_limit_is_checked_on_the_header(data: bytes, bound: str) -> None:
    found = read_header(io.BytesIO(data))
    assert found is not None
    assert len(data) < 100_000
    assert found.limit_exceeded is not None
    assert bound in found.limit_exceeded


def test_image_at_the_limits_is_accepted() -> None:
    for data in (png(MAX_SIDE, 3_000), png(8_000, 6_250, color=6), png(7_000, 7_000, color=2)):
        found = read_header(io.BytesIO(data))
        assert found is not None
        assert found.limit_exceeded is None


def test_decoded_size_counts_depth_channels_and_progressive_coefficients() -> None:
    deep = pyvips.Image.new_from_buffer(sample_image(40, 30), "").cast("ushort").copy(interpretation="rgb16")
    gray = sample_image(40, 30, ".jpg[strip]")
    cases = {
        sample_image(40, 30, ".jpg"): 3,
        sample_image(40, 30, ".jpg[interlace]"): 6,
        deep.write_to_buffer(".png"): 8,
        deep.write_to_buffer(".png[interlace]"): 8,
        gray: 3,
        sample_image(40, 30, ".webp"): 4,
        sample_image(40, 30, ".gif"): 4,
        sample_image(40, 30, ".avif"): 8,
        deep.write_to_buffer(".avif[bitdepth=10]"): 16,
    }
    for data, expected in cases.items():
        found = read_header(io.BytesIO(data))
        assert found is not None
        assert found.bytes_per_pixel == expected, found


@pytest.fixture
def decoder() -> Decoder:
    return Decoder()


def environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_variants_of_every_kind(decoder: Decoder) -> None:
    forms = {
        ImageFormat.PNG: ".png",
        ImageFormat.JPEG: ".jpg",
        ImageFormat.GIF: ".gif",
        ImageFormat.WEBP: ".webp",
        ImageFormat.AVIF: ".avif",
    }
    for kind, form in forms.items():
        variants = await decoder.make_variants(sample_image(900, 600, form), kind)
        assert {variant.name for variant in variants} == {"320.avif", "320.webp", "1280.avif", "1280.webp"}
        assert all(variant.data for variant in variants)


async def test_false_header_is_detected_by_the_decoder(decoder: Decoder) -> None:
    """The limits apply to the decoded image too, whatever its header declares."""
    with pytest.raises(ImageRejected, match="each side"):
        await decoder.make_variants(png(50_000_000, 1), ImageFormat.PNG)
    with pytest.raises(ImageRejected, match="damaged"):
        await decoder.make_variants(sample_image(10, 10, ".gif"), ImageFormat.PNG)
    with pytest.raises(ImageRejected, match="damaged"):
        await decoder.make_variants(sample_image(400, 400)[:900], ImageFormat.PNG)


@pytest.mark.slow
async def test_exceeding_the_memory_limit_rejects_the_image() -> None:
    """An interlaced PNG is decoded in memory as a whole, which exceeds the limit of the child process."""
    image = sample_image(4_000, 4_000, ".png[interlace,compression=1]")
    small = Decoder(memory_bytes=48 * 1024 * 1024)
    with pytest.raises(ImageRejected, match=r"memory|damaged"):
        await small.make_variants(image, ImageFormat.PNG)
    assert await Decoder().make_variants(image, ImageFormat.PNG)
    assert MAX_MEMORY_BYTES < 1024 * 1024 * 1024


@pytest.mark.slow
async def test_exceeding_the_cpu_limit_rejects_the_image() -> None:
    slow = Decoder(cpu_seconds=1)
    noise = pyvips.Image.gaussnoise(4_000, 4_000, sigma=60).cast("uchar").write_to_buffer(".jpg")
    with pytest.raises(ImageRejected, match="too long"):
        await slow.make_variants(noise, ImageFormat.JPEG)


def children(of: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{of}/task/{of}/children").read_text().split()]


async def test_killed_decoder_rejects_the_image_and_a_terminated_one_fails(decoder: Decoder) -> None:
    image = sample_image(4_000, 4_000, ".png[compression=1]")
    before = set(children(os.getpid()))
    for number, outcome in ((signal.SIGKILL, "ImageRejected"), (signal.SIGTERM, "DecoderError")):
        work = asyncio.create_task(decoder.make_variants(image, ImageFormat.PNG))
        await until(lambda: bool(set(children(os.getpid())) - before))
        for pid in set(children(os.getpid())) - before:
            os.kill(pid, number)
        error = (await asyncio.gather(work, return_exceptions=True))[0]
        assert type(error).__name__ == outcome


async def test_cancelled_decode_leaves_no_process(decoder: Decoder) -> None:
    before = set(children(os.getpid()))
    work = asyncio.create_task(
        decoder.make_variants(sample_image(4_000, 4_000, ".png[compression=1]"), ImageFormat.PNG)
    )
    await until(lambda: bool(set(children(os.getpid())) - before))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not set(children(os.getpid())) - before


async def test_decoder_process_has_no_secrets(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINGDOM_SECRETS_DIR", "/nowhere")
    before = set(children(os.getpid()))
    work = asyncio.create_task(
        decoder.make_variants(sample_image(4_000, 4_000, ".png[compression=1]"), ImageFormat.PNG)
    )
    await until(lambda: bool(set(children(os.getpid())) - before))
    (child,) = set(children(os.getpid())) - before
    await until(lambda: b"VIPS_CONCURRENCY" in environment(child))
    assert b"KINGDOM" not in environment(child)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)

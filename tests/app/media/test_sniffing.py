"""Image headers: format and dimensions match the decoder, for damaged files too."""

from __future__ import annotations

import io
import struct
from contextlib import suppress

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from app.media.sniffing import MAX_SEGMENTS, ImageFormat, ImageHeader, UnreadableHeader, read_header
from tests.app.media.test_endpoints import sample_image

FORMS = {
    ImageFormat.PNG: ".png",
    ImageFormat.JPEG: ".jpg",
    ImageFormat.GIF: ".gif",
    ImageFormat.WEBP: ".webp",
    ImageFormat.AVIF: ".avif",
}


def header_of(data: bytes) -> ImageHeader | None:
    return read_header(io.BytesIO(data))


@pytest.mark.parametrize("kind", list(ImageFormat))
@pytest.mark.parametrize(("width", "height"), [(1, 1), (17, 300), (640, 16)])
def test_dimensions_match_the_decoder(kind: ImageFormat, width: int, height: int) -> None:
    data = sample_image(width, height, FORMS[kind])
    found = header_of(data)
    image = pyvips.Image.new_from_buffer(data, "")
    assert found is not None
    assert (found.kind, found.width, found.height) == (kind, image.width, image.height)


def test_every_webp_variant_is_recognized() -> None:
    flat = pyvips.Image.new_from_buffer(sample_image(33, 21), "")
    clear = flat.bandjoin(128)
    for image, options in ((flat, ""), (flat, "[lossless]"), (clear, ""), (clear, "[lossless]")):
        found = header_of(image.write_to_buffer(f".webp{options}"))
        assert found is not None
        assert (found.width, found.height) == (33, 21)


def with_comments(data: bytes, count: int, size: int = 65_533) -> bytes:
    """Return a JPEG with ``count`` comments of ``size`` bytes before its frame header."""
    comment = b"\xff\xfe" + struct.pack(">H", size + 2) + bytes(size)
    return data[:2] + comment * count + data[2:]


@pytest.mark.parametrize(("count", "size"), [(3, 65_533), (10, 65_533), (160, 65_533), (1_000, 0)])
def test_jpeg_frame_header_behind_metadata_is_found(count: int, size: int) -> None:
    found = header_of(with_comments(sample_image(50, 40, ".jpg"), count, size))
    assert found is not None
    assert (found.kind, found.width, found.height) == (ImageFormat.JPEG, 50, 40)


def test_too_many_segments_are_named_as_the_limit() -> None:
    with pytest.raises(UnreadableHeader, match=f"more than {MAX_SEGMENTS} segments"):
        header_of(with_comments(sample_image(50, 40, ".jpg"), MAX_SEGMENTS, 0))


@pytest.mark.parametrize("size", [0, 300_000])
def test_avif_metadata_behind_other_boxes_is_found(size: int) -> None:
    data = sample_image(50, 40, ".avif")
    end = struct.unpack(">I", data[:4])[0]
    free = struct.pack(">I", size + 8) + b"free" + bytes(size)
    found = header_of(data[:end] + free + data[end:])
    assert found is not None
    assert (found.kind, found.width, found.height) == (ImageFormat.AVIF, 50, 40)


@pytest.mark.parametrize("kind", list(ImageFormat))
def test_incomplete_header_is_named(kind: ImageFormat) -> None:
    data = sample_image(50, 40, FORMS[kind])
    with pytest.raises(UnreadableHeader, match=f"header of the {kind.name} image"):
        header_of(data[:14] if kind is not ImageFormat.GIF else data[:7])


SAMPLES = [sample_image(20, 10, form) for form in FORMS.values()]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLES), st.integers(0, 400), st.integers(0, 399), st.binary(max_size=8))
def test_damaged_headers_raise_nothing_else(sample: bytes, length: int, at: int, noise: bytes) -> None:
    for damaged in (sample[:length], sample[:at] + noise + sample[at + len(noise) :]):
        with suppress(UnreadableHeader):
            header_of(damaged)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_not_recognized_as_an_image(noise: bytes) -> None:
    with suppress(UnreadableHeader):
        found = header_of(noise)
        assert found is None or found.kind in FORMS

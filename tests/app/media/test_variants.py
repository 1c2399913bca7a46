"""Variants: which sizes are generated, upright, never enlarged; damaged images are rejected."""

from __future__ import annotations

import struct
import time
import zlib

import pytest
import pyvips

from app.media import variants
from app.media.sniffing import ImageFormat
from app.media.variants import (
    MAX_PROFILE_BYTES,
    VARIANT_NAMES,
    ImageRejected,
    render_variants,
    without_texts,
)
from tests.app.media.test_endpoints import bomb, png_chunk, sample_image


def names(data: bytes, kind: ImageFormat = ImageFormat.PNG) -> list[str]:
    return [variant.name for variant in render_variants(data, kind)]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (100, ["320.avif", "320.webp"]),
        (640, ["320.avif", "320.webp"]),
        (641, ["320.avif", "320.webp", "1280.avif", "1280.webp"]),
        (1281, list(VARIANT_NAMES)),
    ],
)
def test_wider_variants_are_generated_for_wider_images(width: int, expected: list[str]) -> None:
    assert names(sample_image(width, 20)) == expected


def test_images_are_reduced_but_not_enlarged() -> None:
    (small, *_), (large, *_) = (
        render_variants(sample_image(width, 40), ImageFormat.PNG) for width in (100, 700)
    )
    assert (small.width, small.height) == (100, 40)
    assert large.width == 320


def test_variants_are_upright_and_without_metadata() -> None:
    image = pyvips.Image.new_from_buffer(sample_image(60, 40), "").copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    variant = render_variants(image.write_to_buffer(".jpg"), ImageFormat.JPEG)[1]
    assert (variant.width, variant.height) == (40, 60)
    assert pyvips.Image.new_from_buffer(variant.data, "").get_typeof("exif-data") == 0


def with_profile(size: int) -> bytes:
    """Return a PNG with an sRGB profile that is padded to ``size`` bytes, compressed to a fraction of it."""
    image, profile = sample_image(60, 40), pyvips.Image.profile_load("srgb")
    padded = struct.pack(">I", size) + profile[4:] + bytes(size - len(profile))
    at = 8 + 25  # behind IHDR
    return image[:at] + png_chunk(b"iCCP", b"srgb\0\0" + zlib.compress(padded, 9)) + image[at:]


@pytest.mark.parametrize("size", [480, MAX_PROFILE_BYTES])
def test_color_profile_is_preserved(size: int) -> None:
    for variant in render_variants(with_profile(size), ImageFormat.PNG):
        profile = pyvips.Image.new_from_buffer(variant.data, "").get("icc-profile-data")
        assert len(bytes(profile)) == size  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [MAX_PROFILE_BYTES + 1, 20_000_000])
def test_large_color_profile_is_removed(size: int) -> None:
    data = with_profile(size)
    assert len(data) < 40_000
    for variant in render_variants(data, ImageFormat.PNG):
        assert len(variant.data) < 4_000


def test_compressed_texts_are_not_decompressed() -> None:
    """A file of 300 KB whose texts have 300 MB costs no more than the image."""
    image, texts = sample_image(60, 40), zlib.compress(bytes(50_000_000), 9)
    chunks = png_chunk(b"zTXt", b"k\0\0" + texts) * 3 + png_chunk(b"iTXt", b"k\0\1\0\0\0" + texts) * 3
    at = 8 + 25  # behind IHDR
    began = time.process_time()
    assert names(image[:at] + chunks + image[at:-12] + chunks + image[-12:]) == names(image)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("size", [0, 8, 33, 40, 200])
def test_only_texts_are_removed(size: int) -> None:
    image = sample_image(60, 40)
    text = png_chunk(b"tEXt", b"k\0text")
    assert without_texts(image) == image
    assert without_texts(image[:33] + text + image[33:] + text) == image
    assert without_texts(image[:size]) == image[:size]
    assert without_texts(image[:33] + text + image[33:][:size]) == image[:33] + image[33:][:size]
    # A chunk that is longer than the file is left to the loader.
    assert without_texts(image[:33] + b"\xff\xff\xff\xff" + text[4:] + image[33:]) == image[:33]


@pytest.mark.slow
def test_an_image_is_decoded_once() -> None:
    """Five variants of an interlaced image, which is decoded as a whole, cost less than three times as much
    as its narrowest variant.
    """
    wide = sample_image(5_000, 4_000, ".png[interlace,compression=1]")

    def seconds(sizes: tuple[tuple[int, str], ...]) -> float:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(variants, "_SIZES", sizes)
            began = time.process_time()
            assert len(render_variants(wide, ImageFormat.PNG)) == len(sizes)
            return time.process_time() - began

    assert seconds(variants._SIZES) < 3 * seconds(((320, "webp"),))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (sample_image(60, 40), ImageFormat.JPEG),
        (sample_image(60, 40)[:-40], ImageFormat.PNG),
        (b"not an image", ImageFormat.PNG),
        (bomb(20_000, 10), ImageFormat.PNG),
    ],
)
def test_images_of_another_format_damaged_or_too_large_are_rejected(data: bytes, kind: ImageFormat) -> None:
    with pytest.raises(ImageRejected):
        render_variants(data, kind)

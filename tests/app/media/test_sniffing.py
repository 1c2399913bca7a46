"""Image headers: format and dimensions match the decoder, for damaged files too."""

from __future__ import annotations

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from app.media.sniffing import HEAD, ImageFormat, read_header
from tests.app.media.test_endpoints import sample_image

FORMS = {
    ImageFormat.PNG: ".png",
    ImageFormat.JPEG: ".jpg",
    ImageFormat.GIF: ".gif",
    ImageFormat.WEBP: ".webp",
    ImageFormat.AVIF: ".avif",
}


@pytest.mark.parametrize("kind", list(ImageFormat))
@pytest.mark.parametrize(("width", "height"), [(1, 1), (17, 300), (640, 16)])
def test_dimensions_match_the_decoder(kind: ImageFormat, width: int, height: int) -> None:
    data = sample_image(width, height, FORMS[kind])
    found = read_header(data[:HEAD])
    image = pyvips.Image.new_from_buffer(data, "")
    assert found is not None
    assert (found.kind, found.width, found.height) == (kind, image.width, image.height)


def test_every_webp_variant_is_recognized() -> None:
    flat = pyvips.Image.new_from_buffer(sample_image(33, 21), "")
    clear = flat.bandjoin(128)
    for image, options in ((flat, ""), (flat, "[lossless]"), (clear, ""), (clear, "[lossless]")):
        found = read_header(image.write_to_buffer(f".webp{options}"))
        assert found is not None
        assert (found.width, found.height) == (33, 21)


def test_late_jpeg_frame_header_is_found() -> None:
    data = sample_image(50, 40, ".jpg")
    comments = (b"\xff\xfe\xff\xff" + bytes(65_533)) * 3
    found = read_header((data[:2] + comments + data[2:])[:HEAD])
    assert found is not None
    assert (found.width, found.height) == (50, 40)


SAMPLES = [sample_image(20, 10, form) for form in FORMS.values()]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLES), st.integers(0, 400), st.integers(0, 399), st.binary(max_size=8))
def test_damaged_headers_do_not_raise(sample: bytes, length: int, at: int, noise: bytes) -> None:
    read_header(sample[:length])
    read_header(sample[:at] + noise + sample[at + len(noise) :])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_not_recognized_as_an_image(noise: bytes) -> None:
    found = read_header(noise)
    assert found is None or found.kind in FORMS

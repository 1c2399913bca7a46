"""Pictures recognised by their bytes, checked against the decoder that will read them."""

from __future__ import annotations

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from app.media.sniffing import HEAD, ImageFormat, read_header
from tests.app.media.test_endpoints import picture

FORMS = {
    ImageFormat.PNG: ".png",
    ImageFormat.JPEG: ".jpg",
    ImageFormat.GIF: ".gif",
    ImageFormat.WEBP: ".webp",
    ImageFormat.AVIF: ".avif",
}


@pytest.mark.parametrize("kind", list(ImageFormat))
@pytest.mark.parametrize(("width", "height"), [(1, 1), (17, 300), (640, 16)])
def test_every_size_is_what_the_decoder_says(kind: ImageFormat, width: int, height: int) -> None:
    data = picture(width, height, FORMS[kind])
    found = read_header(data[:HEAD])
    image = pyvips.Image.new_from_buffer(data, "")
    assert found is not None
    assert (found.kind, found.width, found.height) == (kind, image.width, image.height)


def test_every_way_of_webp_is_read() -> None:
    flat = pyvips.Image.new_from_buffer(picture(33, 21), "")
    clear = flat.bandjoin(128)
    for image, options in ((flat, ""), (flat, "[lossless]"), (clear, ""), (clear, "[lossless]")):
        found = read_header(image.write_to_buffer(f".webp{options}"))
        assert found is not None
        assert (found.width, found.height) == (33, 21)


def test_a_jpeg_may_say_its_size_late() -> None:
    data = picture(50, 40, ".jpg")
    comments = (b"\xff\xfe\xff\xff" + bytes(65_533)) * 3
    found = read_header((data[:2] + comments + data[2:])[:HEAD])
    assert found is not None
    assert (found.width, found.height) == (50, 40)


SAMPLES = [picture(20, 10, form) for form in FORMS.values()]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLES), st.integers(0, 400), st.integers(0, 399), st.binary(max_size=8))
def test_damage_never_raises(sample: bytes, length: int, at: int, noise: bytes) -> None:
    read_header(sample[:length])
    read_header(sample[:at] + noise + sample[at + len(noise) :])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_no_picture(noise: bytes) -> None:
    found = read_header(noise)
    assert found is None or found.kind in FORMS

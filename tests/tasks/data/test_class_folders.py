import hashlib
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mixmatch.digests import json_digest
from mixmatch.errors import DataError
from tasks.data.class_folders import decode, digest_of_files, find_class_folders

# SHA-256 of b"abc", from FIPS 180-4.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_classes_and_files_come_in_the_order_of_their_names(tmp_path, write_image):
    for name in ("b/2.png", "b/10.png", "a/z.JPG", "a/below/y.png"):
        write_image(tmp_path / name, 0)
    found = find_class_folders(tmp_path, "data.root")
    assert {name: [x.name for x in files] for name, files in found.items()} == {
        "a": ["y.png", "z.JPG"],
        "b": ["10.png", "2.png"],
    }
    assert list(found) == ["a", "b"]


def test_hidden_names_and_other_files_are_passed_over(animals, write_image):
    write_image(animals / ".cache/0.png", 0)
    write_image(animals / "cat/.0.png", 0)
    (animals / "cat/notes.txt").write_text("no image")
    (animals / "README").write_text("no class")
    found = find_class_folders(animals, "data.root")
    assert {name: len(files) for name, files in found.items()} == {"cat": 3, "dog": 3}


def test_hidden_folders_below_a_class_are_passed_over(animals, write_image):
    before = find_class_folders(animals, "data.root")
    name = sorted(before)[0]
    write_image(animals / name / ".thumbnails/1.png", 0)
    write_image(animals / name / "more/.ipynb_checkpoints/2.png", 0)
    assert find_class_folders(animals, "data.root") == before


def test_a_missing_folder_is_named_with_its_setting(tmp_path):
    message = rf"data.root must be a folder of class folders, but {tmp_path}/no is not there\."
    with pytest.raises(DataError, match=message):
        find_class_folders(tmp_path / "no", "data.root")


def test_a_file_is_no_folder_of_class_folders(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"")
    with pytest.raises(DataError, match=r"x\.zip is a file\."):
        find_class_folders(tmp_path / "x.zip", "data.root")


def test_one_class_is_not_enough(tmp_path, write_image):
    write_image(tmp_path / "cat/0.png", 0)
    with pytest.raises(DataError, match=r"at least two class folders, found \['cat'\] in"):
        find_class_folders(tmp_path, "data.root")


def test_a_folder_without_classes_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"at least two class folders, found \[\] in"):
        find_class_folders(tmp_path, "data.root")


def test_an_empty_class_folder_is_named(animals):
    (animals / "eel").mkdir()
    with pytest.raises(DataError, match=r"animals/eel has none; known types: \.bmp \.jpeg"):
        find_class_folders(animals, "data.root")


def test_the_digest_is_over_relative_paths_and_file_digests(tmp_path):
    files = [tmp_path / "b.png", tmp_path / "a.png"]
    for file in files:
        file.write_bytes(b"abc")
    assert digest_of_files(files, tmp_path) == json_digest({"a.png": ABC, "b.png": ABC})


def test_a_hundred_files_keep_their_own_digests(tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(100)]
    for file in files:
        file.write_bytes(file.name.encode())
    expected = {file.name: hashlib.sha256(file.name.encode()).hexdigest() for file in files}
    assert digest_of_files(files, tmp_path) == json_digest(expected)


def test_a_file_that_vanishes_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match=r"must be readable: .*gone\.png"):
        digest_of_files([tmp_path / "gone.png"], tmp_path)


def test_an_exif_orientation_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees
    Image.new("L", (8, 4)).save(tmp_path / "x.jpg", exif=exif)
    assert decode(tmp_path / "x.jpg").size == (8, 4)


def test_a_palette_with_transparency_keeps_its_colours(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    image.save(tmp_path / "x.png", transparency=bytes([0, 255]))
    colours = np.asarray(decode(tmp_path / "x.png").convert("RGB")).tolist()
    assert colours == [[[10, 20, 30], [40, 50, 60]]]


def test_bytes_that_are_no_image_are_refused_by_name(tmp_path):
    (tmp_path / "x.png").write_bytes(b"no image")
    with pytest.raises(
        DataError, match=r"x\.png must be an image that can be decoded, but: cannot"
    ):
        decode(tmp_path / "x.png")


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.bmp", "x.tif", "x.webp"])
def test_a_truncated_image_is_refused_by_name(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=rf"{name} must be an image that can be decoded"):
        decode(tmp_path / name)


@pytest.mark.parametrize("excess", [1.5, 3])  # Pillow warns above its limit, and fails at twice it
def test_a_decompression_bomb_is_refused_and_warns_of_nothing(tmp_path, monkeypatch, excess):
    Image.new("L", (30, 10)).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(300 / excess))
    with pytest.raises(DataError, match=r"x\.png must be .* decompression bomb"):
        decode(tmp_path / "x.png")


def test_sixteen_bits_are_refused_rather_than_clipped(tmp_path):
    Image.fromarray(np.full((2, 2), 4000, np.uint16)).save(tmp_path / "x.png")
    with pytest.raises(DataError, match=r"x\.png must have 8 bits per channel, got .* I;16"):
        decode(tmp_path / "x.png")


def test_colours_of_sixteen_bits_are_refused_too(tmp_path):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    pixels = zlib.compress(2 * (b"\0" + bytes(2 * 6)))
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    with pytest.raises(DataError, match=r"x\.png must have 8 bits per channel, got .* RGB"):
        decode(tmp_path / "x.png")


def test_a_portable_pixmap_of_sixteen_bits_is_refused_and_one_of_eight_is_not(tmp_path):
    (tmp_path / "x.ppm").write_bytes(b"P6 1 1 65535\n" + bytes(6))
    with pytest.raises(DataError, match=r"x\.ppm must have 8 bits per channel, got .* RGB"):
        decode(tmp_path / "x.ppm")
    for content in (b"P6 1 1 255\n" + bytes(3), b"P6 1 1 15\n" + bytes(3), b"P3 1 1 255\n0 0 0\n"):
        (tmp_path / "y.ppm").write_bytes(content)
        assert decode(tmp_path / "y.ppm").getpixel((0, 0)) == (0, 0, 0)


def test_sixteen_bits_a_pixel_are_not_sixteen_a_colour(tmp_path):
    """A bitmap of 5, 6 and 5 bits: its header, its three masks, one white pixel."""
    info = struct.pack("<IiiHHIIiiII", 40, 1, 1, 1, 16, 3, 4, 0, 0, 0, 0)
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    header = b"BM" + struct.pack("<IHHI", 70, 0, 0, 66)
    (tmp_path / "x.bmp").write_bytes(header + info + masks + b"\xff\xff\0\0")
    assert decode(tmp_path / "x.bmp").getpixel((0, 0)) == (255, 255, 255)


def test_colours_that_pillow_does_not_convert_are_refused(tmp_path):
    Image.new("LAB", (2, 2)).save(tmp_path / "x.tif")
    with pytest.raises(DataError, match=r"x\.tif must be grey or of colours that Pillow converts"):
        decode(tmp_path / "x.tif")

"""Images of many layouts are read as ImageMagick reads them, or rejected.

ImageMagick writes the files and decodes them with its own code; only the libraries of JPEG, TIFF,
JPEG 2000 and WebP are shared with Pillow. A result may differ by rounding.
"""

import itertools
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from edge_runtime.errors import ImageError
from edge_runtime.inputs.decode import load_image

# Debian's name of ImageMagick's own program comes first.
MAGICK = next(filter(None, map(shutil.which, ("convert-im6.q16", "magick", "convert"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(MAGICK is None, reason="needs ImageMagick, package imagemagick in Debian"),
]
WIDTH, HEIGHT = 37, 23
TYPES = ("TrueColor", "Grayscale", "Palette", "Bilevel", "ColorSeparation")
TRANSPARENT_TYPES = ("TrueColorMatte", "GrayscaleMatte", "PaletteMatte", "ColorSeparationMatte")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder with `rgb.png` and two images with alpha: `holes.png` (0 or 255), `fading.png`."""
    folder = tmp_path_factory.mktemp("images")
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    sums = (x + y) * 255 // (WIDTH + HEIGHT)
    colours = np.stack([x * 255 // WIDTH, y * 255 // HEIGHT, sums], -1).astype(np.uint8)
    Image.fromarray(colours).save(folder / "rgb.png")
    holes = np.where((x // 5 + y // 5) % 2, 255, 0).astype(np.uint8)
    Image.fromarray(np.dstack([colours, holes])).save(folder / "holes.png")
    fading = (x * 7 % 256).astype(np.uint8)
    Image.fromarray(np.dstack([colours, fading])).save(folder / "fading.png")
    return folder


class Comparison:
    """Compares one file after another, and says at the end which were read otherwise."""

    def __init__(self, folder):
        self.folder, self.read, self.wrong = folder, 0, []

    def add(self, suffix, *options, source="rgb.png", form="", tolerance=2):
        """Write a file with ImageMagick's options, and compare; what nobody writes is passed over.

        Args:
            form: ImageMagick's name of the format, if the suffix does not tell.
            tolerance: how far a level may be from ImageMagick's.
        """
        path = self.folder / f"image{suffix}"
        path.unlink(missing_ok=True)
        target = f"{form}:{path}" if form else path
        subprocess.run([MAGICK, self.folder / source, *options, target], capture_output=True)
        if not path.exists():
            return
        flat = ("-auto-orient", "-background", "white", "-alpha", "remove", "-alpha", "off")
        decoded = subprocess.run(
            [MAGICK, f"{path}[0]", *flat, "-colorspace", "sRGB", "-depth", "8", "rgb:-"],
            capture_output=True,
        ).stdout
        if len(decoded) != WIDTH * HEIGHT * 3:  # ImageMagick does not read what it wrote
            return
        try:
            pixels = load_image(path)
        except ImageError:
            return
        self.read += 1
        expected = np.frombuffer(decoded, np.uint8).reshape(HEIGHT, WIDTH, 3)
        off = np.abs(pixels.astype(int) - expected).max()
        if off > tolerance:
            self.wrong.append(f"{source} {suffix} {' '.join(options)}: off by {off}")

    def conclude(self, least: int):
        """Fail if a file was read otherwise, or if fewer than `least` were read at all."""
        assert self.wrong == []
        assert self.read >= least


@pytest.mark.parametrize("compression", ["None", "Zip"])
def test_tiff_by_type_depth_planes_and_byte_order(images, compression):
    comparison = Comparison(images)
    for kind, depth, planes, order in itertools.product(
        TYPES + TRANSPARENT_TYPES, (1, 2, 4, 8, 12, 16, 32), ("none", "plane"), ("LSB", "MSB")
    ):
        source = "holes.png" if kind in TRANSPARENT_TYPES else "rgb.png"
        options = ["-type", kind, "-depth", str(depth), "-interlace", planes, "-endian", order]
        if depth == 32:
            options += ["-define", "quantum:format=floating-point"]
        comparison.add(".tif", *options, "-compress", compression, source=source)
    comparison.conclude(100)


@pytest.mark.parametrize("tiles", [(), ("-define", "tiff:tile-geometry=16x16")])
@pytest.mark.parametrize("bits", ["msb", "lsb"])
def test_tiff_by_tiles_order_of_bits_and_polarity(images, tiles, bits):
    comparison = Comparison(images)
    for kind, depth, polarity, planes, compression in itertools.product(
        TYPES[:4],
        (1, 2, 4, 8, 16),
        ("min-is-black", "min-is-white"),
        ("none", "plane"),
        ("None", "Zip", "Group4"),
    ):
        if polarity == "min-is-white" and depth in (2, 4):
            continue  # ImageMagick 6 writes and reads these wrongly; libvips reads them as we do
        order = ("-define", f"tiff:fill-order={bits}", "-define", f"quantum:polarity={polarity}")
        options = ("-type", kind, "-depth", str(depth), "-interlace", planes)
        comparison.add(".tif", *options, "-compress", compression, *order, *tiles)
    comparison.conclude(80)


def test_tiff_by_colour_space_and_alpha(images):
    comparison = Comparison(images)
    tiles = [(), ("-define", "tiff:tile-geometry=16x16")]
    for planes, compression, tile in itertools.product(
        ("none", "plane"), ("None", "Zip", "JPEG"), tiles
    ):
        options = ("-depth", "8", "-interlace", planes, "-compress", compression, *tile)
        loss = 40 if compression == "JPEG" else 0
        comparison.add(".tif", *options, tolerance=loss + 2)
        comparison.add(".tif", "-colorspace", "Gray", *options, tolerance=loss + 2)
        if compression != "JPEG":  # ImageMagick 6 itself reads these wrongly
            comparison.add(".tif", "-colorspace", "CMYK", *options)
            if planes == "none":  # in planes ImageMagick 6 writes noise; some colours are no RGB
                comparison.add(".tif", "-colorspace", "Lab", *options, tolerance=45)
            for alpha in ("associated", "unassociated"):
                more = ("-define", f"tiff:alpha={alpha}")
                comparison.add(".tif", *options, *more, source="fading.png", tolerance=4)
        for sampling in ("1x1", "2x2"):
            comparison.add(
                *(".tif", "-colorspace", "YCbCr", "-sampling-factor", sampling, *options),
                tolerance=40,
            )
    comparison.conclude(30)


def test_png(images):
    comparison = Comparison(images)
    for kind, depth, source, interlace in itertools.product(
        (0, 2, 3, 4, 6),
        (1, 2, 4, 8, 16),
        ("rgb.png", "holes.png", "fading.png"),
        ("none", "PNG"),
    ):
        define = ("-define", f"png:color-type={kind}", "-define", f"png:bit-depth={depth}")
        comparison.add(".png", *define, "-interlace", interlace, source=source)
    comparison.conclude(60)


def test_bmp(images):
    comparison = Comparison(images)
    colours = [(), ("-colors", "2"), ("-colors", "14"), ("-compress", "RLE"), ("-monochrome",)]
    for form, kind, more, source in itertools.product(
        ("bmp2", "bmp3", "bmp"),
        ("Bilevel", "Grayscale", "Palette", "TrueColor", "TrueColorMatte"),
        colours,
        ("rgb.png", "holes.png"),
    ):
        comparison.add(".bmp", "-type", kind, *more, form=form, source=source)
    for subtype in ("RGB565", "RGB555", "ARGB4444"):  # it takes 1 bit of alpha for a half
        comparison.add(".bmp", "-define", f"bmp:subtype={subtype}", source="holes.png", tolerance=9)
    comparison.conclude(80)


def test_jpeg(images):
    comparison = Comparison(images)
    for quality, space, interlace, sampling in itertools.product(
        ("30", "95"),
        ("sRGB", "Gray", "CMYK", "YCbCr"),
        ("none", "JPEG"),
        ("1x1", "2x1", "2x2", "1x2", "4x1"),
    ):
        options = ("-quality", quality, "-colorspace", space, "-interlace", interlace)
        comparison.add(".jpg", *options, "-sampling-factor", sampling, tolerance=40)
    comparison.conclude(60)


@pytest.mark.parametrize(
    ("suffix", "tolerance"),
    [
        *((".psd", 2), (".tga", 2), (".pcx", 2), (".sgi", 2), (".gif", 2), (".pnm", 2)),
        *((".jp2", 12), (".j2k", 12), (".webp", 12), (".dds", 60)),
    ],
)
def test_other_formats(images, suffix, tolerance):
    comparison = Comparison(images)
    for kind, depth, compression in itertools.product(
        TYPES + TRANSPARENT_TYPES, ("8", "16"), ("None", "RLE")
    ):
        if (suffix, kind, depth) == (".sgi", "Bilevel", "16"):
            continue  # ImageMagick 6 does not read what it wrote
        transparent = kind in TRANSPARENT_TYPES
        if transparent and suffix in (".psd", ".j2k"):
            # ImageMagick lays no PSD over white when it writes one, unlike Photoshop, and ignores
            # the alpha of a codestream without a file format around it.
            continue
        options = ("-type", kind, "-depth", depth, "-compress", compression)
        quality = ("-quality", "100") if tolerance == 12 else ()
        source = "holes.png" if transparent else "rgb.png"
        comparison.add(suffix, *options, *quality, source=source, tolerance=tolerance)
    comparison.conclude(3)

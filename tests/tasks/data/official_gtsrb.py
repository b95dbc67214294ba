"""Writes the members of GTSRB's three archives in their official formats, with a few images."""

import io
import zipfile

import numpy as np
from PIL import Image

HEADER = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n"


def ppm(brightness, size=(15, 17)):
    """Return an image that is dark on the left and bright on the right."""
    pixels = np.full((size[1], size[0], 3), brightness, np.uint8)
    pixels[:, size[0] // 2 :] += 100
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "ppm")
    return file.getvalue()


def official_files():
    """Return the members of the three archives: 43 x 2 training and 3 test images."""
    training = {"GTSRB/Readme-Images.txt": b"about"}
    for label in range(43):
        folder = f"GTSRB/Training/{label:05}"
        training[f"{folder}/GT-{label:05}.csv"] = HEADER.encode()
        training[f"{folder}/00000_00001.ppm"] = ppm(label, (20, 15))
        training[f"{folder}/00000_00000.ppm"] = ppm(label + 50)
    images = {f"GTSRB/Final_Test/Images/{row:05}.ppm": ppm(120 + row) for row in range(3)}
    images["GTSRB/Final_Test/Images/GT-final_test.test.csv"] = HEADER.encode()
    rows = "".join(
        f"{row:05}.ppm;15;17;1;1;14;16;{label}\n" for row, label in enumerate([7, 42, 0])
    )
    return training, images, {"GT-final_test.csv": (HEADER + rows).encode()}


def write_zip(file, members):
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)

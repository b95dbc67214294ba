"""How far an accuracy that is a mean over seeds may lie from what all images would give."""

from math import sqrt
from statistics import NormalDist

_Z = NormalDist().inv_cdf(0.975)  # of a central 95 %


def wilson_of_mean(mean: float, num_images: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval (Wilson 1927) of a mean accuracy, two fractions.

    All seeds answer the same images, so however many seeds there are, it counts the images once.

    Args:
        mean: accuracy, a fraction; with several seeds no whole number of images.
        num_images: of one seed, at least 1.
    """
    shrink = _Z * _Z / num_images
    middle = mean + shrink / 2
    half = _Z * sqrt(mean * (1 - mean) / num_images + shrink / (4 * num_images))
    return max(0.0, (middle - half) / (1 + shrink)), min(1.0, (middle + half) / (1 + shrink))

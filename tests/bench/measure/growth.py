"""How figures grow with the number of connectors."""

import math

# What grows faster than this power of the number does not scale; measurements are not so exact that 1 would do.
LINEAR = 1.15


def exponent(smaller, larger):
    """The slope between two points (number, value) where both axes are logarithmic; none without two that are above 0."""
    (few, little), (many, much) = smaller, larger
    if few >= many or not little or not much or min(little, much) <= 0:
        return None
    return math.log(much / little) / math.log(many / few)


def exponents(values):
    """Of values by number: between the two largest numbers, and between the smallest and the largest."""
    points = sorted((number, value) for number, value in values.items() if value is not None)
    if len(points) < 2:
        return None, None
    return exponent(points[-2], points[-1]), exponent(points[0], points[-1])


def is_too_fast(slopes):
    return any(slope is not None and slope > LINEAR for slope in slopes)

"""How deep, and of how many rows, theory is drawn: what a plan asks, which computes nothing."""

MOST_DEPTH_PER_WIDTH = 0.5
"""Fluctuations of one network grow with depth/width; beyond this an expansion in it says nothing."""

MOST_ROWS = 512
"""Probe rows whose pairs are followed; they come in random order."""


def too_deep(depth: int, width: int) -> bool:
    """Whether a network is deeper for its width than theory is drawn for: L/N > ``MOST_DEPTH_PER_WIDTH``.

    Args:
        depth: L, hidden layers.
        width: N, units of each.

    Returns:
        Whether it is.

    >>> too_deep(32, 64), too_deep(33, 64)
    (False, True)

    Reference: Roberts, Yaida & Hanin 2022, arXiv:2106.10165 (L/N, the aspect ratio that fluctuations grow with).
    """
    return depth > MOST_DEPTH_PER_WIDTH * width

"""Implementations of the rasterizer's inner loops, one file each.

All share the formula of `jaxsoftras.geometry` and differ in how they walk the pairs of
faces and pixels. `jaxsoftras.rasterization` checks arguments and chooses among them.
"""

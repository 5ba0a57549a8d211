"""Backends of the rasterizer's inner loops, one folder each.

All share the formula of `pairs` and differ in how they walk the pairs of faces and
pixels. `dispatch` chooses among them; `jaxsoftras.rasterization` checks arguments.
"""

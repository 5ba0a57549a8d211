"""Pallas kernels for NVIDIA GPUs by the Mosaic GPU backend."""

"""Pallas kernels for NVIDIA GPUs by the Triton backend."""

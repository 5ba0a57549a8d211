"""Code that both Pallas backends for NVIDIA GPUs share."""

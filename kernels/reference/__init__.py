"""The definition: every face at every pixel, dense, differentiated by JAX."""

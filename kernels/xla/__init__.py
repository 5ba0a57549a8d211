"""An exact work list in plain JAX: any device, and the fast path on a CPU."""

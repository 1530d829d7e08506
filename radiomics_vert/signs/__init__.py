"""The radiologist's signs, measured: one entry per sign, one pass per scan."""

"""The native engine: pyradiomics' names and values by compiled kernels.

numba, and all modules that need it, are imported when something is computed, not with the package.
"""

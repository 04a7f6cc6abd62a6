"""
The load generator and the provider that benchmarks put arbstr between.
"""

"""
arbstr beside what people would use instead: C{python -m benchmarks.compare}.
"""

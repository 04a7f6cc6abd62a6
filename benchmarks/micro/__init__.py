"""
What the cost of a request grows with: C{python -m benchmarks.micro}.
"""

"""
Fuzzing: bytes that nobody would think of, for what reads bytes of strangers.
"""

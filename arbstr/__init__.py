"""
arbstr: a local daemon that sends each OpenAI-style request to the cheapest
provider that is allowed, able and alive, and keeps the books in sats.
"""

__version__ = "0.1.0"

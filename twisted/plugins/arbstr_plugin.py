"""
Tells twistd that there is an C{arbstr} command, and nothing else.
"""

from twisted.application.service import ServiceMaker

arbstr = ServiceMaker(
    "arbstr",
    "arbstr.tap",
    "A local proxy to the cheapest healthy OpenAI-compatible provider.",
    "arbstr",
)

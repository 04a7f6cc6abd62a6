"""
An HTTP server's factory that says nothing by itself.
"""

from __future__ import annotations

from typing import Any

from twisted.web.resource import IResource
from twisted.web.server import Site


class QuietSite(Site):
    """
    Keeps no access log: the ledger tells more than that would.  Bodies are
    left alone; twisted.web would parse those that look like forms.
    """

    noisy = False

    def __init__(self, root: IResource, **options: Any) -> None:
        Site.__init__(self, root, parsePOSTFormSubmission=False, **options)

    def log(self, request: Any) -> None:
        """
        See L{Site.log}.
        """

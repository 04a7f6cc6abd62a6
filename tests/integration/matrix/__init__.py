"""
Everything that may happen to arbstr, one test each: what providers do, what
clients do, and what the machine does.

To add a provider's fault from a bug report, add a line to a table in
L{catalogue<tests.integration.matrix.catalogue>}; a client's, to the table in
L{test_bad_requests<tests.integration.matrix.test_bad_requests>}.
"""

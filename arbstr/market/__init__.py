"""
Where models and prices come from at run time: what providers say of themselves,
and a feed of what others charge.  All of it is untrusted.
"""

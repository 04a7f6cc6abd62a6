"""
One module for each change of the schema.  What has been released stays as it
is: it does not import the tables, which go on changing.
"""

"""A stand-in for S3 stores that are not Amazon's, with the quirks of each vendor.

Belongs here: what an S3 client meets on the wire, and keys that are checked. Who
issues keys by an API of his own (CoreWeave, Nebius, Oracle) does so in his own
stand-in, with `ObjectStore.issue` and `revoke`.
"""

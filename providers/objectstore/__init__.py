"""What S3 stores that are not Amazon's have in common; no platform of its own.

Belongs here: how such a store is spoken to, its bucket, what is in it, and the
proof that it takes what the operator and its pods will send. Which store it is, and
where its keys come from, each provider says with an `S3Store` and a resource of keys.
"""

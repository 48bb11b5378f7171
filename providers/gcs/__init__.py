"""Cloud Storage, for every platform that may have its bucket there.

Belongs here: the bucket, and how Google's storage and sign-in are called. Who the operator
is to Google, and whose a bucket is, is the platform's own (`bucket.Project`).
"""

"""A stand-in for Oracle Cloud: container engine, identity, object storage, network load balancers.

One REST server for all of them, which verifies that requests are signed. Belongs here:
what the services keep and refuse. The object store itself is the sandbox's S3 store.
"""

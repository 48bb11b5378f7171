"""What the images do that run in the stand-in cluster.

Belongs here: programs that live in pods and reach the world as real ones do, by
the API server's TLS endpoint with their own service account's token. Nothing here
touches the cluster's store.
"""

"""A stand-in for CoreWeave: one organisation, over HTTP on loopback.

Belongs here: who is asking, CKS clusters, access keys and access policies of AI Object
Storage. Objects are in an S3 store, which is another stand-in's. Nothing here imports
the code that it is there to test.
"""

"""A stand-in for Nebius AI Cloud: one tenant with a project, over real gRPC on loopback.

Belongs here: IAM, Managed Kubernetes, buckets as Nebius' own API shows them, and
addresses of load balancers, with the messages and service definitions of Nebius' own
SDK. Objects are in an S3 store, which is another stand-in's. Nothing here imports the
code that it is there to test.
"""

"""The AWS stand-in: S3 and IAM by moto's server, the rest and the rules by this package.

Belongs here: what AWS enforces on the wire (signatures, policies, trust,
eventual consistency), the APIs that moto lacks, and what EKS does inside a
cluster (tokens, the pod identity webhook, load balancers). moto is imported
when the stand-in starts, never with this package.
"""

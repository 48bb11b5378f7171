"""The AWS stand-in: S3 and IAM by moto's server, the rest and the rules by this package.

Belongs here: what AWS enforces on the wire (signatures, policies, trust,
eventual consistency), the APIs that moto lacks, and what EKS does inside a
cluster (tokens, the pod identity webhook, load balancers). moto is imported
when the stand-in starts, never with this package.

Kinder than life: access control lists, public access blocks and object locks
are stored and not enforced; policies with conditions on dates or addresses are
refused; AWS's own managed policies do not exist; limits on numbers and sizes
are not counted; lists of EKS and EC2 come in one page; clusters, node groups
and networks cannot be changed by their APIs.
"""

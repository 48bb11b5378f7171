"""The stand-in of Google Cloud: one project, its clusters, identities and buckets.

Belongs here: what Google enforces on the wire (tokens and their scopes, IAM
policies with etags, eventual consistency, soft deletion, preconditions) and what
GKE does outside of a cluster. A service's module says what its methods do, the
modules without HTTP hold the rules; no Google SDK is imported.

Kinder than life: conditions of bindings are kept and never hold; deny policies,
organizations and access control lists do not exist; lifecycle rules and
retention are stored and not carried out; quotas are not counted but for service
accounts; clusters and networks cannot be changed by their APIs.
"""

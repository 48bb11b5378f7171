"""Every call to CoreWeave's API: the client, its limits and retries, and what errors mean.

Belongs here: all of this provider that imports httpx. What leaves this package is plain
data of its own and `CloudFailure`. CoreWeave publishes no Python SDK.
"""

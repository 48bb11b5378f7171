"""Every call to Azure: clients, timeouts, retries, and what errors mean.

Nothing outside of this package knows an SDK: its functions take and return
plain data of their own and raise `CloudFailure`; no client, answer or exception
of an SDK leaves it. Networks, the subscription and its resource providers are
asked with plain requests to Resource Manager, through the SDK's own pipeline:
importing azure-mgmt-network takes 2.4 s and 300 MB for two lists.
"""

"""Every call to AWS: clients, timeouts, retries, and what errors mean.

Belongs here: all that imports boto3 or botocore. What leaves this package is
plain data of its own and `CloudFailure`; no client, answer or exception of the
SDK does. One module per service.
"""

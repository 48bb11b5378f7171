"""Every call to AWS: clients, timeouts, retries, and what errors mean.

Belongs here: all that imports boto3 or botocore. What leaves this package is
plain data of its own and `CloudFailure`; no client, answer or exception of the
SDK does. One module per service.
"""

# Before anything else of the SDK is imported: it says what need not be.
from anyscale_k8s_cli.providers.objectstore.sdk import core as core

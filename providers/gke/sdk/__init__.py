"""Every call to Google: clients, timeouts, retries, and what errors mean.

Nothing outside of this package knows an SDK: its functions take and return
plain data of their own and raise `CloudFailure`; no client, answer or exception
of an SDK leaves it. Google's SDK of IAM speaks gRPC alone, which companies'
proxies often stop: IAM is asked by REST, with the SDKs' own credentials.
"""

from anyscale_k8s_cli.imports import without

# Their asynchronous clients, which nobody uses here, would bring a web framework.
with without("aiohttp"):
    from google.cloud import container_v1 as container_v1
    from google.cloud import resourcemanager_v3 as resourcemanager_v3

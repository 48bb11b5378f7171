"""Every call to Google: clients, timeouts, retries, and what errors mean.

Nothing outside of this package knows an SDK: its functions take and return
plain data of their own and raise `CloudFailure`; no client, answer or exception
of an SDK leaves it. Google's SDK of IAM speaks gRPC alone, which companies'
proxies often stop: IAM is asked by REST, with the SDKs' own credentials.
"""

"""The one place that imports the S3 SDK for stores that are not Amazon's."""

# Before anything else of the SDK is imported: it says what need not be.
from anyscale_k8s_cli.providers.objectstore.sdk import core as core

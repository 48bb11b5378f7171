"""The one place that imports the S3 SDK for stores that are not Amazon's."""

"""The one place that speaks to issuers and token services."""

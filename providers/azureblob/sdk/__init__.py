"""Azure's SDKs for blobs and sign-in: calls, and what their failures mean."""

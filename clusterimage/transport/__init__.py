"""HTTP downloads: connections, mirrors, credentials, per-host rate limits, and the content-addressed store."""

"""Single networks: trained while one looks on, kept as files, asked about pictures."""

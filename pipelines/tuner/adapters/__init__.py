"""The adapters between Ray Tune and the ledger, the samplers and the pages."""

"""Search algorithms, schedulers, the ledger of trials, and the adapters from these to Ray Tune."""

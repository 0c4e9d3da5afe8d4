"""What to try next: the search algorithms, and the samplers behind them."""

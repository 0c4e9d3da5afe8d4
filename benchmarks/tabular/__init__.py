"""What benchmarks/panel.py is made of."""

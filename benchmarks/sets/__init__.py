"""The panel's tables and images, and what scores on them."""

"""Smith's tests of a few epochs: batch size, learning rate, momentum and weight decay."""

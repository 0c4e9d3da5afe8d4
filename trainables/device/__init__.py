"""What a training takes of a machine: threads, a share of a GPU, memory."""

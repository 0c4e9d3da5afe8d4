"""The resources that a training uses: threads, a share of a GPU, memory."""

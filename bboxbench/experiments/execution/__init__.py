"""Where the blocks of a sweep train, and what becomes of one that dies: here, in a worker process, on a cluster."""

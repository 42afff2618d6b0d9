"""The few things that tasks and threads do differently, under the same names: `asynchronous` and `threaded`."""

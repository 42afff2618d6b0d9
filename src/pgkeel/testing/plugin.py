"""The pytest plugin: entry point of `pgkeel.testing`."""

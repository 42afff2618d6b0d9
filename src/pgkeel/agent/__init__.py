"""The process that keeps the promises."""

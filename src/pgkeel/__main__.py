"""The command line's first lines: of its script, and of `python -m pgkeel`, by which `up` starts the agent."""

import signal

__all__ = ["main"]


def main() -> None:
    """Run the command line; whoever interrupts it before it can say so gets no traceback either."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from pgkeel.cli import main as run  # noqa: PLC0415 - what takes the time

    run()


if __name__ == "__main__":
    main()

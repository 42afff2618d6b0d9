"""`python -m pgkeel`: the command line without its script, for the agent that `up` starts."""

from pgkeel.cli import main

main()

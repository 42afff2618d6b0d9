"""A real community on pgkeel: any Stack Exchange data dump, loaded and read.

python -m examples.stackexchange.load DIR     loads it, again and again without a second copy of anything
python -m examples.stackexchange.read         asks what a site asks
"""

from pgkeel.core.telling import counted


def test_one_thing_is_no_plural_and_thousands_have_a_comma() -> None:
    assert counted(1, "row") == "1 row"
    assert counted(0, "row") == "0 rows"
    assert counted(12_000, "row") == "12,000 rows"
    assert counted(2, "mismatch", "mismatches") == "2 mismatches"

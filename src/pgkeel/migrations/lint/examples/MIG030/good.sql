-- pgkeel: ignore MIG030 -- no release since 2024.3 reads or writes nickname
ALTER TABLE users DROP COLUMN nickname;

ALTER TYPE mood ADD VALUE 'blue';

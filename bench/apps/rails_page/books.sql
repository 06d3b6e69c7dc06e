-- 200 books, of which the page shows 20.
CREATE TABLE books (id INTEGER PRIMARY KEY, title VARCHAR NOT NULL, author VARCHAR NOT NULL, pages INTEGER NOT NULL);
CREATE INDEX books_by_title ON books (title);
WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 200)
INSERT INTO books SELECT number, 'Book <' || number || '> & more', 'Author ' || number % 17, number * 37 % 2000 FROM numbers;

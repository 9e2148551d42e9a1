//! A dump of Cinder's database: what `mariadb-dump`, `mysqldump` and `pg_dump` write as text.
//!
//! Only what they write by themselves is read, and a dump that is cut off is refused: half of the volumes would be missing
//! without a word.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

/// How each program ends what it wrote.
const MYSQL_ENDS: &str = "-- Dump completed";
const POSTGRES_ENDS: &str = "-- PostgreSQL database dump complete";

/// What `pg_dump -Fc` and gzip begin with.
const NO_TEXT: [(&[u8], &str); 2] = [
    (
        b"PGDMP",
        "an archive of pg_dump: make it text first, `pg_restore --file=cinder.sql ARCHIVE`",
    ),
    (&[0x1f, 0x8b], "compressed: unpack it first, `gunzip FILE`"),
];

/// A row: the text of each column, or null.
pub type Values = Vec<Option<String>>;

/// One table.
#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    columns: Vec<String>,
    rows: Vec<Values>,
}

/// All tables of a dump.
#[derive(Debug, Default)]
pub struct Dump(BTreeMap<String, Table>);

impl Dump {
    /// Reads a dump.
    ///
    /// # Errors
    /// It is no dump in text, was made in a way that is not known, or is cut off.
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        for (magic, what) in NO_TEXT {
            if bytes.starts_with(magic) {
                bail!("it is {what}");
            }
        }
        let text = std::str::from_utf8(bytes).context("it is not text in UTF-8")?;
        let end = text.lines().rev().take(20).find_map(|line| {
            let ends = |end: &str| line.starts_with(end);
            match (ends(MYSQL_ENDS), ends(POSTGRES_ENDS)) {
                (false, false) => None,
                (mysql, _) => Some(mysql),
            }
        });
        match end {
            Some(true) => mysql(text),
            Some(false) => postgres(text),
            None => bail!(
                "it does not end as a dump ends: it is cut off, is none, or was made without comments. Make it with `mariadb-dump \
                 --single-transaction cinder` or `pg_dump cinder`"
            ),
        }
    }

    /// The rows of a table, of each these columns.
    ///
    /// # Errors
    /// The dump lacks the table or a column.
    pub fn rows(&self, table: &str, columns: &[&str]) -> anyhow::Result<Vec<Values>> {
        let found = self.0.get(table);
        let found = found.with_context(|| format!("the dump has no table {table}"))?;
        let place = |column: &&str| {
            let place = found.columns.iter().position(|known| known == column);
            place.with_context(|| format!("table {table} of the dump has no column {column}"))
        };
        let places: Vec<usize> = columns.iter().map(place).collect::<anyhow::Result<_>>()?;
        let row = |row: &Values| {
            let value = |place: &usize| row.get(*place).cloned().flatten();
            places.iter().map(value).collect()
        };
        Ok(found.rows.iter().map(row).collect())
    }

    /// A table begins. One that is there twice is of two databases, and nobody knows which of them is Cinder's.
    fn begin(&mut self, name: &str, columns: Vec<String>) -> anyhow::Result<()> {
        let table = Table {
            columns,
            rows: Vec::new(),
        };
        match self.0.insert(name.to_owned(), table) {
            None => Ok(()),
            Some(_) => {
                bail!("it has table {name} twice: dump Cinder's database alone, not all databases")
            }
        }
    }

    fn add(&mut self, name: &str, row: Values) -> anyhow::Result<()> {
        let table = self.0.get_mut(name);
        let table = table.with_context(|| {
            format!("rows of table {name} come before its columns: make the dump with its tables")
        })?;
        if row.len() != table.columns.len() {
            bail!(
                "a row of table {name} has {} values for {} columns",
                row.len(),
                table.columns.len()
            );
        }
        table.rows.push(row);
        Ok(())
    }
}

/// `CREATE TABLE` for the columns and `INSERT INTO` for the rows.
fn mysql(text: &str) -> anyhow::Result<Dump> {
    let mut dump = Dump::default();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, behind) = rest.split_once('\n').unwrap_or((rest, ""));
        if let Some((table, _)) = named(line, "CREATE TABLE ") {
            let body = behind.lines().take_while(|line| !line.starts_with(')'));
            let columns = body.filter_map(|line| Some(named(line.trim_start(), "")?.0.to_owned()));
            dump.begin(table, columns.collect())?;
        } else if let Some((table, values)) = named(line, "INSERT INTO ") {
            if !values.starts_with(" VALUES") {
                bail!(
                    "it names columns with each row of {table}: make it without --complete-insert"
                );
            }
            let mut cursor = Cursor(rest.get(line.len() - values.len()..).unwrap_or_default());
            cursor.skip("VALUES");
            loop {
                let row = cursor.row();
                let row = row.with_context(|| format!("a row of table {table} cannot be read"))?;
                dump.add(table, row)?;
                if !cursor.skip(",") {
                    break;
                }
            }
            rest = cursor.0;
            continue;
        } else if ["INSERT", "REPLACE"]
            .iter()
            .any(|word| line.starts_with(word))
        {
            bail!(
                "it writes rows in a way that is not read here: make it without --insert-ignore, --replace and --skip-quote-names"
            );
        }
        rest = behind;
    }
    Ok(dump)
}

/// The name in backticks behind a word, and what follows it.
fn named<'t>(line: &'t str, word: &str) -> Option<(&'t str, &'t str)> {
    line.strip_prefix(word)?.strip_prefix('`')?.split_once('`')
}

/// What is left of a statement of MariaDB's.
struct Cursor<'t>(&'t str);

impl Cursor<'_> {
    /// Skips blanks and a word; whether it was there.
    fn skip(&mut self, word: &str) -> bool {
        let left = self.0.trim_start();
        let behind = left.strip_prefix(word);
        self.0 = behind.unwrap_or(left);
        behind.is_some()
    }

    fn row(&mut self) -> anyhow::Result<Values> {
        if !self.skip("(") {
            bail!("it does not begin with a bracket");
        }
        let mut row = Values::new();
        loop {
            row.push(self.value()?);
            if self.skip(")") {
                return Ok(row);
            }
            if !self.skip(",") {
                bail!("value {} does not end", row.len());
            }
        }
    }

    fn value(&mut self) -> anyhow::Result<Option<String>> {
        self.skip("_binary ");
        if self.skip("'") {
            return self.quoted().map(Some);
        }
        let end = self.0.find([',', ')']).context("it is cut off")?;
        let (word, left) = self.0.split_at(end);
        self.0 = left;
        let word = word.trim();
        Ok((word != "NULL").then(|| word.to_owned()))
    }

    /// The rest of a quoted text.
    fn quoted(&mut self) -> anyhow::Result<String> {
        let mut text = String::new();
        let mut signs = self.0.chars();
        while let Some(sign) = signs.next() {
            match sign {
                '\\' => text.push(match signs.next().context("it is cut off")? {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    '0' => '\0',
                    'Z' => '\x1a',
                    other => other,
                }),
                '\'' if signs.as_str().starts_with('\'') => {
                    signs.next();
                    text.push('\'');
                }
                '\'' => {
                    self.0 = signs.as_str();
                    return Ok(text);
                }
                other => text.push(other),
            }
        }
        bail!("it is cut off")
    }
}

/// `COPY … FROM stdin` for columns and rows.
fn postgres(text: &str) -> anyhow::Result<Dump> {
    let mut dump = Dump::default();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("INSERT INTO ") {
            bail!("it was made with --inserts: make it without");
        }
        let Some((table, columns)) = copied(line) else {
            continue;
        };
        dump.begin(&table, columns)?;
        loop {
            let row = lines
                .next()
                .with_context(|| format!("table {table} is cut off"))?;
            if row == "\\." {
                break;
            }
            dump.add(&table, row.split('\t').map(field).collect())?;
        }
    }
    Ok(dump)
}

/// The table and the columns of a line like `COPY public.volumes (created_at, id) FROM stdin;`.
fn copied(line: &str) -> Option<(String, Vec<String>)> {
    let line = line.strip_prefix("COPY ")?.strip_suffix(") FROM stdin;")?;
    let (table, columns) = line.split_once(" (")?;
    let bare = |name: &str| name.trim_matches('"').to_owned();
    let table = table.rsplit('.').next().unwrap_or(table);
    Some((bare(table), columns.split(", ").map(bare).collect()))
}

/// One value of a line.
fn field(written: &str) -> Option<String> {
    if written == "\\N" {
        return None;
    }
    let mut text = String::with_capacity(written.len());
    let mut signs = written.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => text.extend(signs.next().map(|sign| match sign {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\x08',
                'f' => '\x0c',
                'v' => '\x0b',
                other => other,
            })),
            other => text.push(other),
        }
    }
    Some(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

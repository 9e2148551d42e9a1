//! A set of changes as one text of several statements. What a statement costs is the way to the database's thread and back
//! more than the work done there, so a set goes that way once, and what came of each statement is looked at afterwards.

use futures_util::TryStreamExt;
use sqlx::{Either, Row as _, SqliteConnection};

use crate::apply::{arguments, conflict, count_sql, delete_sql, insert_sql, unique, update_one};
use crate::changes::{Change, Changes, Guard};
use crate::error::StoreError;
use crate::query::{Sql, measured};
use crate::table::Value;

/// What has to have come of a statement.
enum Check<'a> {
    /// Anything.
    None,
    /// A new row in this table under this id.
    Inserted(&'static str, &'a str),
    /// A row was there to be written.
    Written(&'static str, &'a str),
    /// More of a row was written, or did not have to be.
    More(&'static str),
    /// It counted something.
    Counted(&'static str, &'a str),
    /// A part of the total of the guard that follows.
    Part,
    /// The last part of this guard's total.
    Guard(&'a Guard),
}

/// Statements and what has to come of them.
pub(crate) struct Script<'a>(Vec<(Sql, Check<'a>)>);

/// What a statement gave: the rows it wrote, and the number it read.
#[derive(Default)]
struct Gave {
    written: u64,
    read: i64,
}

impl<'a> Script<'a> {
    /// The statements of these changes, one for each row, behind those of `first`.
    ///
    /// # Errors
    /// [`StoreError::NoColumn`] for a guard that names none.
    pub(crate) fn of(
        first: &[&'static str],
        changes: &'a Changes,
    ) -> Result<Script<'a>, StoreError> {
        let mut script = Self(Vec::new());
        for text in first {
            script.add(Sql::new(*text), Check::None);
        }
        for change in &changes.changes {
            script.change(change);
        }
        for guard in &changes.guards {
            let last = guard.total.terms.len().saturating_sub(1);
            for (n, (table, measure, query)) in guard.total.terms.iter().enumerate() {
                let check = match n == last {
                    true => Check::Guard(guard),
                    false => Check::Part,
                };
                script.add(measured(table, measure, query)?, check);
            }
        }
        Ok(script)
    }

    fn add(&mut self, sql: Sql, check: Check<'a>) {
        self.0.push((sql, check));
    }

    fn change(&mut self, change: &'a Change) {
        match change {
            Change::Insert(row) => self.add(
                insert_sql(&[row], false),
                Check::Inserted(row.table.name, &row.id),
            ),
            Change::Put(row) => self.add(
                insert_sql(&[row], true),
                Check::Inserted(row.table.name, &row.id),
            ),
            Change::Update(row, revision) => {
                let (lively, steady) = update_one(row, *revision);
                self.add(lively, Check::Written(row.table.name, &row.id));
                if let Some(steady) = steady {
                    self.add(steady, Check::More(row.table.name));
                }
            }
            Change::Delete {
                table,
                id,
                revision,
            } => {
                let check = match revision {
                    Some(_) => Check::Written(table.name, id),
                    None => Check::None,
                };
                self.add(delete_sql(table, id, *revision), check);
            }
            Change::Unchanged {
                table,
                id,
                revision,
            } => {
                let sql = count_sql(table, id, *revision);
                self.add(sql, Check::Counted(table.name, id));
            }
        }
    }

    /// The whole transaction in one text, which goes no further than the first change that is refused: a check that does not
    /// hold is a statement that fails. Which one that was is for [`Script::run`] to find out.
    pub(crate) fn transaction(self) -> Sql {
        let mut all = vec![Sql::new("BEGIN IMMEDIATE")];
        let mut parts = Sql::default();
        for (sql, check) in self.0 {
            match check {
                Check::None | Check::Inserted(..) | Check::More(_) => all.push(sql),
                Check::Written(..) => all.extend([sql, holds(Sql::new("changes() > 0"))]),
                Check::Counted(..) => {
                    let mut counted = Sql::default();
                    counted.push("(").append(sql).push(") > 0");
                    all.push(holds(counted));
                }
                Check::Part => {
                    parts.push("(").append(sql).push(") + ");
                }
                Check::Guard(guard) => {
                    let mut total = std::mem::take(&mut parts);
                    total.push("(").append(sql).push(") <= ");
                    total.bind(Value::Int(guard.limit));
                    all.push(holds(total));
                }
            }
        }
        all.push(Sql::new("COMMIT"));
        joined(all)
    }

    /// Makes the changes and looks at the limits. Whatever is refused is still there to be rolled back.
    ///
    /// # Errors
    /// The first change that is refused, or that of the database.
    pub(crate) async fn run(self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let (sql, checks): (Vec<_>, Vec<_>) = self.0.into_iter().unzip();
        let sql = joined(sql);
        let mut gave: Vec<Gave> = Vec::with_capacity(checks.len());
        let mut now = Gave::default();
        let mut broken = None;
        // Several statements in one text: their outcomes come one after the other. Each is an insert, an update or a count.
        #[allow(deprecated)]
        let mut outcomes =
            sqlx::query_with(&sql.text, arguments(sql.binds)?).fetch_many(connection);
        loop {
            match outcomes.try_next().await {
                Ok(Some(Either::Right(row))) => now.read = row.try_get(0)?,
                Ok(Some(Either::Left(done))) => {
                    now.written = done.rows_affected();
                    gave.push(std::mem::take(&mut now));
                }
                Ok(None) => break,
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            }
        }
        drop(outcomes);
        let mut used = 0_i64;
        for (check, gave) in checks.iter().zip(&gave) {
            match check {
                Check::Written(table, id) if gave.written == 0 => return Err(conflict(table, id)),
                Check::Counted(table, id) if gave.read == 0 => return Err(conflict(table, id)),
                Check::None
                | Check::Inserted(..)
                | Check::More(_)
                | Check::Written(..)
                | Check::Counted(..) => {}
                Check::Part => used = used.saturating_add(gave.read),
                Check::Guard(guard) => {
                    used = used.saturating_add(gave.read);
                    guard.check(used)?;
                    used = 0;
                }
            }
        }
        let Some(error) = broken else { return Ok(()) };
        Err(match checks.get(gave.len()) {
            Some(Check::Inserted(table, id)) => match unique(table, error) {
                StoreError::Duplicate { table, column } if column == "id" => conflict(table, id),
                other => other,
            },
            Some(Check::Written(table, _) | Check::More(table)) => unique(table, error),
            _ => error.into(),
        })
    }
}

/// A statement that fails where a condition does not hold: nothing is no JSON.
fn holds(condition: Sql) -> Sql {
    let mut sql = Sql::new("SELECT json(substr('[]', 1, 2 * (");
    sql.append(condition).push(")))");
    sql
}

fn joined(statements: Vec<Sql>) -> Sql {
    let text = statements.iter().map(|sql| sql.text.len() + 2).sum();
    let binds = statements.iter().map(|sql| sql.binds.len()).sum();
    let mut all = Sql::with_capacity((text, binds));
    for (n, sql) in statements.into_iter().enumerate() {
        all.push(if n == 0 { "" } else { "; " }).append(sql);
    }
    all
}

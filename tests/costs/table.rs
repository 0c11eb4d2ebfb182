//! Costs as text that people read and that the tests compare with.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

/// The variable that has the tables written anew.
const BLESS: &str = "MQ_BLESS";
/// Width of the first column.
const NAME: usize = 40;
/// Width of the others.
const CELL: usize = 11;
/// Stands under a row whose figures may be off by one in `SLACK`, see [`Table::about`].
const ABOUT: &str = "± 0.2 %";
const SLACK: u64 = 500;

/// A table of whole numbers.
#[derive(Default)]
pub(crate) struct Table {
    file: &'static str,
    head: String,
    rows: Vec<Row>,
}

/// What something costs, and what that is made of.
#[derive(Default)]
struct Row {
    name: String,
    cells: Vec<u64>,
    parts: String,
}

impl Table {
    /// An empty table that stands in `file`, with what it is about above it.
    pub(crate) fn new(file: &'static str, about: &str, columns: &[&str]) -> Self {
        let mut head = String::new();
        for line in about.lines() {
            let _ = writeln!(head, "# {}", line.trim());
        }
        let _ = write!(head, "#\n{:NAME$}", "#");
        for column in columns {
            let _ = write!(head, "{column:>CELL$}");
        }
        head.push('\n');
        Self { file, head, rows: Vec::new() }
    }

    /// Adds what something costs exactly.
    pub(crate) fn row(&mut self, name: &str, cells: &[u64], parts: &str) {
        let (name, parts) = (name.to_owned(), parts.to_owned());
        self.rows.push(Row { name, cells: cells.to_vec(), parts });
    }

    /// Adds what something costs that may differ a little from run to run.
    #[allow(dead_code, reason = "only one of the two tests has such costs")]
    pub(crate) fn about(&mut self, name: &str, cells: &[u64]) {
        self.row(name, cells, ABOUT);
    }

    /// Compares with the file.
    ///
    /// # Panics
    /// When they differ, with what differs.
    pub(crate) fn check(&self) {
        let path = self.path();
        if std::env::var_os(BLESS).is_some() {
            std::fs::write(&path, self.to_string()).unwrap();
            return;
        }
        let written = rows(&std::fs::read_to_string(&path).unwrap_or_default());
        let changes = changes(&written, &self.rows);
        assert!(
            changes.is_empty(),
            "\n{} says (-) what is not so (+):\n{}\nDearer: find out why. Meant so, or cheaper: \
             `{BLESS}=1 cargo test --test costs --test allocations`, and commit the table.\n",
            path.display(),
            changes.concat(),
        );
    }

    fn path(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/costs").join(self.file)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head)?;
        self.rows.iter().try_for_each(|row| row.fmt(f))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:NAME$}", self.name)?;
        for cell in &self.cells {
            write!(f, "{cell:>CELL$}")?;
        }
        f.write_char('\n')?;
        if self.parts.is_empty() { Ok(()) } else { writeln!(f, "    {}", self.parts) }
    }
}

impl Row {
    fn is_same(&self, other: &Self) -> bool {
        let slack = if self.parts == ABOUT { SLACK } else { u64::MAX };
        let is_near = |(one, other): (&u64, &u64)| one.abs_diff(*other) <= one / slack;
        self.name == other.name
            && self.parts == other.parts
            && self.cells.len() == other.cells.len()
            && self.cells.iter().zip(&other.cells).all(is_near)
    }
}

/// Rows that are only in one of two tables, those of one name together.
fn changes(written: &[Row], counted: &[Row]) -> Vec<String> {
    let mut changes = Vec::new();
    let find = |rows: &'_ [Row], name: &str| rows.iter().position(|row| row.name == name);
    for row in counted {
        match find(written, &row.name) {
            Some(at) if written[at].is_same(row) => {}
            Some(at) => changes.push(format!("- {}+ {row}", written[at])),
            None => changes.push(format!("+ {row}")),
        }
    }
    let gone = written.iter().filter(|row| find(counted, &row.name).is_none());
    changes.extend(gone.map(|row| format!("- {row}")));
    changes
}

/// The rows of a table that was written.
fn rows(text: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with(' ') {
            if let Some(row) = rows.last_mut() {
                row.parts = line.trim().to_owned();
            }
            continue;
        }
        let (name, cells) = line.split_at_checked(NAME).unwrap_or((line, ""));
        let cells = cells.split_whitespace().map_while(|cell| cell.parse().ok()).collect();
        rows.push(Row { name: name.trim().to_owned(), cells, parts: String::new() });
    }
    rows
}

#[test]
fn a_cost_that_has_changed_is_shown_with_its_old_and_new_row() {
    let table = |cost: u64, parts: &str| {
        let mut table = Table::new("none.txt", "About\nit.", &["a", "b"]);
        table.row("same", &[1, 2], "");
        table.row("other", &[cost, 2], parts);
        table
    };
    let compare =
        |written: &Table, counted: &Table| changes(&rows(&written.to_string()), &counted.rows);
    assert!(compare(&table(1, "hset 1"), &table(1, "hset 1")).is_empty());
    let found = compare(&table(1, "hset 1"), &table(2, "hset 1")).concat();
    assert!(found.starts_with("- other") && found.contains("\n+ other"), "{found}");
    assert_eq!(compare(&table(2, "hset 1"), &table(1, "hset 1")).len(), 1);
    assert_eq!(compare(&table(1, "hset 1"), &table(1, "hget 1")).len(), 1);
    assert_eq!(compare(&Table::default(), &table(1, "")).len(), 2);
    assert_eq!(compare(&table(1, ""), &Table::default()).len(), 2);
    assert!(compare(&table(1000, ABOUT), &table(1002, ABOUT)).is_empty());
    assert_eq!(compare(&table(1000, ABOUT), &table(1003, ABOUT)).len(), 1);
    assert_eq!(compare(&table(1000, ABOUT), &table(997, ABOUT)).len(), 1);
    assert_eq!(compare(&table(1000, ABOUT), &table(1000, "")).len(), 1);
}

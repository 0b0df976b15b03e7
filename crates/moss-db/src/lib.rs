//! Typed tables and secondary indexes over LMDB.
//!
//! A service declares its tables once, in a type that implements [`Schema`], and opens them
//! together with [`Environment::open`]. Keys have an order-preserving binary form ([`Key`]);
//! values are JSON, so that an operator can read a database for years with common tools.
//!
//! ```
//! use moss_db::{Environment, Error, Index, Indexed, Migration, Opener, Options, Schema};
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Build {
//!     recipe: String,
//!     attempts: u32,
//! }
//!
//! struct Tables {
//!     builds: Indexed<u64, Build>,
//!     by_recipe: Index<String, u64>,
//! }
//!
//! impl Schema for Tables {
//!     const NAME: &'static str = "example";
//!     const MIGRATIONS: &'static [Migration] = &[];
//!
//!     fn declare(opener: &mut Opener) -> Self {
//!         let mut builds = opener.indexed("builds");
//!         let by_recipe =
//!             builds.index("builds_by_recipe", |_id, build: &Build| vec![build.recipe.clone()]);
//!         Self { builds: builds.finish(), by_recipe }
//!     }
//! }
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path();
//! let (environment, tables) = Environment::open::<Tables>(path, &Options::default())?;
//! environment.write(|txn| {
//!     tables.builds.put(txn, &7, &Build { recipe: "nano".to_owned(), attempts: 0 })
//! })?;
//! let found = environment.read(|txn| {
//!     tables.builds.find_by(txn, &tables.by_recipe, &"nano".to_owned())?.collect::<Result<Vec<_>, Error>>()
//! })?;
//! assert_eq!(found.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Transactions
//!
//! Tables take a transaction; the caller opens and commits it. [`Environment::read`] and
//! [`Environment::write`] block the thread; [`Environment::query`] and [`Environment::submit`]
//! are their counterparts for async code. Submitted changes are gathered into one transaction
//! with one sync, and nobody is answered before that sync.
//!
//! # Room
//!
//! The map is sparse and has a fixed size. At 80 % a warning is logged, [`Environment::usage`]
//! tells the figures, and when it is full a change is refused with [`Error::MapFull`]. A full disk
//! refuses changes with [`Error::DiskFull`]: nothing of them is kept, what was answered stays,
//! readers go on, and so do changes once there is room.
//!
//! # Checking
//!
//! [`Environment::check`] looks over all tables: rows that cannot be read, indexes that disagree with
//! their rows, and tables that are nobody's. [`Environment::backup`] copies a database in use, and
//! [`restore`] takes a copy back only if it is one and no byte of it has changed.
//!
//! # Versions
//!
//! A database remembers whose it is and its schema version, which is the number of migrations
//! applied. Opening runs the missing ones in a single transaction and then rebuilds all
//! indexes. A database written by a newer program is refused.

mod check;
mod environment;
mod error;
mod indexed;
mod key;
mod raw;
mod schema;
mod sequence;
mod table;
mod writer;

pub use check::Fault;
pub use environment::backup::{BackupError, restore};
pub use environment::{Environment, OpenError, Options, Usage};
pub use error::Error;
pub use indexed::{Inconsistency, Index, Indexed, IndexedBuilder};
pub use key::{Composite, Key, KeyError, Reader, Text};
pub use schema::{Migration, Opener, Schema, Upgrade};
pub use sequence::Sequence;
pub use table::{Rows, Table};

pub use heed::{RoTxn, RwTxn};

//! Which tables there are: in memory, in the database, and as changes on their way from the one to
//! the other.

use std::collections::BTreeMap;

use super::migration;
use moss_db::{Error, Migration, Opener, RoTxn, RwTxn, Schema};

use crate::id::{
    AccountId, CheckRunId, CheckSuiteId, CommentId, DeliveryId, InstallationId, RepositoryId,
    ReviewCommentId, ReviewId,
};
use crate::name::Sha;
use crate::state::access::{Grant, TokenDigest, UserToken};
use crate::state::account::Account;
use crate::state::check_run::{CheckRun, Suite};
use crate::state::comment::Comment;
use crate::state::installation::Suspension;
use crate::state::pull::PullRequest;
use crate::state::queue::Entry;
use crate::state::repository::Repository;
use crate::state::review::{Review, ReviewComment};
use crate::state::rule::Rule;
use crate::state::table::Table;
use crate::state::team::Team;
use crate::state::{Head, State};
use crate::webhook::log::{Delivery, Outgoing};

/// The key of what there is once.
const HEAD: u8 = 0;

/// Declares the tables: their name in the database, key, row, and place in [`State`].
macro_rules! tables {
    ($($name:ident: $key:ty => $row:ty, at $($place:ident).+;)*) => {
        /// The tables in the database.
        #[derive(Debug, Clone)]
        pub(super) struct Tables {
            head: moss_db::Table<u8, Head>,
            $($name: moss_db::Table<$key, $row>,)*
        }

        impl Schema for Tables {
            const NAME: &'static str = "forge";
            const MIGRATIONS: &'static [Migration] = &[migration::number_comments_by_kind];

            fn declare(opener: &mut Opener) -> Self {
                Self {
                    head: opener.table("head"),
                    $($name: opener.table(stringify!($name)),)*
                }
            }
        }

        impl Tables {
            /// All rows. None where there is nothing yet.
            pub(super) fn load(&self, txn: &RoTxn<'_>) -> Result<Option<State>, Error> {
                let Some(head) = self.head.find(txn, &HEAD)? else {
                    return Ok(None);
                };
                let mut state = State::empty(&head);
                $(
                    let rows = self.$name.iter(txn)?.collect::<Result<BTreeMap<_, _>, _>>()?;
                    state.$($place).+ = Table::from(rows);
                )*
                Ok(Some(state))
            }

            pub(super) fn write(&self, txn: &mut RwTxn<'_>, changes: &Changes) -> Result<(), Error> {
                if let Some(head) = &changes.head {
                    self.head.put(txn, &HEAD, head)?;
                }
                $(
                    for (key, row) in &changes.$name {
                        match row {
                            Some(row) => self.$name.put(txn, key, row)?,
                            None => {
                                self.$name.delete(txn, key)?;
                            }
                        }
                    }
                )*
                Ok(())
            }
        }

        /// Rows that changed, each as it is now; none where it was removed.
        #[derive(Debug, Clone, Default)]
        pub(super) struct Changes {
            head: Option<Head>,
            $($name: BTreeMap<$key, Option<$row>>,)*
        }

        impl Changes {
            /// What changed in memory since the last call.
            pub(super) fn take(state: &mut State) -> Self {
                Self {
                    head: state.take_head(),
                    $($name: state.$($place).+.take_changes(),)*
                }
            }

            pub(super) fn is_empty(&self) -> bool {
                self.head.is_none() $(&& self.$name.is_empty())*
            }

            /// Adds later changes: of a row only the last one counts.
            pub(super) fn add(&mut self, later: Self) {
                self.head = later.head.or(self.head.take());
                $(self.$name.extend(later.$name);)*
            }
        }

        /// All rows as they are written, by table.
        #[cfg(test)]
        pub(super) fn contents(state: &State) -> BTreeMap<&'static str, Vec<String>> {
            BTreeMap::from([$((
                stringify!($name),
                state
                    .$($place).+
                    .iter()
                    .map(|(key, row)| {
                        let row = serde_json::to_string(row).expect("rows are written as JSON");
                        format!("{key:?} {row}")
                    })
                    .collect(),
            ),)*])
        }
    };
}

tables! {
    accounts: AccountId => Account, at accounts;
    teams: (AccountId, String) => Team, at teams;
    installations: InstallationId => AccountId, at installations;
    suspensions: InstallationId => Suspension, at suspensions;
    repositories: RepositoryId => Repository, at repositories;
    old_names: (AccountId, String) => RepositoryId, at old_names;
    leftovers: RepositoryId => (), at leftovers;
    refs: (RepositoryId, String) => Sha, at refs;
    pushers: RepositoryId => AccountId, at pushers;
    follows: (RepositoryId, String) => AccountId, at follows;
    rules: (RepositoryId, String) => Rule, at rules;
    merging: (RepositoryId, u64) => Sha, at merging;
    queue: (RepositoryId, u64) => Entry, at queue;
    pulls: (RepositoryId, u64) => PullRequest, at pulls;
    comments: CommentId => Comment, at comments;
    reviews: ReviewId => Review, at reviews;
    review_comments: ReviewCommentId => ReviewComment, at review_comments;
    check_runs: CheckRunId => CheckRun, at check_runs;
    suites: CheckSuiteId => Suite, at suites;
    grants: TokenDigest => Grant, at tokens.grants;
    user_tokens: TokenDigest => UserToken, at tokens.users;
    deliveries: DeliveryId => Delivery, at deliveries.rows;
    outgoing: DeliveryId => Outgoing, at deliveries.outgoing;
}

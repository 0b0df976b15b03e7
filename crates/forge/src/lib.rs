//! A forge that looks like GitHub to a GitHub App: organisations and repositories served over
//! git's smart HTTP, the REST calls that summit makes, and signed webhooks with a delivery log.
//! `docs/forge.md` lists every difference from GitHub.
//!
//! [`start`] runs one. Its [`Forge`] handle stands for people on the web: they make repositories,
//! open pull requests, comment, press buttons. Tests also use it to lose webhooks, to hold
//! requests at named points, to make calls fail, and to read what passed.

mod clock;
pub mod config;
pub mod fault;
mod forge;
mod git;
mod id;
mod name;
mod obstacle;
mod page;
mod people;
mod pull;
mod push;
mod queue;
mod records;
mod rest;
mod rights;
mod shape;
mod smart;
mod start;
mod state;
mod traffic;
mod webhook;

pub use config::Config;
pub use fault::{Failure, Faults, Moment, NeverHeld, NeverMet, Outage, Pause, Point};
pub use forge::{Forge, TimedOut};
pub use git::GitError;
pub use git::backend::BackendError;
pub use git::commit::Edit;
pub use git::merge::method::MergeMethod;
pub use id::{
    AccountId, CheckRunId, CheckSuiteId, CommentId, CommentKind, DeliveryId, InstallationId,
    PullId, ReactionId, RepositoryId, ReviewCommentId, ReviewId,
};
pub use name::{Branch, FullName, Invalid, Login, RepositoryName, Sha};
pub use obstacle::{Obstacle, Standing};
pub use people::{EditPull, MergePull, OpenPull, Queued, Refused};
pub use records::{RecordsError, Unrecorded};
pub use start::{Running, StartError, start};
pub use state::access::{Level, Permission, Permissions};
pub use state::account::{Account, Kind};
pub use state::check_run::{
    Action, Annotation, AnnotationLevel, CheckRun, Conclusion, Output, Status,
};
pub use state::comment::{Comment, Content, Reaction, Subject};
pub use state::pull::{Base, Head, Mergeability, PullRequest, State as PullState};
pub use state::repository::{Role, Visibility};
pub use state::review::{LinePlace, Review, ReviewComment, Verdict};
pub use state::rule::MergeQueue;
pub use traffic::{Body, Exchange, Headers};
pub use webhook::log::{Delivery, Outcome};
pub use webhook::{Event, Mode, Order, Redelivery};

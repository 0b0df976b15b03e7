//! Makes the order of an attempt and commits it.

use api::attempt::{ClosureStone, Limits, Order};
use api::id::{AttemptId, ServiceName};

use super::error::Error;
use crate::db::{ChangeError, Repository};
use crate::domain::build::{Build, Event};
use crate::domain::name::RepositoryId;
use crate::usecase::Summit;
use crate::usecase::channel::Snapshot;

impl Summit {
    /// Commits the order together with the build's new state. The task that attends to the attempt
    /// sends it.
    pub(super) async fn hand_over(
        &self,
        build: &Build,
        builder: ServiceName,
        order: Order,
    ) -> Result<(), Error> {
        let tables = self.tables.clone();
        let (id, now) = (build.id, self.clock.now());
        self.submit(move |txn| {
            let event = Event::Dispatched {
                builder,
                build_release: order.build_release,
            };
            let build = tables.change(txn, id, event, now)?;
            let attempt = AttemptId::new(id, build.attempts);
            tables.orders.put(txn, &attempt, &order)?;
            Ok::<_, ChangeError>(())
        })
        .await?;
        Ok(())
    }

    pub(super) async fn order(
        &self,
        build: &Build,
        snapshot: &Snapshot,
        closure: Vec<ClosureStone>,
        host_needs: Vec<String>,
    ) -> Result<Order, Error> {
        let repository = self.repository(build.repository).await?;
        let report = self.public_url.join("api/v1/reports").ok();
        Ok(Order {
            recipe: build.recipe.clone(),
            folder: build.folder.clone(),
            clone_url: repository.clone_url,
            credentials: None,
            git_ref: build.target.git_ref(),
            commit: build.commit,
            profile: "default".parse().expect("a valid name"),
            architecture: build.profile.clone(),
            build_release: snapshot.next_build_release(build.recipe.as_str(), build.release),
            source_date_epoch: build.source_date_epoch,
            closure,
            host_needs,
            limits: Limits {
                wall_seconds: self.config.limits.wall_seconds,
                log_bytes: self.config.limits.log_bytes,
            },
            lease_seconds: self.config.limits.lease_seconds,
            report_to: report,
        })
    }

    pub(in crate::usecase) async fn repository(
        &self,
        id: RepositoryId,
    ) -> Result<Repository, Error> {
        let tables = self.tables.clone();
        let found = self
            .db
            .query(move |txn| tables.repositories.find(txn, &id.number()))
            .await;
        found
            .map_err(ChangeError::from)?
            .ok_or(Error::NoRepository(id))
    }
}

//! The endpoints of channels, streams and tags.

use std::sync::Arc;

use api::id::{ChannelName, StreamName, TagName};
use api::problem::Code;
use api::repository::{Channel, Target};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use service::ApiError;
use service::auth::Caller;

use super::{body, fault, parameter};
use crate::domain::pointer::Immovable;
use crate::usecase::{NotMoved, Repository};

/// `GET /api/v1/channels/{channel}`
pub(super) async fn get(
    State(repository): State<Arc<Repository>>,
    _: Caller,
    Path(channel): Path<String>,
) -> Result<Json<Channel>, ApiError> {
    let name: ChannelName = parameter(&channel)?;
    let found = repository
        .find_channel(name.clone())
        .await
        .map_err(|failure| fault(&failure))?;
    found
        .map(Json)
        .ok_or_else(|| ApiError::not_found(format_args!("channel {name}")))
}

/// `PUT /api/v1/channels/{channel}/streams/{stream}`
pub(super) async fn put_stream(
    State(repository): State<Arc<Repository>>,
    _: Caller,
    Path((channel, stream)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Json<Channel>, ApiError> {
    let channel: ChannelName = parameter(&channel)?;
    let stream: StreamName = parameter(&stream)?;
    let target: Target = body(&bytes)?;
    let moved = repository
        .move_stream(channel, stream, target.history)
        .await;
    moved.map(Json).map_err(answer)
}

/// `PUT /api/v1/channels/{channel}/tags/{tag}`
pub(super) async fn put_tag(
    State(repository): State<Arc<Repository>>,
    _: Caller,
    Path((channel, tag)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Json<Channel>, ApiError> {
    let channel: ChannelName = parameter(&channel)?;
    let tag: TagName = parameter(&tag)?;
    let target: Target = body(&bytes)?;
    let set = repository.set_tag(channel, tag, target.history).await;
    set.map(Json).map_err(answer)
}

fn answer(error: NotMoved) -> ApiError {
    let code = match &error {
        NotMoved::NoChannel(_) => Code::NotFound,
        NotMoved::NoHistory { .. } | NotMoved::Immovable(Immovable::Volatile) => Code::Invalid,
        NotMoved::Immovable(Immovable::Pinned { .. }) => Code::Conflict,
        NotMoved::Failure(failure) => return fault(failure),
    };
    ApiError::new(code, error.to_string())
}

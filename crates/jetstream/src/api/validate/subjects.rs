//! What a stream listens on, and what subjects become.

use martlet_subject::Transform;

use super::{invalid, is_subset, is_valid, overlap, pedantic, require};
use crate::api::ApiError;
use crate::api::body::StreamConfigBody;
use crate::api::json::quote;
use crate::config::SubjectTransform;

const ALL: &str = ">";

/// Subjects of the server's own, of which only those below the exception may be kept without further ado.
const RESERVED: &[(&[&str], &str, &str)] =
    &[(&["$JS.>", "$JSC.>", "$NRG.>"], "$JS.EVENT.>", "jetstream"), (&["$SYS.>"], "$SYS.ACCOUNT.>", "system")];

/// Fills in the subject of a stream that says none, and looks at each.
// spec: JS-051
pub(super) fn check_listening(config: &mut StreamConfigBody) -> Result<(), ApiError> {
    if config.subjects.is_empty() {
        if config.mirror.is_none() && config.sources.is_empty() {
            config.subjects.push(config.name.clone());
        }
        return Ok(());
    }
    for (at, subject) in config.subjects.iter().enumerate() {
        require(is_valid(subject), || invalid("invalid subject"))?;
        if subject == ALL {
            require(config.no_ack, || invalid("capturing all subjects requires no-ack to be true"))?;
            require(config.num_replicas.0 == 1, || invalid("capturing all subjects requires replicas of 1"))?;
        }
        if !config.no_ack {
            check_reserved(subject)?;
        }
        if let Some(other) = config.subjects[at + 1..].iter().find(|other| overlap(other, subject)) {
            let (subject, other) = (quote::text(subject), quote::text(other));
            return Err(invalid(format!("subject {subject} overlaps with {other}")));
        }
    }
    Ok(())
}

/// Whoever asks the API and gets an acknowledgement of a stream, too, takes it for the answer.
fn check_reserved(subject: &str) -> Result<(), ApiError> {
    for (spaces, exception, name) in RESERVED {
        let is_reserved = spaces.iter().any(|space| overlap(subject, space)) && !is_subset(subject, exception);
        require(!is_reserved, || invalid(format!("subjects that overlap with {name} api require no-ack to be true")))?;
    }
    Ok(())
}

/// What is wrong with a transform: its source, or its destination.
pub(super) enum TransformFault {
    Source(String),
    Destination(String),
}

pub(super) fn transform_fault(transform: &SubjectTransform) -> Option<TransformFault> {
    let SubjectTransform { src, dest } = transform;
    if !src.is_empty() && !is_valid(src) {
        return Some(TransformFault::Source(format!("invalid subject {src}")));
    }
    if dest.is_empty() {
        return None;
    }
    Transform::check_mapping(src, dest).err().map(|error| TransformFault::Destination(error.to_string()))
}

/// Looks at what subjects become before they are stored.
pub(super) fn check_transform(config: &StreamConfigBody) -> Result<(), ApiError> {
    match config.subject_transform.as_ref().and_then(transform_fault) {
        None => Ok(()),
        Some(TransformFault::Source(why)) => Err(ApiError::stream_transform_invalid_source(why)),
        Some(TransformFault::Destination(why)) => Err(ApiError::stream_transform_invalid_destination(why)),
    }
}

/// Looks at where stored messages are published again.
// spec: JS-055
pub(super) fn check_republish(config: &mut StreamConfigBody, is_pedantic: bool) -> Result<(), ApiError> {
    let Some(republish) = &mut config.republish else { return Ok(()) };
    if republish.src.is_empty() {
        pedantic(is_pedantic, "republish source can not be empty")?;
        ALL.clone_into(&mut republish.src);
    }
    // From everything to everything is no cycle if all there is becomes something else first.
    let transform = config.subject_transform.as_ref().filter(|transform| config.subjects == [&*transform.src]);
    if let Some(transform) = transform.filter(|_| republish.dest == ALL && republish.src == ALL) {
        pedantic(is_pedantic, "implicit republish based on subject transform")?;
        republish.src.clone_from(&transform.dest);
        republish.dest.clone_from(&transform.dest);
    }
    require(!config.subjects.iter().any(|subject| overlap(&republish.dest, subject)), || {
        invalid("stream configuration for republish destination forms a cycle")
    })?;
    let (src, dest) = (&republish.src, &republish.dest);
    require(dest.is_empty() || Transform::new(src, dest).is_ok(), || {
        invalid(format!("stream configuration for republish with transform from '{src}' to '{dest}' not valid"))
    })
}

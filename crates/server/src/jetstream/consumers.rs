//! Requests about consumers.
use super::keeper::*;
use super::cell::Cell;
use martlet_jetstream::api::ApiError;
use martlet_jetstream::api::body::*;
use martlet_jetstream::api::request::ConsumerCreate;
pub(super) fn open(_: &Cell, _: &str) {}
impl Keeper {
    pub(super) fn create_consumer(&self, s: &Served, _: ConsumerCreate) -> Result<(), ApiError> { Err(super::not_yet(s.endpoint)) }
    pub(super) fn name_consumers(&self, s: &Served, _: &str, _: &ConsumersBody) -> Result<(), ApiError> { Err(super::not_yet(s.endpoint)) }
    pub(super) fn list_consumers(&self, s: &Served, _: &str, _: &ConsumersBody) -> Result<(), ApiError> { Err(super::not_yet(s.endpoint)) }
    pub(super) fn describe_consumer(&self, s: &Served, _: &str, _: String) -> Result<(), ApiError> { Err(super::not_yet(s.endpoint)) }
    pub(super) fn delete_consumer(&self, s: &Served, _: &str, _: String) -> Result<(), ApiError> { Err(super::not_yet(s.endpoint)) }
    pub(super) fn pause_consumer(&self, s: &Served, _: &str, _: String, _: &PauseBody) -> Result<(), ApiError> { Err(super::not_yet(s.endpoint)) }
    pub(super) fn unpin_consumer(&self, s: &Served, _: &str, _: String, _: UnpinBody) -> Result<(), ApiError> { Err(super::not_yet(s.endpoint)) }
    pub(super) fn reset_consumer(&self, s: &Served, _: &str, _: String, _: Result<ResetBody, ApiError>) -> Result<(), ApiError> { Err(super::not_yet(s.endpoint)) }
}

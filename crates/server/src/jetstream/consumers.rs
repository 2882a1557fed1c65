//! Requests about consumers.

//! The options of later features, block by block, as the contract lists them.

use super::schema::Shape::{
    Bool, Duration, DurationText, Integer, Keys, List, Listen, Map, OneOf, Seconds, Text, TextMap, Texts, Tls,
};
use super::schema::{Field, field};
use crate::nkey::Role;

// row: CFG-374 CFG-375 CFG-376 CFG-377
pub(super) const LEAF_PROXY: &[Field] =
    &[field(&["url"], Text), field(&["username"], Text), field(&["password"], Text), field(&["timeout"], Duration)];

// row: CFG-388 CFG-400
const SIMPLE_AUTHORIZATION: &[Field] = &[
    field(&["user", "username"], Text),
    field(&["pass", "password"], Text),
    field(&["token"], Text),
    field(&["timeout"], Seconds),
];

// row: CFG-178 CFG-378 CFG-379 CFG-380 CFG-381 CFG-382 CFG-383 CFG-384 CFG-385 CFG-386 CFG-387 CFG-389 CFG-390
// row: CFG-391 CFG-392 CFG-393 CFG-394 CFG-395
pub(super) const WEBSOCKET: &[Field] = &[
    field(&["listen"], Listen),
    field(&["host", "net"], Text),
    field(&["port"], Integer),
    field(&["advertise"], Text),
    field(&["no_tls"], Bool),
    field(&["tls"], Tls),
    field(&["same_origin"], Bool),
    field(&["allowed_origins", "allowed_origin", "allow_origins", "allow_origin", "origins", "origin"], Texts),
    field(&["handshake_timeout"], Seconds),
    field(&["compression", "compress"], Bool),
    field(&["authorization", "authentication"], Map(SIMPLE_AUTHORIZATION)),
    field(&["no_auth_user"], Text),
    field(&["jwt_cookie"], Text),
    field(&["user_cookie"], Text),
    field(&["pass_cookie"], Text),
    field(&["token_cookie"], Text),
    field(&["headers"], TextMap),
    field(&["ping_interval"], Duration),
];

// row: CFG-182 CFG-396 CFG-397 CFG-398 CFG-399 CFG-401 CFG-402 CFG-403 CFG-404 CFG-405 CFG-406 CFG-407 CFG-408
// row: CFG-409 CFG-410 CFG-411
pub(super) const MQTT: &[Field] = &[
    field(&["listen"], Listen),
    field(&["host", "net"], Text),
    field(&["port"], Integer),
    field(&["tls"], Tls),
    field(&["authorization", "authentication"], Map(SIMPLE_AUTHORIZATION)),
    field(&["no_auth_user"], Text),
    field(&["ack_wait", "ackwait"], Duration),
    field(&["js_api_timeout", "api_timeout"], Duration),
    field(&["max_ack_pending", "max_pending", "max_inflight"], Integer),
    field(&["js_domain"], Text),
    field(&["stream_replicas"], Integer),
    field(&["consumer_replicas"], Integer),
    field(&["consumer_memory_storage"], Bool),
    field(&["consumer_inactive_threshold", "consumer_auto_cleanup"], Duration),
    field(&["reject_qos2_publish"], Bool),
    field(&["downgrade_qos2_subscribe"], Bool),
];

// row: CFG-206
pub(super) const JETSTREAM_TPM: &[Field] = &[
    field(&["keys_file"], Text),
    field(&["encryption_password"], Text),
    field(&["srk_password"], Text),
    field(&["pcr"], Integer),
    field(&["cipher"], Text),
];

// row: CFG-212 CFG-421 CFG-422 CFG-423 CFG-424 CFG-425 CFG-426 CFG-427 CFG-428
pub(super) const RESOLVER: &[Field] = &[
    field(&["type"], OneOf(&["MEM", "MEMORY", "FULL", "CACHE"])),
    field(&["dir"], Text),
    field(&["limit"], Integer),
    field(&["ttl"], DurationText),
    field(&["interval"], DurationText),
    field(&["timeout"], DurationText),
    field(&["allow_delete"], Bool),
    field(&["hard_delete"], Bool),
];

// row: CFG-235 CFG-236 CFG-237 CFG-238 CFG-239
pub(super) const AUTH_CALLOUT: &[Field] = &[
    field(&["issuer"], Keys(Role::Account)),
    field(&["account", "acc"], Text),
    field(&["auth_users", "users"], List),
    field(&["xkey", "key"], Keys(Role::Curve)),
    field(&["allowed_accounts"], List),
];

// row: CFG-309 CFG-310 CFG-311 CFG-312
pub(super) const OCSP: &[Field] =
    &[field(&["mode"], OneOf(&["auto", "always", "must", "never"])), field(&["url"], Text), field(&["urls"], List)];

// row: CFG-313 CFG-314 CFG-315 CFG-316 CFG-317
pub(super) const OCSP_CACHE: &[Field] = &[
    field(&["type"], OneOf(&["local", "none"])),
    field(&["local_store"], Text),
    field(&["preserve_revoked"], Bool),
    field(&["save_interval"], Seconds),
];

// row: CFG-296 CFG-297 CFG-298 CFG-299 CFG-300 CFG-301 CFG-302 CFG-303
pub(super) const OCSP_PEER: &[Field] = &[
    field(&["verify"], Bool),
    field(&["allowed_clockskew"], Seconds),
    field(&["ca_timeout"], Seconds),
    field(&["cache_ttl_when_next_update_unset"], Seconds),
    field(&["warn_only"], Bool),
    field(&["unknown_is_good"], Bool),
    field(&["allow_when_ca_unreachable"], Bool),
];

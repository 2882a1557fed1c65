//! Every error of the API: its two codes and its words.
//!
//! Clients compare codes, people and scripts compare words; both are part of the contract, with their slips.
//!
//! Invariant: an error is made here or nowhere.

use std::borrow::Cow;
use std::fmt::Display;

use super::ApiError;

/// One `name(arguments) = err_code, code, "words with {arguments}";` for each error.
macro_rules! errors {
    ($($name:ident($($argument:ident),*) = $err_code:literal, $code:literal, $text:literal;)*) => {
        impl ApiError {
            $(
                #[doc = concat!("`", $text, "`")]
                pub fn $name($($argument: impl Display),*) -> Self {
                    Self { code: $code, err_code: $err_code, description: errors!(@words $text $(, $argument)*) }
                }
            )*
        }

        /// All of them: `err_code`, `code`, words before anything is put in.
        pub const ALL: &[(u16, u16, &str)] = &[$(($err_code, $code, $text)),*];
    };
    (@words $text:literal) => { Cow::Borrowed($text) };
    (@words $text:literal, $($argument:ident),+) => { Cow::Owned(format!($text)) };
}

impl Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.description, self.err_code)
    }
}

impl std::error::Error for ApiError {}

errors! {
    account_resources_exceeded() = 10002, 400, "resource limits exceeded for account"; // spec: JS-143
    bad_request() = 10003, 400, "bad request"; // spec: JS-144
    cluster_incomplete() = 10004, 503, "incomplete results"; // spec: JS-145
    cluster_no_peers(err) = 10005, 400, "{err}"; // spec: JS-146
    cluster_not_active() = 10006, 500, "JetStream not in clustered mode"; // spec: JS-147
    cluster_not_assigned() = 10007, 500, "JetStream cluster not assigned to this server"; // spec: JS-148
    cluster_not_avail() = 10008, 503, "JetStream system temporarily unavailable"; // spec: JS-149
    cluster_not_leader() = 10009, 500, "JetStream cluster can not handle request"; // spec: JS-150
    cluster_required() = 10010, 503, "JetStream clustering support required"; // spec: JS-151
    cluster_tags() = 10011, 400, "tags placement not supported for operation"; // spec: JS-152
    consumer_create(err) = 10012, 500, "{err}"; // spec: JS-153
    consumer_name_exist() = 10013, 400, "consumer name already in use"; // spec: JS-154
    consumer_not_found() = 10014, 404, "consumer not found"; // spec: JS-155
    snapshot_deliver_subject_invalid() = 10015, 400, "deliver subject not valid"; // spec: JS-156
    // spec: JS-157
    consumer_durable_name_not_in_subject() = 10016, 400, "consumer expected to be durable but no durable name set in subject";
    // spec: JS-158
    consumer_durable_name_not_match_subject() = 10017, 400, "consumer name in subject does not match durable name in request";
    // spec: JS-159
    consumer_durable_name_not_set() = 10018, 400, "consumer expected to be durable but a durable name was not set";
    // spec: JS-160
    consumer_ephemeral_with_durable_in_subject() = 10019, 400, "consumer expected to be ephemeral but detected a durable name set in subject";
    // spec: JS-161
    consumer_ephemeral_with_durable_name() = 10020, 400, "consumer expected to be ephemeral but a durable name was set in request";
    // spec: JS-162
    stream_external_api_overlap(prefix, subject) = 10021, 400, "stream external api prefix {prefix} must not overlap with {subject}";
    // spec: JS-163
    stream_external_del_prefix_overlaps(prefix, subject) = 10022, 400, "stream external delivery prefix {prefix} overlaps with stream subject {subject}";
    insufficient_resources() = 10023, 503, "insufficient resources"; // spec: JS-164
    // spec: JS-165
    stream_invalid_external_delivery_subject(prefix) = 10024, 400, "stream external delivery prefix {prefix} must not contain wildcards";
    invalid_json(err) = 10025, 400, "invalid JSON: {err}"; // spec: JS-166
    maximum_consumers_limit() = 10026, 400, "maximum consumers limit reached"; // spec: JS-167
    maximum_streams_limit() = 10027, 400, "maximum number of streams reached"; // spec: JS-168
    memory_resources_exceeded() = 10028, 500, "insufficient memory resources available"; // spec: JS-169
    mirror_consumer_setup_failed(err) = 10029, 500, "{err}"; // spec: JS-170
    // spec: JS-171
    mirror_max_message_size_too_big() = 10030, 400, "stream mirror must have max message size >= source";
    mirror_with_sources() = 10031, 400, "stream mirrors can not also contain other sources"; // spec: JS-172
    // spec: JS-173
    mirror_with_start_seq_and_time() = 10032, 400, "stream mirrors can not have both start seq and start time configured";
    mirror_with_subject_filters() = 10033, 400, "stream mirrors can not contain filtered subjects"; // spec: JS-174
    mirror_with_subjects() = 10034, 400, "stream mirrors can not contain subjects"; // spec: JS-175
    no_account() = 10035, 503, "account not found"; // spec: JS-176
    cluster_unsupported_feature() = 10036, 503, "not currently supported in clustered mode"; // spec: JS-177
    no_message_found() = 10037, 404, "no message found"; // spec: JS-178
    not_empty_request() = 10038, 400, "expected an empty request payload"; // spec: JS-179
    not_enabled_for_account() = 10039, 503, "JetStream not enabled for account"; // spec: JS-180
    cluster_peer_not_member() = 10040, 400, "peer not a member"; // spec: JS-181
    raft_general(err) = 10041, 500, "{err}"; // spec: JS-182
    // spec: JS-183
    restore_subscribe_failed(subject, err) = 10042, 500, "JetStream unable to subscribe to restore snapshot {subject}: {err}";
    sequence_not_found(seq) = 10043, 400, "sequence {seq} not found"; // spec: JS-184
    cluster_server_not_member() = 10044, 400, "server is not a member of the cluster"; // spec: JS-185
    source_consumer_setup_failed(err) = 10045, 500, "{err}"; // spec: JS-186
    // spec: JS-187
    source_max_message_size_too_big() = 10046, 400, "stream source must have max message size >= target";
    storage_resources_exceeded() = 10047, 500, "insufficient storage resources available"; // spec: JS-188
    stream_assignment(err) = 10048, 500, "{err}"; // spec: JS-189
    stream_create(err) = 10049, 500, "{err}"; // spec: JS-190
    stream_delete(err) = 10050, 500, "{err}"; // spec: JS-191
    stream_general_error(err) = 10051, 500, "{err}"; // spec: JS-192
    stream_invalid_config(err) = 10052, 500, "{err}"; // spec: JS-193
    stream_limits(err) = 10053, 500, "{err}"; // spec: JS-194
    stream_message_exceeds_maximum() = 10054, 400, "message size exceeds maximum allowed"; // spec: JS-195
    stream_mirror_not_updatable() = 10055, 400, "stream mirror configuration can not be updated"; // spec: JS-196
    stream_mismatch() = 10056, 400, "stream name in subject does not match request"; // spec: JS-197
    stream_msg_delete_failed(err) = 10057, 500, "{err}"; // spec: JS-198
    stream_name_exist() = 10058, 400, "stream name already in use with a different configuration"; // spec: JS-199
    stream_not_found() = 10059, 404, "stream not found"; // spec: JS-200
    stream_not_match() = 10060, 400, "expected stream does not match"; // spec: JS-201
    stream_replicas_not_updatable() = 10061, 400, "Replicas configuration can not be updated"; // spec: JS-202
    stream_restore(err) = 10062, 500, "restore failed: {err}"; // spec: JS-203
    stream_sequence_not_match() = 10063, 503, "expected stream sequence does not match"; // spec: JS-204
    stream_snapshot(err) = 10064, 500, "snapshot failed: {err}"; // spec: JS-205
    stream_subject_overlap() = 10065, 400, "subjects overlap with an existing stream"; // spec: JS-206
    stream_template_create(err) = 10066, 500, "{err}"; // spec: JS-207
    stream_template_delete(err) = 10067, 500, "{err}"; // spec: JS-208
    stream_template_not_found() = 10068, 404, "template not found"; // spec: JS-209
    stream_update(err) = 10069, 500, "{err}"; // spec: JS-210
    stream_wrong_last_msg_id(id) = 10070, 400, "wrong last msg ID: {id}"; // spec: JS-211
    stream_wrong_last_sequence(seq) = 10071, 400, "wrong last sequence: {seq}"; // spec: JS-212
    temp_storage_failed() = 10072, 500, "JetStream unable to open temp storage for restore"; // spec: JS-213
    template_name_not_match_subject() = 10073, 400, "template name in subject does not match request"; // spec: JS-214
    stream_replicas_not_supported() = 10074, 500, "replicas > 1 not supported in non-clustered mode"; // spec: JS-215
    peer_remap() = 10075, 503, "peer remap failed"; // spec: JS-216
    not_enabled() = 10076, 503, "JetStream not enabled"; // spec: JS-217
    stream_store_failed(err) = 10077, 503, "{err}"; // spec: JS-218
    consumer_config_required() = 10078, 400, "consumer config required"; // spec: JS-219
    consumer_deliver_to_wildcards() = 10079, 400, "consumer deliver subject has wildcards"; // spec: JS-220
    consumer_push_max_waiting() = 10080, 400, "consumer in push mode can not set max waiting"; // spec: JS-221
    consumer_deliver_cycle() = 10081, 400, "consumer deliver subject forms a cycle"; // spec: JS-222
    // spec: JS-223
    consumer_max_pending_ack_policy_required() = 10082, 400, "consumer requires ack policy for max ack pending";
    consumer_small_heartbeat() = 10083, 400, "consumer idle heartbeat needs to be >= 100ms"; // spec: JS-224
    // spec: JS-225
    consumer_pull_requires_ack() = 10084, 400, "consumer in pull mode requires explicit ack policy on workqueue stream";
    consumer_pull_not_durable() = 10085, 400, "consumer in pull mode requires a durable name"; // spec: JS-226
    consumer_pull_with_rate_limit() = 10086, 400, "consumer in pull mode can not have rate limit set"; // spec: JS-227
    consumer_max_waiting_negative() = 10087, 400, "consumer max waiting needs to be positive"; // spec: JS-228
    // spec: JS-229
    consumer_heartbeat_requires_push() = 10088, 400, "consumer idle heartbeat requires a push based consumer";
    // spec: JS-230
    consumer_flow_control_requires_push() = 10089, 400, "consumer flow control requires a push based consumer";
    consumer_direct_requires_push() = 10090, 400, "consumer direct requires a push based consumer"; // spec: JS-231
    consumer_direct_requires_ephemeral() = 10091, 400, "consumer direct requires an ephemeral consumer"; // spec: JS-232
    consumer_on_mapped() = 10092, 400, "consumer direct on a mapped consumer"; // spec: JS-233
    // spec: JS-234
    consumer_filter_not_subset() = 10093, 400, "consumer filter subject is not a valid subset of the interest subjects";
    consumer_invalid_policy(err) = 10094, 400, "{err}"; // spec: JS-235
    // spec: JS-236
    consumer_invalid_sampling(err) = 10095, 400, "failed to parse consumer sampling configuration: {err}";
    stream_invalid() = 10096, 500, "stream not valid"; // spec: JS-237
    stream_header_exceeds_maximum() = 10097, 400, "header size exceeds maximum allowed of 64k"; // spec: JS-238
    consumer_wq_requires_explicit_ack() = 10098, 400, "workqueue stream requires explicit ack"; // spec: JS-239
    // spec: JS-240
    consumer_wq_multiple_unfiltered() = 10099, 400, "multiple non-filtered consumers not allowed on workqueue stream";
    consumer_wq_consumer_not_unique() = 10100, 400, "filtered consumer not unique on workqueue stream"; // spec: JS-241
    // spec: JS-242
    consumer_wq_consumer_not_deliver_all() = 10101, 400, "consumer must be deliver all on workqueue stream";
    consumer_name_too_long(max) = 10102, 400, "consumer name is too long, maximum allowed is {max}"; // spec: JS-243
    consumer_bad_durable_name() = 10103, 400, "durable name can not contain '.', '*', '>'"; // spec: JS-244
    consumer_store_failed(err) = 10104, 500, "error creating store for consumer: {err}"; // spec: JS-245
    consumer_existing_active() = 10105, 400, "consumer already exists and is still active"; // spec: JS-246
    // spec: JS-247
    consumer_replacement_with_different_name() = 10106, 400, "consumer replacement durable config not the same";
    // spec: JS-248
    consumer_description_too_long(max) = 10107, 400, "consumer description is too long, maximum allowed is {max}";
    // spec: JS-249
    consumer_with_flow_control_needs_heartbeats() = 10108, 400, "consumer with flow control also needs heartbeats";
    stream_sealed() = 10109, 400, "invalid operation on sealed stream"; // spec: JS-250
    stream_purge_failed(err) = 10110, 500, "{err}"; // spec: JS-251
    stream_rollup_failed(err) = 10111, 500, "{err}"; // spec: JS-252
    consumer_invalid_deliver_subject() = 10112, 400, "invalid push consumer deliver subject"; // spec: JS-253
    stream_max_bytes_required() = 10113, 400, "account requires a stream config to have max bytes set"; // spec: JS-254
    consumer_max_request_batch_negative() = 10114, 400, "consumer max request batch needs to be > 0"; // spec: JS-255
    // spec: JS-256
    consumer_max_request_expires_too_small() = 10115, 400, "consumer max request expires needs to be >= 1ms";
    // spec: JS-257
    consumer_max_deliver_backoff() = 10116, 400, "max deliver is required to be > length of backoff values";
    stream_info_max_subjects() = 10117, 500, "subject details would exceed maximum allowed"; // spec: JS-258
    stream_offline() = 10118, 500, "stream is offline"; // spec: JS-259
    consumer_offline() = 10119, 500, "consumer is offline"; // spec: JS-260
    no_limits() = 10120, 400, "no JetStream default or applicable tiered limit present"; // spec: JS-261
    // spec: JS-262
    consumer_max_pending_ack_excess(limit) = 10121, 400, "consumer max ack pending exceeds system limit of {limit}";
    // spec: JS-263
    stream_max_stream_bytes_exceeded() = 10122, 400, "stream max bytes exceeds account limit max stream bytes";
    stream_move_and_scale() = 10123, 400, "can not move and scale a stream in a single update"; // spec: JS-264
    stream_move_in_progress() = 10124, 400, "stream move already in progress"; // spec: JS-265
    // spec: JS-266
    consumer_max_request_batch_exceeded(limit) = 10125, 400, "consumer max request batch exceeds server limit of {limit}";
    // spec: JS-267
    consumer_replicas_exceeds_stream() = 10126, 400, "consumer config replica count exceeds parent stream";
    // spec: JS-268
    consumer_name_contains_path_separators() = 10127, 400, "Consumer name can not contain path separators";
    stream_name_contains_path_separators() = 10128, 400, "Stream name can not contain path separators"; // spec: JS-269
    stream_reconfigure_not_in_progress() = 10129, 400, "stream reconfiguration not in progress"; // spec: JS-270
    stream_name_exist_restore_failed() = 10130, 400, "stream name already in use, cannot restore"; // spec: JS-271
    // spec: JS-272
    consumer_create_filter_subject_mismatch() = 10131, 400, "Consumer create request did not match filtered subject from create subject";
    // spec: JS-273
    consumer_create_durable_and_name_mismatch() = 10132, 400, "Consumer Durable and Name have to be equal if both are provided";
    replicas_count_cannot_be_negative() = 10133, 400, "replicas count cannot be negative"; // spec: JS-274
    // spec: JS-275
    consumer_replicas_should_match_stream() = 10134, 400, "consumer config replicas must match interest retention stream's replicas";
    consumer_metadata_length(limit) = 10135, 400, "consumer metadata exceeds maximum size of {limit}"; // spec: JS-276
    // spec: JS-277
    consumer_duplicate_filter_subjects() = 10136, 400, "consumer cannot have both FilterSubject and FilterSubjects specified";
    // spec: JS-278
    consumer_multiple_filters_not_allowed() = 10137, 400, "consumer with multiple subject filters cannot use subject based API";
    consumer_overlapping_subject_filters() = 10138, 400, "consumer subject filters cannot overlap"; // spec: JS-279
    consumer_empty_filter() = 10139, 400, "consumer filter in FilterSubjects cannot be empty"; // spec: JS-280
    source_duplicate_detected() = 10140, 400, "duplicate source configuration detected"; // spec: JS-281
    source_invalid_stream_name() = 10141, 400, "sourced stream name is invalid"; // spec: JS-282
    mirror_invalid_stream_name() = 10142, 400, "mirrored stream name is invalid"; // spec: JS-283
    mirror_with_first_seq() = 10143, 400, "stream mirrors can not have first sequence configured"; // spec: JS-284
    // spec: JS-285
    source_multiple_filters_not_allowed() = 10144, 400, "source with multiple subject transforms cannot also have a single subject filter";
    source_invalid_subject_filter(err) = 10145, 400, "source transform source: {err}"; // spec: JS-286
    source_invalid_transform_destination(err) = 10146, 400, "source transform: {err}"; // spec: JS-287
    source_overlapping_subject_filters() = 10147, 400, "source filters can not overlap"; // spec: JS-288
    consumer_already_exists() = 10148, 400, "consumer already exists"; // spec: JS-289
    consumer_does_not_exist() = 10149, 400, "consumer does not exist"; // spec: JS-290
    // spec: JS-291
    mirror_multiple_filters_not_allowed() = 10150, 400, "mirror with multiple subject transforms cannot also have a single subject filter";
    mirror_invalid_subject_filter(err) = 10151, 400, "mirror transform source: {err}"; // spec: JS-292
    mirror_overlapping_subject_filters() = 10152, 400, "mirror subject filters can not overlap"; // spec: JS-293
    // spec: JS-294
    consumer_inactive_threshold_excess(limit) = 10153, 400, "consumer inactive threshold exceeds system limit of {limit}";
    mirror_invalid_transform_destination(err) = 10154, 400, "mirror transform: {err}"; // spec: JS-295
    stream_transform_invalid_source(err) = 10155, 400, "stream transform source: {err}"; // spec: JS-296
    stream_transform_invalid_destination(err) = 10156, 400, "stream transform: {err}"; // spec: JS-297
    pedantic(err) = 10157, 400, "pedantic mode: {err}"; // spec: JS-298
    stream_duplicate_message_conflict() = 10158, 409, "duplicate message id is in process"; // spec: JS-299
    // spec: JS-300
    consumer_priority_policy_without_group() = 10159, 400, "Setting PriorityPolicy requires at least one PriorityGroup to be set";
    // spec: JS-301
    consumer_invalid_priority_group() = 10160, 400, "Provided priority group does not exist for this consumer";
    consumer_empty_group_name() = 10161, 400, "Group name cannot be an empty string"; // spec: JS-302
    // spec: JS-303
    consumer_invalid_group_name() = 10162, 400, "Valid priority group name must match A-Z, a-z, 0-9, -_/=)+ and may not exceed 16 characters";
    // spec: JS-304
    stream_expected_last_seq_per_subject_not_ready() = 10163, 503, "expected last sequence per subject temporarily unavailable";
    stream_wrong_last_sequence_constant() = 10164, 400, "wrong last sequence"; // spec: JS-305
    message_ttl_invalid() = 10165, 400, "invalid per-message TTL"; // spec: JS-306
    message_ttl_disabled() = 10166, 400, "per-message TTL is disabled"; // spec: JS-307
    stream_too_many_requests() = 10167, 429, "too many requests"; // spec: JS-308
    message_incr_disabled() = 10168, 400, "message counters is disabled"; // spec: JS-309
    message_incr_missing() = 10169, 400, "message counter increment is missing"; // spec: JS-310
    message_incr_payload() = 10170, 400, "message counter has payload"; // spec: JS-311
    message_incr_invalid() = 10171, 400, "message counter increment is invalid"; // spec: JS-312
    message_counter_broken() = 10172, 400, "message counter is broken"; // spec: JS-313
    mirror_with_counters() = 10173, 400, "stream mirrors can not also calculate counters"; // spec: JS-314
    atomic_publish_disabled() = 10174, 400, "atomic publish is disabled"; // spec: JS-315
    atomic_publish_missing_seq() = 10175, 400, "atomic publish sequence is missing"; // spec: JS-316
    atomic_publish_incomplete_batch() = 10176, 400, "atomic publish batch is incomplete"; // spec: JS-317
    // spec: JS-318
    atomic_publish_unsupported_header_batch(header) = 10177, 400, "atomic publish unsupported header used: {header}";
    // spec: JS-319
    consumer_push_with_priority_group() = 10178, 400, "priority groups can not be used with push consumers";
    atomic_publish_invalid_batch_id() = 10179, 400, "atomic publish batch ID is invalid"; // spec: JS-320
    stream_min_last_seq() = 10180, 412, "min last sequence"; // spec: JS-321
    consumer_ack_policy_invalid() = 10181, 400, "consumer ack policy invalid"; // spec: JS-322
    consumer_replay_policy_invalid() = 10182, 400, "consumer replay policy invalid"; // spec: JS-323
    consumer_ack_wait_negative() = 10183, 400, "consumer ack wait needs to be positive"; // spec: JS-324
    consumer_backoff_negative() = 10184, 400, "consumer backoff needs to be positive"; // spec: JS-325
    required_api_level() = 10185, 412, "JetStream minimum api level required"; // spec: JS-326
    mirror_with_msg_schedules() = 10186, 400, "stream mirrors can not also schedule messages"; // spec: JS-327
    source_with_msg_schedules() = 10187, 400, "stream source can not also schedule messages"; // spec: JS-328
    message_schedules_disabled() = 10188, 400, "message schedules is disabled"; // spec: JS-329
    message_schedules_pattern_invalid() = 10189, 400, "message schedules pattern is invalid"; // spec: JS-330
    message_schedules_target_invalid() = 10190, 400, "message schedules target is invalid"; // spec: JS-331
    message_schedules_ttl_invalid() = 10191, 400, "message schedules invalid per-message TTL"; // spec: JS-332
    message_schedules_rollup_invalid() = 10192, 400, "message schedules invalid rollup"; // spec: JS-333
    // spec: JS-334
    stream_expected_last_seq_per_subject_invalid() = 10193, 400, "missing sequence for expected last sequence per subject";
    stream_offline_reason(err) = 10194, 500, "stream is offline: {err}"; // spec: JS-335
    consumer_offline_reason(err) = 10195, 500, "consumer is offline: {err}"; // spec: JS-336
    // spec: JS-337
    consumer_priority_group_with_policy_none() = 10196, 400, "consumer can not have priority groups when policy is none";
    // spec: JS-338
    consumer_pinned_ttl_without_priority_policy_none() = 10197, 400, "PinnedTTL cannot be set when PriorityPolicy is none";
    mirror_with_atomic_publish() = 10198, 400, "stream mirrors can not also use atomic publishing"; // spec: JS-339
    atomic_publish_too_large_batch(size) = 10199, 400, "atomic publish batch is too large: {size}"; // spec: JS-340
    atomic_publish_invalid_batch_commit() = 10200, 400, "atomic publish batch commit is invalid"; // spec: JS-341
    // spec: JS-342
    atomic_publish_contains_duplicate_message() = 10201, 400, "atomic publish batch contains duplicate message id";
    cluster_server_member_change_inflight() = 10202, 400, "cluster member change is in progress"; // spec: JS-343
    message_schedules_source_invalid() = 10203, 400, "message schedules source is invalid"; // spec: JS-344
    consumer_invalid_reset(err) = 10204, 400, "invalid reset: {err}"; // spec: JS-345
    batch_publish_disabled() = 10205, 400, "batch publish is disabled"; // spec: JS-346
    batch_publish_invalid_pattern() = 10206, 400, "batch publish pattern is invalid"; // spec: JS-347
    batch_publish_invalid_batch_id() = 10207, 400, "batch publish ID is invalid"; // spec: JS-348
    batch_publish_unknown_batch_id() = 10208, 400, "batch publish ID unknown"; // spec: JS-349
    mirror_with_batch_publish() = 10209, 400, "stream mirrors can not also use batch publishing"; // spec: JS-350
    atomic_publish_too_many_inflight() = 10210, 429, "atomic publish too many inflight"; // spec: JS-351
    batch_publish_too_many_inflight() = 10211, 429, "batch publish too many inflight"; // spec: JS-352
    message_schedules_scheduler_invalid() = 10212, 400, "message schedules invalid scheduler"; // spec: JS-353
    mirror_durable_consumer_config_invalid() = 10213, 400, "stream mirror consumer config is invalid"; // spec: JS-354
    // spec: JS-355
    mirror_consumer_requires_ack_flow_control() = 10214, 400, "stream mirror consumer requires flow control ack policy";
    source_durable_consumer_config_invalid() = 10215, 400, "stream source consumer config is invalid"; // spec: JS-356
    // spec: JS-357
    source_durable_consumer_duplicate_detected() = 10216, 400, "duplicate stream source consumer detected";
    // spec: JS-358
    source_consumer_requires_ack_flow_control() = 10217, 400, "stream source consumer requires flow control ack policy";
    // spec: JS-359
    consumer_ack_flow_control_requires_push() = 10218, 400, "flow control ack policy requires a push based consumer";
    // spec: JS-360
    consumer_ack_flow_control_requires_flow_control() = 10219, 400, "flow control ack policy requires flow control";
    // spec: JS-361
    consumer_ack_flow_control_requires_max_ack_pending() = 10220, 400, "flow control ack policy requires max ack pending";
    // spec: JS-362
    consumer_ack_flow_control_requires_no_ack_wait() = 10221, 400, "flow control ack policy requires unset ack wait";
    // spec: JS-363
    consumer_ack_flow_control_requires_no_max_deliver() = 10222, 400, "flow control ack policy requires unset max deliver";
    message_schedules_time_zone_invalid() = 10223, 400, "message schedules time zone is invalid"; // spec: JS-364
    cluster_rescue(err) = 10224, 400, "JetStream system rescue not applied: {err}"; // spec: JS-365
    // spec: JS-366
    consumer_stream_identity_mismatch(msg) = 10225, 400, "consumer's stream identity does not match: {msg}";
    stream_reconfigure_in_progress() = 10226, 400, "stream reconfiguration already in progress"; // spec: JS-367
    message_source_hdr_not_allowed() = 10227, 400, "message stream source header is not allowed"; // spec: JS-368
    source_consumer_stalled() = 10228, 500, "stream source consumer stalled on flow control"; // spec: JS-369
}

#[cfg(test)]
mod tests;

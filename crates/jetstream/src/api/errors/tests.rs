use std::collections::BTreeMap;

use super::*;

/// What each row of the contract says; kept beside the errors' own table so that neither changes alone.
#[rustfmt::skip]
const ROWS: &[(u16, u16, &str)] = &[
    (10002, 400, "resource limits exceeded for account"), // spec: JS-143
    (10003, 400, "bad request"), // spec: JS-144
    (10004, 503, "incomplete results"), // spec: JS-145
    (10005, 400, "{err}"), // spec: JS-146
    (10006, 500, "JetStream not in clustered mode"), // spec: JS-147
    (10007, 500, "JetStream cluster not assigned to this server"), // spec: JS-148
    (10008, 503, "JetStream system temporarily unavailable"), // spec: JS-149
    (10009, 500, "JetStream cluster can not handle request"), // spec: JS-150
    (10010, 503, "JetStream clustering support required"), // spec: JS-151
    (10011, 400, "tags placement not supported for operation"), // spec: JS-152
    (10012, 500, "{err}"), // spec: JS-153
    (10013, 400, "consumer name already in use"), // spec: JS-154
    (10014, 404, "consumer not found"), // spec: JS-155
    (10015, 400, "deliver subject not valid"), // spec: JS-156
    (10016, 400, "consumer expected to be durable but no durable name set in subject"), // spec: JS-157
    (10017, 400, "consumer name in subject does not match durable name in request"), // spec: JS-158
    (10018, 400, "consumer expected to be durable but a durable name was not set"), // spec: JS-159
    (10019, 400, "consumer expected to be ephemeral but detected a durable name set in subject"), // spec: JS-160
    (10020, 400, "consumer expected to be ephemeral but a durable name was set in request"), // spec: JS-161
    (10021, 400, "stream external api prefix {prefix} must not overlap with {subject}"), // spec: JS-162
    (10022, 400, "stream external delivery prefix {prefix} overlaps with stream subject {subject}"), // spec: JS-163
    (10023, 503, "insufficient resources"), // spec: JS-164
    (10024, 400, "stream external delivery prefix {prefix} must not contain wildcards"), // spec: JS-165
    (10025, 400, "invalid JSON: {err}"), // spec: JS-166
    (10026, 400, "maximum consumers limit reached"), // spec: JS-167
    (10027, 400, "maximum number of streams reached"), // spec: JS-168
    (10028, 500, "insufficient memory resources available"), // spec: JS-169
    (10029, 500, "{err}"), // spec: JS-170
    (10030, 400, "stream mirror must have max message size >= source"), // spec: JS-171
    (10031, 400, "stream mirrors can not also contain other sources"), // spec: JS-172
    (10032, 400, "stream mirrors can not have both start seq and start time configured"), // spec: JS-173
    (10033, 400, "stream mirrors can not contain filtered subjects"), // spec: JS-174
    (10034, 400, "stream mirrors can not contain subjects"), // spec: JS-175
    (10035, 503, "account not found"), // spec: JS-176
    (10036, 503, "not currently supported in clustered mode"), // spec: JS-177
    (10037, 404, "no message found"), // spec: JS-178
    (10038, 400, "expected an empty request payload"), // spec: JS-179
    (10039, 503, "JetStream not enabled for account"), // spec: JS-180
    (10040, 400, "peer not a member"), // spec: JS-181
    (10041, 500, "{err}"), // spec: JS-182
    (10042, 500, "JetStream unable to subscribe to restore snapshot {subject}: {err}"), // spec: JS-183
    (10043, 400, "sequence {seq} not found"), // spec: JS-184
    (10044, 400, "server is not a member of the cluster"), // spec: JS-185
    (10045, 500, "{err}"), // spec: JS-186
    (10046, 400, "stream source must have max message size >= target"), // spec: JS-187
    (10047, 500, "insufficient storage resources available"), // spec: JS-188
    (10048, 500, "{err}"), // spec: JS-189
    (10049, 500, "{err}"), // spec: JS-190
    (10050, 500, "{err}"), // spec: JS-191
    (10051, 500, "{err}"), // spec: JS-192
    (10052, 500, "{err}"), // spec: JS-193
    (10053, 500, "{err}"), // spec: JS-194
    (10054, 400, "message size exceeds maximum allowed"), // spec: JS-195
    (10055, 400, "stream mirror configuration can not be updated"), // spec: JS-196
    (10056, 400, "stream name in subject does not match request"), // spec: JS-197
    (10057, 500, "{err}"), // spec: JS-198
    (10058, 400, "stream name already in use with a different configuration"), // spec: JS-199
    (10059, 404, "stream not found"), // spec: JS-200
    (10060, 400, "expected stream does not match"), // spec: JS-201
    (10061, 400, "Replicas configuration can not be updated"), // spec: JS-202
    (10062, 500, "restore failed: {err}"), // spec: JS-203
    (10063, 503, "expected stream sequence does not match"), // spec: JS-204
    (10064, 500, "snapshot failed: {err}"), // spec: JS-205
    (10065, 400, "subjects overlap with an existing stream"), // spec: JS-206
    (10066, 500, "{err}"), // spec: JS-207
    (10067, 500, "{err}"), // spec: JS-208
    (10068, 404, "template not found"), // spec: JS-209
    (10069, 500, "{err}"), // spec: JS-210
    (10070, 400, "wrong last msg ID: {id}"), // spec: JS-211
    (10071, 400, "wrong last sequence: {seq}"), // spec: JS-212
    (10072, 500, "JetStream unable to open temp storage for restore"), // spec: JS-213
    (10073, 400, "template name in subject does not match request"), // spec: JS-214
    (10074, 500, "replicas > 1 not supported in non-clustered mode"), // spec: JS-215
    (10075, 503, "peer remap failed"), // spec: JS-216
    (10076, 503, "JetStream not enabled"), // spec: JS-217
    (10077, 503, "{err}"), // spec: JS-218
    (10078, 400, "consumer config required"), // spec: JS-219
    (10079, 400, "consumer deliver subject has wildcards"), // spec: JS-220
    (10080, 400, "consumer in push mode can not set max waiting"), // spec: JS-221
    (10081, 400, "consumer deliver subject forms a cycle"), // spec: JS-222
    (10082, 400, "consumer requires ack policy for max ack pending"), // spec: JS-223
    (10083, 400, "consumer idle heartbeat needs to be >= 100ms"), // spec: JS-224
    (10084, 400, "consumer in pull mode requires explicit ack policy on workqueue stream"), // spec: JS-225
    (10085, 400, "consumer in pull mode requires a durable name"), // spec: JS-226
    (10086, 400, "consumer in pull mode can not have rate limit set"), // spec: JS-227
    (10087, 400, "consumer max waiting needs to be positive"), // spec: JS-228
    (10088, 400, "consumer idle heartbeat requires a push based consumer"), // spec: JS-229
    (10089, 400, "consumer flow control requires a push based consumer"), // spec: JS-230
    (10090, 400, "consumer direct requires a push based consumer"), // spec: JS-231
    (10091, 400, "consumer direct requires an ephemeral consumer"), // spec: JS-232
    (10092, 400, "consumer direct on a mapped consumer"), // spec: JS-233
    (10093, 400, "consumer filter subject is not a valid subset of the interest subjects"), // spec: JS-234
    (10094, 400, "{err}"), // spec: JS-235
    (10095, 400, "failed to parse consumer sampling configuration: {err}"), // spec: JS-236
    (10096, 500, "stream not valid"), // spec: JS-237
    (10097, 400, "header size exceeds maximum allowed of 64k"), // spec: JS-238
    (10098, 400, "workqueue stream requires explicit ack"), // spec: JS-239
    (10099, 400, "multiple non-filtered consumers not allowed on workqueue stream"), // spec: JS-240
    (10100, 400, "filtered consumer not unique on workqueue stream"), // spec: JS-241
    (10101, 400, "consumer must be deliver all on workqueue stream"), // spec: JS-242
    (10102, 400, "consumer name is too long, maximum allowed is {max}"), // spec: JS-243
    (10103, 400, "durable name can not contain '.', '*', '>'"), // spec: JS-244
    (10104, 500, "error creating store for consumer: {err}"), // spec: JS-245
    (10105, 400, "consumer already exists and is still active"), // spec: JS-246
    (10106, 400, "consumer replacement durable config not the same"), // spec: JS-247
    (10107, 400, "consumer description is too long, maximum allowed is {max}"), // spec: JS-248
    (10108, 400, "consumer with flow control also needs heartbeats"), // spec: JS-249
    (10109, 400, "invalid operation on sealed stream"), // spec: JS-250
    (10110, 500, "{err}"), // spec: JS-251
    (10111, 500, "{err}"), // spec: JS-252
    (10112, 400, "invalid push consumer deliver subject"), // spec: JS-253
    (10113, 400, "account requires a stream config to have max bytes set"), // spec: JS-254
    (10114, 400, "consumer max request batch needs to be > 0"), // spec: JS-255
    (10115, 400, "consumer max request expires needs to be >= 1ms"), // spec: JS-256
    (10116, 400, "max deliver is required to be > length of backoff values"), // spec: JS-257
    (10117, 500, "subject details would exceed maximum allowed"), // spec: JS-258
    (10118, 500, "stream is offline"), // spec: JS-259
    (10119, 500, "consumer is offline"), // spec: JS-260
    (10120, 400, "no JetStream default or applicable tiered limit present"), // spec: JS-261
    (10121, 400, "consumer max ack pending exceeds system limit of {limit}"), // spec: JS-262
    (10122, 400, "stream max bytes exceeds account limit max stream bytes"), // spec: JS-263
    (10123, 400, "can not move and scale a stream in a single update"), // spec: JS-264
    (10124, 400, "stream move already in progress"), // spec: JS-265
    (10125, 400, "consumer max request batch exceeds server limit of {limit}"), // spec: JS-266
    (10126, 400, "consumer config replica count exceeds parent stream"), // spec: JS-267
    (10127, 400, "Consumer name can not contain path separators"), // spec: JS-268
    (10128, 400, "Stream name can not contain path separators"), // spec: JS-269
    (10129, 400, "stream reconfiguration not in progress"), // spec: JS-270
    (10130, 400, "stream name already in use, cannot restore"), // spec: JS-271
    (10131, 400, "Consumer create request did not match filtered subject from create subject"), // spec: JS-272
    (10132, 400, "Consumer Durable and Name have to be equal if both are provided"), // spec: JS-273
    (10133, 400, "replicas count cannot be negative"), // spec: JS-274
    (10134, 400, "consumer config replicas must match interest retention stream's replicas"), // spec: JS-275
    (10135, 400, "consumer metadata exceeds maximum size of {limit}"), // spec: JS-276
    (10136, 400, "consumer cannot have both FilterSubject and FilterSubjects specified"), // spec: JS-277
    (10137, 400, "consumer with multiple subject filters cannot use subject based API"), // spec: JS-278
    (10138, 400, "consumer subject filters cannot overlap"), // spec: JS-279
    (10139, 400, "consumer filter in FilterSubjects cannot be empty"), // spec: JS-280
    (10140, 400, "duplicate source configuration detected"), // spec: JS-281
    (10141, 400, "sourced stream name is invalid"), // spec: JS-282
    (10142, 400, "mirrored stream name is invalid"), // spec: JS-283
    (10143, 400, "stream mirrors can not have first sequence configured"), // spec: JS-284
    (10144, 400, "source with multiple subject transforms cannot also have a single subject filter"), // spec: JS-285
    (10145, 400, "source transform source: {err}"), // spec: JS-286
    (10146, 400, "source transform: {err}"), // spec: JS-287
    (10147, 400, "source filters can not overlap"), // spec: JS-288
    (10148, 400, "consumer already exists"), // spec: JS-289
    (10149, 400, "consumer does not exist"), // spec: JS-290
    (10150, 400, "mirror with multiple subject transforms cannot also have a single subject filter"), // spec: JS-291
    (10151, 400, "mirror transform source: {err}"), // spec: JS-292
    (10152, 400, "mirror subject filters can not overlap"), // spec: JS-293
    (10153, 400, "consumer inactive threshold exceeds system limit of {limit}"), // spec: JS-294
    (10154, 400, "mirror transform: {err}"), // spec: JS-295
    (10155, 400, "stream transform source: {err}"), // spec: JS-296
    (10156, 400, "stream transform: {err}"), // spec: JS-297
    (10157, 400, "pedantic mode: {err}"), // spec: JS-298
    (10158, 409, "duplicate message id is in process"), // spec: JS-299
    (10159, 400, "Setting PriorityPolicy requires at least one PriorityGroup to be set"), // spec: JS-300
    (10160, 400, "Provided priority group does not exist for this consumer"), // spec: JS-301
    (10161, 400, "Group name cannot be an empty string"), // spec: JS-302
    (10162, 400, "Valid priority group name must match A-Z, a-z, 0-9, -_/=)+ and may not exceed 16 characters"), // spec: JS-303
    (10163, 503, "expected last sequence per subject temporarily unavailable"), // spec: JS-304
    (10164, 400, "wrong last sequence"), // spec: JS-305
    (10165, 400, "invalid per-message TTL"), // spec: JS-306
    (10166, 400, "per-message TTL is disabled"), // spec: JS-307
    (10167, 429, "too many requests"), // spec: JS-308
    (10168, 400, "message counters is disabled"), // spec: JS-309
    (10169, 400, "message counter increment is missing"), // spec: JS-310
    (10170, 400, "message counter has payload"), // spec: JS-311
    (10171, 400, "message counter increment is invalid"), // spec: JS-312
    (10172, 400, "message counter is broken"), // spec: JS-313
    (10173, 400, "stream mirrors can not also calculate counters"), // spec: JS-314
    (10174, 400, "atomic publish is disabled"), // spec: JS-315
    (10175, 400, "atomic publish sequence is missing"), // spec: JS-316
    (10176, 400, "atomic publish batch is incomplete"), // spec: JS-317
    (10177, 400, "atomic publish unsupported header used: {header}"), // spec: JS-318
    (10178, 400, "priority groups can not be used with push consumers"), // spec: JS-319
    (10179, 400, "atomic publish batch ID is invalid"), // spec: JS-320
    (10180, 412, "min last sequence"), // spec: JS-321
    (10181, 400, "consumer ack policy invalid"), // spec: JS-322
    (10182, 400, "consumer replay policy invalid"), // spec: JS-323
    (10183, 400, "consumer ack wait needs to be positive"), // spec: JS-324
    (10184, 400, "consumer backoff needs to be positive"), // spec: JS-325
    (10185, 412, "JetStream minimum api level required"), // spec: JS-326
    (10186, 400, "stream mirrors can not also schedule messages"), // spec: JS-327
    (10187, 400, "stream source can not also schedule messages"), // spec: JS-328
    (10188, 400, "message schedules is disabled"), // spec: JS-329
    (10189, 400, "message schedules pattern is invalid"), // spec: JS-330
    (10190, 400, "message schedules target is invalid"), // spec: JS-331
    (10191, 400, "message schedules invalid per-message TTL"), // spec: JS-332
    (10192, 400, "message schedules invalid rollup"), // spec: JS-333
    (10193, 400, "missing sequence for expected last sequence per subject"), // spec: JS-334
    (10194, 500, "stream is offline: {err}"), // spec: JS-335
    (10195, 500, "consumer is offline: {err}"), // spec: JS-336
    (10196, 400, "consumer can not have priority groups when policy is none"), // spec: JS-337
    (10197, 400, "PinnedTTL cannot be set when PriorityPolicy is none"), // spec: JS-338
    (10198, 400, "stream mirrors can not also use atomic publishing"), // spec: JS-339
    (10199, 400, "atomic publish batch is too large: {size}"), // spec: JS-340
    (10200, 400, "atomic publish batch commit is invalid"), // spec: JS-341
    (10201, 400, "atomic publish batch contains duplicate message id"), // spec: JS-342
    (10202, 400, "cluster member change is in progress"), // spec: JS-343
    (10203, 400, "message schedules source is invalid"), // spec: JS-344
    (10204, 400, "invalid reset: {err}"), // spec: JS-345
    (10205, 400, "batch publish is disabled"), // spec: JS-346
    (10206, 400, "batch publish pattern is invalid"), // spec: JS-347
    (10207, 400, "batch publish ID is invalid"), // spec: JS-348
    (10208, 400, "batch publish ID unknown"), // spec: JS-349
    (10209, 400, "stream mirrors can not also use batch publishing"), // spec: JS-350
    (10210, 429, "atomic publish too many inflight"), // spec: JS-351
    (10211, 429, "batch publish too many inflight"), // spec: JS-352
    (10212, 400, "message schedules invalid scheduler"), // spec: JS-353
    (10213, 400, "stream mirror consumer config is invalid"), // spec: JS-354
    (10214, 400, "stream mirror consumer requires flow control ack policy"), // spec: JS-355
    (10215, 400, "stream source consumer config is invalid"), // spec: JS-356
    (10216, 400, "duplicate stream source consumer detected"), // spec: JS-357
    (10217, 400, "stream source consumer requires flow control ack policy"), // spec: JS-358
    (10218, 400, "flow control ack policy requires a push based consumer"), // spec: JS-359
    (10219, 400, "flow control ack policy requires flow control"), // spec: JS-360
    (10220, 400, "flow control ack policy requires max ack pending"), // spec: JS-361
    (10221, 400, "flow control ack policy requires unset ack wait"), // spec: JS-362
    (10222, 400, "flow control ack policy requires unset max deliver"), // spec: JS-363
    (10223, 400, "message schedules time zone is invalid"), // spec: JS-364
    (10224, 400, "JetStream system rescue not applied: {err}"), // spec: JS-365
    (10225, 400, "consumer's stream identity does not match: {msg}"), // spec: JS-366
    (10226, 400, "stream reconfiguration already in progress"), // spec: JS-367
    (10227, 400, "message stream source header is not allowed"), // spec: JS-368
    (10228, 500, "stream source consumer stalled on flow control"), // spec: JS-369
];

#[test]
fn codes_and_words_are_those_of_the_contract() {
    let contract = include_str!("../../../../../docs/spec/04-jetstream.md");
    let rows: BTreeMap<u16, (u16, &str)> = contract
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| [")?.trim_end_matches(" |").splitn(5, '|').map(str::trim);
            let (_, err_code, code, _) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
            Some((err_code.parse().ok()?, (code.parse().ok()?, cells.next()?)))
        })
        .collect();
    assert_eq!(rows.len(), 227);
    for table in [ALL, ROWS] {
        assert_eq!(table.len(), rows.len());
        for (err_code, code, text) in table {
            assert_eq!(rows[err_code], (*code, *text), "{err_code}");
        }
    }
}

#[test]
fn arguments_are_put_in() {
    for (error, err_code, code, text) in [
        (ApiError::stream_not_found(), 10_059, 404, "stream not found"),
        (ApiError::invalid_json("unexpected EOF"), 10_025, 400, "invalid JSON: unexpected EOF"),
        (ApiError::stream_wrong_last_sequence(7), 10_071, 400, "wrong last sequence: 7"),
        (
            ApiError::stream_external_api_overlap("$JS.API", "$JS.API"),
            10_021,
            400,
            "stream external api prefix $JS.API must not overlap with $JS.API",
        ),
    ] {
        assert_eq!((error.err_code, error.code, &*error.description), (err_code, code, text));
        assert_eq!(error.to_string(), format!("{text} ({err_code})"));
    }
}

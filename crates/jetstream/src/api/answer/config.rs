//! Configurations.

use crate::api::json::{Object, ToJson};
use crate::config::{
    ConsumerConfig, ConsumerLimits, DeliverPolicy, External, Placement, Republish, Source, SourceConsumer,
    StreamConfig, SubjectTransform,
};

impl ToJson for StreamConfig {
    // spec: JS-039 JS-040 JS-041 JS-042
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.field("name", &self.name).some("description", &self.description).some("subjects", &self.subjects);
            o.field("retention", &self.retention).field("max_consumers", &self.max_consumers);
            o.field("max_msgs", &self.max_msgs).field("max_bytes", &self.max_bytes).field("max_age", &self.max_age);
            o.field("max_msgs_per_subject", &self.max_msgs_per_subject).some("max_msg_size", &self.max_msg_size);
            o.field("discard", &self.discard).field("storage", &self.storage).field("num_replicas", &self.num_replicas);
            o.some("no_ack", &self.no_ack).some("duplicate_window", &self.duplicate_window);
            o.some("placement", &self.placement).some("mirror", &self.mirror).some("sources", &self.sources);
            o.field("compression", &self.compression).some("first_seq", &self.first_seq);
            o.some("subject_transform", &self.subject_transform).some("republish", &self.republish);
            o.field("allow_direct", &self.allow_direct).field("mirror_direct", &self.mirror_direct);
            o.some("discard_new_per_subject", &self.discard_new_per_subject).field("sealed", &self.sealed);
            o.field("deny_delete", &self.deny_delete).field("deny_purge", &self.deny_purge);
            o.field("allow_rollup_hdrs", &self.allow_rollup_hdrs).field("consumer_limits", &self.consumer_limits);
            o.field("allow_msg_ttl", &self.allow_msg_ttl);
            o.some("subject_delete_marker_ttl", &self.subject_delete_marker_ttl);
            o.some("allow_msg_counter", &self.allow_msg_counter).some("allow_atomic", &self.allow_atomic);
            o.some("allow_msg_schedules", &self.allow_msg_schedules).some("persist_mode", &self.persist_mode);
            o.some("allow_batched", &self.allow_batched).some("metadata", &self.metadata);
        });
    }
}

impl ToJson for ConsumerConfig {
    // spec: JS-087
    fn to_json(&self, out: &mut Vec<u8>) {
        let (policy, start_seq, start_time) = match self.deliver_policy {
            DeliverPolicy::All => ("all", 0, None),
            DeliverPolicy::Last => ("last", 0, None),
            DeliverPolicy::New => ("new", 0, None),
            DeliverPolicy::ByStartSequence(seq) => ("by_start_sequence", seq, None),
            DeliverPolicy::ByStartTime(time) => ("by_start_time", 0, Some(time)),
            DeliverPolicy::LastPerSubject => ("last_per_subject", 0, None),
        };
        let (one, list) = match &self.filter_subjects[..] {
            [one] if !self.filter_is_list => (one.as_str(), &[][..]),
            list => ("", list),
        };
        Object::write(out, |o| {
            o.some("durable_name", &self.durable).some("name", &self.name).some("description", &self.description);
            o.field("deliver_policy", policy).some("opt_start_seq", &start_seq).some("opt_start_time", &start_time);
            o.field("ack_policy", &self.ack_policy).some("ack_wait", &self.ack_wait);
            o.some("max_deliver", &self.max_deliver).some("backoff", &self.backoff);
            o.some("filter_subject", one).some("filter_subjects", list).field("replay_policy", &self.replay_policy);
            o.some("rate_limit_bps", &self.rate_limit_bps).some("sample_freq", &self.sample_freq);
            o.some("max_waiting", &self.max_waiting).some("max_ack_pending", &self.max_ack_pending);
            o.some("flow_control", &self.flow_control).some("headers_only", &self.headers_only);
            o.some("max_batch", &self.max_batch).some("max_expires", &self.max_expires);
            o.some("max_bytes", &self.max_bytes).some("deliver_subject", &self.deliver_subject);
            o.some("deliver_group", &self.deliver_group).some("idle_heartbeat", &self.idle_heartbeat);
            o.some("inactive_threshold", &self.inactive_threshold).field("num_replicas", &self.num_replicas);
            o.some("mem_storage", &self.mem_storage).some("direct", &self.direct).some("sourcing", &self.sourcing);
            o.some("metadata", &self.metadata).some("pause_until", &self.pause_until);
            o.some("priority_groups", &self.priority_groups).some("priority_policy", &self.priority_policy);
            o.some("priority_timeout", &self.priority_timeout);
        });
    }
}

impl ToJson for Source {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.field("name", &self.name).some("opt_start_seq", &self.opt_start_seq);
            o.some("opt_start_time", &self.opt_start_time).some("filter_subject", &self.filter_subject);
            o.some("subject_transforms", &self.subject_transforms).some("external", &self.external);
            o.some("consumer", &self.consumer);
        });
    }
}

impl ToJson for External {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.field("api", &self.api).field("deliver", &self.deliver);
        });
    }
}

impl ToJson for SourceConsumer {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.some("name", &self.name).some("deliver_subject", &self.deliver_subject);
        });
    }
}

impl ToJson for SubjectTransform {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.field("src", &self.src).field("dest", &self.dest);
        });
    }
}

impl ToJson for Republish {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.some("src", &self.src).field("dest", &self.dest).some("headers_only", &self.headers_only);
        });
    }
}

impl ToJson for Placement {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.some("cluster", &self.cluster).some("tags", &self.tags).some("preferred", &self.preferred);
        });
    }
}

impl ToJson for ConsumerLimits {
    fn to_json(&self, out: &mut Vec<u8>) {
        Object::write(out, |o| {
            o.some("inactive_threshold", &self.inactive_threshold).some("max_ack_pending", &self.max_ack_pending);
        });
    }
}

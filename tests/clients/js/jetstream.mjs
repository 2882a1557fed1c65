// Checks of JetStream with nats.js: streams, consumers, key-value buckets, object stores.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { headers, nanos } from "@nats-io/transport-node";

import { bucket_copies, copies, dead_letters, priority } from "./copies.mjs";

const refusedWith = (code) => (error) => error instanceof JetStreamApiError && error.apiError().err_code === code;

// Runs `steps(context)` with a connection, its manager and its publisher.
const withJetStream = (client, steps) => async () => {
  const nc = await client();
  const manager = await jetstreamManager(nc, { timeout: 10000 });
  await steps({ nc, manager, js: jetstream(nc, { timeout: 10000 }) });
  await nc.close();
};

async function streams({ manager, js }) {
  const info = await manager.streams.add({ name: "S", subjects: ["s.*"], storage: StorageType.Memory, max_msgs: 100 });
  assert.equal(info.config.discard, DiscardPolicy.Old);
  for (let n = 1; n <= 10; n++) {
    const ack = await js.publish(`s.${n % 2}`, String(n), { msgID: String(n) });
    assert.deepEqual([ack.stream, ack.seq, ack.duplicate], ["S", n, false]);
  }
  assert.equal((await js.publish("s.0", "x", { msgID: "3" })).duplicate, true);
  await assert.rejects(js.publish("s.0", "x", { expect: { lastSequence: 3 } }), refusedWith(10071));
  await assert.rejects(manager.streams.add({ name: "T", subjects: ["s.1"] }), refusedWith(10065));
  assert.equal((await manager.streams.getMessage("S", { seq: 4 })).string(), "4");
  assert.equal((await manager.streams.getMessage("S", { last_by_subj: "s.1" })).string(), "9");
  assert.equal(await manager.streams.getMessage("S", { seq: 99 }), null);
  assert.ok(await manager.streams.deleteMessage("S", 4));
  await manager.streams.update("S", { max_msgs: 5, allow_direct: true });
  const after = await manager.streams.info("S", { deleted_details: true, subjects_filter: ">" });
  assert.deepEqual([after.state.messages, after.state.subjects], [5, { "s.0": 3, "s.1": 2 }]);
  const direct = await manager.direct.getMessage("S", { seq: 7 });
  assert.equal(direct.string(), "7");
  const batch = [];
  for await (const message of await manager.direct.getBatch("S", { seq: 1, batch: 3 })) {
    batch.push(message.seq);
  }
  assert.deepEqual(batch, [6, 7, 8]);
  assert.deepEqual(await manager.streams.names().next(), ["S"]);
  assert.deepEqual((await manager.streams.purge("S", { filter: "s.0" })).purged, 3);
  assert.ok(await manager.streams.delete("S"));
  await assert.rejects(manager.streams.info("S"), refusedWith(10059));
}

async function consumers({ manager, js }) {
  await manager.streams.add({ name: "S", subjects: ["s.*"] });
  for (let n = 0; n < 500; n++) {
    await js.publish(`s.${n % 5}`, String(n));
  }
  const explicit = { durable_name: "c", ack_policy: AckPolicy.Explicit };
  await manager.consumers.add("S", { ...explicit, filter_subjects: ["s.1", "s.2"] });
  const consumer = await js.consumers.get("S", "c");
  const got = [];
  for await (const message of await consumer.consume({ max_messages: 40 })) {
    got.push(Number(message.string()));
    assert.ok(await message.ackAck());
    if (got.length === 200) {
      break;
    }
  }
  assert.ok(got.every((n) => n % 5 === 1 || n % 5 === 2));
  assert.equal((await consumer.info()).num_pending, 0);
  await js.publish("s.1", "again");
  const first = await consumer.next({ expires: 5000 });
  first.nak(10);
  const again = await consumer.next({ expires: 5000 });
  assert.deepEqual([again.info.deliveryCount, again.redelivered, again.string()], [2, true, "again"]);
  again.term("enough");
  assert.equal(await consumer.next({ expires: 1000 }), null);
  const fetched = [];
  await manager.consumers.add("S", {
    durable_name: "last",
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.LastPerSubject,
    filter_subject: "s.*",
  });
  for await (const message of await (await js.consumers.get("S", "last")).fetch({ max_messages: 5 })) {
    fetched.push(message.subject);
  }
  assert.deepEqual(fetched.sort(), ["s.0", "s.1", "s.2", "s.3", "s.4"]);
  const paused = await manager.consumers.pause("S", "c", new Date(Date.now() + 60000));
  assert.ok(paused.paused);
  assert.equal((await manager.consumers.resume("S", "c")).paused, false);
  assert.deepEqual((await manager.consumers.list("S").next()).map((one) => one.name), ["c", "last"]);
}

async function ordered({ manager, js }) {
  await manager.streams.add({ name: "S", subjects: ["s"] });
  const body = randomBytes(20000);
  for (let n = 0; n < 300; n++) {
    await js.publish("s", body);
  }
  const consumer = await js.consumers.get("S");
  let next = 1;
  for await (const message of await consumer.consume()) {
    assert.equal(message.seq, next++);
    if (message.info.pending === 0) {
      break;
    }
  }
  assert.equal(next, 301);
}

async function work_queue({ manager, js }) {
  await manager.streams.add({ name: "W", subjects: ["w"], retention: RetentionPolicy.Workqueue });
  await manager.consumers.add("W", { durable_name: "c", ack_policy: AckPolicy.Explicit });
  for (let n = 0; n < 50; n++) {
    await js.publish("w", String(n));
  }
  const consumer = await js.consumers.get("W", "c");
  for await (const message of await consumer.fetch({ max_messages: 50 })) {
    assert.ok(await message.ackAck());
  }
  assert.equal((await manager.streams.info("W")).state.messages, 0);
}

async function kv({ nc }) {
  const bucket = await new Kvm(nc).create("B", { history: 3, markerTTL: 1000 });
  const told = [];
  const watch = await bucket.watch({ key: "w.*" });
  const watching = (async () => {
    for await (const entry of watch) {
      told.push([entry.key, entry.operation]);
      if (told.length === 3) {
        break;
      }
    }
  })();
  assert.equal(await bucket.put("a", "1"), 1);
  assert.equal(await bucket.update("a", "2", 1), 2);
  await assert.rejects(bucket.update("a", "3", 1), refusedWith(10071));
  await assert.rejects(bucket.create("a", "3"));
  assert.equal((await bucket.get("a")).string(), "2");
  assert.equal((await bucket.get("a", { revision: 1 })).string(), "1");
  assert.equal(await bucket.get("zz"), null);
  await bucket.put("w.a", "x");
  await bucket.delete("w.a");
  await bucket.put("w.b", "x");
  await watching;
  assert.deepEqual(told, [["w.a", "PUT"], ["w.a", "DEL"], ["w.b", "PUT"]]);
  const history = [];
  for await (const entry of await bucket.history({ key: "a" })) {
    history.push(entry.string());
  }
  assert.deepEqual(history, ["1", "2"]);
  await bucket.create("short", "x", "1s");
  const gone = await bucket.watch({ key: "short" });
  for await (const entry of gone) {
    if (entry.length === 0) {
      break;
    }
  }
  const keys = [];
  for await (const key of await bucket.keys()) {
    keys.push(key);
  }
  assert.deepEqual(keys.filter((key) => key !== "short").sort(), ["a", "w.b"]);
  await bucket.purge("a");
  assert.equal((await bucket.status()).bucket, "B");
  assert.ok(await bucket.destroy());
}

async function objects({ nc }) {
  const store = await new Objm(nc).create("O");
  const body = randomBytes(400000);
  const info = await store.putBlob({ name: "big", options: { max_chunk_size: 64 * 1024 } }, body);
  assert.deepEqual([info.size, info.chunks], [400000, 7]);
  assert.deepEqual(Buffer.from(await store.getBlob("big")), body);
  await store.putBlob({ name: "big" }, new TextEncoder().encode("small"));
  assert.equal(Buffer.from(await store.getBlob("big")).toString(), "small");
  await store.putBlob({ name: "other" }, new TextEncoder().encode("x"));
  assert.deepEqual((await store.list()).map((one) => one.name).sort(), ["big", "other"]);
  assert.ok((await store.delete("other")).success);
  assert.equal(await store.getBlob("other"), null);
  assert.ok(await store.seal());
  await assert.rejects(store.putBlob({ name: "late" }, new Uint8Array(1)));
}

async function redelivery({ manager, js, nc }) {
  await manager.streams.add({ name: "S", subjects: ["s"] });
  await manager.consumers.add("S", {
    durable_name: "c",
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(200),
    max_deliver: 2,
  });
  const advisories = nc.subscribe("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.c", { max: 1 });
  const sent = headers();
  sent.set("Color", "red");
  await js.publish("s", "x", { headers: sent });
  const consumer = await js.consumers.get("S", "c");
  const counts = [];
  const messages = await consumer.consume();
  (async () => {
    for await (const message of messages) {
      counts.push([message.info.deliveryCount, message.headers.get("Color")]);
    }
  })();
  for await (const advisory of advisories) {
    assert.equal(advisory.json().deliveries, 2);
  }
  assert.deepEqual(counts, [[1, "red"], [2, "red"]]);
  await messages.close();
}

export const jetstreamChecks = (client) =>
  Object.fromEntries(
    Object.entries({
      ...{ streams, consumers, ordered, work_queue, kv, objects, redelivery },
      ...{ copies, bucket_copies, priority, dead_letters },
    })
      .map(([name, steps]) => [`js_${name}`, withJetStream(client, steps)]),
  );

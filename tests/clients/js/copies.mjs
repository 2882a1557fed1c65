// Checks of streams and buckets that copy others, and of what becomes of messages that nobody can work with.

import assert from "node:assert/strict";
import { AckPolicy, DeliverPolicy, RetentionPolicy } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";

const PATIENCE = 30000;

// Resolves when `wanted` does so with something true.
async function until(wanted) {
  const end = Date.now() + PATIENCE;
  while (!(await wanted())) {
    assert.ok(Date.now() < end, `waited in vain: ${wanted}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// The subjects and payloads of so many messages of a stream, in order.
async function read(js, stream, count) {
  const found = [];
  for await (const message of await (await js.consumers.get(stream)).consume()) {
    found.push([message.subject, message.string()]);
    if (found.length === count) {
      break;
    }
  }
  return found;
}

export async function copies({ manager, js }) {
  for (const name of ["a", "b"]) {
    await manager.streams.add({ name: name.toUpperCase(), subjects: [`${name}.*`] });
    for (let n = 0; n < 40; n++) {
      await js.publish(`${name}.${n % 4}`, `${name}${n}`);
    }
  }
  await manager.streams.add({ name: "MIRROR", mirror: { name: "A" } });
  await manager.streams.add({
    name: "ALL",
    subjects: ["own"],
    sources: [
      { name: "A", filter_subject: "a.1" },
      { name: "B", subject_transforms: [{ src: "b.*", dest: "all.{{wildcard(1)}}" }] },
    ],
  });
  const count = async (stream) => (await manager.streams.info(stream)).state.messages;
  await until(async () => (await count("MIRROR")) === 40 && (await count("ALL")) === 50);
  assert.deepEqual(await read(js, "MIRROR", 40), await read(js, "A", 40));
  const all = await read(js, "ALL", 50);
  assert.deepEqual(all.filter(([subject]) => subject === "a.1").map(([, text]) => text), ["a1", "a5", "a9", "a13", "a17", "a21", "a25", "a29", "a33", "a37"]);
  assert.equal(all.filter(([subject]) => subject === "all.3").length, 10);
  await js.publish("own", "x");
  await js.publish("a.1", "more");
  await until(async () => (await count("MIRROR")) === 41 && (await count("ALL")) === 52);
  const info = await manager.streams.info("ALL");
  assert.deepEqual(info.sources.map(({ name, lag }) => [name, lag]).sort(), [["A", 0], ["B", 0]]);
  assert.equal((await manager.streams.info("MIRROR")).mirror.lag, 0);
  // A mirror that is cut off is a stream like any other.
  await manager.streams.delete("A");
  await manager.streams.update("MIRROR", { mirror: undefined, subjects: ["a.*"] });
  assert.equal((await js.publish("a.0", "y")).seq, 42);
}

export async function bucket_copies({ nc }) {
  const buckets = new Kvm(nc);
  const origin = await buckets.create("origin", { history: 3 });
  await origin.put("key", "1");
  await origin.put("key", "2");
  // A bucket that mirrors another of its own account is one that this client cannot read: it looks for the copy's own name.
  const copy = await buckets.create("copy", { history: 3, sources: [{ name: "origin" }] });
  const value = async () => (await copy.get("key"))?.string();
  await until(async () => (await value()) === "2");
  assert.equal((await copy.get("key", { revision: 1 })).string(), "1");
  await origin.put("key", "3");
  await until(async () => (await value()) === "3");
  const told = [];
  for await (const entry of await copy.watch({ include: "history" })) {
    told.push([entry.key, entry.string()]);
    if (told.length === 3) {
      break;
    }
  }
  assert.deepEqual(told, [["key", "1"], ["key", "2"], ["key", "3"]]);
  await origin.delete("key");
  await until(async () => (await copy.get("key"))?.operation === "DEL");
  await copy.put("own", "x");
  assert.equal(await origin.get("own"), null);
}

export async function priority({ manager, js }) {
  await manager.streams.add({ name: "S", subjects: ["s"] });
  const add = (name, priority_policy) =>
    manager.consumers.add("S", {
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      priority_groups: ["g"],
      priority_policy,
    });
  const fetch = async (consumer, options) => {
    const found = [];
    for await (const message of await consumer.fetch({ max_messages: 3, expires: 1000, group: "g", ...options })) {
      message.ack();
      found.push(message.seq);
    }
    return found;
  };
  await add("overflow", "overflow");
  const overflow = await js.consumers.get("S", "overflow");
  for (let n = 0; n < 5; n++) {
    await js.publish("s", String(n));
  }
  assert.deepEqual(await fetch(overflow, { min_pending: 10 }), []);
  assert.deepEqual(await fetch(overflow, { min_pending: 3 }), [1, 2, 3]);
  await add("pinned", "pinned_client");
  const takes = async (name, found) => {
    const messages = await (await js.consumers.get("S", "pinned")).consume({ group: "g", max_messages: 10, expires: 2000 });
    (async () => {
      for await (const message of messages) {
        message.ack();
        found.push([name, message.seq]);
      }
    })();
    return messages;
  };
  const found = [];
  const first = await takes("first", found);
  await until(() => found.length === 5);
  const second = await takes("second", found);
  await js.publish("s", "6");
  await until(() => found.length === 6);
  assert.ok(found.every(([name]) => name === "first"), JSON.stringify(found));
  await first.close();
  await manager.consumers.unpin("S", "pinned", "g");
  await js.publish("s", "7");
  await until(() => found.length === 7);
  assert.deepEqual(found[6], ["second", 7]);
  await second.close();
}

export async function dead_letters({ manager, js }) {
  await manager.streams.add({ name: "DEAD", subjects: ["dead.>"] });
  await manager.streams.add({ name: "W", subjects: ["w"], retention: RetentionPolicy.Workqueue });
  await manager.consumers.add("W", {
    durable_name: "c",
    ack_policy: AckPolicy.Explicit,
    max_deliver: 2,
    metadata: { "martlet.dead_letter": "dead.w" },
  });
  await js.publish("w", "exhausted");
  await js.publish("w", "given up");
  const consumer = await js.consumers.get("W", "c");
  for (let n = 0; n < 3; n++) {
    const message = await consumer.next({ expires: PATIENCE });
    if (message.string() === "exhausted") {
      message.nak();
    } else {
      message.term("no use");
    }
  }
  const letters = [];
  for await (const letter of await (await js.consumers.get("DEAD")).consume()) {
    const header = (name) => letter.headers.get(`Martlet-Dead-Letter-${name}`);
    letters.push([letter.string(), header("Reason"), header("Description"), header("Subject")]);
    if (letters.length === 2) {
      break;
    }
  }
  assert.deepEqual(letters.sort(), [["exhausted", "max_deliver", "", "w"], ["given up", "terminated", "no use", "w"]]);
  await until(async () => (await manager.streams.info("W")).state.messages === 0);
}

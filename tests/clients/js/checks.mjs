// Programs with nats.js that prove one thing each: `node checks.mjs CHECK OPTIONS-AS-JSON`.
// A check ends with `ok` on standard output, or with an error and a status that is not zero. Checks that need
// the server to do something print `ready` when they wait for it.

import assert from "node:assert/strict";
import { connect, headers, nkeyAuthenticator, NoRespondersError, RequestError } from "@nats-io/transport-node";

import { jetstreamChecks } from "./jetstream.mjs";

const options = JSON.parse(process.argv[3]);

function connectOptions() {
  const { url, user, pass, token, seed, ca, cert, key, first } = options;
  const result = { servers: url, user, pass, token, reconnectTimeWait: 50, maxReconnectAttempts: -1, timeout: 10000 };
  if (seed) {
    result.authenticator = nkeyAuthenticator(new TextEncoder().encode(seed));
  }
  if (ca) {
    result.tls = { caFile: ca, certFile: cert, keyFile: key, handshakeFirst: first };
  }
  return result;
}

const client = () => connect(connectOptions());

// Resolves when `wanted` accepts an event of the connection.
async function event(nc, wanted) {
  for await (const status of nc.status()) {
    if (wanted(status)) {
      return status;
    }
  }
  throw new Error("the connection closed before such an event");
}

async function take(subscription, count) {
  const messages = [];
  for await (const message of subscription) {
    messages.push(message);
    if (messages.length === count) {
      break;
    }
  }
  return messages;
}

const checks = {
  ...jetstreamChecks(client),

  async pubsub() {
    const nc = await client();
    const subscription = nc.subscribe("a.*");
    for (let n = 0; n < 1000; n++) {
      nc.publish("a.b", String(n));
    }
    const messages = await take(subscription, 1000);
    messages.forEach((message, n) => assert.equal(message.string(), String(n)));
    const large = nc.subscribe("large", { max: 1 });
    nc.publish("large", new Uint8Array(1 << 20).fill(120));
    const [message] = await take(large, 1);
    assert.equal(message.data.length, 1 << 20);
    await nc.close();
  },

  async queue() {
    const nc = await client();
    const counts = [0, 0, 0];
    counts.forEach((_, n) => nc.subscribe("work", { queue: "group", callback: () => counts[n]++ }));
    for (let n = 0; n < 300; n++) {
      nc.publish("work");
    }
    await nc.flush();
    await nc.flush();
    assert.equal(counts.reduce((a, b) => a + b), 300);
    assert.ok(counts.every((count) => count > 30), String(counts));
    await nc.close();
  },

  async request() {
    const nc = await client();
    nc.subscribe("double", { callback: (_, message) => message.respond(String(2 * Number(message.string()))) });
    for (let n = 0; n < 200; n++) {
      const answer = await nc.request("double", String(n), { timeout: 5000 });
      assert.equal(answer.string(), String(2 * n));
    }
    await nc.close();
  },

  async headers() {
    const nc = await client();
    const subscription = nc.subscribe("h", { max: 1 });
    const sent = headers();
    sent.append("Color", "red");
    sent.append("Color", "blue");
    sent.set("Empty", "");
    nc.publish("h", "body", { headers: sent });
    const [message] = await take(subscription, 1);
    assert.deepEqual(message.headers.values("Color"), ["red", "blue"]);
    assert.equal(message.headers.get("Empty"), "");
    assert.equal(message.string(), "body");
    await nc.close();
  },

  async no_responders() {
    const nc = await client();
    await assert.rejects(
      nc.request("nobody", "", { timeout: 5000 }),
      (error) => error instanceof RequestError ? error.isNoResponders() : error instanceof NoRespondersError,
    );
    await nc.close();
  },

  async reconnect() {
    const nc = await client();
    const subscription = nc.subscribe("again", { max: 1 });
    await nc.flush();
    const back = event(nc, (status) => status.type === "reconnect");
    console.log("ready");
    await back;
    nc.publish("again", "back");
    const [message] = await take(subscription, 1);
    assert.equal(message.string(), "back");
    await nc.close();
  },

  async drain() {
    const publisher = await client();
    const nc = await client();
    let got = 0;
    const subscription = nc.subscribe("d", { callback: () => got++ });
    await nc.flush();
    for (let n = 0; n < 500; n++) {
      publisher.publish("d", "x");
    }
    await publisher.flush();
    await subscription.drain();
    assert.equal(got, 500);
    await nc.drain();
    await publisher.close();
  },

  async permissions() {
    const nc = await client();
    const violation = (status) =>
      status.type === "error" && /permissions violation/i.test(String(status.error?.message ?? status.error));
    const first = event(nc, violation);
    nc.publish("forbidden");
    await first;
    await assert.rejects(take(nc.subscribe("forbidden"), 1), /permissions violation/i);
    await nc.close();
  },

  async refused() {
    await assert.rejects(client(), /authorization/i);
  },

  // Follows numbered messages until it is told to stop: what may be missing is only what came while it was not connected.
  async follow() {
    const nc = await client();
    const left = [];
    (async () => {
      for await (const status of nc.status()) {
        if (status.type === "disconnect") {
          left.push(Date.now());
        } else if (status.type === "error") {
          throw status.error;
        }
      }
    })().catch((error) => {
      console.error(error);
      process.exit(1);
    });
    const last = new Map();
    const gaps = [];
    nc.subscribe("tick.>", {
      callback: (error, message) => {
        assert.ifError(error);
        const number = Number(message.string());
        const before = last.get(message.subject);
        if (before) {
          assert.ok(number > before.number, `${message.subject} ${number} after ${before.number}`);
          if (number > before.number + 1) {
            gaps.push([before.at, Date.now(), `${message.subject}: ${before.number} to ${number}`]);
          }
        }
        last.set(message.subject, { number, at: Date.now() });
      },
    });
    const stop = nc.subscribe("stop", { max: 1 });
    await nc.flush();
    console.log("ready");
    await take(stop, 1);
    await nc.flush();
    for (const [from, to, what] of gaps) {
      assert.ok(left.some((at) => at >= from - 500 && at <= to + 500), `lost without a reason, ${what}`);
    }
    assert.ok(last.size > 0);
    await nc.close();
  },

  async lame_duck() {
    const nc = await client();
    await nc.flush();
    const notice = event(nc, (status) => status.type === "ldm");
    console.log("ready");
    await notice;
    await nc.close();
  },
};

try {
  await checks[process.argv[2]]();
  console.log("ok");
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(1);
}

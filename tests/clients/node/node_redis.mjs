// node-redis against the server whose URL is the first argument, on RESP2 and RESP3.
import assert from "node:assert/strict";
import { createClient, WatchError } from "redis";

const url = process.argv[2];

async function scenario(RESP) {
  const client = await createClient({ url, RESP }).connect();
  await client.flushAll();

  assert.equal(await client.set("s", "v", { expiration: { type: "EX", value: 100 } }), "OK");
  assert.equal(await client.get("s"), "v");
  assert.equal(await client.ttl("s"), 100);
  assert.equal(await client.get("none"), null);
  await client.hSet("h", { a: "1", b: "2" });
  assert.deepEqual({ ...(await client.hGetAll("h")) }, { a: "1", b: "2" });
  await client.zAdd("z", [{ score: 1, value: "a" }, { score: 2.5, value: "b" }]);
  assert.deepEqual(await client.zRangeWithScores("z", 0, -1), [
    { score: 1, value: "a" },
    { score: 2.5, value: "b" },
  ]);
  assert.equal(await client.zScore("z", "b"), 2.5);

  // Commands of one tick travel together.
  const numbers = await Promise.all(Array.from({ length: 500 }, () => client.incr("n")));
  assert.deepEqual(numbers, Array.from({ length: 500 }, (_, i) => i + 1));

  assert.deepEqual(await client.multi().set("m", "1").incr("m").get("m").exec(), ["OK", 2, "2"]);
  const other = await client.duplicate().connect();
  await client.watch("m");
  await other.set("m", "9");
  await assert.rejects(client.multi().incr("m").exec(), WatchError);
  await assert.rejects(client.lPush("m", "x"), /WRONGTYPE/);

  const waiting = other.blPop("q", 10);
  await client.rPush("q", "x");
  assert.deepEqual({ ...(await waiting) }, { key: "q", element: "x" });

  const heard = new Promise((resolve) => {
    other.subscribe("news", (message, channel) => resolve([channel, message]));
  });
  while ((await client.publish("news", "hi")) === 0) await new Promise((r) => setTimeout(r, 5));
  assert.deepEqual(await heard, ["news", "hi"]);
  await other.unsubscribe("news");

  const script = "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}";
  assert.deepEqual(await client.eval(script, { keys: ["c"], arguments: ["x"] }), ["c", "x", 1]);
  const sha = await client.scriptLoad(script);
  assert.deepEqual(await client.evalSha(sha, { keys: ["c"], arguments: ["x"] }), ["c", "x", 2]);

  const id = await client.xAdd("x", "*", { f: "v" });
  await client.xGroupCreate("x", "g", "0");
  const read = await client.xReadGroup("g", "c", { key: "x", id: ">" }, { COUNT: 10 });
  // node-redis gives the map of RESP3 as it comes, and a list of objects on RESP2.
  if (RESP === 3) assert.deepEqual({ ...read }, { x: [[id, ["f", "v"]]] });
  else assert.deepEqual([read[0].name, read[0].messages[0].id], ["x", id]);
  assert.equal(await client.xAck("x", "g", id), 1);

  const keys = new Set();
  for await (const batch of client.scanIterator({ COUNT: 2 })) batch.forEach((key) => keys.add(key));
  assert.deepEqual([...keys].sort(), ["c", "h", "m", "n", "s", "x", "z"]);

  await client.set(Buffer.from([0, 255, 13, 10]), Buffer.alloc(1_000_000, 7));
  assert.equal(await client.strLen(Buffer.from([0, 255, 13, 10])), 1_000_000);
  other.destroy();
  await client.close();
}

await scenario(2);
await scenario(3);
console.log("ok");

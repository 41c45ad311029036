// ioredis against the server whose URL is the first argument.
import assert from "node:assert/strict";
import Redis from "ioredis";

const redis = new Redis(process.argv[2], { maxRetriesPerRequest: 0 });
await redis.flushall();

assert.equal(await redis.set("s", "v", "EX", 100), "OK");
assert.equal(await redis.get("s"), "v");
await redis.hset("h", { a: "1", b: "2" });
assert.deepEqual(await redis.hgetall("h"), { a: "1", b: "2" });
assert.equal(await redis.zadd("z", 1, "a", 2.5, "b"), 2);
assert.deepEqual(await redis.zrange("z", 0, -1, "WITHSCORES"), ["a", "1", "b", "2.5"]);

const pipeline = redis.pipeline();
for (let i = 0; i < 500; i++) pipeline.incr("n");
const answers = await pipeline.lpush("s", "x").exec();
assert.deepEqual(answers[499], [null, 500]);
assert.match(answers[500][0].message, /WRONGTYPE/);

assert.deepEqual(await redis.multi().set("m", "1").incr("m").exec(), [[null, "OK"], [null, 2]]);
const other = redis.duplicate();
await redis.watch("m");
await other.set("m", "9");
assert.equal(await redis.multi().incr("m").exec(), null);

const waiting = other.blpop("q", 10);
await redis.rpush("q", "x");
assert.deepEqual(await waiting, ["q", "x"]);

const heard = new Promise((resolve) => {
  other.on("pmessage", (pattern, channel, message) => resolve([pattern, channel, message]));
});
await other.psubscribe("n*");
assert.equal(await redis.publish("news", "hi"), 1);
assert.deepEqual(await heard, ["n*", "news", "hi"]);

redis.defineCommand("twice", { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1] * 2)" });
assert.equal(await redis.twice("c", 4), 8);
assert.equal(await redis.twice("c", 1), 10);

const id = await redis.xadd("x", "*", "f", "v");
await redis.xgroup("CREATE", "x", "g", "0");
const [[, [[got, fields]]]] = await redis.xreadgroup("GROUP", "g", "c", "STREAMS", "x", ">");
assert.deepEqual([got, fields], [id, ["f", "v"]]);
assert.equal(await redis.xack("x", "g", id), 1);

const keys = [];
for await (const batch of redis.scanStream({ count: 2 })) keys.push(...batch);
assert.deepEqual([...new Set(keys)].sort(), ["c", "h", "m", "n", "s", "x", "z"]);
other.disconnect();
await redis.quit();
console.log("ok");

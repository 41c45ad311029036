import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisPubSub;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.Response;
import redis.clients.jedis.StreamEntryID;
import redis.clients.jedis.Transaction;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.params.SetParams;
import redis.clients.jedis.params.XReadGroupParams;
import redis.clients.jedis.resps.ScanResult;
import redis.clients.jedis.resps.StreamEntry;

/** Jedis against the server whose host and port are the arguments, on RESP2 and RESP3. */
public final class Jedis5 {
    private static void same(Object got, Object expected) {
        if (!expected.equals(got)) {
            throw new AssertionError("got " + got + ", expected " + expected);
        }
    }

    private static Jedis connect(String[] place, RedisProtocol protocol) {
        var config = DefaultJedisClientConfig.builder().protocol(protocol).build();
        return new Jedis(new HostAndPort(place[0], Integer.parseInt(place[1])), config);
    }

    private static void values(Jedis jedis) {
        same(jedis.set("s", "v", SetParams.setParams().ex(100)), "OK");
        same(jedis.get("s"), "v");
        same(jedis.hset("h", Map.of("a", "1", "b", "2")), 2L);
        same(jedis.hgetAll("h"), Map.of("a", "1", "b", "2"));
        same(jedis.zadd("z", Map.of("a", 1.0, "b", 2.5)), 2L);
        same(jedis.zrange("z", 0, -1), List.of("a", "b"));
        same(jedis.zscore("z", "b"), 2.5);

        Pipeline pipeline = jedis.pipelined();
        List<Response<Long>> numbers = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            numbers.add(pipeline.incr("n"));
        }
        pipeline.sync();
        same(numbers.get(499).get(), 500L);
        try {
            jedis.lpush("s", "x");
            throw new AssertionError("no error");
        } catch (JedisDataException error) {
            same(error.getMessage().startsWith("WRONGTYPE"), true);
        }
        String script = "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}";
        same(jedis.eval(script, List.of("c"), List.of("x")), List.of("c", "x", 1L));
        same(jedis.evalsha(jedis.scriptLoad(script), List.of("c"), List.of("x")), List.of("c", "x", 2L));
    }

    private static void transactions(Jedis jedis, Jedis other) {
        Transaction transaction = jedis.multi();
        transaction.set("m", "1");
        transaction.incr("m");
        same(transaction.exec(), List.of("OK", 2L));
        jedis.watch("m");
        other.set("m", "9");
        transaction = jedis.multi();
        transaction.incr("m");
        same(transaction.exec() == null, true);
    }

    private static void waiting(Jedis jedis, Jedis other) throws Exception {
        var popped = CompletableFuture.supplyAsync(() -> other.blpop(10, "q"));
        jedis.rpush("q", "x");
        same(popped.get(), List.of("q", "x"));

        var published = new CompletableFuture<Long>();
        var heard = new CompletableFuture<String>();
        var listener = new JedisPubSub() {
            @Override
            public void onSubscribe(String channel, int count) {
                CompletableFuture.runAsync(() -> published.complete(jedis.publish(channel, "hi")));
            }

            @Override
            public void onMessage(String channel, String message) {
                heard.complete(message);
                unsubscribe();
            }
        };
        other.subscribe(listener, "news");
        same(heard.get(), "hi");
        same(published.get(), 1L);
    }

    private static void streams(Jedis jedis) {
        StreamEntryID id = jedis.xadd("x", StreamEntryID.NEW_ENTRY, Map.of("f", "v"));
        jedis.xgroupCreate("x", "g", new StreamEntryID(0, 0), false);
        List<Map.Entry<String, List<StreamEntry>>> read = jedis.xreadGroup("g", "c",
            new XReadGroupParams(), Map.of("x", StreamEntryID.XREADGROUP_UNDELIVERED_ENTRY));
        same(read.get(0).getValue().get(0).getID(), id);
        same(read.get(0).getValue().get(0).getFields(), Map.of("f", "v"));
        same(jedis.xack("x", "g", id), 1L);
    }

    private static void scan(Jedis jedis) {
        var keys = new TreeSet<String>();
        String cursor = ScanParams.SCAN_POINTER_START;
        do {
            ScanResult<String> part = jedis.scan(cursor, new ScanParams().count(2));
            keys.addAll(part.getResult());
            cursor = part.getCursor();
        } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
        same(new ArrayList<>(keys), List.of("c", "h", "m", "n", "s", "x", "z"));
    }

    public static void main(String[] place) throws Exception {
        for (RedisProtocol protocol : RedisProtocol.values()) {
            try (Jedis jedis = connect(place, protocol); Jedis other = connect(place, protocol)) {
                jedis.flushAll();
                values(jedis);
                transactions(jedis, other);
                waiting(jedis, other);
                streams(jedis);
                scan(jedis);
            }
        }
        System.out.println("ok");
    }
}

// go-redis against the server whose URL is the first argument, on RESP2 and RESP3.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func same(got, expected any) {
	if !reflect.DeepEqual(got, expected) {
		panic(fmt.Sprintf("got %#v, expected %#v", got, expected))
	}
}

func scenario(ctx context.Context, protocol int) {
	options := must(redis.ParseURL(os.Args[1]))
	options.Protocol = protocol
	client := redis.NewClient(options)
	defer client.Close()
	must(client.FlushAll(ctx).Result())

	must(client.Set(ctx, "s", "v", 100*time.Second).Result())
	same(must(client.Get(ctx, "s").Result()), "v")
	if _, err := client.Get(ctx, "none").Result(); !errors.Is(err, redis.Nil) {
		panic(err)
	}
	must(client.HSet(ctx, "h", "a", "1", "b", "2").Result())
	same(must(client.HGetAll(ctx, "h").Result()), map[string]string{"a": "1", "b": "2"})
	must(client.ZAdd(ctx, "z", redis.Z{Score: 1, Member: "a"}, redis.Z{Score: 2.5, Member: "b"}).Result())
	same(must(client.ZRangeWithScores(ctx, "z", 0, -1).Result()),
		[]redis.Z{{Score: 1, Member: "a"}, {Score: 2.5, Member: "b"}})

	commands := must(client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := 0; i < 500; i++ {
			pipe.Incr(ctx, "n")
		}
		return nil
	}))
	same(commands[499].(*redis.IntCmd).Val(), int64(500))
	_, err := client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Set(ctx, "m", 1, 0)
		pipe.Incr(ctx, "m")
		return nil
	})
	must(0, err)
	err = client.Watch(ctx, func(tx *redis.Tx) error {
		must(client.Set(ctx, "m", 9, 0).Result())
		_, err := tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error { return pipe.Incr(ctx, "m").Err() })
		return err
	}, "m")
	same(err, error(redis.TxFailedErr))
	if err := client.LPush(ctx, "m", "x").Err(); err == nil || !strings.HasPrefix(err.Error(), "WRONGTYPE") {
		panic(err)
	}

	popped := make(chan []string)
	go func() { popped <- must(client.BLPop(ctx, 10*time.Second, "q").Result()) }()
	must(client.RPush(ctx, "q", "x").Result())
	same(<-popped, []string{"q", "x"})

	listener := client.Subscribe(ctx, "news")
	must(listener.Receive(ctx))
	must(client.Publish(ctx, "news", "hi").Result())
	same(must(listener.ReceiveMessage(ctx)).Payload, "hi")
	listener.Close()

	script := redis.NewScript("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
	same(must(script.Run(ctx, client, []string{"c"}, "x").Result()), []any{"c", "x", int64(1)})

	id := must(client.XAdd(ctx, &redis.XAddArgs{Stream: "x", Values: []string{"f", "v"}}).Result())
	must(client.XGroupCreate(ctx, "x", "g", "0").Result())
	read := must(client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: "g", Consumer: "c", Streams: []string{"x", ">"}, Block: -1}).Result())
	same(read[0].Messages[0], redis.XMessage{ID: id, Values: map[string]any{"f": "v"}})
	same(must(client.XAck(ctx, "x", "g", id).Result()), int64(1))

	var keys []string
	for walk := client.Scan(ctx, 0, "*", 2).Iterator(); walk.Next(ctx); {
		keys = append(keys, walk.Val())
	}
	sort.Strings(keys)
	same(keys, []string{"c", "h", "m", "n", "s", "x", "z"})
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	scenario(ctx, 2)
	scenario(ctx, 3)
	fmt.Println("ok")
}

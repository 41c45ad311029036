"""Blocking commands, pub/sub, and what interrupts them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import redis

import aidb.redis


@pytest.fixture(params=[2, 3])
def client(store: aidb.redis.Store, request: pytest.FixtureRequest) -> Any:
    return store.client(decode_responses=True, protocol=request.param)


def test_a_blocking_command_gets_what_another_thread_pushes(client: Any) -> None:
    got: list[Any] = []
    waiting = threading.Thread(target=lambda: got.append(client.blpop("q", timeout=20)))
    waiting.start()
    while not client.info("clients")["blocked_clients"]:
        pass
    client.rpush("q", "v")
    waiting.join()
    assert list(got[0]) == ["q", "v"]
    assert client.blpop("q", timeout=0.02) is None
    assert client.pipeline(transaction=False).blpop("q", timeout=0.02).ping().execute() == [
        None,
        True,
    ]


def test_a_waiting_client_may_be_unblocked_and_killed(client: Any) -> None:
    failed: list[Exception] = []

    def wait() -> None:
        try:
            client.blpop("q", timeout=20)
        except redis.RedisError as error:
            failed.append(error)

    for end in ("CLIENT UNBLOCK {id} ERROR", "CLIENT KILL ID {id}"):
        waiting = threading.Thread(target=wait)
        waiting.start()
        blocked: list[str] = []
        while not blocked:
            blocked = [c["id"] for c in client.client_list() if c["flags"] == "b"]
        client.execute_command(*end.format(id=blocked[0]).split())
        waiting.join()
    assert "UNBLOCKED" in str(failed[0])
    assert isinstance(failed[1], redis.ConnectionError)
    assert client.ping()


def test_messages(client: Any) -> None:
    listener = client.pubsub()
    listener.subscribe("news")
    listener.psubscribe("n*")
    for kind in ("subscribe", "psubscribe"):
        message = listener.get_message(timeout=5)
        assert message is not None
        assert message["type"] == kind
    assert listener.get_message(timeout=0.01) is None
    assert listener.get_message() is None
    assert client.publish("news", "hello") == 2
    got = [listener.get_message(timeout=5), listener.get_message(timeout=5)]
    assert [(m["type"], m["data"]) for m in got if m] == [
        ("message", "hello"),
        ("pmessage", "hello"),
    ]
    listener.unsubscribe("news")
    listener.close()
    assert client.pubsub_numpat() == 0


def test_a_listener_in_a_thread_hears_handlers_and_new_subscriptions(
    client: Any,
) -> None:
    heard = threading.Event()
    listener = client.pubsub()
    listener.subscribe(first=lambda message: None)
    thread = listener.run_in_thread(sleep_time=0.05)
    listener.subscribe(second=lambda message: heard.set())
    while client.publish("second", "x") == 0:
        pass
    assert heard.wait(20)
    thread.stop()
    thread.join()
    listener.close()


def test_monitors_and_events_do_not_disturb_single_commands(client: Any) -> None:
    with pytest.raises(redis.ConnectionError, match="no reply"):
        client.store.client(protocol=3).execute_command("SUBSCRIBE", "c")
    assert client.ping()


PROGRAM = """
import sys, aidb.redis
r = aidb.redis.open(sys.argv[1])
try:
    print("ready", flush=True)
    {work}
except KeyboardInterrupt:
    print("interrupted", r.rpush("q", "kept"), r.llen("q"), flush=True)
r.close()
"""


@pytest.mark.parametrize(
    "work",
    [
        "r.blpop('q', timeout=0)",
        "r.pipeline(transaction=False).blpop('q', timeout=0).execute()",
        "p = r.pubsub(); p.subscribe('c'); list(p.listen())",
        "r.client().blpop('q', timeout=0)",
    ],
)
def test_ctrl_c_ends_the_wait_and_nothing_is_taken(tmp_path: Path, work: str) -> None:
    command = [sys.executable, "-c", PROGRAM.format(work=work), str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        program.send_signal(signal.SIGINT)
        output, _ = program.communicate(timeout=25)
    assert output == "interrupted 1 1\n"
    assert program.returncode == 0

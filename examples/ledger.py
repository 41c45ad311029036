"""A trading ledger that is killed at random moments and recovers exactly.

A child process matches orders as fast as it can. Each trade is one atomic batch: it writes the
trade, moves cash and shares between two accounts, and closes both orders. After a commit the child
reports the trade's number on a pipe. The parent kills it with SIGKILL, opens the database and
audits:

* every trade that was reported is there, and trade numbers have no gaps;
* replaying all trades over the opening balances gives exactly the stored balances;
* no cash or share was made or lost, and no order of a trade is still open.

Run: python examples/ledger.py [rounds]
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import aidb

ACCOUNTS = 50
CASH = 1_000_000
SHARES = 1_000
LAST_TRADE = b"meta:last-trade"


@dataclass
class Account:
    """What a trader holds."""

    cash: int
    shares: int


@dataclass(frozen=True)
class Trade:
    """``shares`` went from seller to buyer for ``price`` each."""

    number: int
    buyer: int
    seller: int
    shares: int
    price: int


def account_key(number: int) -> bytes:
    """Key of an account."""
    return b"account:%04d" % number


def trade_key(number: int) -> bytes:
    """Key of a trade; they sort by number."""
    return b"trade:%012d" % number


def order_key(number: int, side: str) -> bytes:
    """Key of one of the two orders that a trade matches."""
    return b"order:%012d:%s" % (number, side.encode())


def packed(record: Account | Trade) -> bytes:
    """A record as stored."""
    return json.dumps(asdict(record)).encode()


class Ledger:
    """Accounts, orders and trades in one database."""

    def __init__(self, path: str) -> None:
        """Open the ledger, creating it with its opening balances."""
        self.db = aidb.open(path)
        if LAST_TRADE not in self.db:
            with self.db.batch() as batch:
                for number in range(ACCOUNTS):
                    batch.put(account_key(number), packed(Account(CASH, SHARES)))
                batch.put(LAST_TRADE, b"0")

    def account(self, number: int) -> Account:
        """The balances of an account."""
        return Account(**json.loads(self.db[account_key(number)]))

    def last_trade(self) -> int:
        """Number of the last trade."""
        return int(self.db[LAST_TRADE])

    def place_orders(self, trade: Trade) -> None:
        """Write the two orders that ``trade`` will match."""
        with self.db.batch() as batch:
            batch.put(order_key(trade.number, "buy"), b"open")
            batch.put(order_key(trade.number, "sell"), b"open")

    def settle(self, trade: Trade) -> None:
        """Commit ``trade`` with everything it changes, or nothing of it."""
        buyer, seller = self.account(trade.buyer), self.account(trade.seller)
        amount = trade.shares * trade.price
        with self.db.batch() as batch:
            batch.put(trade_key(trade.number), packed(trade))
            batch.put(
                account_key(trade.buyer),
                packed(Account(buyer.cash - amount, buyer.shares + trade.shares)),
            )
            batch.put(
                account_key(trade.seller),
                packed(Account(seller.cash + amount, seller.shares - trade.shares)),
            )
            batch.delete(order_key(trade.number, "buy"))
            batch.delete(order_key(trade.number, "sell"))
            batch.put(LAST_TRADE, b"%d" % trade.number)

    def trades(self) -> list[Trade]:
        """Every trade, oldest first."""
        return [Trade(**json.loads(value)) for _, value in self.db.scan(prefix=b"trade:")]


def trade_until_killed(path: str) -> None:
    """Trade for ever, printing the number of each committed trade."""
    ledger = Ledger(path)
    while True:
        number = ledger.last_trade() + 1
        buyer, seller = random.sample(range(ACCOUNTS), 2)
        trade = Trade(number, buyer, seller, random.randint(1, 5), random.randint(90, 110))
        ledger.place_orders(trade)
        ledger.settle(trade)
        os.write(1, b"%d\n" % number)


def run_and_kill(path: str, seconds: float) -> int:
    """Let a child trade for a while, kill it, and return the last trade it reported."""
    child = subprocess.Popen([sys.executable, __file__, "--child", path], stdout=subprocess.PIPE)
    assert child.stdout is not None
    first = child.stdout.readline()
    time.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    reported = (first + child.stdout.read()).split(b"\n")
    child.wait()
    # The last piece is empty, or a line cut by the kill: only complete lines were reported.
    return int(reported[-2])


def audit(path: str, reported: int) -> int:
    """Check the ledger against its own trades; return their number."""
    ledger = Ledger(path)
    trades = ledger.trades()
    expect(
        [trade.number for trade in trades] == list(range(1, len(trades) + 1)), "gaps in the trades"
    )
    expect(
        len(trades) >= reported, f"trade {reported} was reported but only {len(trades)} are there"
    )
    expect(ledger.last_trade() == len(trades), "the counter and the trades differ")
    replayed = [Account(CASH, SHARES) for _ in range(ACCOUNTS)]
    for trade in trades:
        amount = trade.shares * trade.price
        replayed[trade.buyer].cash -= amount
        replayed[trade.buyer].shares += trade.shares
        replayed[trade.seller].cash += amount
        replayed[trade.seller].shares -= trade.shares
    stored = [ledger.account(number) for number in range(ACCOUNTS)]
    expect(stored == replayed, "balances differ from the trades")
    expect(sum(account.cash for account in stored) == ACCOUNTS * CASH, "cash was made or lost")
    expect(
        sum(account.shares for account in stored) == ACCOUNTS * SHARES, "shares were made or lost"
    )
    still_open = [int(key.split(b":")[1]) for key, _ in ledger.db.scan(prefix=b"order:")]
    expect(all(number > len(trades) for number in still_open), "an order of a trade is still open")
    # Orders of the trade that was never made are withdrawn.
    with ledger.db.batch() as batch:
        batch.delete_range(b"order:", b"order;")
    ledger.db.close()
    return len(trades)


def expect(claim: bool, otherwise: str) -> None:
    """Stop with ``otherwise`` unless ``claim`` holds."""
    if not claim:
        raise SystemExit(f"AUDIT FAILED: {otherwise}")


def main() -> None:
    """Kill and audit for some rounds."""
    if sys.argv[1:2] == ["--child"]:
        trade_until_killed(sys.argv[2])
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "ledger")
        for number in range(1, rounds + 1):
            reported = run_and_kill(path, random.uniform(0.05, 0.5))
            trades = audit(path, reported)
            print(
                f"round {number}: killed after trade {reported}, recovered {trades}, books balance"
            )


if __name__ == "__main__":
    main()

"""Machines that stop, pause and have clocks of their own, and the network between them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any

from aidb.cluster.orders import Order
from aidb.errors import Error, UnavailableError

Handler = Callable[[Any], Awaitable[Any]]


class Machine:
    """One process on one machine."""

    def __init__(self, name: str, random: Random) -> None:
        self.name = name
        self.is_up = False
        self.running = asyncio.Event()
        self.running.set()
        self.handler: Handler | None = None
        # Clocks differ in what they show and, by up to 1 %, in how fast they go.
        self.offset = random.uniform(0, 1000)
        self.rate = 1 + random.uniform(-0.01, 0.01)
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, handler: Handler) -> None:
        self.is_up, self.handler = True, handler

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def kill(self) -> None:
        self.is_up, self.handler = False, None
        for task in list(self._tasks):
            task.cancel()
        self.running.set()

    def pause(self) -> None:
        self.running.clear()

    def resume(self) -> None:
        self.running.set()


class MachineTiming:
    """The clocks of one machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def now(self) -> float:
        return 1_700_000_000 + asyncio.get_running_loop().time()

    def monotonic(self) -> float:
        return self._machine.offset + asyncio.get_running_loop().time() * self._machine.rate

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._machine.rate)
        await self._machine.running.wait()


class Network:
    """Delays, loses, repeats and cuts off messages."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.machines: dict[str, Machine] = {}
        self.loss = 0.0
        self.repeats = 0.0
        self.delay_max_s = 0.005
        self._cut: set[tuple[str, str]] = set()

    def cut(self, source: str, target: str) -> None:
        """Nothing gets from source to target; the other direction is not touched."""
        self._cut.add((source, target))

    def isolate(self, name: str) -> None:
        for other in self.machines:
            self.cut(name, other)
            self.cut(other, name)

    def heal(self) -> None:
        self._cut.clear()
        self.loss = self.repeats = 0.0
        self.delay_max_s = 0.005

    def from_machine(self, name: str) -> MachineTransport:
        return MachineTransport(self, name)

    async def call(self, source: str, target: str, message: Any, timeout_s: float) -> Any:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(source, target, message)
        except TimeoutError:
            raise UnavailableError(f"no answer from {target}", effect="unknown") from None

    async def _exchange(self, source: str, target: str, message: Any) -> Any:
        await self._travel(source, target)
        if isinstance(message, Order) and self._random.random() < self.repeats:
            asyncio.get_running_loop().call_later(
                self._random.uniform(0, 2), self._deliver, target, message
            )
        answer = self._deliver(target, message)
        if answer is None:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")
        # A caller that gives up does not end what it asked for.
        done, _ = await asyncio.wait([answer])
        await self._travel(target, source)
        (task,) = done
        if task.cancelled():
            await asyncio.Event().wait()
        return task.result()

    def _deliver(self, target: str, message: Any) -> asyncio.Task[Any] | None:
        machine = self.machines.get(target)
        if machine is None or not machine.is_up or machine.handler is None:
            return None
        handler = machine.handler

        async def handle() -> Any:
            await machine.running.wait()
            return await handler(message)

        task = machine.spawn(handle())
        task.add_done_callback(_note_error)
        return task

    async def _travel(self, source: str, target: str) -> None:
        is_lost = (source, target) in self._cut or self._random.random() < self.loss
        if is_lost:
            await asyncio.Event().wait()
        await asyncio.sleep(self._random.uniform(0.0002, self.delay_max_s))
        if (source, target) in self._cut:
            await asyncio.Event().wait()


class MachineTransport:
    """The network as one machine sees it."""

    def __init__(self, network: Network, name: str) -> None:
        self._network, self._name = network, name

    async def call(self, address: str, message: Any, *, timeout_s: float) -> Any:
        reply = await self._network.call(self._name, address, message, timeout_s)
        machine = self._network.machines.get(self._name)
        if machine is not None:
            await machine.running.wait()
        return reply


def _note_error(task: asyncio.Task[Any]) -> None:
    """Refusals belong to the caller; a caller that is gone does not make them a fault."""
    if not task.cancelled():
        error = task.exception()
        if error is not None and not isinstance(error, Error):
            raise error

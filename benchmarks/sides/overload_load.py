"""`python -m benchmarks.sides.overload_load PORT RATE SECONDS`: send RATE arrivals per second, open loop.

Each request has an intended start, and its response time counts from it. A rate of 0 is a closed loop of a
few connections instead, which finds the capacity. Prints good responses in time per second, the 95th
percentile of the good ones in milliseconds, and the share that was rejected.
"""

import asyncio
import json
import re
import statistics
import sys
import time

import uvloop

CLOSED = 6
IN_TIME = 0.5
REQUEST = b"GET /work HTTP/1.1\r\nhost: localhost\r\n\r\n"
GIVEN_UP_SECONDS = 2.0
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


class Client:
    """A pool of connections; a new one is opened when all are in use."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.good: list[float] = []
        self.refused = 0
        self.lost = 0

    async def send(self, moment: float) -> None:
        """Send one request, due at ``moment``."""
        try:
            async with asyncio.timeout(GIVEN_UP_SECONDS):
                reader, writer = self.idle.pop() if self.idle else await self.connect()
                writer.write(REQUEST)
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(LENGTH.findall(head)[0]))
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            self.lost += 1
            return
        status = head[9:12]
        if status == b"200":
            self.good.append(time.perf_counter() - moment)
        elif status == b"503" and b"\r\nretry-after: " in head.lower():
            self.refused += 1
        else:
            raise RuntimeError(head.decode())
        if b"connection: close" in head.lower():
            writer.close()
        else:
            self.idle.append((reader, writer))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a new connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)


async def main(port: int, rate: float, seconds: float) -> dict[str, float]:
    client = Client(port)
    began = time.perf_counter()
    if rate == 0:

        async def again() -> None:
            while time.perf_counter() < began + seconds:
                await client.send(time.perf_counter())

        await asyncio.gather(*(again() for _ in range(CLOSED)))
    else:
        asking: set[asyncio.Task[None]] = set()
        for number in range(int(rate * seconds)):
            moment = began + number / rate
            wait = moment - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(client.send(moment))
            asking.add(task)
            task.add_done_callback(asking.discard)
        await asyncio.gather(*asking)
    took = max(seconds, time.perf_counter() - began) if rate == 0 else seconds
    in_time = [seconds for seconds in client.good if seconds <= IN_TIME]
    total = len(client.good) + client.refused + client.lost
    p95 = statistics.quantiles(client.good, n=20)[-1] if len(client.good) > 1 else float("inf")
    return {
        "goodput": len(in_time) / took,
        "p95": p95 * 1_000,
        "refused": client.refused / total,
        "lost": client.lost / total,
    }


if __name__ == "__main__":
    port, rate, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    print(json.dumps(uvloop.run(main(port, rate, seconds))))

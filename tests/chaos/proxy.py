"""A bad network between agencies and server: slows, delays, halves, cuts and resets connections."""
import asyncio
import random
import socket
import struct
import threading


class Proxy:
    """Listens on a free port. A generator with this seed decides what happens to each connection."""

    def __init__(self, target, seed):
        self.target = target
        self.generator = random.Random(seed)
        self.is_calm = False
        self.cuts = 0
        self.tasks = set()
        self.loop = asyncio.new_event_loop()
        self.port = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    def _run(self):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self.loop.run_forever()
        server.close()
        while tasks := asyncio.all_tasks(self.loop):
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    def calm_down(self):
        """From now on lets everything pass, so that the run can end."""
        self.is_calm = True

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    async def _serve(self, reader, writer):
        """Keeps the task alive: the loop has only weak references, and a task could be collected."""
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            await self._connect(reader, writer)
        finally:
            self.tasks.discard(task)

    async def _connect(self, reader, writer):
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        pair = (writer, other_writer)
        life = self.generator.expovariate(1 / 200_000)  # bytes until something happens
        budget = [life]
        try:
            await asyncio.gather(self._pump(reader, other_writer, pair, budget),
                                 self._pump(other_reader, writer, pair, budget))
        except OSError:
            pass  # when one side breaks, both are closed
        finally:
            for one in pair:
                one.close()

    async def _pump(self, reader, writer, pair, budget):
        while data := await reader.read(self.generator.choice((1, 100, 4096, 16384))
                                        if not self.is_calm else 65536):
            if not self.is_calm:
                await asyncio.sleep(self.generator.expovariate(1 / 0.002))
                budget[0] -= len(data)
                if budget[0] < 0:
                    writer.write(data[:self.generator.randrange(len(data) + 1)])  # only a part of it
                    self._cut(pair)
                    return
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    def _cut(self, pair):
        """Closes both sides, in an orderly way or with a reset."""
        self.cuts += 1
        is_reset = self.generator.random() < 0.5
        for writer in pair:
            if is_reset:
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()

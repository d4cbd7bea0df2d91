"""A TCP port that leads to a Unix socket, for programs that speak HTTP to ports only."""

import asyncio
import threading

# A stream that is followed never ends by itself: it is ended for the reader once it was silent for so long, or lasted for so long.
SILENT_S = 0.2
LASTED_S = 1.0


class Relay:
    def __init__(self, socket):
        self.socket = str(socket)
        # asyncio itself keeps only weak references to the tasks of its servers.
        self.tasks = set()
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(ready,), daemon=True)
        self.thread.start()
        ready.wait()

    def run(self, ready):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        ready.set()
        self.loop.run_forever()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    async def serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        try:
            answers, asks = await asyncio.open_unix_connection(self.socket)
        except OSError:
            writer.close()
            return
        asking = asyncio.ensure_future(self.pass_on(reader, asks))
        try:
            await self.answer(answers, writer)
        except (OSError, asyncio.CancelledError):
            # asyncio prints a trace for a connection that ends as cancelled; the relay is closed while some are kept alive.
            pass
        finally:
            asking.cancel()
            asks.close()
            writer.close()

    async def pass_on(self, reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except OSError:
            pass

    async def answer(self, reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
            head = data.split(b"\r\n\r\n")[0].lower()
            if head.startswith(b"http/1.1 200") and b"content-type: text/event-stream" in head:
                await self.follow(reader, writer)
                return

    async def follow(self, reader, writer):
        end = self.loop.time() + LASTED_S
        while self.loop.time() < end:
            try:
                data = await asyncio.wait_for(reader.read(65536), SILENT_S)
            except TimeoutError:
                break
            if not data:
                return
            writer.write(data)
            await writer.drain()
        # The last chunk, as the daemon sends it when it stops.
        writer.write(b"0\r\n\r\n")
        await writer.drain()

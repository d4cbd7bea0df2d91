"""load.py ADDRESS HOSTNAME: visitors who ask for ever, each in a connection of its own for every request.

On SIGTERM it waits for the answers that are due and prints how many requests were answered with 204, and what became of the others.
"""

import http.client
import signal
import sys
import threading

VISITORS = 8
# Long enough for whatever is still to be answered well.
TIME_MAX = 30
PAUSE = 0.002

over = threading.Event()
lock = threading.Lock()
answered = 0
lost = []


def visit(address, hostname):
    connection = http.client.HTTPConnection(address, timeout=TIME_MAX)
    try:
        connection.request("GET", "/", headers={"Host": hostname})
        answer = connection.getresponse()
        answer.read()
        return None if answer.status == 204 else f"status {answer.status}"
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    finally:
        connection.close()


def visit_for_ever(address, hostname):
    global answered
    while not over.is_set():
        trouble = visit(address, hostname)
        with lock:
            if trouble is None:
                answered += 1
            else:
                lost.append(trouble)
        over.wait(PAUSE)


signal.signal(signal.SIGTERM, lambda *_: over.set())
visitors = [threading.Thread(target=visit_for_ever, args=sys.argv[1:3]) for _ in range(VISITORS)]
for visitor in visitors:
    visitor.start()
for visitor in visitors:
    visitor.join()
print(f"{answered} visits answered, {len(lost)} lost")
if lost or not answered:
    sys.exit(f"lost: {lost[:5]}")

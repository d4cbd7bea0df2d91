/* Clients of a Unix socket that ask the same over and over: how long each answer takes.
 *
 *     load SOCKET PATH CLIENTS SECONDS PERIOD_US [HEADER]
 *
 * Each client has one connection. With a period of 0 it asks again as soon as it is answered, which shows what the server can do; with
 * one it asks that often, from a moment of its own, and an answer counts from when it was due, so that a server which falls behind cannot
 * hide it. Prints: answers, answers a second, p50, p99 and the longest in microseconds, bytes of one answer. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWERS_MAX 2000000
#define BUFFER (1 << 16)
#define LINE 4096

static const char *path_of_socket, *path, *header;
static int64_t period, ends_at;

struct client {
    pthread_t thread;
    int number, clients;
    uint32_t *taken;
    size_t count;
    size_t bytes;
};

struct reader {
    int fd;
    size_t at, end;
    char bytes[BUFFER];
};

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int dial(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path_of_socket);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    return fd;
}

/* Makes sure that there is something to take. */
static void fill(struct reader *reader) {
    if (reader->at < reader->end) return;
    ssize_t got = read(reader->fd, reader->bytes, BUFFER);
    if (got <= 0) fail("read of an answer");
    reader->at = 0;
    reader->end = (size_t)got;
}

static void skip(struct reader *reader, size_t count) {
    while (count) {
        fill(reader);
        size_t here = reader->end - reader->at;
        here = here < count ? here : count;
        reader->at += here;
        count -= here;
    }
}

/* Takes a line without its end. */
static void take_line(struct reader *reader, char *line) {
    size_t length = 0;
    for (;;) {
        fill(reader);
        char byte = reader->bytes[reader->at++];
        if (byte == '\n') break;
        if (byte != '\r' && length < LINE - 1) line[length++] = byte;
    }
    line[length] = 0;
}

/* Reads one answer and gives the length of its body, as it was sent or the sum of its chunks. */
static size_t read_answer(struct reader *reader) {
    char line[LINE];
    size_t length = 0, chunk;
    int chunked = 0;
    take_line(reader, line);
    if (strncmp(line, "HTTP/1.1 200", 12)) {
        fprintf(stderr, "%s\n", line);
        exit(1);
    }
    while (take_line(reader, line), *line) {
        if (!strncasecmp(line, "content-length:", 15)) length = strtoull(line + 15, NULL, 10);
        if (!strncasecmp(line, "transfer-encoding:", 18)) chunked = 1;
    }
    if (!chunked) {
        skip(reader, length);
        return length;
    }
    do {
        take_line(reader, line);
        chunk = strtoull(line, NULL, 16);
        skip(reader, chunk);
        length += chunk;
        take_line(reader, line);
    } while (chunk);
    return length;
}

static void *ask(void *argument) {
    struct client *client = argument;
    struct reader *reader = malloc(sizeof *reader);
    char request[512];
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nhost: adit\r\n%s%s\r\n", path, header, *header ? "\r\n" : "");
    reader->at = reader->end = 0;
    reader->fd = dial();
    int64_t due = now() + period * client->number / client->clients;
    while (due < ends_at && client->count < ANSWERS_MAX / (size_t)client->clients) {
        if (period) {
            int64_t wait = due - now();
            if (wait > 0) usleep(wait);
        } else {
            due = now();
        }
        if (write(reader->fd, request, length) != length) fail("write");
        client->bytes = read_answer(reader);
        client->taken[client->count++] = now() - due;
        due = period ? due + period : now();
    }
    return NULL;
}

static int compare(const void *one, const void *other) {
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

int main(int count, char **arguments) {
    if (count < 6 || count > 7) return 2;
    path_of_socket = arguments[1];
    path = arguments[2];
    header = count == 7 ? arguments[6] : "";
    int clients = atoi(arguments[3]);
    period = atoll(arguments[5]);
    int64_t begun = now();
    ends_at = begun + atoll(arguments[4]) * 1000000LL;
    struct client *all = calloc(clients, sizeof *all);
    for (int number = 0; number < clients; number++) {
        all[number] = (struct client){.number = number, .clients = clients};
        all[number].taken = malloc(ANSWERS_MAX / clients * sizeof(uint32_t) + sizeof(uint32_t));
        if (pthread_create(&all[number].thread, NULL, ask, &all[number])) fail("pthread_create");
    }
    uint32_t *taken = malloc(ANSWERS_MAX * sizeof(uint32_t));
    size_t answers = 0, bytes = 0;
    for (int number = 0; number < clients; number++) {
        pthread_join(all[number].thread, NULL);
        memcpy(taken + answers, all[number].taken, all[number].count * sizeof(uint32_t));
        answers += all[number].count;
        bytes = all[number].bytes;
    }
    double seconds = (now() - begun) / 1e6;
    if (!answers) return 1;
    qsort(taken, answers, sizeof *taken, compare);
    printf("%zu %.0f %u %u %u %zu\n", answers, answers / seconds, taken[answers / 2], taken[answers * 99 / 100],
           taken[answers - 1], bytes);
}

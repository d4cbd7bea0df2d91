/* Clients of a Unix socket that ask the same over and over: how long each answer takes.
 *
 *     load SOCKET PATH CLIENTS SECONDS PERIOD_US
 *
 * Each client has one connection. With a period of 0 it asks again as soon as it is answered, which shows what the server can do; with
 * one it asks that often, from a moment of its own, and an answer counts from when it was due, so that a server which falls behind cannot
 * hide it. Prints: answers, answers a second, p50, p99 and the longest in microseconds, bytes of one answer. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWERS_MAX 2000000
#define BUFFER (1 << 16)

static const char *path_of_socket, *path;
static int64_t period, ends_at;

struct client {
    pthread_t thread;
    int number, clients;
    uint32_t *taken;
    size_t count;
    size_t bytes;
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

/* Reads one answer and gives its length. */
static size_t read_answer(int fd, char *buffer) {
    size_t have = 0, head, length;
    char *end, *field;
    do {
        ssize_t got = read(fd, buffer + have, BUFFER - 1 - have);
        if (got <= 0) fail("read of an answer's head");
        have += got;
        buffer[have] = 0;
    } while (!(end = strstr(buffer, "\r\n\r\n")));
    if (strncmp(buffer, "HTTP/1.1 200", 12)) {
        fprintf(stderr, "%s\n", buffer);
        exit(1);
    }
    if (!(field = strstr(buffer, "content-length: "))) fail("an answer without a length");
    head = end + 4 - buffer;
    length = strtoull(field + 16, NULL, 10);
    for (size_t rest = head + length - have; rest;) {
        ssize_t got = read(fd, buffer, rest < BUFFER ? rest : BUFFER);
        if (got <= 0) fail("read of an answer");
        rest -= got;
    }
    return length;
}

static void *ask(void *argument) {
    struct client *client = argument;
    char request[512], *buffer = malloc(BUFFER);
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nhost: adit\r\n\r\n", path);
    int fd = dial();
    int64_t due = now() + period * client->number / client->clients;
    while (due < ends_at && client->count < ANSWERS_MAX / (size_t)client->clients) {
        if (period) {
            int64_t wait = due - now();
            if (wait > 0) usleep(wait);
        } else {
            due = now();
        }
        if (write(fd, request, length) != length) fail("write");
        client->bytes = read_answer(fd, buffer);
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
    if (count != 6) return 2;
    path_of_socket = arguments[1];
    path = arguments[2];
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

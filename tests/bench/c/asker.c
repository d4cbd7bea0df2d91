/* asker: the least that it takes to ask every connector now and then whether it is ready.
 *
 *     asker fresh|kept SECONDS PERIOD_MS ADDRESS:PORT...
 *
 * Each address is asked for /ready once a period, in batches, as few wake-ups as that takes: over a connection of its own each
 * time, or over one that is kept. Nothing is made of the answers. Prints the milliseconds of processor time that a second of it took. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 20
#define BUFFER 4096

static int is_kept;
static const char *request;

static int64_t clock_of(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

struct connector {
    struct sockaddr_in address;
    int fd;
};

static struct connector connector_of(char *text) {
    struct connector connector = {.address.sin_family = AF_INET, .fd = -1};
    char *port = strchr(text, ':');
    if (!port) fail(text);
    *port++ = 0;
    connector.address.sin_port = htons(atoi(port));
    if (inet_pton(AF_INET, text, &connector.address.sin_addr) != 1) fail(text);
    return connector;
}

static void ask(struct connector *connector) {
    if (connector->fd < 0) {
        connector->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(connector->fd, (struct sockaddr *)&connector->address, sizeof connector->address)) fail("connect");
    }
    if (write(connector->fd, request, strlen(request)) < 0) fail("write");
}

/* An answer is so short that it comes in one piece; one that is not kept ends with its connection. */
static void hear(struct connector *connector) {
    char buffer[BUFFER];
    if (read(connector->fd, buffer, BUFFER) <= 0) fail("read");
    if (is_kept) return;
    while (read(connector->fd, buffer, BUFFER) > 0);
    close(connector->fd);
    connector->fd = -1;
}

int main(int count, char **arguments) {
    if (count < 5) return 2;
    is_kept = !strcmp(arguments[1], "kept");
    request = is_kept ? "GET /ready HTTP/1.1\r\nhost: localhost\r\n\r\n" : "GET /ready HTTP/1.0\r\n\r\n";
    int64_t length = atoll(arguments[2]) * 1000000000LL, tick = atoll(arguments[3]) * 1000000LL / BATCHES;
    int connectors = count - 4;
    struct connector *all = malloc(connectors * sizeof *all);
    for (int number = 0; number < connectors; number++) all[number] = connector_of(arguments[4 + number]);
    int64_t begun = clock_of(CLOCK_MONOTONIC), spent = clock_of(CLOCK_PROCESS_CPUTIME_ID), now;
    for (int64_t ticks = 1; (now = clock_of(CLOCK_MONOTONIC)) < begun + length; ticks++) {
        int from = ticks % BATCHES;
        for (int number = from; number < connectors; number += BATCHES) ask(&all[number]);
        for (int number = from; number < connectors; number += BATCHES) hear(&all[number]);
        int64_t due = begun + ticks * tick;
        struct timespec until = {due / 1000000000LL, due % 1000000000LL};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    printf("%.3f\n", (clock_of(CLOCK_PROCESS_CPUTIME_ID) - spent) / 1e6 / ((now - begun) / 1e9));
}

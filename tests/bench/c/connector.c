/* connector: the smallest thing that Adit takes for a ready cloudflared. Like stub.c it reads CLOCK_MONOTONIC first and tells the FIFO.
 *
 *   connector version --short           prints a version
 *   connector tunnel ARGUMENT... run    is a connector of the tunnel ID, the last part of `--config .../ID.REPLICA.GENERATION.config`
 *
 * Its FIFO comes from $STUB_FIFO. A line of it is, as the stub's:
 *
 *   <monotonic ns> <pid> <ppid> <ID>\n
 *
 * Then it says READY=1 to $NOTIFY_SOCKET and answers on the listening socket that it got as descriptor 3, one request a connection.
 * The harness tells services apart by their last argument, so it makes ID that.
 *
 *   TERM, INT  exit 0
 *   USR2       exit 1   (a crash of its own)
 *   USR1       hang: from here on it is deaf to all but KILL, and answers nothing
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define VERSION "2026.8.0"
#define LISTENER 3

static char connector_id[37];

static void leave(int signal)
{
    _exit(signal == SIGUSR2 ? 1 : 0);
}

static void hang(int signal)
{
    (void)signal;
    sigset_t all;
    sigfillset(&all);
    for (;;) {
        sigprocmask(SIG_SETMASK, &all, NULL);
        pause();
    }
}

static void obey(int signal, void (*how)(int))
{
    struct sigaction action = { .sa_handler = how };
    sigaction(signal, &action, NULL);
}

static const char *option(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return NULL;
}

/* Whose configuration it is: the part of its file's name before the first dot. */
static int read_id(const char *config, char *id, size_t size)
{
    const char *name = config ? strrchr(config, '/') : NULL;
    if (!name)
        return -1;
    size_t length = strcspn(++name, ".");
    if (length == 0 || length >= size)
        return -1;
    memcpy(id, name, length);
    id[length] = '\0';
    return 0;
}

/* What /proc shows as its last argument. */
static void show_id(int argc, char **argv, const char *id)
{
    char *begin = argv[1], *end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
    memset(begin, 0, (size_t)(end - begin));
    if (strlen(id) < (size_t)(end - begin))
        strcpy(begin, id);
}

static int tell_start(const struct timespec *at, const char *id)
{
    const char *fifo = getenv("STUB_FIFO");
    char line[256];
    int length = snprintf(line, sizeof line, "%lld %d %d %s\n", (long long)at->tv_sec * 1000000000LL + at->tv_nsec,
                          (int)getpid(), (int)getppid(), id);
    int fd = fifo ? open(fifo, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
    if (fd < 0 || write(fd, line, (size_t)length) != length)
        return -1;
    return close(fd);
}

static void tell_ready(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (path && strlen(path) < sizeof address.sun_path) {
        strcpy(address.sun_path, path);
        sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&address, sizeof address);
    }
    close(fd);
}

static void make_connector_id(void)
{
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        _exit(7);
    for (int i = 0, at = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            connector_id[at++] = '-';
        at += snprintf(connector_id + at, 3, "%02x", random[i]);
    }
}

static void answer(int peer)
{
    static const char metrics[] = "cloudflared_tunnel_total_requests 0\n"
                                  "cloudflared_tunnel_concurrent_requests_per_tunnel 0\n";
    char request[1024], body[256], head[128];
    ssize_t got = read(peer, request, sizeof request - 1);
    if (got <= 0)
        return;
    request[got] = '\0';
    if (strncmp(request, "GET /metrics ", 13) == 0)
        strcpy(body, metrics);
    else if (strncmp(request, "GET /config ", 12) == 0)
        strcpy(body, "{\"version\":1,\"config\":{}}");
    else
        snprintf(body, sizeof body, "{\"status\":200,\"readyConnections\":4,\"connectorId\":\"%s\"}", connector_id);
    int length = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", strlen(body));
    if (write(peer, head, (size_t)length) == length && write(peer, body, strlen(body)) < 0)
        return;
}

int main(int argc, char **argv)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);

    if (argc > 1 && strcmp(argv[1], "version") == 0)
        return printf(argc > 2 ? VERSION "\n" : "cloudflared version " VERSION "\n") < 0;
    char id[128];
    if (argc < 3 || strcmp(argv[1], "tunnel") != 0 || read_id(option(argc, argv, "--config"), id, sizeof id) < 0)
        return 2;
    obey(SIGTERM, leave);
    obey(SIGINT, leave);
    obey(SIGUSR1, hang);
    obey(SIGUSR2, leave);
    signal(SIGPIPE, SIG_IGN);
    show_id(argc, argv, id);
    if (tell_start(&now, id) < 0)
        return 6;
    make_connector_id();
    tell_ready();
    for (;;) {
        int peer = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC);
        if (peer < 0)
            continue;
        answer(peer);
        close(peer);
    }
}

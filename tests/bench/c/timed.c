/* timed: a connector's program that says when its first instruction ran, and then becomes the one that it stands for.
 *
 *   timed ARGUMENT...   as PROGRAM ARGUMENT...
 *
 * The first thing that main does is to read CLOCK_MONOTONIC. That instant and the process id go to the FIFO as one line, which is
 * shorter than PIPE_BUF and therefore whole:
 *
 *   <monotonic ns> <pid>\n
 *
 * To be asked for the version is no start. Built with -DFIFO="..." and -DPROGRAM="...".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void tell(const struct timespec *at)
{
    char line[64];
    int length = snprintf(line, sizeof line, "%lld %d\n", (long long)at->tv_sec * 1000000000LL + at->tv_nsec, (int)getpid());
    int fd = open(FIFO, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || write(fd, line, (size_t)length) != length)
        _exit(5);
    close(fd);
}

int main(int argc, char **argv)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);

    if (argc > 1 && strcmp(argv[1], "version") != 0)
        tell(&now);
    argv[0] = PROGRAM;
    execv(PROGRAM, argv);
    return 127;
}

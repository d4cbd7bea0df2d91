/* floor: the least that a supervisor can do, to measure others by.
 *
 *   floor vfork|fork STUB FIFO COUNT
 *
 * It keeps COUNT times `STUB FIFO ID` running: it sleeps in epoll on their pidfds, reaps whichever ends and starts it again at once,
 * without a log, a record or a decision. With vfork it waits for each exec, with fork it goes on meanwhile. SIGTERM ends it and them.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int by_vfork, epoll, *pidfds;
static const char *stub, *fifo;

static void must(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
}

static void start(unsigned slot)
{
    char id[16];
    snprintf(id, sizeof id, "%u", slot);
    char *arguments[] = { (char *)stub, (char *)fifo, id, NULL };
    pid_t pid = by_vfork ? vfork() : fork();
    must(pid, "fork");
    if (pid == 0) {
        execve(stub, arguments, environ);
        _exit(127);
    }
    pidfds[slot] = (int)syscall(SYS_pidfd_open, pid, 0);
    must(pidfds[slot], "pidfd_open");
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = slot };
    must(epoll_ctl(epoll, EPOLL_CTL_ADD, pidfds[slot], &event), "epoll_ctl");
}

static void end(int signal)
{
    (void)signal;
    /* The group is its own: everybody in it goes. */
    kill(0, SIGKILL);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: floor vfork|fork STUB FIFO COUNT\n");
        return 2;
    }
    by_vfork = strcmp(argv[1], "vfork") == 0;
    stub = argv[2];
    fifo = argv[3];
    unsigned count = (unsigned)atoi(argv[4]);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGTERM, end);
    pidfds = calloc(count, sizeof *pidfds);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    must(epoll, "epoll_create1");
    for (unsigned slot = 0; slot < count; slot++)
        start(slot);
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(epoll, &event, 1, -1) != 1)
            continue;
        unsigned slot = event.data.u32;
        siginfo_t info;
        must(waitid((idtype_t)3 /* P_PIDFD */, (id_t)pidfds[slot], &info, WEXITED), "waitid");
        /* Closing is not enough: a child before its exec may hold a copy. */
        epoll_ctl(epoll, EPOLL_CTL_DEL, pidfds[slot], NULL);
        close(pidfds[slot]);
        start(slot);
    }
}

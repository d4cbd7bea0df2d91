/* floor: the least a supervisor can do, as the yardstick for the rest.
 *
 *   floor vfork|fork|boxed STUB FIFO ID...
 *
 * It starts one `STUB FIFO ID` for each ID, sleeps in epoll on their pidfds, and when one dies it
 * reaps it and starts it again at once: no back-off, no logs, no state, no control socket.
 *   vfork: the parent waits for each exec (cheapest for one child)
 *   fork:  the parent goes on (the execs of many children can run on other cores)
 *   boxed: as vfork, and the child puts itself where a supervisor that isolates its services puts it: a session, descriptors
 *          and limits of its own, no way to more privileges, and a Landlock ruleset, made once, that closes one folder to it
 * TERM or INT, and the end of whoever started it: it kills the children and exits.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

extern char **environ;

#define DESCRIPTORS 5
#define FILE_ACCESS (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE)
#define ALL_ACCESS ((1ULL << 13) - 1)

static int use_vfork, boxed, ep, count, null, ruleset = -1;
static const char *stub, *fifo;
static char **ids;
static pid_t *pids;
static int *fds;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void allow(int folder, const char *name)
{
    struct landlock_path_beneath_attr rule = { .allowed_access = ALL_ACCESS };
    rule.parent_fd = openat(folder, name, O_PATH | O_CLOEXEC);
    struct stat status;
    if (rule.parent_fd >= 0 && fstat(rule.parent_fd, &status) == 0) {
        if (!S_ISDIR(status.st_mode))
            rule.allowed_access = FILE_ACCESS;
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    }
    close(rule.parent_fd);
}

/* Everything but the folder `closed`: each entry beside the way there, from the root on. */
static void make_ruleset(const char *closed)
{
    struct landlock_ruleset_attr attributes = { .handled_access_fs = ALL_ACCESS };
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (ruleset < 0)
        return; /* no Landlock in this kernel */
    fcntl(ruleset, F_SETFD, FD_CLOEXEC);
    char way[4096];
    snprintf(way, sizeof way, "%s", closed);
    int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (char *next = strtok(way, "/"); next; next = strtok(NULL, "/")) {
        DIR *entries = fdopendir(dup(folder));
        for (struct dirent *entry; entries && (entry = readdir(entries));)
            if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && strcmp(entry->d_name, next))
                allow(folder, entry->d_name);
        if (entries)
            closedir(entries);
        int below = openat(folder, next, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(folder);
        folder = below;
    }
    close(folder);
}

/* What the child of a supervisor does that keeps its services apart. */
static void box(void)
{
    struct rlimit none = { 0, 0 }, files;
    setsid();
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        dup3(null, fd, 0);
    syscall(SYS_close_range, DESCRIPTORS, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */);
    umask(077);
    if (chdir("/") < 0)
        _exit(126);
    setrlimit(RLIMIT_CORE, &none);
    getrlimit(RLIMIT_NOFILE, &files);
    setrlimit(RLIMIT_NOFILE, &files);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (ruleset >= 0)
        syscall(SYS_landlock_restrict_self, ruleset, 0);
}

static void start(int slot)
{
    char *args[] = { (char *)stub, (char *)fifo, ids[slot], NULL };
    pid_t pid = use_vfork ? vfork() : fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        if (boxed)
            box();
        execve(stub, args, environ);
        _exit(127);
    }
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        die("pidfd_open");
    pids[slot] = pid;
    fds[slot] = fd;
    struct epoll_event ev = { .events = EPOLLIN, .data.u32 = (unsigned)slot };
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
        die("epoll_ctl");
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: floor vfork|fork|boxed STUB FIFO ID...\n");
        return 2;
    }
    boxed = strcmp(argv[1], "boxed") == 0;
    use_vfork = boxed || strcmp(argv[1], "vfork") == 0;
    stub = argv[2];
    fifo = argv[3];
    ids = argv + 4;
    count = argc - 4;
    pids = calloc((size_t)count, sizeof *pids);
    fds = calloc((size_t)count, sizeof *fds);
    struct rlimit lim;
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
        lim.rlim_cur = lim.rlim_max;
        setrlimit(RLIMIT_NOFILE, &lim);
    }
    ep = epoll_create1(EPOLL_CLOEXEC);
    if (boxed) {
        char closed[4096] = "";
        if (!getcwd(closed, sizeof closed))
            die("getcwd");
        null = fcntl(open("/dev/null", O_RDWR), F_DUPFD_CLOEXEC, 2 * DESCRIPTORS);
        make_ruleset(closed);
    }

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int sfd = signalfd(-1, &set, SFD_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    struct epoll_event sev = { .events = EPOLLIN, .data.u32 = (unsigned)count };
    if (ep < 0 || sfd < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, sfd, &sev) < 0)
        die("epoll");

    for (int i = 0; i < count; i++)
        start(i);

    struct epoll_event evs[64];
    for (;;) {
        int n = epoll_wait(ep, evs, 64, -1);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            die("epoll_wait");
        }
        for (int i = 0; i < n; i++) {
            unsigned slot = evs[i].data.u32;
            if (slot == (unsigned)count) {
                for (int k = 0; k < count; k++)
                    kill(pids[k], SIGKILL);
                while (wait(NULL) > 0)
                    ;
                return 0;
            }
            siginfo_t info;
            if (waitid(P_PIDFD, (id_t)fds[slot], &info, WEXITED) < 0)
                die("waitid");
            /* closing alone would not take it out of epoll: a child that has not come to its exec yet
               still holds a copy */
            epoll_ctl(ep, EPOLL_CTL_DEL, fds[slot], NULL);
            close(fds[slot]);
            start((int)slot);
        }
    }
}

/*
 * The first process of the guest: sets the machine up, then does what lines on the serial line say.
 *
 * It is locked in memory, spared by the OOM killer and allocates nothing once it runs, because its whole purpose is to
 * be there when swap is not.
 *
 *   host -> guest   <id> <shell command>          run it; any number at a time; 001 is a line break
 *                   <id> @kill <id> <signal>      signal the process group of a command
 *                   <id> @file <path>             copy a file (say, of /proc) without starting a process
 *                   <id> @tasks                   every task: pid, state, where it waits, kernel stack
 *                   <id> @module <path> [args]    load a kernel module
 *                   <id> @off                     power off
 *   guest -> host   ready                         once
 *                   o <id> <line of output>
 *                   x <id> <exit status>          128 + signal for a signal, as in the shell
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define COMMANDS 32
#define LINE 4096

static struct command {
    char id[32];
    pid_t pid;
    int out;
    size_t used;
    int status; /* -1 while it runs */
    char line[LINE];
} commands[COMMANDS];

static int serial = -1;
static char input[2 * LINE];
static size_t input_used;
static char scratch[16384];

static void say(const char *text, size_t length) {
    while (length > 0) {
        ssize_t n = write(serial, text, length);
        if (n < 0 && errno != EINTR && errno != EAGAIN) return;
        if (n > 0) text += n, length -= n;
    }
}

static void say_line(const char *id, const char *text, size_t length) {
    static char out[LINE + 64];
    int n = snprintf(out, sizeof out, "o %s %.*s\n", id, (int)length, text);
    say(out, n < (int)sizeof out ? (size_t)n : sizeof out - 1);
}

static void say_exit(const char *id, int status) {
    char out[64];
    say(out, snprintf(out, sizeof out, "x %s %d\n", id, status));
}

static void put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    if (write(fd, text, strlen(text)) < 0) perror(path);
    close(fd);
}

static void put_mount(const char *type, const char *where, unsigned long flags, const char *options) {
    mkdir(where, 0755);
    if (mount(type, where, type, flags, options) < 0) fprintf(stderr, "agent: mount %s on %s: %s\n", type, where, strerror(errno));
}

/* Copies a file to the serial line; small files of /proc only. */
static void copy_file(const char *id, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        say_line(id, "?", 1);
        return;
    }
    size_t used = 0;
    ssize_t n;
    while ((n = read(fd, scratch + used, sizeof scratch - used)) > 0) {
        used += n;
        char *from = scratch, *end;
        while ((end = memchr(from, '\n', scratch + used - from)) != NULL) {
            say_line(id, from, end - from);
            from = end + 1;
        }
        used -= from - scratch;
        memmove(scratch, from, used);
        if (used == sizeof scratch) used = 0;
    }
    if (used > 0) say_line(id, scratch, used);
    close(fd);
}

static void list_tasks(const char *id) {
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        char path[300];
        snprintf(path, sizeof path, "/proc/%s/task", entry->d_name);
        DIR *tasks = opendir(path);
        struct dirent *task;
        while (tasks != NULL && (task = readdir(tasks)) != NULL) {
            if (task->d_name[0] == '.') continue;
            snprintf(path, sizeof path, "/proc/%s/stat", task->d_name);
            copy_file(id, path);
            snprintf(path, sizeof path, "/proc/%s/stack", task->d_name);
            copy_file(id, path);
        }
        if (tasks != NULL) closedir(tasks);
    }
    if (proc != NULL) closedir(proc);
}

static struct command *find(const char *id) {
    for (int i = 0; i < COMMANDS; i++)
        if (commands[i].pid > 0 && strcmp(commands[i].id, id) == 0) return &commands[i];
    return NULL;
}

static void start(const char *id, const char *text) {
    struct command *c = NULL;
    for (int i = 0; i < COMMANDS && c == NULL; i++)
        if (commands[i].pid == 0) c = &commands[i];
    int ends[2];
    if (c == NULL || pipe2(ends, O_CLOEXEC) < 0) {
        say_line(id, "agent: too many commands", 24);
        say_exit(id, 126);
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        signal(SIGCHLD, SIG_DFL);
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        put("/proc/self/oom_score_adj", "0");
        execl("/bin/bash", "bash", "-c", text, (char *)NULL);
        perror("bash");
        _exit(127);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        say_line(id, "agent: fork failed", 18);
        say_exit(id, 126);
        return;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    snprintf(c->id, sizeof c->id, "%.31s", id);
    c->out = ends[0];
    c->used = 0;
    c->status = -1;
    c->pid = pid;
}

/* Passes on whole lines; true when the pipe has ended. */
static int drain(struct command *c) {
    for (;;) {
        ssize_t n = read(c->out, c->line + c->used, sizeof c->line - c->used);
        if (n < 0) return errno != EAGAIN && errno != EINTR;
        if (n == 0) {
            if (c->used > 0) say_line(c->id, c->line, c->used);
            c->used = 0;
            return 1;
        }
        c->used += n;
        char *from = c->line, *end;
        while ((end = memchr(from, '\n', c->line + c->used - from)) != NULL) {
            say_line(c->id, from, end - from);
            from = end + 1;
        }
        c->used -= from - c->line;
        memmove(c->line, from, c->used);
        if (c->used == sizeof c->line) say_line(c->id, c->line, c->used), c->used = 0;
    }
}

static void obey(char *line) {
    for (char *c = line; *c; c++)
        if (*c == 1) *c = '\n';
    char *text = strchr(line, ' ');
    if (text == NULL) return;
    *text++ = 0;
    if (strncmp(text, "@kill ", 6) == 0) {
        char who[32] = "";
        int signal_number = 0;
        sscanf(text + 6, "%31s %d", who, &signal_number);
        struct command *c = find(who);
        say_exit(line, c != NULL && kill(-c->pid, signal_number) == 0 ? 0 : 1);
    } else if (strncmp(text, "@file ", 6) == 0) {
        copy_file(line, text + 6);
        say_exit(line, 0);
    } else if (strncmp(text, "@module ", 8) == 0) {
        char *path = text + 8, *arguments = strchr(path, ' ');
        if (arguments != NULL) *arguments++ = 0;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        int failed = syscall(SYS_finit_module, fd, arguments != NULL ? arguments : "", 0) < 0;
        if (failed) say_line(line, strerror(errno), strlen(strerror(errno)));
        close(fd);
        say_exit(line, failed);
    } else if (strcmp(text, "@tasks") == 0) {
        list_tasks(line);
        say_exit(line, 0);
    } else if (strcmp(text, "@off") == 0) {
        say_exit(line, 0);
        reboot(RB_POWER_OFF);
    } else {
        start(line, text);
    }
}

static void child_ended(int signal_number) { (void)signal_number; }

int main(void) {
    put_mount("proc", "/proc", 0, NULL);
    put_mount("sysfs", "/sys", 0, NULL);
    put_mount("cgroup2", "/sys/fs/cgroup", 0, NULL);
    put_mount("devpts", "/dev/pts", 0, NULL);
    put_mount("tmpfs", "/dev/shm", 0, "size=16m");
    put_mount("tmpfs", "/tmp", 0, "size=64m");
    put_mount("tmpfs", "/run", 0, "size=16m");
    put_mount("tmpfs", "/var/tmp", 0, "size=16m");
    put_mount("tmpfs", "/mnt", 0, "size=1m");
    const char *share = getenv("LAB_SHARE"); /* kernel parameters the kernel does not know arrive here */
    mkdir("/mnt/lab", 0755);
    mkdir("/mnt/host", 0755);
    if (share != NULL && mount("none", "/mnt/lab", "hostfs", 0, share) < 0) perror("agent: share");
    if (mount("none", "/mnt/host", "hostfs", MS_RDONLY, "/") < 0) perror("agent: host");
    put("/proc/sys/kernel/sysrq", "1");
    put("/proc/sys/kernel/panic", "0");
    put("/proc/self/oom_score_adj", "-1000");
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("HOME", "/tmp", 1);
    setenv("LANG", "C.UTF-8", 1);
    if (chdir("/tmp") < 0) perror("agent: chdir");

    serial = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (serial < 0) {
        perror("agent: ttyS0");
        return 1;
    }
    struct termios raw;
    tcgetattr(serial, &raw);
    cfmakeraw(&raw);
    tcsetattr(serial, TCSANOW, &raw);
    prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0);
    if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0) perror("agent: mlockall");

    struct sigaction action = {.sa_handler = child_ended}; /* no SA_RESTART: it only has to wake poll */
    sigaction(SIGCHLD, &action, NULL);
    say("ready\n", 6);

    for (;;) {
        struct pollfd fds[COMMANDS + 1];
        fds[0] = (struct pollfd){.fd = serial, .events = POLLIN};
        for (int i = 0; i < COMMANDS; i++)
            fds[i + 1] = (struct pollfd){.fd = commands[i].pid > 0 ? commands[i].out : -1, .events = POLLIN};
        poll(fds, COMMANDS + 1, 200);

        pid_t pid;
        int status;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
            for (int i = 0; i < COMMANDS; i++)
                if (commands[i].pid == pid)
                    commands[i].status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        for (int i = 0; i < COMMANDS; i++) {
            struct command *c = &commands[i];
            if (c->pid <= 0) continue;
            drain(c);
            if (c->status >= 0) { /* what it left running in the background keeps no claim on the id */
                drain(c);
                close(c->out);
                c->pid = 0;
                say_exit(c->id, c->status);
            }
        }
        if (fds[0].revents & POLLIN) {
            ssize_t n = read(serial, input + input_used, sizeof input - 1 - input_used);
            if (n > 0) input_used += n;
            input[input_used] = 0;
            char *from = input, *end;
            while ((end = memchr(from, '\n', input + input_used - from)) != NULL) {
                *end = 0;
                obey(from);
                from = end + 1;
            }
            input_used -= from - input;
            memmove(input, from, input_used);
            if (input_used == sizeof input - 1) input_used = 0;
        }
    }
}

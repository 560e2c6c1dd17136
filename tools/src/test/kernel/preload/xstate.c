/*
 * Preloaded into the guest's kernel on hosts whose floating-point state is larger than it knows (AMX: 11 KiB; User-mode Linux 6.1
 * has room for 2.7). The host refuses to set a part of the state, and the guest aborts over its first process. So the part that the
 * guest has is put over the whole one. What the guest does not know, its programs do not use.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define GETREGSET 0x4204
#define SETREGSET 0x4205
#define XSTATE 0x202
#define LARGEST 65536

static __thread char whole[LARGEST];

long ptrace(int request, ...) {
    va_list arguments;
    va_start(arguments, request);
    long pid = va_arg(arguments, long), address = va_arg(arguments, long), data = va_arg(arguments, long);
    va_end(arguments);
    pid = (int)pid;
    if (request == SETREGSET && address == XSTATE) {
        struct iovec *part = (struct iovec *)data, all = {whole, sizeof whole};
        if (syscall(SYS_ptrace, GETREGSET, pid, XSTATE, &all) == 0 && all.iov_len > part->iov_len) {
            memcpy(whole, part->iov_base, part->iov_len);
            return syscall(SYS_ptrace, SETREGSET, pid, XSTATE, &all);
        }
    }
    if (request >= 1 && request <= 3) { /* PEEK: the kernel writes the word, the C library returns it */
        long word, status = syscall(SYS_ptrace, request, pid, address, &word);
        return status < 0 ? status : word;
    }
    return syscall(SYS_ptrace, request, pid, address, data);
}

/* lock.c - see lock.h.                                                 Floor 8 (experiment) */
#include "experiment/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "formats/json.h"
#include "retort/alloc.h"

#define LOCK_BYTES_MAX 4096

static void host_name(char out[256]) {
    if (gethostname(out, 256) != 0) snprintf(out, 256, "unknown");
    out[255] = 0;
}

/* What /proc says of a process: false when it has ended (a zombie has too). *start tells two
 * processes with the same number apart; 0 where there is no /proc. */
static bool process_runs(int64_t pid, uint64_t *start) {
    *start = 0;
    if (pid <= 0 || (kill((pid_t)pid, 0) != 0 && errno != EPERM)) return false;
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return true;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0) return true;
    text[got] = 0;
    const char *at = strrchr(text, ')'); /* the name may hold anything */
    if (!at || !at[1]) return true;
    if (at[2] == 'Z' || at[2] == 'X') return false;
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    if (at) *start = strtoull(at + 1, NULL, 10);
    return true;
}

/* ---- reading ---- */

typedef struct claim {
    char text[LOCK_BYTES_MAX];
    size_t length;
    uint64_t device, inode;
    double beat_s;
} claim;

/* False when there is no file. */
static bool read_claim(const char *path, claim *c) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    struct stat about;
    ssize_t got = 0;
    bool there = fstat(fd, &about) == 0;
    if (there && S_ISREG(about.st_mode)) got = read(fd, c->text, sizeof c->text - 1);
    close(fd);
    if (!there) return false;
    c->length = got > 0 ? (size_t)got : 0;
    c->text[c->length] = 0;
    c->device = (uint64_t)about.st_dev;
    c->inode = (uint64_t)about.st_ino;
    c->beat_s = rti_wall_clock_s() - ((double)about.st_mtim.tv_sec + 1e-9 * (double)about.st_mtim.tv_nsec);
    return true;
}

static void judge(const claim *c, rti_lock_owner *owner) {
    memset(owner, 0, sizeof *owner);
    owner->since_s = -1;
    owner->beat_s = c->beat_s;
    owner->held = c->beat_s <= RTI_LOCK_STALE_S;
    rti_json_document document;
    if (rti_json_parse(&document, c->text, c->length, "lock", NULL) != RT_OK) return;
    char here[256];
    host_name(here);
    snprintf(owner->host, sizeof owner->host, "%s", rti_json_string(&document.root, "host", ""));
    owner->pid = (int64_t)rti_json_number(&document.root, "pid", 0);
    owner->since_s = rti_wall_clock_s() - rti_json_number(&document.root, "since", 0);
    uint64_t claimed = strtoull(rti_json_string(&document.root, "process_start", "0"), NULL, 10), start;
    rti_json_deinit(&document);
    if (strcmp(here, owner->host)) return;
    bool runs = process_runs(owner->pid, &start);
    owner->held = runs && (!start || !claimed || start == claimed);
}

void rti_lock_look(const char *directory, rti_lock_owner *owner) {
    memset(owner, 0, sizeof *owner);
    char path[RTI_PATH_MAX];
    claim c;
    if (rti_path_join(path, sizeof path, directory, "lock", NULL) == RT_OK && read_claim(path, &c))
        judge(&c, owner);
}

/* ---- claiming ---- */

static rt_status busy(const rti_lock_owner *owner, rt_error *error) {
    return rt_fail(error, RT_BUSY, "process %lld on %s works on it", (long long)owner->pid,
                   owner->host[0] ? owner->host : "another host");
}

/* Removes a stale claim. Two who find it stale at the same time must not remove each other's fresh
 * one, so only the maker of a second exclusive file may do it, after another look. */
static void break_claim(const char *path, const claim *stale) {
    char permit[RTI_PATH_MAX];
    int length = snprintf(permit, sizeof permit, "%s.break", path);
    if (length < 0 || (size_t)length >= sizeof permit) return;
    int fd = open(permit, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    claim again;
    if (fd < 0) { /* somebody is at it, or died at it */
        if (read_claim(permit, &again) && again.beat_s > RTI_LOCK_STALE_S) unlink(permit);
        return;
    }
    close(fd);
    if (read_claim(path, &again) && again.inode == stale->inode && again.device == stale->device &&
        again.length == stale->length && !memcmp(again.text, stale->text, again.length))
        unlink(path);
    unlink(permit);
}

static rt_status write_claim(int fd, const char *path, rt_error *error) {
    char host[256];
    uint64_t start;
    host_name(host);
    process_runs((int64_t)getpid(), &start);
    rti_text text = RTI_TEXT_EMPTY;
    rti_json_writer w = {.text = &text};
    char number[32];
    snprintf(number, sizeof number, "%llu", (unsigned long long)start);
    rti_json_begin_object(&w, NULL);
    rti_json_add_string(&w, "host", host);
    rti_json_add_integer(&w, "pid", (int64_t)getpid());
    rti_json_add_string(&w, "process_start", number);
    rti_json_add_number(&w, "since", rti_wall_clock_s());
    rti_json_end(&w);
    rt_status status = text.failed ? rt_fail(error, RT_MEMORY, "no memory for the lock") : RT_OK;
    if (status == RT_OK && write(fd, text.bytes, text.length) != (ssize_t)text.length)
        status = rt_fail(error, RT_IO, "%s: cannot be written: %s", path, strerror(errno));
    rti_text_deinit(&text);
    return status;
}

rt_status rti_lock_take(rti_lock *lock, const char *directory, rt_error *error) {
    lock->descriptor = -1;
    RT_TRY(rti_path_join(lock->path, sizeof lock->path, directory, "lock", error));
    for (int attempt = 0; attempt < 8; attempt++) {
        int fd = open(lock->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            struct stat about;
            rt_status status = write_claim(fd, lock->path, error);
            if (status == RT_OK && fstat(fd, &about) != 0)
                status = rt_fail(error, RT_IO, "%s: cannot be examined: %s", lock->path, strerror(errno));
            if (status != RT_OK) {
                unlink(lock->path);
                close(fd);
                return status;
            }
            lock->descriptor = fd;
            lock->device = (uint64_t)about.st_dev;
            lock->inode = (uint64_t)about.st_ino;
            return RT_OK;
        }
        if (errno != EEXIST)
            return rt_fail(error, RT_IO, "%s: cannot be created: %s", lock->path, strerror(errno));
        claim c;
        rti_lock_owner owner;
        if (!read_claim(lock->path, &c)) continue; /* released meanwhile */
        judge(&c, &owner);
        if (owner.held) return busy(&owner, error);
        break_claim(lock->path, &c);
    }
    return rt_fail(error, RT_BUSY, "%s: others claim it at the same time", lock->path);
}

void rti_lock_beat(const rti_lock *lock) {
    if (lock->descriptor >= 0) (void)futimens(lock->descriptor, NULL);
}

void rti_lock_release(rti_lock *lock) {
    if (lock->descriptor < 0) return;
    struct stat about;
    if (stat(lock->path, &about) == 0 && (uint64_t)about.st_dev == lock->device &&
        (uint64_t)about.st_ino == lock->inode)
        unlink(lock->path);
    close(lock->descriptor);
    lock->descriptor = -1;
}

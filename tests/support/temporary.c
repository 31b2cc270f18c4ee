/* temporary.c - see temporary.h. Removes recursively only what it has made itself. */
#define _XOPEN_SOURCE 700
#include "temporary.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[512];
static pid_t owner;

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *walk) {
    (void)about, (void)type, (void)walk;
    return remove(path);
}

static void remove_all(void) {
    if (getpid() == owner && directory[0]) nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    directory[0] = 0;
}

static void make(void) {
    const char *base = getenv("TMPDIR");
    snprintf(directory, sizeof directory, "%s/retort-test-XXXXXX", base && base[0] ? base : "/tmp");
    if (!mkdtemp(directory)) {
        perror(directory);
        abort();
    }
    owner = getpid();
    atexit(remove_all);
}

const char *test_path(const char *name) {
    static char paths[8][1024];
    static int next;
    if (!directory[0] || owner != getpid()) make();
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s%s%s", directory, name[0] ? "/" : "", name);
    return path;
}

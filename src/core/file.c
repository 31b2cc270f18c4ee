/* file.c - see file.h. Programs are in program.c.                      Floor 1 (core) */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/blocks.h"
#include "core/pool.h"

/* ---- reading --------------------------------------------------------------------------------- */

/* Opens a regular file and tells its size. Not blocking, so that a named pipe cannot hold us up. */
static rt_status open_to_read(const char *path, int *descriptor, uint64_t *size, rt_error *error) {
    int fd;
    do fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return rt_fail(error, RT_NOT_FOUND, "%s: there is no such file: check the path", path);
    if (fd < 0) return rt_fail(error, RT_IO, "%s: cannot be opened: %s", path, strerror(errno));
    struct stat about;
    if (fstat(fd, &about) != 0) {
        rt_fail(error, RT_IO, "%s: cannot be examined: %s", path, strerror(errno));
        close(fd);
        return RT_IO;
    }
    if (!S_ISREG(about.st_mode)) {
        close(fd);
        return rt_fail(error, RT_IO, "%s: is %s, not a regular file: name a file", path,
                       S_ISDIR(about.st_mode) ? "a directory" : "a device, a pipe or a socket");
    }
    *descriptor = fd;
    *size = (uint64_t)about.st_size;
    return RT_OK;
}

/* Reads up to `count` bytes; *got is smaller only at the end of the file. Returns 0 or errno. */
static int read_all(int fd, unsigned char *data, size_t count, size_t *got) {
    *got = 0;
    while (*got < count) {
        ssize_t n = read(fd, data + *got, count - *got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (n == 0) break;
        *got += (size_t)n;
    }
    return 0;
}

/* The same for a file of at most `limit` bytes. */
static rt_status open_within(const char *path, size_t limit, int *descriptor, uint64_t *size,
                             rt_error *error) {
    RT_TRY(open_to_read(path, descriptor, size, error));
    if (*size <= limit && *size < SIZE_MAX / 2) return RT_OK;
    close(*descriptor);
    return rt_fail(error, RT_IO, "%s: is %llu bytes long, at most %llu are read: is it the right file?", path,
                   (unsigned long long)*size, (unsigned long long)limit);
}

rt_status rti_file_read(const char *path, size_t limit, rti_bytes *out, rt_error *error) {
    *out = (rti_bytes){NULL, 0};
    int fd;
    uint64_t size;
    RT_TRY(open_within(path, limit, &fd, &size, error));
    unsigned char *data = rt_alloc((size_t)size + 1);
    if (!data) {
        close(fd);
        return rt_fail(error, RT_MEMORY, "%s: not enough memory for its %llu bytes", path,
                       (unsigned long long)size);
    }
    /* One byte more than there should be tells a file that grows from one that does not. */
    size_t got;
    int failure = read_all(fd, data, (size_t)size + 1, &got);
    close(fd);
    if (failure || got != size) {
        rt_free(data);
        if (failure) return rt_fail(error, RT_IO, "%s: cannot be read: %s", path, strerror(failure));
        return rt_fail(error, RT_IO, "%s: changed while it was read: try again when nobody writes to it",
                       path);
    }
    data[got] = 0;
    *out = (rti_bytes){data, got};
    return RT_OK;
}

#ifdef MAP_ANONYMOUS
#define VIEW_BYTES ((uint64_t)1 << 20) /* smaller ones are read as fast */

static void unmap(void *mapped_bytes, void *data) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    munmap((char *)data - page, (size_t)(uintptr_t)mapped_bytes);
}

/* A page of our own with the block's head at its end, and the file behind it; NULL when that cannot be. */
static unsigned char *map_file(int fd, size_t size) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *start = mmap(NULL, page + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) return NULL;
    if (mmap(start + page, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED) {
        munmap(start, page + size);
        return NULL;
    }
    return (unsigned char *)start + page;
}

rt_status rti_file_view(const char *path, size_t limit, rti_bytes *out, rt_error *error) {
    *out = (rti_bytes){NULL, 0};
    int fd;
    uint64_t size;
    RT_TRY(open_within(path, limit, &fd, &size, error));
    unsigned char *mapped = size >= VIEW_BYTES ? map_file(fd, (size_t)size) : NULL;
    close(fd);
    if (!mapped) return rti_file_read(path, limit, out, error);
    const size_t bytes = (size_t)sysconf(_SC_PAGESIZE) + (size_t)size;
    if (!rti_block_adopt(mapped, (size_t)size, unmap, (void *)(uintptr_t)bytes)) {
        unmap((void *)(uintptr_t)bytes, mapped);
        return rt_fail(error, RT_MEMORY, "%s: not enough memory for its %llu bytes", path,
                       (unsigned long long)size);
    }
    *out = (rti_bytes){mapped, (size_t)size};
    return RT_OK;
}

size_t rti_file_viewed(const void *block) { return rti_block_adopted(block, unmap); }

typedef struct settling {
    const unsigned char *view;
    unsigned char *copy;
    size_t size;
} settling;

enum { SETTLED_AT_ONCE = 2 << 20 }; /* by a thread: of what is copied no more than this is in memory twice */

static void settle_some(void *context, int64_t task) {
    const settling *s = context;
    const size_t done = (size_t)task * SETTLED_AT_ONCE, left = s->size - done,
                 bytes = left < SETTLED_AT_ONCE ? left : SETTLED_AT_ONCE;
    memcpy(s->copy + done, s->view + done, bytes);
#ifdef MADV_DONTNEED
    (void)madvise((void *)(uintptr_t)(s->view + done), bytes, MADV_DONTNEED);
#endif
}

unsigned char *rti_file_settle(const unsigned char *view) {
    settling s = {.view = view, .size = rti_file_viewed(view)};
    s.copy = s.size ? rt_alloc(s.size) : NULL;
    if (s.copy) rti_parallel((int64_t)((s.size + SETTLED_AT_ONCE - 1) / SETTLED_AT_ONCE), settle_some, &s);
    return s.copy;
}
#else
rt_status rti_file_view(const char *path, size_t limit, rti_bytes *out, rt_error *error) {
    return rti_file_read(path, limit, out, error);
}

size_t rti_file_viewed(const void *block) { return (void)block, 0; }
unsigned char *rti_file_settle(const unsigned char *view) { return (void)view, NULL; }
#endif

static bool ends_in(const char *path, const char *end) {
    size_t length = strlen(path), end_length = strlen(end);
    return length > end_length && strcmp(path + length - end_length, end) == 0;
}

typedef rt_status file_reader(const char *path, size_t limit, rti_bytes *out, rt_error *error);

static rt_status read_gzip(file_reader *read_plain, const char *path, size_t limit, rti_bytes *out,
                           rt_error *error) {
    *out = (rti_bytes){NULL, 0};
    char packed[RTI_PATH_MAX];
    const char *source = path;
    if (!ends_in(path, ".gz")) {
        if (rti_file_exists(path)) return read_plain(path, limit, out, error);
        int length = snprintf(packed, sizeof packed, "%s.gz", path);
        if (length < 0 || (size_t)length >= sizeof packed)
            return rt_fail(error, RT_VALUE, "%s: the path is longer than %d bytes", path, RTI_PATH_MAX);
        if (!rti_file_exists(packed))
            return rt_fail(error, RT_NOT_FOUND, "%s: there is no such file, nor %s.gz: check the path", path,
                           path);
        source = packed;
    }
    int fd;
    uint64_t size;
    RT_TRY(open_to_read(source, &fd, &size, error));
    close(fd);
    const char *const command[] = {"gzip", "-dc", "--", source, NULL};
    rt_status status = rti_program_run(command, limit, out, error);
    return status == RT_OK ? RT_OK : rt_fail_in(error, status, "%s: cannot be unpacked", source);
}

rt_status rti_file_read_gzip(const char *path, size_t limit, rti_bytes *out, rt_error *error) {
    return read_gzip(rti_file_read, path, limit, out, error);
}

rt_status rti_file_view_gzip(const char *path, size_t limit, rti_bytes *out, rt_error *error) {
    return read_gzip(rti_file_view, path, limit, out, error);
}

bool rti_file_exists(const char *path) {
    struct stat about;
    return stat(path, &about) == 0;
}

/* ---- turns ----------------------------------------------------------------------------------- */

int rti_file_turn(const char *path, bool (*go_on)(void *), void *context) {
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    while (fd >= 0 && fcntl(fd, F_SETLK, &all) != 0) {
        const bool is_taken = errno == EACCES || errno == EAGAIN;
        if (errno == EINTR) continue;
        if (is_taken && (!go_on || go_on(context))) {
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
            continue;
        }
        close(fd);
        fd = -1;
    }
    return fd;
}

void rti_file_turn_end(int turn, const char *path) {
    if (turn < 0) return;
    unlink(path);
    close(turn);
}

/* ---- writing --------------------------------------------------------------------------------- */

static int write_all(int fd, const unsigned char *bytes, size_t count) {
    while (count) {
        ssize_t n = write(fd, bytes, count < ((size_t)1 << 30) ? count : (size_t)1 << 30);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        bytes += n;
        count -= (size_t)n;
    }
    return 0;
}

/* A file nobody else has, beside `path`: the name is exclusive, so that two processes, also on two
 * machines, never write into the same one. Returns the descriptor or -1 with errno. */
static int open_temporary(const char *path, char temporary[RTI_PATH_MAX]) {
    for (int attempt = 0; attempt < 1000; attempt++) {
        int length = snprintf(temporary, RTI_PATH_MAX, "%s.tmp-%ld-%d", path, (long)getpid(), attempt);
        if (length < 0 || length >= RTI_PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || (errno != EEXIST && errno != EINTR)) return fd;
    }
    errno = EEXIST;
    return -1;
}

/* Makes the rename itself last; a file system that cannot is not an error, the file is there. */
static void flush_directory_of(const char *path) {
    char directory[RTI_PATH_MAX];
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) : 1;
    int written = snprintf(directory, sizeof directory, "%.*s", length ? length : 1, slash ? path : ".");
    if (written < 0 || (size_t)written >= sizeof directory) return;
    int fd = open(directory, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd);
    close(fd);
}

rt_status rti_file_write(const char *path, const void *bytes, size_t count, rt_error *error) {
    return rti_file_write_pieces(path, &(rti_piece){bytes, count}, 1, error);
}

rt_status rti_file_write_pieces(const char *path, const rti_piece pieces[], int count, rt_error *error) {
    struct stat about;
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
        return rt_fail(error, RT_IO, "%s: is %s and is not replaced: name a file", path,
                       S_ISDIR(about.st_mode) ? "a directory" : "a device, a pipe or a socket");
    char temporary[RTI_PATH_MAX];
    int fd = open_temporary(path, temporary);
    if (fd < 0) return rt_fail(error, RT_IO, "%s: cannot be written: %s", path, strerror(errno));
    int failure = 0;
    for (int i = 0; i < count && !failure; i++) failure = write_all(fd, pieces[i].bytes, pieces[i].count);
    if (!failure && fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP) failure = errno;
    if (close(fd) != 0 && !failure && errno != EINTR) failure = errno;
    if (!failure && rename(temporary, path) != 0) failure = errno;
    if (failure) {
        unlink(temporary);
        return rt_fail(error, RT_IO, "%s: cannot be written: %s%s", path, strerror(failure),
                       failure == ENOSPC || failure == EDQUOT ? ": free some space and run again" : "");
    }
    flush_directory_of(path);
    return RT_OK;
}

/* ---- directories and paths ------------------------------------------------------------------- */

static bool is_directory(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

rt_status rti_directory_make(const char *path, rt_error *error) {
    char part[RTI_PATH_MAX];
    size_t length = strlen(path);
    if (length == 0) return rt_fail(error, RT_VALUE, "a directory without a name cannot be made");
    if (length >= sizeof part)
        return rt_fail(error, RT_VALUE, "%s: the path is longer than %d bytes", path, RTI_PATH_MAX);
    memcpy(part, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (part[i] != '/' && part[i] != 0) continue;
        char end = part[i];
        part[i] = 0;
        /* Somebody else may make it between a look and mkdir, so mkdir comes first. */
        if (mkdir(part, 0777) != 0) {
            int failure = errno;
            if (!is_directory(part))
                return rt_fail(error, RT_IO, "%s: the directory cannot be made: %s", part,
                               failure == EEXIST ? "a file of that name is in the way" : strerror(failure));
        }
        part[i] = end;
    }
    return RT_OK;
}

rt_status rti_path_join(char *out, size_t size, const char *directory, const char *name, rt_error *error) {
    size_t length = strlen(directory);
    bool alone = length == 0 || name[0] == '/';
    bool slash = !alone && directory[length - 1] != '/';
    int written = snprintf(out, size, "%s%s%s", alone ? "" : directory, slash ? "/" : "", name);
    if (written < 0 || (size_t)written >= size)
        return rt_fail(error, RT_VALUE, "%s/%s: the path is longer than %llu bytes", directory, name,
                       (unsigned long long)(size ? size - 1 : 0));
    return RT_OK;
}

/* Files and programs. Checks against what the system's own calls (stdio, stat, glob of the
 * directory) say about the files, and against programs of POSIX: sh, cat, printf, gzip. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/temporary.h"
#include "core/file.h"
#include "retort/alloc.h"

static void put(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    cr_assert(file && fwrite(bytes, 1, count, file) == count && fclose(file) == 0, "%s", path);
}

static int entries_in(const char *path) {
    DIR *directory = opendir(path);
    cr_assert_not_null(directory);
    int count = 0;
    for (struct dirent *e; (e = readdir(directory)) != NULL;) count += e->d_name[0] != '.';
    closedir(directory);
    return count;
}

static void expect(rt_status status, rt_status wanted, const rt_error *error, const char *part) {
    cr_assert_eq(status, wanted, "%s instead of %s", rt_status_name(status), rt_status_name(wanted));
    cr_assert_eq(error->status, wanted);
    cr_assert(strstr(error->message, part), "\"%s\" does not say \"%s\"", error->message, part);
}

Test(file, reads_what_is_there) {
    const size_t sizes[] = {0, 1, 4096, 100003};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        unsigned char *wanted = malloc(sizes[s] + 1);
        for (size_t i = 0; i < sizes[s]; i++) wanted[i] = (unsigned char)(i * 7 + i / 256);
        put(test_path("a"), wanted, sizes[s]);
        rti_bytes got;
        cr_assert_eq(rti_file_read(test_path("a"), sizes[s], &got, NULL), RT_OK); /* the limit is allowed */
        cr_assert_eq(got.count, sizes[s]);
        cr_assert(memcmp(got.data, wanted, sizes[s]) == 0);
        cr_assert_eq(got.data[sizes[s]], 0);
        rt_free(got.data);
        free(wanted);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* Sizes around pages and around the size from which files are mapped. What was viewed stays when the file is
 * replaced by another of its name, as data files are. */
Test(file, views_what_is_there) {
    const size_t sizes[] = {0, 1, 4096, 1 << 20, (1 << 20) + 1, (1 << 20) + 4095, 3 << 20};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        unsigned char *wanted = malloc(sizes[s] + 1);
        for (size_t i = 0; i < sizes[s]; i++) wanted[i] = (unsigned char)(i * 7 + i / 256);
        put(test_path("a"), wanted, sizes[s]);
        rti_bytes got, packed;
        cr_assert_eq(rti_file_view(test_path("a"), sizes[s], &got, NULL), RT_OK); /* the limit is allowed */
        cr_assert_eq(rti_file_view_gzip(test_path("a"), sizes[s], &packed, NULL), RT_OK);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, 2);
        cr_assert_eq(rti_file_write(test_path("a"), "new", 3, NULL), RT_OK);
        cr_assert_eq(got.count, sizes[s]);
        cr_assert(memcmp(got.data, wanted, sizes[s]) == 0);
        cr_assert(packed.count == sizes[s] && memcmp(packed.data, wanted, sizes[s]) == 0);
        const bool viewed = sizes[s] >= 1 << 20;
        cr_assert_eq(rti_file_viewed(got.data), viewed ? sizes[s] : 0);
        unsigned char *settled = rti_file_settle(got.data);
        cr_assert_eq(settled != NULL, viewed);
        if (viewed) cr_assert(memcmp(settled, wanted, sizes[s]) == 0);
        cr_assert(memcmp(got.data, wanted, sizes[s]) == 0);
        rt_free(settled);
        rt_free(got.data), rt_free(packed.data);
        free(wanted);
    }
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(file, refuses_what_it_should_not_view, .timeout = 10) {
    rt_error error;
    rti_bytes got;
    put(test_path("a"), "12345", 5);
    expect(rti_file_view(test_path("a"), 4, &got, &error), RT_IO, &error, "5 bytes long, at most 4");
    expect(rti_file_view(test_path("none"), 4, &got, &error), RT_NOT_FOUND, &error, "there is no such file");
    expect(rti_file_view(test_path("."), 4, &got, &error), RT_IO, &error, "a directory");
    char *large = calloc(2 << 20, 1);
    put(test_path("b"), large, 2 << 20);
    free(large);
    expect(rti_file_view(test_path("b"), 1 << 20, &got, &error), RT_IO, &error, "at most 1048576 are read");
    rt_alloc_fail_after(1);
    expect(rti_file_view(test_path("b"), 2 << 20, &got, &error), RT_MEMORY, &error, "not enough memory");
    rt_alloc_fail_after(0);
    cr_assert(got.data == NULL && rt_alloc_stats_get().live_blocks == 0);
}

Test(file, refuses_what_it_should_not_read, .timeout = 10) {
    rt_error error;
    rti_bytes got;
    put(test_path("a"), "12345", 5);
    expect(rti_file_read(test_path("a"), 4, &got, &error), RT_IO, &error, "5 bytes long, at most 4");
    cr_assert_null(got.data);
    expect(rti_file_read(test_path("none"), 4, &got, &error), RT_NOT_FOUND, &error, "no such file");
    expect(rti_file_read(test_path("a/b"), 4, &got, &error), RT_NOT_FOUND, &error, "no such file");
    expect(rti_file_read(test_path(""), 4, &got, &error), RT_IO, &error, "a directory");
    expect(rti_file_read("/dev/zero", 4, &got, &error), RT_IO, &error, "a device");
    cr_assert_eq(mkfifo(test_path("pipe"), 0600), 0); /* nobody writes to it: must not wait */
    expect(rti_file_read(test_path("pipe"), 4, &got, &error), RT_IO, &error, "a pipe");
    cr_assert_eq(rti_file_read(test_path("none"), 4, &got, NULL), RT_NOT_FOUND);

    /* A file of an absurd size is refused before memory is asked for. */
    int fd = open(test_path("huge"), O_CREAT | O_WRONLY, 0600);
    cr_assert_eq(ftruncate(fd, (off_t)1 << 42), 0);
    close(fd);
    size_t calls = rt_alloc_stats_get().calls;
    expect(rti_file_read(test_path("huge"), 1 << 20, &got, &error), RT_IO, &error,
           "4398046511104 bytes long");
    cr_assert_eq(rt_alloc_stats_get().calls, calls);
}

Test(file, writes_whole_files_or_none) {
    rt_error error;
    rti_bytes got;
    const char *path = test_path("out");
    cr_assert_eq(rti_file_write(path, "first", 5, NULL), RT_OK);
    cr_assert_eq(rti_file_write(path, "second one", 10, NULL), RT_OK);
    cr_assert_eq(rti_file_read(path, 100, &got, NULL), RT_OK);
    cr_assert_str_eq((char *)got.data, "second one");
    rt_free(got.data);
    cr_assert_eq(rti_file_write(test_path("empty"), NULL, 0, NULL), RT_OK);
    cr_assert_eq(entries_in(test_path("")), 2, "a temporary file is left over");

    expect(rti_file_write(test_path("none/out"), "x", 1, &error), RT_IO, &error, "none/out");
    expect(rti_file_write(test_path(""), "x", 1, &error), RT_IO, &error, "a directory");
    expect(rti_file_write("/dev/null", "x", 1, &error), RT_IO, &error,
           "a device"); /* root could replace it */
    struct stat about;
    cr_assert(stat("/dev/null", &about) == 0 && S_ISCHR(about.st_mode));
    char longest[5000];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    cr_assert_eq(rti_file_write(longest, "x", 1, &error), RT_IO);
    cr_assert_eq(entries_in(test_path("")), 2);
}

/* A full disk, by a limit on the size of files: the old content stays, nothing is left over. */
Test(file, a_full_disk_keeps_the_old_file) {
    const char *path = test_path("out");
    cr_assert_eq(rti_file_write(path, "old", 3, NULL), RT_OK);
    static char big[1 << 20];
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGXFSZ, &ignore, NULL);
    rt_error error;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096}), 0);
    expect(rti_file_write(path, big, sizeof big, &error), RT_IO, &error, "cannot be written");
    rti_bytes got;
    cr_assert_eq(rti_file_read(path, 100, &got, NULL), RT_OK);
    cr_assert_str_eq((char *)got.data, "old");
    rt_free(got.data);
    cr_assert_eq(entries_in(test_path("")), 1);
}

Test(file, directories_like_mkdir_p) {
    rt_error error;
    cr_assert_eq(rti_directory_make(test_path("a/b//c/"), &error), RT_OK);
    cr_assert_eq(rti_directory_make(test_path("a/b/c"), &error), RT_OK, "what is there already is fine");
    struct stat about;
    cr_assert(stat(test_path("a/b/c"), &about) == 0 && S_ISDIR(about.st_mode));
    put(test_path("a/file"), "x", 1);
    expect(rti_directory_make(test_path("a/file"), &error), RT_IO, &error,
           "a file of that name is in the way");
    cr_assert_eq(rti_directory_make(test_path("a/file/b"), &error), RT_IO);
    expect(rti_directory_make("", &error), RT_VALUE, &error, "without a name");
    cr_assert(rti_file_exists(test_path("a/file")) && rti_file_exists(test_path("a")));
    cr_assert_not(rti_file_exists(test_path("b")));
}

Test(file, paths_join) {
    static const char *const cases[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"},
                                           {"/", "b", "/b"},  {"a", "/b", "/b"},  {"a/b", "c/d", "a/b/c/d"}};
    char path[32];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(rti_path_join(path, sizeof path, cases[i][0], cases[i][1], NULL), RT_OK);
        cr_assert_str_eq(path, cases[i][2]);
    }
    rt_error error;
    cr_assert_eq(rti_path_join(path, 4, "a", "b", &error), RT_OK); /* three characters and the zero */
    expect(rti_path_join(path, 3, "a", "b", &error), RT_VALUE, &error, "longer than 2 bytes");
}

Test(file, programs_run_without_a_shell) {
    rt_error error;
    rti_bytes got;
    const char *const say[] = {"printf", "%s", "$HOME; `ls` \"*\"", NULL};
    cr_assert_eq(rti_program_run(say, 100, &got, &error), RT_OK);
    cr_assert_str_eq((char *)got.data, "$HOME; `ls` \"*\"");
    rt_free(got.data);

    const char *const input[] = {"cat", NULL}; /* standard input is empty: returns at once */
    cr_assert_eq(rti_program_run(input, 100, &got, &error), RT_OK);
    cr_assert_eq(got.count, 0);
    cr_assert_not_null(got.data);
    rt_free(got.data);

    /* More than the first buffer holds, and exactly the limit. */
    const char *const many[] = {"sh", "-c",
                                "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890; "
                                "echo 0123456789012345678901234567890; i=$((i+1)); done",
                                NULL};
    cr_assert_eq(rti_program_run(many, 192000, &got, &error), RT_OK);
    cr_assert_eq(got.count, 192000);
    cr_assert(memcmp(got.data + 191968, "0123456789012345678901234567890\n", 33) == 0);
    rt_free(got.data);
    expect(rti_program_run(many, 191999, &got, &error), RT_IO, &error, "more than the 191999 bytes");
    cr_assert_null(got.data);

    const char *const endless[] = {"sh", "-c", "trap '' PIPE; while :; do echo y; done", NULL};
    expect(rti_program_run(endless, 1000, &got, &error), RT_IO, &error, "more than");

    const char *const quiet[] = {"true", NULL};
    cr_assert_eq(rti_program_run(quiet, 0, NULL, &error), RT_OK);
    cr_assert_eq(rti_program_run(quiet, 0, &got, &error), RT_OK);
    rt_free(got.data);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(file, programs_that_fail) {
    rt_error error;
    rti_bytes got;
    const char *const status[] = {"sh", "-c", "echo half; exit 3", NULL};
    expect(rti_program_run(status, 100, &got, &error), RT_PROGRAM, &error, "exit status 3");
    cr_assert_null(got.data);
    const char *const killed[] = {"sh", "-c", "kill -9 $$", NULL};
    expect(rti_program_run(killed, 100, &got, &error), RT_PROGRAM, &error, "signal 9");
    const char *const missing[] = {"retort-no-such-program", NULL};
    expect(rti_program_run(missing, 100, &got, &error), RT_PROGRAM, &error, "not installed");
    expect(rti_program_run(missing, 100, NULL, &error), RT_PROGRAM, &error, "not installed");
    cr_assert(rti_program_exists("sh") && rti_program_exists("/bin/sh"));
    cr_assert_not(rti_program_exists("retort-no-such-program") || rti_program_exists("") ||
                  rti_program_exists("/bin"));
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(file, gzip_is_unpacked) {
    rt_error error;
    rti_bytes got;
    put(test_path("a"), "plain", 5);
    cr_assert_eq(rti_file_read_gzip(test_path("a"), 100, &got, &error), RT_OK);
    cr_assert_str_eq((char *)got.data, "plain");
    rt_free(got.data);
    if (!rti_program_exists("gzip")) return;

    put(test_path("-b c"), "packed text", 11);
    const char *const pack[] = {"gzip", "--", test_path("-b c"), NULL};
    cr_assert_eq(rti_program_run(pack, 0, NULL, &error), RT_OK);
    cr_assert_not(rti_file_exists(test_path("-b c")));
    for (int i = 0; i < 2; i++) { /* by either name */
        cr_assert_eq(rti_file_read_gzip(test_path(i ? "-b c.gz" : "-b c"), 11, &got, &error), RT_OK);
        cr_assert_str_eq((char *)got.data, "packed text");
        rt_free(got.data);
    }
    expect(rti_file_read_gzip(test_path("-b c"), 10, &got, &error), RT_IO, &error, "more than the 10 bytes");
    expect(rti_file_read_gzip(test_path("none"), 10, &got, &error), RT_NOT_FOUND, &error, "nor");
    cr_assert_eq(truncate(test_path("-b c.gz"), 20), 0);
    expect(rti_file_read_gzip(test_path("-b c"), 100, &got, &error), RT_PROGRAM, &error,
           "cannot be unpacked");
    put(test_path("junk.gz"), "no gzip at all", 14);
    expect(rti_file_read_gzip(test_path("junk"), 100, &got, &error), RT_PROGRAM, &error, "junk.gz");
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(file, out_of_memory_is_an_error) {
    static const char *const many[] = {"sh", "-c", "i=0; while [ $i -lt 5000 ]; do echo 0123456789012345; "
                                                   "echo 0123456789; i=$((i+1)); done", NULL};
    put(test_path("a"), "text", 4);
    for (int mode = 0; mode < 2; mode++) {
        bool done = false;
        for (size_t n = 1; !done; n++) {
            rti_bytes got;
            rt_error error;
            rt_alloc_fail_after(n);
            rt_status status = mode ? rti_program_run(many, 1 << 20, &got, &error)
                                    : rti_file_read(test_path("a"), 100, &got, &error);
            rt_alloc_fail_after(0);
            done = status == RT_OK;
            if (done) rt_free(got.data);
            else expect(status, RT_MEMORY, &error, "memory");
            cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
            cr_assert_lt(n, 20);
        }
    }
}

/* Fetching with file:// addresses, so with the real curl and no network. Sums come from the program
 * that fetch itself may not choose: they are computed here before the test from the right content. A
 * resumed download is told from a fresh one by a mirror whose first half is wrong. */
#include <sys/stat.h>

#include "core/file.h"
#include "data/fetch.h"
#include "retort/log.h"
#include "scratch.h"

#define PLAIN 5000

static char sum[65], bad_folder[160], good_folder[160];
static rti_download download = {"numbers.gz", sum, "numbers", PLAIN};
static rti_fetch_set set = {"tiny", {NULL, NULL, NULL}, &download, 1, NULL, NULL, 0};
static char said[4096];

static void listen(void *context, rt_log_level level, const char *line) {
    (void)context, (void)level;
    size_t used = strlen(said);
    snprintf(said + used, sizeof said - used, "%s\n", line);
}

static void shell(const char *format, const char *a, const char *b) {
    char command[600];
    snprintf(command, sizeof command, format, a, b);
    cr_assert_eq(system(command), 0, "%s", command);
}

static void sum_of(const char *path, char out[65]) {
    char command[300];
    snprintf(command, sizeof command, "(sha256sum %s || shasum -a 256 %s) 2>/dev/null", path, path);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe && fread(out, 1, 64, pipe) == 64);
    while (fgetc(pipe) != EOF) continue;
    pclose(pipe);
    out[64] = 0;
}

/* A mirror folder good/ with numbers.gz, an empty bad/. False where curl is missing. */
static bool mirrors_begin(void) {
    if (!rti_program_exists("curl")) return false;
    scratch_begin();
    unsigned char plain[PLAIN];
    rt_rng rng = rt_rng_stream(1, "test", 0, 0);
    for (int i = 0; i < PLAIN; i++) plain[i] = (unsigned char)rt_rng_u32(&rng);
    shell("mkdir %s/good %s/bad", scratch, scratch);
    scratch_write("good/numbers", plain, PLAIN);
    shell("gzip -n %s/good/%s", scratch, "numbers");
    sum_of(scratch_path("good/numbers.gz"), sum);
    snprintf(good_folder, sizeof good_folder, "file://%s/good/", scratch);
    snprintf(bad_folder, sizeof bad_folder, "file://%s/bad/", scratch);
    unsetenv("RETORT_MIRROR");
    said[0] = 0;
    rt_log_set(listen, NULL);
    set.mirrors[0] = bad_folder, set.mirrors[1] = good_folder;
    return true;
}

static long long size_of(const char *name) {
    struct stat s;
    return stat(scratch_path(name), &s) == 0 ? (long long)s.st_size : -1;
}

static void fetched(void) {
    rt_error error = {0};
    cr_assert_eq(rti_fetch_run(&set, scratch, &error), RT_OK, "%s\n%s", error.message, said);
    cr_assert_eq(size_of("tiny/numbers"), PLAIN);
    shell("gzip -dc %s/good/numbers.gz | cmp - %s/tiny/numbers", scratch, scratch);
    cr_assert(size_of("tiny/numbers.gz") < 0 && size_of("tiny/numbers.gz.part") < 0,
              "something is left over");
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

static void refused(rt_status status, const char *says) {
    rt_error error = {0};
    cr_assert_eq(rti_fetch_run(&set, scratch, &error), status, "%s", error.message);
    cr_assert(strstr(error.message, says), "%s", error.message);
    cr_assert(size_of("tiny/numbers") < 0 && size_of("tiny/numbers.gz") < 0, "a wrong file is in place");
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(fetch, the_next_mirror_when_one_fails_and_nothing_twice) {
    if (!mirrors_begin()) return;
    fetched();
    cr_assert(strstr(said, "bad/numbers.gz") && strstr(said, "fetching file"), "%s", said);
    set.mirrors[1] = bad_folder; /* no mirror is needed now */
    said[0] = 0;
    fetched();
    cr_assert(strstr(said, "is there already") && !strstr(said, "fetching"), "%s", said);
    scratch_end();
}

Test(fetch, goes_on_where_it_stopped) {
    if (!mirrors_begin()) return;
    shell("mkdir %s/%s", scratch, "tiny");
    shell("head -c 2000 %s/good/numbers.gz > %s/tiny/numbers.gz.part", scratch, scratch);
    shell("(head -c 2000 /dev/zero; tail -c +2001 %s/good/numbers.gz) > %s/bad/numbers.gz", scratch, scratch);
    set.mirrors[1] = NULL; /* only the mirror whose beginning is wrong */
    fetched();
    cr_assert(strstr(said, "at 2000 bytes"), "%s", said);
    scratch_end();
}

Test(fetch, a_spoilt_beginning_is_fetched_again) {
    if (!mirrors_begin()) return;
    shell("mkdir %s/tiny && head -c 2000 /dev/zero > %s/tiny/numbers.gz.part", scratch, scratch);
    set.mirrors[0] = good_folder, set.mirrors[1] = NULL;
    fetched();
    scratch_end();
}

Test(fetch, a_complete_part_needs_no_mirror) {
    if (!mirrors_begin()) return;
    shell("mkdir %s/%s", scratch, "tiny");
    shell("cp %s/good/numbers.gz %s/tiny/numbers.gz.part", scratch, scratch);
    set.mirrors[1] = NULL;
    fetched();
    scratch_end();
}

Test(fetch, a_wrong_sum_is_refused_with_nothing_left) {
    if (!mirrors_begin()) return;
    shell("(cat %s/good/numbers.gz; echo x) > %s/bad/numbers.gz", scratch, scratch);
    set.mirrors[1] = NULL;
    refused(RT_FORMAT, "SHA-256");
    cr_assert_lt(size_of("tiny/numbers.gz.part"), 0);
    set.mirrors[1] = good_folder;
    fetched();
    scratch_end();
}

Test(fetch, no_mirror_at_all) {
    if (!mirrors_begin()) return;
    set.mirrors[1] = NULL;
    refused(RT_PROGRAM, "could not be fetched from any of 1 mirrors");
    rt_error error = {0};
    cr_assert_eq(rt_data_fetch("imagenet", scratch, &error), RT_NOT_FOUND);
    cr_assert(strstr(error.message, "imagenet"));
    scratch_end();
}

Test(fetch, the_environment_names_other_mirrors) {
    if (!mirrors_begin()) return;
    shell("mkdir -p %s/mirror/tiny %s/mirror/other", scratch, scratch);
    shell("cp %s/good/numbers.gz %s/mirror/tiny/", scratch, scratch);
    char list[300];
    snprintf(list, sizeof list, "%s,file://%s/mirror/", bad_folder, scratch);
    setenv("RETORT_MIRROR", list, 1);
    set.mirrors[0] = set.mirrors[1] = NULL;
    fetched();
    scratch_end();
}

/* An archive: members are verified one by one before any gets its name. */
Test(fetch, archives) {
    if (!mirrors_begin() || !rti_program_exists("tar")) return;
    static char one[65], two[65];
    static rti_download archive = {"pack.tar.gz", sum, NULL, 0};
    static rti_fetch_member members[] = {{"a.bin", one}, {"b.bin", two}};
    shell("mkdir %s/inner && echo first > %s/inner/a.bin", scratch, scratch);
    shell("echo second > %s/inner/b.bin && echo more > %s/inner/readme.html", scratch, scratch);
    sum_of(scratch_path("inner/a.bin"), one);
    sum_of(scratch_path("inner/b.bin"), two);
    shell("tar -czf %s/good/pack.tar.gz -C %s inner", scratch, scratch);
    sum_of(scratch_path("good/pack.tar.gz"), sum);
    rti_fetch_set pack = {"pack", {good_folder, NULL, NULL}, &archive, 1, "inner", members, 2};
    rt_error error = {0};
    one[0] = one[0] == '0' ? '1' : '0';
    cr_assert_eq(rti_fetch_run(&pack, scratch, &error), RT_FORMAT);
    cr_assert(strstr(error.message, "a.bin"), "%s", error.message);
    cr_assert(size_of("pack/a.bin") < 0 && size_of("pack/b.bin") < 0);
    sum_of(scratch_path("inner/a.bin"), one);
    cr_assert_eq(rti_fetch_run(&pack, scratch, &error), RT_OK, "%s", error.message);
    cr_assert(size_of("pack/a.bin") == 6 && size_of("pack/b.bin") == 7);
    cr_assert(size_of("pack/pack.tar.gz") < 0 && size_of("pack/inner") < 0);
    scratch_end();
}

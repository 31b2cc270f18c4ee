/* The soft-target cache against the teacher itself: any positions in any order give the bits of a fresh
 * forward pass; a file that is damaged, short, empty or somebody else's is never believed; other
 * weights or other examples are another file. */
#include "distill/cache.h"

#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "retort/threads.h"
#include "fixture.h"
#include "../support/temporary.h"

enum { MEMBERS = 2 };
static rt_model *nets[MEMBERS];
static rt_teacher *teacher;

static void begin(void) {
    fixture_data();
    for (int m = 0; m < MEMBERS; m++) nets[m] = fixture_teacher_net(20 + (uint64_t)m);
    teacher = fixture_teacher(nets, MEMBERS, RT_COMBINE_PROBABILITIES);
}

static void end(void) {
    rt_teacher_free(teacher);
    for (int m = 0; m < MEMBERS; m++) rt_model_free(nets[m]);
}

static rti_cache *opened(const char *directory) {
    rt_error error;
    const rti_cache_making making = {.directory = directory};
    rti_cache *cache = rti_cache_open(teacher, &fixture_part, &making, &error);
    cr_assert(cache, "%s", error.message);
    return cache;
}

/* Batches of a shuffled loader, three epochs of them. */
static void agrees_with_the_teacher(const rti_cache *cache) {
    rt_loader *loader = rt_loader_new(&fixture_part, BATCH, 99, NULL, NULL);
    rt_graph *g = rt_graph_new(NULL);
    const double temperatures[] = {1, 4, 20};
    rt_batch batch;
    for (int epoch = 0; epoch < 3; epoch++) {
        rt_loader_begin(loader, epoch);
        while (rt_loader_next(loader, &batch)) {
            double T = temperatures[epoch];
            rt_tensor *live = rt_teacher_logits(teacher, g, batch.x, T);
            rt_tensor *kept = rti_cache_logits(cache, g, batch.index, batch.count, T);
            cr_assert(live && kept && rt_tensor_same_shape(live, kept));
            cr_assert_arr_eq(rt_real_data(kept), rt_real_data(live),
                             (size_t)(batch.count * CLASSES) * sizeof(rt_real));
            rt_graph_reset(g);
        }
    }
    rt_graph_free(g);
    rt_loader_free(loader);
}

Test(cache, a_lookup_is_a_fresh_forward_pass) {
    begin();
    rti_cache *memory = opened(NULL), *written = opened(test_path("soft")), *read = opened(test_path("soft"));
    cr_assert_str_empty(rti_cache_path(memory));
    cr_assert(!rti_cache_was_read(memory) && !rti_cache_was_read(written) && rti_cache_was_read(read));
    agrees_with_the_teacher(memory), agrees_with_the_teacher(written), agrees_with_the_teacher(read);
    rti_cache_free(memory), rti_cache_free(written), rti_cache_free(read);
    end();
}

Test(cache, a_damaged_file_is_computed_again) {
    begin();
    rti_cache *cache = opened(test_path("soft"));
    char path[RTI_PATH_MAX];
    snprintf(path, RTI_PATH_MAX, "%s", rti_cache_path(cache));
    rti_cache_free(cache);
    rti_bytes good;
    cr_assert_eq(rti_file_read(path, 1 << 20, &good, NULL), RT_OK);
    /* a changed byte anywhere; header and data lie in the first and the last part */
    for (size_t at = 0; at < good.count; at += at < 400 ? 7 : 61) {
        unsigned char before = good.data[at];
        good.data[at] ^= 0x20;
        cr_assert_eq(rti_file_write(path, good.data, good.count, NULL), RT_OK);
        good.data[at] = before;
        cache = opened(test_path("soft"));
        bool harmless = rti_cache_was_read(cache); /* white space in the header */
        if (at % 3 == 0 || harmless) agrees_with_the_teacher(cache);
        rti_cache_free(cache);
        cache = opened(test_path("soft"));
        cr_assert(rti_cache_was_read(cache), "byte %zu: the file was not replaced", at);
        rti_cache_free(cache);
    }
    const size_t lengths[] = {0, 4, 100, good.count - 1};
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(rti_file_write(path, good.data, lengths[i], NULL), RT_OK);
        cache = opened(test_path("soft"));
        cr_assert(!rti_cache_was_read(cache), "%zu bytes are believed", lengths[i]);
        agrees_with_the_teacher(cache);
        rti_cache_free(cache);
    }
    rt_free(good.data);
    end();
}

Test(cache, a_file_of_another_teacher_is_not_believed) {
    begin();
    rti_cache *cache = opened(test_path("soft"));
    char mine[RTI_PATH_MAX];
    snprintf(mine, RTI_PATH_MAX, "%s", rti_cache_path(cache));
    rti_cache_free(cache);
    int64_t count;
    rt_model_block(nets[1], &count)[3] += (rt_real)0.5;
    cache = opened(test_path("soft"));
    cr_assert(!rti_cache_was_read(cache));
    cr_assert_str_neq(rti_cache_path(cache), mine);
    char other[RTI_PATH_MAX];
    snprintf(other, RTI_PATH_MAX, "%s", rti_cache_path(cache));
    rti_cache_free(cache);
    /* the old file under the new name */
    rti_bytes bytes;
    cr_assert_eq(rti_file_read(mine, 1 << 20, &bytes, NULL), RT_OK);
    cr_assert_eq(rti_file_write(other, bytes.data, bytes.count, NULL), RT_OK);
    rt_free(bytes.data);
    cache = opened(test_path("soft"));
    cr_assert(!rti_cache_was_read(cache));
    agrees_with_the_teacher(cache);
    rti_cache_free(cache);
    end();
}

Test(cache, the_key_knows_examples_and_order_but_not_labels) {
    begin();
    char path[4][RTI_PATH_MAX];
    for (int i = 0; i < 4; i++) {
        if (i == 1) fixture_pixels[fixture_index[20] * PIXELS + 5] ^= 1;
        if (i == 2) fixture_index[0] = fixture_index[1];
        if (i == 3) fixture_part_labels[4] = (fixture_part_labels[4] + 1) % CLASSES;
        rti_cache *cache = opened(test_path("soft"));
        snprintf(path[i], RTI_PATH_MAX, "%s", rti_cache_path(cache));
        agrees_with_the_teacher(cache);
        rti_cache_free(cache);
    }
    cr_assert_str_neq(path[0], path[1]);
    cr_assert_str_neq(path[1], path[2]);
    cr_assert_str_eq(path[2], path[3]);
    end();
}

/* The teacher sees numbers, not bytes: another normalisation is another question. */
Test(cache, the_key_knows_how_channels_are_normalised) {
    begin();
    char path[4][RTI_PATH_MAX];
    for (int i = 0; i < 4; i++) {
        if (i == 1) {
            fixture_examples.channels = 1;
            fixture_examples.channel_scale[0] = fixture_examples.scale * 3;
        }
        if (i == 2) fixture_examples.channel_shift[0] = -0.5;
        if (i == 3) fixture_examples.channels = 0;
        rti_cache *cache = opened(test_path("soft"));
        snprintf(path[i], RTI_PATH_MAX, "%s", rti_cache_path(cache));
        agrees_with_the_teacher(cache);
        rti_cache_free(cache);
    }
    cr_assert_str_neq(path[0], path[1]);
    cr_assert_str_neq(path[1], path[2]);
    cr_assert_str_eq(path[0], path[3]);
    end();
}

Test(cache, a_directory_that_cannot_be_is_no_failure) {
    begin();
    cr_assert_eq(rti_file_write(test_path("file"), "x", 1, NULL), RT_OK);
    rti_cache *cache = opened(test_path("file"));
    cr_assert(!rti_cache_was_read(cache));
    agrees_with_the_teacher(cache);
    rti_cache_free(cache);
    end();
}

/* Has the turn at `path`, says so, writes what `from` holds to `to` meanwhile and lets go. */
static pid_t start_other(const char *path, const char *from, const char *to, int *said) {
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int turn = rti_file_turn(path, NULL, NULL);
        bool good = turn >= 0 && write(ends[1], "x", 1) == 1;
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL); /* the other one comes, and waits */
        good = good && (!from || rename(from, to) == 0);
        if (from) rti_file_turn_end(turn, path); /* else it dies with the turn */
        _exit(good ? 0 : 1);
    }
    close(ends[1]);
    *said = ends[0];
    return pid;
}

static void await_other(pid_t pid, int said) {
    int status;
    close(said);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Of two processes that want the same file one asks the teacher; but whoever ends without a file keeps nobody
 * from asking. */
Test(cache, waits_for_the_process_that_makes_the_file, .timeout = 60) {
    begin();
    rti_cache *first = opened(test_path("soft"));
    char path[RTI_PATH_MAX], turn[RTI_PATH_MAX + 8], aside[RTI_PATH_MAX + 8], byte;
    snprintf(path, sizeof path, "%s", rti_cache_path(first));
    snprintf(turn, sizeof turn, "%s.turn", path);
    snprintf(aside, sizeof aside, "%s.aside", path);
    cr_assert_not(rti_file_exists(turn));
    rti_cache_free(first);
    for (int dies = 0; dies < 2; dies++) {
        if (dies) cr_assert_eq(remove(path), 0);
        else cr_assert_eq(rename(path, aside), 0);
        int said;
        pid_t pid = start_other(turn, dies ? NULL : aside, path, &said);
        cr_assert_eq(read(said, &byte, 1), 1);
        rti_cache *cache = opened(test_path("soft"));
        cr_assert_eq(rti_cache_was_read(cache), !dies);
        agrees_with_the_teacher(cache);
        rti_cache_free(cache);
        await_other(pid, said);
        cr_assert(rti_file_exists(path) && !rti_file_exists(turn));
    }
    end();
}

/* Threads that are lent for the pass are given back, and change no bit. */
Test(cache, asks_with_all_threads_and_gives_them_back) {
    begin();
    rt_threads_set(1);
    rti_cache *own = opened(NULL);
    rt_error error;
    const rti_cache_making making = {.directory = test_path("soft"), .threads = 3};
    rti_cache *lent = rti_cache_open(teacher, &fixture_part, &making, &error);
    cr_assert(lent, "%s", error.message);
    cr_assert_eq(rt_threads_get(), 1);
    for (int m = 0; m < MEMBERS; m++)
        cr_assert_arr_eq(rti_cache_member(lent, m), rti_cache_member(own, m),
                         (size_t)(fixture_part.count * CLASSES) * sizeof(rt_real));
    rti_cache_free(own), rti_cache_free(lent);
    end();
}

static bool some_more(void *left) { return --*(int *)left >= 0; }

/* Whoever is to stop asks no further, and waits for nobody. */
Test(cache, stops_when_it_is_told_to, .timeout = 60) {
    begin();
    rt_error error;
    int left = 0;
    rti_cache_making making = {.directory = test_path("soft"), .go_on = some_more, .context = &left};
    cr_assert_null(rti_cache_open(teacher, &fixture_part, &making, &error));
    cr_assert_eq(error.status, RT_STOPPED);
    rti_cache *cache = opened(test_path("soft"));
    cr_assert(!rti_cache_was_read(cache)); /* nothing was left of the first */
    char path[RTI_PATH_MAX], turn[RTI_PATH_MAX + 8], byte;
    snprintf(path, sizeof path, "%s", rti_cache_path(cache));
    snprintf(turn, sizeof turn, "%s.turn", path);
    cr_assert_not(rti_file_exists(turn));
    rti_cache_free(cache);
    cr_assert_eq(remove(path), 0);
    int said;
    pid_t pid = start_other(turn, NULL, path, &said);
    cr_assert_eq(read(said, &byte, 1), 1);
    left = 3;
    cr_assert_null(rti_cache_open(teacher, &fixture_part, &making, &error));
    cr_assert_eq(error.status, RT_STOPPED);
    cr_assert_lt(left, 0);
    cr_assert_not(rti_file_exists(path));
    await_other(pid, said);
    end();
}

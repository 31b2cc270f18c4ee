/* What is noted about a batch once, for all students of a group: where sparse pictures are 0. Students of
 * different widths, some of which alone would go another way, must keep their bits. */
#include "fixture.h"

#include "distill/distiller.h"
#include "graph/notes.h"

enum { INPUTS = 150, STUDENTS = 4, EPOCHS = 3 };

static uint8_t pixels[EXAMPLES * INPUTS];
static rt_examples sparse;
static rt_params optimizer, options;

/* Of each picture a tenth to a third is not 0. */
static void sparse_data(void) {
    rt_rng rng = rt_rng_stream(12, "notes", 0, 0);
    fixture_data();
    for (int i = 0; i < EXAMPLES * INPUTS; i++)
        if (rt_rng_below(&rng, 100) < 10 + (uint32_t)(i / INPUTS) % 24)
            pixels[i] = (uint8_t)rt_rng_below(&rng, 256);
    sparse = (rt_examples){.count = EXAMPLES, .ndim = 1, .shape = {INPUTS}, .features = INPUTS,
                           .classes = CLASSES, .bytes = pixels, .labels = fixture_labels, .scale = 1.0 / 255};
    fixture_part.examples = &sparse;
    fixture_optimizer(&optimizer, "lr=0.05 momentum=0.9");
}

static rt_model *network(int64_t hidden, uint64_t seed) {
    rt_error error;
    rt_model *model = rt_mlp_new(3, (const int64_t[]){INPUTS, hidden, CLASSES}, seed, &error);
    cr_assert(model, "%s", error.message);
    return model;
}

static const rti_shared *watched;
static int most_read; /* answers in a batch */

static bool watch(void *context, int64_t epoch, int64_t step, int64_t steps) {
    (void)context, (void)epoch, (void)step, (void)steps;
    if (watched && watched->read_count > most_read) most_read = watched->read_count;
    return true;
}

static rt_distiller *student(rt_model *model, rt_teacher *teacher, rt_targets targets, const char *said,
                             rt_distiller *beside) {
    fixture_options(&options, "kd", said);
    const rt_distiller_config config = {.student = model, .teacher = teacher, .method = "kd",
                                        .options = &options, .transfer = &fixture_part, .batch = BATCH,
                                        .seed = 3, .epochs = EPOCHS, .training = &optimizer, .prefix = "",
                                        .beside = beside, .targets = targets, .on_step = watch};
    return fixture_distiller(&config);
}

static void check_group(rt_targets targets) {
    static const int64_t widths[STUDENTS] = {10, 20, 20, 70};
    rt_distiller *together[STUDENTS];
    rt_model *models[STUDENTS], *net = network(90, 9);
    rt_epoch_outcome outcomes[STUDENTS];
    rt_error error;
    rt_teacher *teacher = rt_teacher_new(&net, 1, RT_COMBINE_LOGITS, &error);
    cr_assert(teacher, "%s", error.message);
    for (int i = 0; i < STUDENTS; i++) {
        models[i] = network(widths[i], (uint64_t)i);
        together[i] = student(models[i], teacher, targets, "", i ? together[0] : NULL);
    }
    rt_distillers_epoch(together, STUDENTS, outcomes);
    const size_t calls = rt_alloc_stats_get().calls;
    for (int e = 1; e < EPOCHS; e++) rt_distillers_epoch(together, STUDENTS, outcomes);
    cr_assert_eq(rt_alloc_stats_get().calls, calls);
    cr_assert_null(together[0]->own.notes.batch);
    for (int i = 0; i < STUDENTS; i++) {
        cr_assert_eq(outcomes[i].status, RT_OK, "%s", outcomes[i].error.message);
        rt_model *model = network(widths[i], (uint64_t)i);
        rt_distiller *alone = student(model, teacher, targets, "", NULL);
        for (int e = 0; e < EPOCHS; e++) fixture_epoch(alone);
        int64_t count, expected;
        const rt_real *found = rt_model_block(models[i], &count), *block = rt_model_block(model, &expected);
        cr_assert(count == expected && memcmp(found, block, (size_t)count * sizeof *found) == 0,
                  "student %d of %lld units has other weights", i, (long long)widths[i]);
        rt_distiller_free(alone);
        rt_model_free(model);
    }
    for (int i = STUDENTS - 1; i >= 0; i--) rt_distiller_free(together[i]), rt_model_free(models[i]);
    rt_teacher_free(teacher);
    rt_model_free(net);
}

Test(notes, students_of_several_widths_keep_their_bits) {
    sparse_data();
    check_group(RT_TARGETS_TEACHER);
    check_group(RT_TARGETS_DROPOUT); /* the teacher looks at every batch, too */
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

/* A batch of bytes is made numbers only when somebody reads them; one of the same numbers is there at once.
 * The widest layer goes by lists, the others by maps; of the smallest batches every product is of all
 * elements, of the largest those with dY are. */
static void train(int64_t hidden, int64_t batch, const char *method, rt_real *weights, int64_t *count) {
    rt_model *net = network(40, 9), *model = network(hidden, 4);
    rt_error error;
    rt_teacher *teacher = rt_teacher_new(&net, 1, RT_COMBINE_LOGITS, &error);
    cr_assert(teacher, "%s", error.message);
    fixture_options(&options, method, "");
    const rt_distiller_config config = {.student = model, .teacher = teacher, .method = method,
                                        .options = &options, .transfer = &fixture_part, .batch = batch,
                                        .seed = 3, .epochs = EPOCHS, .training = &optimizer, .prefix = "",
                                        .targets = RT_TARGETS_TEACHER};
    rt_distiller *alone = fixture_distiller(&config);
    for (int e = 0; e < EPOCHS; e++) fixture_epoch(alone);
    const rt_real *block = rt_model_block(model, count);
    memcpy(weights, block, (size_t)*count * sizeof *weights);
    rt_distiller_free(alone);
    rt_teacher_free(teacher);
    rt_model_free(model), rt_model_free(net);
}

/* 200 pictures: more than products can leave zeros out of, in one batch. */
enum { MANY = 200 };

static const uint8_t *many_pixels(void) {
    static uint8_t many[MANY * INPUTS];
    static int32_t labels[MANY], index[MANY];
    static rt_part part;
    for (int i = 0; i < MANY; i++) {
        for (int j = 0; j < INPUTS; j++) many[i * INPUTS + j] = pixels[(i + j * 7) % EXAMPLES * INPUTS + j];
        labels[i] = i * 5 % CLASSES;
        index[i] = i;
    }
    sparse.count = MANY;
    sparse.bytes = many;
    sparse.labels = labels;
    sparse.scale = 1.0 / 256; /* so that a float holds each number */
    part = (rt_part){&sparse, MANY, index, labels};
    fixture_part = part;
    return many;
}

Test(notes, bytes_and_their_numbers_train_to_the_same_bits) {
    enum { MOST = 80 * (INPUTS + 1 + CLASSES) + CLASSES };
    static float numbers[MANY * INPUTS];
    static rt_real of_bytes[MOST], of_numbers[MOST];
    static const char *const methods[] = {"kd", "fitnets"};
    static const int64_t widths[] = {1, 10, 30, 70}, batches[] = {7, 40, MANY};
    sparse_data();
    const uint8_t *many = many_pixels();
    for (int i = 0; i < MANY * INPUTS; i++) numbers[i] = (float)many[i] / 256;
    rt_examples same = sparse;
    same.bytes = NULL;
    same.values = numbers;
    same.scale = 1;
    for (int m = 0; m < 2; m++)
        for (int w = 0; w < 4; w++)
            for (int b = 0; b < 3; b++) {
                int64_t count, expected;
                fixture_part.examples = &sparse;
                train(widths[w], batches[b], methods[m], of_bytes, &count);
                fixture_part.examples = &same;
                train(widths[w], batches[b], methods[m], of_numbers, &expected);
                cr_assert(count == expected && count <= MOST);
                cr_assert(memcmp(of_bytes, of_numbers, (size_t)count * sizeof *of_bytes) == 0,
                          "%s, %lld units, batches of %lld", methods[m], (long long)widths[w],
                          (long long)batches[b]);
            }
}

/* Temperatures 1, 4, 1, 4 and two weights; one teacher answers with the same logits at each, an ensemble does
 * not. */
static const char *const said[STUDENTS] = {"temperature=1 alpha=0.5", "temperature=4 alpha=0.5",
                                           "temperature=1 alpha=0.9", "temperature=4 alpha=0.9"};

static void check_answers(int members, int read) {
    rt_distiller *together[STUDENTS];
    rt_model *models[STUDENTS], *nets[2] = {network(40, 9), network(30, 8)};
    rt_epoch_outcome outcomes[STUDENTS];
    rt_error error;
    rt_teacher *teacher = rt_teacher_new(nets, members, RT_COMBINE_PROBABILITIES, &error);
    cr_assert(teacher, "%s", error.message);
    for (int i = 0; i < STUDENTS; i++) {
        models[i] = network(20, 7);
        together[i] = student(models[i], teacher, RT_TARGETS_TEACHER, said[i], i ? together[0] : NULL);
    }
    watched = together[0]->shared;
    most_read = 0;
    for (int e = 0; e < EPOCHS; e++) rt_distillers_epoch(together, STUDENTS, outcomes);
    watched = NULL;
    cr_assert_eq(most_read, read);
    for (int i = 0; i < STUDENTS; i++) {
        cr_assert_eq(outcomes[i].status, RT_OK, "%s", outcomes[i].error.message);
        rt_model *model = network(20, 7);
        rt_distiller *alone = student(model, teacher, RT_TARGETS_TEACHER, said[i], NULL);
        for (int e = 0; e < EPOCHS; e++) fixture_epoch(alone);
        int64_t count;
        const rt_real *found = rt_model_block(models[i], &count), *block = rt_model_block(model, &count);
        cr_assert(memcmp(found, block, (size_t)count * sizeof *found) == 0, "%d members, student %d", members,
                  i);
        rt_distiller_free(alone);
        rt_model_free(model);
    }
    for (int i = STUDENTS - 1; i >= 0; i--) rt_distiller_free(together[i]), rt_model_free(models[i]);
    rt_teacher_free(teacher);
    rt_model_free(nets[0]), rt_model_free(nets[1]);
}

Test(notes, a_group_reads_an_answer_once) {
    sparse_data();
    check_answers(1, 1);
    check_answers(2, 2);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

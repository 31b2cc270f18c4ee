/* Answers from files. A training that reads a network's answers from a file must end with the bits of one
 * that asks the network; rows are found by the number of the example, which is not its position; and what a
 * file can not be asked, or says wrongly, is refused with the row, the numbers or the reason. */
#include "../support/program.h"
#include "../support/temporary.h"
#include "distill/distiller.h"
#include "distill/teacher.h"
#include "fixture.h"
#include "formats/npy.h"

static rt_real answers[EXAMPLES * CLASSES];

/* What `net` says of all examples, computed in one batch. */
static void ask(rt_model *net) {
    int32_t index[EXAMPLES];
    for (int i = 0; i < EXAMPLES; i++) index[i] = i;
    const rt_part all = {&fixture_examples, EXAMPLES, index, fixture_labels};
    rt_loader *loader = rt_loader_new(&all, EXAMPLES, 0, NULL, NULL);
    rt_graph *g = rt_graph_new(NULL);
    rt_batch batch;
    cr_assert(rt_loader_next(loader, &batch));
    rt_model_evaluate(net);
    rt_tensor *z = rt_model_forward(net, g, batch.x);
    cr_assert(z);
    memcpy(answers, rt_real_data(z), sizeof answers);
    rt_graph_free(g);
    rt_loader_free(loader);
}

static const char *save(const rt_real *rows, int64_t N, int64_t K) {
    const rti_npy_dtype dtype = sizeof(rt_real) == 4 ? RTI_NPY_F4 : RTI_NPY_F8;
    rt_error error = {0};
    cr_assert_eq(rti_npy_write(test_path("v.npy"), dtype, 2, (int64_t[]){N, K}, rows, &error), RT_OK, "%s",
                 error.message);
    return test_path("v.npy");
}

static rt_teacher *open_as(const char *path, rt_answer_form form) {
    rt_error error = {0};
    rt_teacher *teacher = rt_teacher_open(path, form, &fixture_examples, &error);
    cr_assert(teacher, "%s", error.message);
    return teacher;
}

static void refused(const char *path, rt_answer_form form, rt_status status, const char *says) {
    rt_error error = {0};
    cr_assert_null(rt_teacher_open(path, form, &fixture_examples, &error), "%s", says);
    cr_assert_eq(error.status, status, "%s", error.message);
    cr_assert(strstr(error.message, says) && strstr(error.message, path), "wanted \"%s\", got: %s", says,
              error.message);
}

static rt_distiller_config config_of(rt_model *student, rt_teacher *teacher, const rt_params *options,
                                     const rt_params *optimizer) {
    return (rt_distiller_config){.student = student,
                                 .teacher = teacher,
                                 .method = "kd",
                                 .options = options,
                                 .transfer = &fixture_part,
                                 .batch = BATCH,
                                 .seed = 3,
                                 .epochs = 3,
                                 .training = optimizer,
                                 .prefix = ""};
}

Test(stored, a_training_from_a_file_has_the_bits_of_one_with_the_network) {
    static rt_params options, optimizer;
    fixture_data();
    rt_model *net = fixture_teacher_net(1), *student[2];
    ask(net);
    rt_teacher *teacher[2] = {fixture_teacher(&net, 1, RT_COMBINE_LOGITS),
                              open_as(save(answers, EXAMPLES, CLASSES), RT_ANSWERS_LOGITS)};
    cr_assert(rt_teacher_is_stored(teacher[1]) && !rt_teacher_is_stored(teacher[0]));
    fixture_options(&options, "kd", "temperature=4 alpha=0.9");
    fixture_optimizer(&optimizer, "lr=0.2 momentum=0.9 schedule=linear");
    for (int i = 0; i < 2; i++) {
        student[i] = fixture_student_for("kd", 2);
        rt_distiller_config config = config_of(student[i], teacher[i], &options, &optimizer);
        config.cache_directory = test_path("cache");
        rt_distiller *d = fixture_distiller(&config);
        for (int e = 0; e < 3; e++) fixture_epoch(d);
        if (i) cr_assert_str_empty(rti_cache_path(d->cache)); /* it is a file already */
        rt_distiller_free(d);
    }
    cr_assert(fixture_same_weights(student[0], student[1]));

    /* Moved images, the same answers: another training, but one. */
    rt_model *moved = fixture_student_for("kd", 2);
    rt_distiller_config config = config_of(moved, teacher[1], &options, &optimizer);
    config.augment = (rt_augment){.jitter = 1};
    rt_distiller *d = fixture_distiller(&config);
    fixture_epoch(d);
    cr_assert(d->cache);
    rt_distiller_free(d);
    cr_assert(!fixture_same_weights(student[0], moved));

    for (int i = 0; i < 2; i++) rt_teacher_free(teacher[i]);
    for (int i = 0; i < 2; i++) rt_model_free(student[i]);
    rt_model_free(net), rt_model_free(moved);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(stored, rows_are_those_of_the_examples_not_of_positions) {
    fixture_data();
    for (int i = 0; i < EXAMPLES * CLASSES; i++) answers[i] = (rt_real)i;
    rt_teacher *teacher = open_as(save(answers, EXAMPLES, CLASSES), RT_ANSWERS_LOGITS);
    rt_error error = {0};
    rti_cache *cache = rti_cache_open(teacher, &fixture_part, NULL, &error);
    rt_graph *g = rt_graph_new(NULL);
    const int32_t positions[3] = {52, 0, 17};
    rt_tensor *v = rti_cache_logits(cache, g, positions, 3, 4);
    for (int n = 0; n < 3; n++)
        for (int k = 0; k < CLASSES; k++)
            cr_assert_eq(rt_real_data(v)[n * CLASSES + k], fixture_index[positions[n]] * CLASSES + k);
    rt_graph_free(g);
    rti_cache_free(cache);

    /* Agreement: with the class that the file puts first, which is the last one in every row. */
    rt_model *student = fixture_student_for("kd", 2);
    rt_quality quality;
    uint8_t said[PART];
    cr_assert_eq(rt_evaluate(student, teacher, &fixture_part, &quality, said, &error), RT_OK);
    int agreeing = 0;
    for (int i = 0; i < PART; i++) agreeing += said[i] == CLASSES - 1;
    cr_assert(quality.has_teacher && quality.agreement == (double)agreeing / PART);
    /* Of other examples the file says nothing, and no number is made up. */
    rt_examples others = fixture_examples;
    rt_part part = fixture_part;
    part.examples = &others;
    cr_assert_eq(rt_evaluate(student, teacher, &part, &quality, NULL, &error), RT_OK);
    cr_assert(!quality.has_teacher && quality.agreement == 0 && quality.teacher_kl == 0);
    cr_assert_eq(rt_teacher_open_more(teacher, test_path("v.npy"), RT_ANSWERS_LOGITS, &others, &error),
                 RT_OK);
    cr_assert_eq(rt_evaluate(student, teacher, &part, &quality, NULL, &error), RT_OK);
    cr_assert(quality.has_teacher);
    rt_teacher_free(teacher);
    rt_model_free(student);
}

Test(stored, probabilities_and_tables_say_the_same) {
    fixture_data();
    static rt_real p[EXAMPLES * CLASSES];
    static char csv[EXAMPLES * CLASSES * 32];
    size_t length = (size_t)snprintf(csv, sizeof csv, "zero,one,two,three\n");
    rt_rng rng = rt_rng_stream(1, "p", 0, 0);
    for (int n = 0; n < EXAMPLES; n++) {
        double sum = 0, e[CLASSES];
        for (int k = 0; k < CLASSES; k++) sum += e[k] = k == n % CLASSES ? 0 : exp(3 * rt_rng_normal(&rng));
        for (int k = 0; k < CLASSES; k++) {
            p[n * CLASSES + k] = (rt_real)(e[k] / sum);
            length += (size_t)snprintf(csv + length, sizeof csv - length, "%s%.17g", k ? "," : "",
                                       (double)p[n * CLASSES + k]);
        }
        length += (size_t)snprintf(csv + length, sizeof csv - length, "\n");
    }
    test_write(test_path("p.csv"), csv);
    rt_teacher *npy = open_as(save(p, EXAMPLES, CLASSES), RT_ANSWERS_PROBABILITIES),
               *table = open_as(test_path("p.csv"), RT_ANSWERS_PROBABILITIES);
    char a[33], b[33];
    rt_teacher_hash(npy, a), rt_teacher_hash(table, b);
    cr_assert_str_eq(a, b);
    const rt_real *v = rti_stored_logits(rti_teacher_stored(npy), &fixture_examples);
    for (int i = 0; i < EXAMPLES * CLASSES; i++)
        cr_assert_eq(v[i], p[i] == 0 ? (rt_real)log(1e-12) : (rt_real)log((double)p[i]));
    rt_teacher_free(npy), rt_teacher_free(table);
    npy = open_as(test_path("v.npy"), RT_ANSWERS_LOGITS); /* taken for logits it is another teacher */
    rt_teacher_hash(npy, b);
    cr_assert_str_neq(a, b);
    rt_teacher_free(npy);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(stored, files_that_do_not_fit_are_refused) {
    static rt_real p[(EXAMPLES + 1) * CLASSES];
    fixture_data();
    for (int i = 0; i < (EXAMPLES + 1) * CLASSES; i++) p[i] = (rt_real)0.25;
    refused(save(p, EXAMPLES + 1, CLASSES), RT_ANSWERS_LOGITS, RT_SHAPE, "has 61 rows, the set has 60");
    refused(save(p, EXAMPLES, CLASSES - 1), RT_ANSWERS_LOGITS, RT_SHAPE, "has 3 columns, the set has 4");
    refused(test_path("none.npy"), RT_ANSWERS_LOGITS, RT_NOT_FOUND, "none.npy");
    p[17 * CLASSES + 2] = (rt_real)0.26;
    refused(save(p, EXAMPLES, CLASSES), RT_ANSWERS_PROBABILITIES, RT_VALUE, "row 18 sum to 1.01");
    p[17 * CLASSES + 2] = (rt_real)0.2509; /* within a thousandth */
    rt_teacher_free(open_as(save(p, EXAMPLES, CLASSES), RT_ANSWERS_PROBABILITIES));
    p[17 * CLASSES + 2] = (rt_real)-0.25;
    refused(save(p, EXAMPLES, CLASSES), RT_ANSWERS_PROBABILITIES, RT_VALUE,
            "row 18 has the probability -0.25");
    for (int k = 0; k < 2; k++) {
        p[17 * CLASSES + 2] = k ? (rt_real)INFINITY : (rt_real)NAN;
        refused(save(p, EXAMPLES, CLASSES), RT_ANSWERS_LOGITS, RT_NOT_FINITE, "row 18, column 3");
        refused(test_path("v.npy"), RT_ANSWERS_PROBABILITIES, RT_NOT_FINITE, "row 18, column 3");
    }
    const int64_t whole[EXAMPLES * CLASSES] = {0};
    cr_assert_eq(
        rti_npy_write(test_path("i.npy"), RTI_NPY_I8, 2, (int64_t[]){EXAMPLES, CLASSES}, whole, NULL), RT_OK);
    refused(test_path("i.npy"), RT_ANSWERS_LOGITS, RT_FORMAT, "holds int64");
    cr_assert_eq(
        rti_npy_write(test_path("i.npy"), RTI_NPY_F8, 1, (int64_t[]){EXAMPLES * CLASSES}, whole, NULL),
        RT_OK);
    refused(test_path("i.npy"), RT_ANSWERS_LOGITS, RT_SHAPE, "has 1 dimensions");
    test_write(test_path("t.csv"), "a,b,c,d\n1,2,3,4\n1,2,nan,4\n");
    refused(test_path("t.csv"), RT_ANSWERS_LOGITS, RT_SHAPE, "has 2 rows");
    static char csv[EXAMPLES * 16];
    for (int i = 0; i < EXAMPLES; i++) memcpy(csv + 8 * i, i == 20 ? "1,2,x,4\n" : "1,2,3,4\n", 9);
    test_write(test_path("t.csv"), csv);
    refused(test_path("t.csv"), RT_ANSWERS_LOGITS, RT_FORMAT, "t.csv:21: row 21: \"x\" in column 3");
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(stored, what_a_file_cannot_be_asked_is_refused_with_the_reason) {
    static rt_params options, optimizer;
    static const struct {
        const char *method, *says;
        double mixup;
        bool others;
    } wrong[] = {{"at", "looks at hidden layers", 0, false},
                 {"crd", "looks at hidden layers", 0, false},
                 {"kd", "mixup shows mixtures", 0.2, false},
                 {"kd", "transfer set of its own", 0, true}};
    fixture_data();
    rt_teacher *teacher = open_as(save(answers, EXAMPLES, CLASSES), RT_ANSWERS_LOGITS);
    rt_examples others = fixture_examples;
    rt_part part = fixture_part;
    fixture_optimizer(&optimizer, "lr=0.2");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        rt_model *student = fixture_student_for(wrong[i].method, 2);
        fixture_options(&options, wrong[i].method, "");
        part.examples = wrong[i].others ? &others : &fixture_examples;
        rt_distiller_config config = config_of(student, teacher, &options, &optimizer);
        config.method = wrong[i].method;
        config.augment.mixup = wrong[i].mixup;
        config.transfer = &part;
        rt_error error = {0};
        cr_assert_null(rt_distiller_new(&config, &error));
        cr_assert_eq(error.status, RT_UNSUPPORTED, "%s", error.message);
        cr_assert(strstr(error.message, wrong[i].says), "%s", error.message);
        rt_model_free(student);
    }
    rt_teacher_free(teacher);
    cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
}

Test(stored, failing_allocations_leave_nothing) {
    fixture_data();
    const char *path = save(answers, EXAMPLES, CLASSES);
    int failures = 0;
    for (size_t n = 1; n < 100; n++) {
        rt_error error = {0};
        rt_alloc_fail_after(n);
        rt_teacher *teacher = rt_teacher_open(path, RT_ANSWERS_LOGITS, &fixture_examples, &error);
        rt_alloc_fail_after(0);
        rt_teacher_free(teacher);
        cr_assert_eq(rt_alloc_stats_get().live_blocks, 0);
        if (teacher) break;
        cr_assert_eq(error.status, RT_MEMORY, "%s", error.message);
        failures++;
    }
    cr_assert_geq(failures, 2);
}

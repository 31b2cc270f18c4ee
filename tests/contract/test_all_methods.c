/* What every distillation method promises, for each one on the generated list: it is described; the
 * limits it names hold; a run with it leaves the teacher as it was, to the bit and in evaluation mode,
 * trains the student in training mode in every epoch, and gives it a gradient; soft targets are those
 * of the example at hand. */
#include "../distill/fixture.h"
#include "distill/distiller.h"
#include "graph/op.h"

enum { ROWS = 6, WIDTH = 5 };
static const int32_t labels[ROWS] = {0, 3, 2, 4, 1, 1};

static void draw(rt_real *x, int64_t count, uint64_t number) {
    rt_rng rng = rt_rng_stream(21, "methods", 0, number);
    for (int64_t i = 0; i < count; i++) x[i] = (rt_real)(8 * rt_rng_uniform(&rng) - 4);
}

Test(all_methods, are_described) {
    int count;
    const char *const *names = rt_method_names(&count);
    cr_assert_geq(count, 4);
    for (int i = 0; i < count; i++) {
        const rti_method *m = rti_all_methods[i];
        cr_assert_str_eq(m->name, names[i]);
        cr_assert_eq(rti_method_find(names[i]), m);
        cr_assert(i == 0 || strcmp(names[i - 1], names[i]) < 0, "%s is out of order", names[i]);
        cr_assert(m->title && m->title[0] && m->source && m->source[0] && m->formula && m->formula[0], "%s",
                  m->name);
        cr_assert(m->loss && m->contract && m->case_count > 0, "%s", m->name);
        cr_assert(m->explanation && strlen(m->explanation) > 100 && !strchr(m->explanation, '\n'), "%s",
                  m->name);
        cr_assert_eq(rt_method_explanation(m->name), m->explanation);
        static rt_params options;
        char contract[RT_CONTRACT_BYTES], cut[20];
        fixture_options(&options, m->name, "");
        rt_method_contract(m->name, &options, contract, sizeof contract);
        cr_assert(strstr(contract, "L = ") && strstr(contract, "reduction") && strstr(contract, "stages"),
                  "%s:\n%s", m->name, contract);
        cr_assert_lt(strlen(contract), RT_CONTRACT_BYTES - 200);
        rt_method_contract(m->name, &options, cut, sizeof cut);
        cr_assert(strlen(cut) == sizeof cut - 1 && !strncmp(cut, contract, sizeof cut - 1));
        for (int r = 0; r < m->row_count; r++)
            cr_assert(m->rows[r].help && m->rows[r].help[0], "%s: %s has no help", m->name, m->rows[r].name);
        cr_assert_eq(rt_method_check(m->name, &options, 10, NULL), RT_OK);
    }
    cr_assert_null(rti_all_methods[count]);
    cr_assert_null(rti_method_find("nonsense"));
    cr_assert(rt_method_check("nonsense", NULL, 10, NULL) == RT_SPEC && !rt_method_needs_teacher("nonsense"));
    cr_assert_null(rt_method_rows("nonsense", &count));
}

/* One limit of one method: value and gradient of z. */
static void check_case(const rti_method *m, const rti_method_case *c) {
    static rt_params options;
    fixture_options(&options, m->name, c->settings);
    rt_real v[ROWS * WIDTH], z[ROWS * WIDTH];
    draw(v, ROWS * WIDTH, 1), draw(z, ROWS * WIDTH, 2);
    rt_graph *g = rt_graph_new(NULL);
    int64_t shape[] = {ROWS, WIDTH};
    rt_tensor *y = rt_graph_labels(g, labels, ROWS), *vt = rt_graph_input(g, v, 2, shape);
    rt_tensor *mine = rt_graph_input(g, z, 2, shape), *theirs = rt_graph_input(g, z, 2, shape);
    mine->requires_grad = theirs->requires_grad = true;
    bool labels_only = rt_method_is_labels_only(m->name, &options);
    rti_method_input in = {.graph = g, .y = y, .z = mine, .v = labels_only ? NULL : vt, .epochs = 1};
    rti_terms terms = {.count = 0};
    m->loss(NULL, &options, &in, &terms);
    rt_tensor *found = rti_terms_total(g, &terms), *expected = c->expected(g, vt, theirs, y);
    cr_assert(found && expected, "%s, %s: %s", m->name, c->name, rt_graph_error(g)->message);
    cr_assert_eq(rt_backward(g, found), RT_OK);
    cr_assert_eq(rt_backward(g, expected), RT_OK);
    double tolerance = c->bitwise ? 0 : sizeof(rt_real) == 8 ? 1e-10 : 1e-5;
    double a = rt_tensor_item(found), b = rt_tensor_item(expected), size = 0, nonzero = 0;
    cr_assert(fabs(a - b) <= tolerance * fabs(b), "%s, %s: %.15g, expected %.15g", m->name, c->name, a, b);
    for (int i = 0; i < ROWS * WIDTH; i++) size = fmax(size, fabs((double)theirs->grad[i]));
    for (int i = 0; i < ROWS * WIDTH; i++) {
        double d = fabs((double)mine->grad[i] - (double)theirs->grad[i]);
        cr_assert(d <= tolerance * size, "%s, %s: gradient %d", m->name, c->name, i);
        nonzero += mine->grad[i] != 0;
    }
    cr_assert_gt(nonzero, 0, "%s, %s: no gradient", m->name, c->name);
    rt_graph_free(g);
}

Test(all_methods, limits_hold) {
    for (int i = 0; rti_all_methods[i]; i++)
        for (int c = 0; c < rti_all_methods[i]->case_count; c++)
            check_case(rti_all_methods[i], &rti_all_methods[i]->cases[c]);
}

/* is_labels_only must tell the truth, both ways: it decides whether a teacher is asked at all. */
Test(all_methods, labels_only_is_cross_entropy_to_the_bit) {
    rt_real z[ROWS * WIDTH];
    draw(z, ROWS * WIDTH, 3);
    static const char *const settings[] = {"",
                                           "alpha=0",
                                           "epsilon=0",
                                           "weight=0",
                                           "alpha=1 alpha_on=hard",
                                           "weights=free hard_weight=1 soft_weight=0",
                                           "weights=free hard_weight=2 soft_weight=0"};
    for (int i = 0; rti_all_methods[i]; i++)
        for (int s = 0; s < 7; s++) {
            const rti_method *m = rti_all_methods[i];
            static rt_params options;
            if (m->init && !(m->needs & RTI_NEEDS_FEATURES))
                continue; /* a cohort is nothing without its state */
            fixture_options(&options, m->name, "");
            char name[32];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(settings[s], "="), settings[s]);
            if (settings[s][0] && rt_params_find(&options, name) < 0) continue;
            if (s == 4 && rt_params_find(&options, "alpha_on") < 0) continue;
            /* without features only what needs none can be computed */
            bool features = m->needs & RTI_NEEDS_FEATURES;
            if (features && s != 3) continue;
            fixture_set(&options, settings[s]);
            if (features && !rt_method_is_labels_only(m->name, &options)) continue;
            rt_graph *g = rt_graph_new(NULL);
            rt_real other[ROWS * WIDTH];
            draw(other, ROWS * WIDTH, 4);
            rti_method_input in = {.graph = g,
                                   .y = rt_graph_labels(g, labels, ROWS),
                                   .epochs = 1,
                                   .z = rt_graph_input(g, z, 2, (int64_t[]){ROWS, WIDTH}),
                                   .v = rt_graph_input(g, other, 2, (int64_t[]){ROWS, WIDTH})};
            rti_terms terms = {.count = 0};
            m->loss(NULL, &options, &in, &terms);
            double found = rt_tensor_item(rti_terms_total(g, &terms));
            double ce = rt_tensor_item(rt_cross_entropy(g, in.z, in.y));
            cr_assert_eq(rt_method_is_labels_only(m->name, &options), found == ce, "%s with \"%s\"", m->name,
                         settings[s]);
            rt_graph_free(g);
        }
}

/* ---- a run ---- */

typedef struct watch {
    rt_model *teacher, *student;
    int64_t epochs_seen;
    bool live;
} watch;

static bool watch_step(void *context, int64_t epoch, int64_t step, int64_t steps) {
    watch *w = context;
    (void)steps;
    cr_assert(rt_model_is_training(w->student), "the student is not in training mode in epoch %d",
              (int)epoch);
    cr_assert(!rt_model_is_training(w->teacher), "the teacher is in training mode in epoch %d", (int)epoch);
    for (int i = 0; i < rt_model_parameters(w->teacher); i++) {
        const rt_tensor *t = &rt_model_parameter(w->teacher, i)->tensor;
        cr_assert(!t->has_grad && !t->requires_grad, "the teacher has a gradient");
    }
    if (step == 0) w->epochs_seen++;
    return true;
}

static void run_method(const char *method, int jitter) {
    static rt_params optimizer, options;
    rt_error error;
    fixture_optimizer(&optimizer, "lr=0.05 momentum=0.9");
    fixture_options(&options, method, "");
    watch w = {.teacher = fixture_teacher_net(1),
               .student = fixture_model("hidden=[10] dropout.hidden=0.3", 2)};
    rt_teacher *teacher = fixture_teacher(&w.teacher, 1, RT_COMBINE_LOGITS);
    rt_distiller_config look = {.student = w.student,
                                .teacher = teacher,
                                .method = method,
                                .options = &options,
                                .transfer = &fixture_part,
                                .batch = BATCH,
                                .epochs = 3,
                                .training = &optimizer};
    char text[1024];
    if (rt_distiller_describe(&look, text, sizeof text, &error) == RT_UNSUPPORTED) { /* it needs maps */
        rt_teacher_free(teacher);
        rt_model_free(w.teacher), rt_model_free(w.student);
        w.teacher = fixture_teacher_for(method, 1), w.student = fixture_student_for(method, 2);
        teacher = fixture_teacher(&w.teacher, 1, RT_COMBINE_LOGITS);
    }
    rt_real *teacher_before = fixture_weights(w.teacher), *student_before = fixture_weights(w.student);
    rt_distiller_config c = {.student = w.student,
                             .teacher = teacher,
                             .method = method,
                             .options = &options,
                             .transfer = &fixture_part,
                             .batch = BATCH,
                             .augment = {.jitter = jitter},
                             .seed = 3,
                             .epochs = 3,
                             .training = &optimizer,
                             .on_step = watch_step,
                             .on_step_context = &w};
    rt_distiller *d = fixture_distiller(&c);
    rt_quality quality;
    for (int i = 0; i < 3; i++) {
        rt_epoch_report report = fixture_epoch(d);
        cr_assert(isfinite(report.loss) && report.loss > 0 && report.terms > 0 && report.epoch == i);
        for (int t = 0; t < report.terms; t++)
            cr_assert(report.term[t].weight != 0 && report.term[t].value > 0, "%s: term %s is nothing",
                      method, report.term[t].name);
        cr_assert_eq(rt_evaluate(w.student, teacher, &fixture_part, &quality, NULL, NULL), RT_OK);
    }
    cr_assert_eq(w.epochs_seen, 3);
    int64_t count;
    cr_assert_arr_eq(rt_model_block(w.teacher, &count), teacher_before, fixture_block_bytes(w.teacher));
    for (int i = 0; i < rt_model_parameters(w.student); i++) {
        rt_parameter *p = rt_model_parameter(w.student, i);
        size_t bytes = (size_t)rt_tensor_count(&p->tensor) * sizeof(rt_real);
        cr_assert(memcmp(p->tensor.data, student_before + p->offset, bytes) != 0, "%s: %s did not change",
                  method, p->name);
    }
    rt_distiller_free(d);
    rt_teacher_free(teacher);
    rt_model_free(w.teacher), rt_model_free(w.student);
    rt_free(teacher_before), rt_free(student_before);
}

/* Through student and adapters, in every stage; differences need double. */
Test(all_methods, gradients_of_whole_losses_are_right) {
    if (sizeof(rt_real) < sizeof(double)) return;
    for (int i = 0; rti_all_methods[i]; i++) {
        rt_error error = {0};
        rt_gradcheck_result result;
        cr_assert_eq(rt_method_gradcheck(rti_all_methods[i]->name, 0, &result, &error), RT_OK, "%s",
                     error.message);
        cr_assert_geq(result.checked, 50, "%s", rti_all_methods[i]->name);
    }
    rt_error error = {0};
    cr_assert_eq(rt_method_gradcheck("kdd", 0, NULL, &error), RT_NOT_FOUND);
}

Test(all_methods, a_run_trains_the_student_and_leaves_the_teacher_alone) {
    fixture_data();
    for (int i = 0; rti_all_methods[i]; i++)
        run_method(rti_all_methods[i]->name, 0), run_method(rti_all_methods[i]->name, 1);
}

/* The driver's own cache against the teacher, for the batches of shuffled epochs. */
Test(all_methods, soft_targets_belong_to_the_example_at_hand) {
    fixture_data();
    for (int i = 0; rti_all_methods[i]; i++) {
        if (!(rti_all_methods[i]->needs & RTI_NEEDS_TEACHER_LOGITS)) continue;
        if (rti_all_methods[i]->needs & RTI_NEEDS_FEATURES) continue; /* asks the teacher in every step */
        static rt_params optimizer, options;
        fixture_optimizer(&optimizer, "lr=0.05");
        fixture_options(&options, rti_all_methods[i]->name, "");
        rt_model *net = fixture_teacher_net(1), *student = fixture_model("hidden=[10]", 2);
        rt_teacher *teacher = fixture_teacher(&net, 1, RT_COMBINE_LOGITS);
        rt_distiller *d = fixture_distiller(&(rt_distiller_config){.student = student,
                                                                   .teacher = teacher,
                                                                   .method = rti_all_methods[i]->name,
                                                                   .options = &options,
                                                                   .transfer = &fixture_part,
                                                                   .batch = BATCH,
                                                                   .seed = 3,
                                                                   .epochs = 3,
                                                                   .training = &optimizer});
        fixture_epoch(d), fixture_epoch(d);
        rt_graph *g = rt_graph_new(NULL);
        rt_rng rng = rt_rng_stream(1, "positions", 0, 0);
        for (int k = 0; k < 200; k++) {
            int32_t position = (int32_t)rt_rng_below(&rng, PART);
            rt_real x[PIXELS];
            for (int p = 0; p < PIXELS; p++)
                x[p] = fixture_pixels[fixture_index[position] * PIXELS + p] * (rt_real)fixture_examples.scale;
            rt_tensor *fresh = rt_teacher_logits(
                teacher, g, rt_graph_input(g, x, 4, (int64_t[]){1, 1, SIDE, SIDE}), d->part[0].T);
            rt_tensor *kept = rti_cache_logits(d->cache, g, &position, 1, d->part[0].T);
            cr_assert_arr_eq(rt_real_data(kept), rt_real_data(fresh), CLASSES * sizeof(rt_real),
                             "position %d", position);
            rt_graph_reset(g);
        }
        rt_graph_free(g);
        rt_distiller_free(d);
        rt_teacher_free(teacher);
        rt_model_free(net), rt_model_free(student);
    }
}

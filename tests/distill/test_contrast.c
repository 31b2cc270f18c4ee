/* crd: the loss against the published formula in plain double loops, with the negatives that the method drew
 * (found on the tape), both directions; gradients to features and embeddings against central differences; who
 * may be a negative; banks that move only where the batch is; trainings that go on from a checkpoint, to the
 * bit. */
#define RIG_EXAMPLES 5
#include "features_rig.h"

enum { N = RIG_N, D = 6, n = 14, K = RIG_CLASSES };

static rig r;
static const int32_t transfer_labels[n] = {0, 1, 2, 3, 4, 0, 1, 2, 0, 0, 3, 4, 1, 0};
static const rt_part transfer = {.count = n, .labels = transfer_labels};
static const int64_t shapes[][2][3] = {{{7}, {2, 2, 2}}};

static void open_crd(const char *settings) {
    rt_error error = {0};
    char text[128];
    snprintf(text, sizeof text, "embedding=%d %s", D, settings);
    rig_prepare(&r, "crd", text, 1, shapes);
    r.config.transfer = &transfer;
    static const int32_t places[N] = {3, 11, 0, 7, 13};
    memcpy(r.index, places, sizeof places);
    cr_assert_eq(rig_init(&r, &error), RT_OK, "%s", error.message);
}

/* What the state looks like from outside: its checkpoint. */
typedef struct seen {
    int64_t n, D, negatives, has_Z[2];
    double log_Z[2];
    rt_real bank[2][n][D];
} seen;

static seen look(void) {
    seen s;
    void *bytes;
    size_t count;
    cr_assert_eq(r.method->save(r.state, &bytes, &count, NULL), RT_OK);
    cr_assert_eq(count, sizeof s);
    memcpy(&s, bytes, sizeof s);
    rt_free(bytes);
    return s;
}

/* The negatives of a step: the index is what the products of the loss were taken with. It is found on the
 * tape, as the last input of the first op with three of them. */
static const int32_t *indices(rt_tensor *total) {
    rt_tensor *queue[256];
    int count = 0;
    queue[count++] = total;
    for (int i = 0; i < count; i++) {
        const rti_node *node = queue[i]->node;
        if (!node) continue;
        if (strcmp(node->op->name, "bank_products") == 0) return rt_i32_data(node->in[2]);
        for (int k = 0; k < node->inputs && count < 256; k++) queue[count++] = node->in[k];
    }
    cr_assert_fail("no products with a bank");
    return NULL;
}

static void embedding(int side, int i, double e[D]) {
    int64_t width = rig_size(side ? &r.teacher[0] : &r.student[0]);
    const rt_real *x = (side ? r.t[0] : r.s[0]) + i * width;
    const rt_real *w = rt_real_data(&rt_model_parameter(r.adapters.model[side], 0)->tensor);
    const rt_real *b = rt_real_data(&rt_model_parameter(r.adapters.model[side], 1)->tensor);
    double squares = 0;
    for (int u = 0; u < D; u++) {
        e[u] = (double)b[u];
        for (int64_t d = 0; d < width; d++) e[u] += (double)w[u * width + d] * (double)x[d];
        squares += e[u] * e[u];
    }
    for (int u = 0; u < D; u++) e[u] /= sqrt(squares);
}

static double probability(const seen *s, int side, int i, int32_t row, double T) {
    double e[D], x = 0;
    embedding(side, i, e);
    for (int u = 0; u < D; u++) x += e[u] * (double)s->bank[1 - side][row][u];
    return exp(x / T - s->log_Z[side]);
}

static double crd_expected(const seen *s, const int32_t *index, int64_t m, double T) {
    double total = 0, c = (double)m / n;
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < N; i++)
            for (int64_t k = 0; k <= m; k++) {
                double P = probability(s, side, i, index[i * (m + 1) + k], T);
                total -= k ? log(c / (P + c)) : log(P / (P + c));
            }
    return total / N;
}

Test(contrast_crd, variants) {
    static const char *const settings[] = {"n_neg=4", "n_neg=4 negatives=others temperature=0.1",
                                           "n_neg=9 negatives=any temperature=0.5", ""};
    static const double T[] = {0.07, 0.1, 0.5, 0.07};
    static const int64_t negatives[] = {4, 4, 9, n - 5}; /* class 0 has 5 examples: there are no more */
    for (int v = 0; v < 4; v++) {
        open_crd(settings[v]);
        int32_t index[N * (n + 1)];
        rt_tensor *total = rig_loss(&r);
        int64_t m = negatives[v];
        memcpy(index, indices(total), (size_t)(N * (m + 1)) * sizeof *index);
        seen s = look();
        cr_assert(s.negatives == m && s.n == n && s.D == D);
        for (int side = 0; side < 2; side++) { /* Z of the first batch: n times the mean */
            double Z = 0;
            for (int i = 0; i < N; i++)
                for (int64_t k = 0; k <= m; k++)
                    Z += probability(&s, side, i, index[i * (m + 1) + k], T[v]) * exp(s.log_Z[side]);
            rig_close_to(exp(s.log_Z[side]), Z / (double)(N * (m + 1)) * n, "Z");
        }
        double expected = crd_expected(&s, index, m, T[v]);
        rig_close_to(rig_term(&r, "crd"), expected, settings[v]);
        cr_assert(expected > 0.1 && rig_weight(&r, "crd") == 0.8 && rig_weight(&r, "ce") == 1);
        cr_assert_eq(r.adapters.count, 2);
        rig_check_gradient(&r, 1e-6);
        /* Z stays: other features, the same Z */
        for (int e = 0; e < N * 7; e++) r.s[0][e] *= -2;
        expected = crd_expected(&s, index, m, T[v]);
        rig_close_to(rig_term(&r, "crd"), expected, "a later batch");
        cr_assert(look().log_Z[0] == s.log_Z[0] && look().log_Z[1] == s.log_Z[1]);
        rig_close(&r);
    }
}

/* Who may be a negative; none twice, unless any may; every candidate has its turn; the same again. */
Test(contrast_crd, negatives) {
    static const char *const settings[] = {"n_neg=4", "n_neg=4 negatives=others", "n_neg=4 negatives=any"};
    for (int v = 0; v < 3; v++) {
        bool came[N][n] = {{false}}, itself = false, twice = false;
        int32_t first[N * 5];
        open_crd(settings[v]);
        for (int step = 0; step < 300; step++) {
            r.step = step % 100, r.epoch = step / 100;
            const int32_t *index = indices(rig_loss(&r));
            if (step == 0) memcpy(first, index, sizeof first);
            if (step == 1) cr_assert_neq(memcmp(first, index, sizeof first), 0, "every step draws the same");
            for (int i = 0; i < N; i++) {
                cr_assert_eq(index[i * 5], r.index[i], "the positive is the example itself");
                for (int k = 1; k < 5; k++) {
                    int32_t other = index[i * 5 + k];
                    cr_assert(other >= 0 && other < n);
                    came[i][other] = true;
                    itself |= other == r.index[i];
                    for (int j = 1; j < k; j++) twice |= index[i * 5 + j] == other;
                    if (v == 0) cr_assert_neq(transfer_labels[other], transfer_labels[r.index[i]]);
                }
            }
        }
        for (int i = 0; i < N; i++)
            for (int o = 0; o < n; o++) {
                bool allowed = v == 2 ||
                               (v == 1 ? o != r.index[i] : transfer_labels[o] != transfer_labels[r.index[i]]);
                cr_assert_eq(came[i][o], allowed, "%s: example %d, %d", settings[v], (int)r.index[i], o);
            }
        cr_assert(itself == (v == 2) && twice == (v == 2), "%s", settings[v]);
        r.step = r.epoch = 0; /* a function of (seed, epoch, step), not of what was drawn before */
        cr_assert_arr_eq(indices(rig_loss(&r)), first, sizeof first);
        r.epoch = 1;
        cr_assert_neq(memcmp(indices(rig_loss(&r)), first, sizeof first), 0, "every epoch draws the same");
        rig_close(&r);
    }
}

/* After a step: 0.75 old + 0.25 new, length 1, for the batch's rows; the others to the bit. */
Test(contrast_crd, banks) {
    open_crd("n_neg=4 momentum=0.75");
    seen before = look();
    double squares = 0;
    for (int side = 0; side < 2; side++)
        for (int row = 0; row < n; row++)
            for (int u = 0; u < D; u++) {
                double x = (double)before.bank[side][row][u];
                cr_assert(fabs(x) <= 1 / sqrt(D / 3.0) + 1e-6);
                squares += x * x / (2 * n);
            }
    cr_assert(!before.has_Z[0] && !before.has_Z[1] && fabs(squares - 1) < 0.3); /* length 1 on average */
    rti_method_input in;
    rig_step(&r, &in);
    seen unmoved = look();
    cr_assert_arr_eq(unmoved.bank, before.bank, sizeof before.bank, "banks move before the step has ended");
    r.method->step_end(r.state, &in);
    seen after = look();
    for (int side = 0; side < 2; side++)
        for (int row = 0; row < n; row++) {
            int at = -1;
            for (int i = 0; i < N; i++)
                if (r.index[i] == row) at = i;
            if (at < 0) {
                cr_assert_arr_eq(after.bank[side][row], before.bank[side][row], sizeof before.bank[0][0]);
                continue;
            }
            double e[D], moved[D], length = 0;
            embedding(side, at, e);
            for (int u = 0; u < D; u++) {
                moved[u] = 0.75 * (double)before.bank[side][row][u] + 0.25 * e[u];
                length += moved[u] * moved[u];
            }
            for (int u = 0; u < D; u++)
                rig_close_to((double)after.bank[side][row][u], moved[u] / sqrt(length), "a row of the batch");
        }
    r.method->step_end(r.state, &in); /* nothing new since then */
    seen again = look();
    cr_assert_arr_eq(again.bank, after.bank, sizeof after.bank);
    rig_close(&r);
}

/* Save, go on, load, go on: the same loss to the bit; what does not fit is refused and changes nothing. */
Test(contrast_crd, checkpoints) {
    open_crd("n_neg=4");
    rti_method_input in;
    rig_step(&r, &in), r.method->step_end(r.state, &in);
    void *bytes;
    size_t count;
    cr_assert_eq(r.method->save(r.state, &bytes, &count, NULL), RT_OK);
    double values[3];
    for (r.step = 1; r.step < 4; r.step++) {
        values[r.step - 1] = rt_tensor_item(rig_step(&r, &in));
        r.method->step_end(r.state, &in);
    }
    seen end = look();
    rt_error error;
    cr_assert_eq(r.method->load(r.state, bytes, count - 1, &error), RT_FORMAT);
    cr_assert_eq(r.method->load(r.state, bytes, 4, &error), RT_FORMAT);
    seen kept = look();
    cr_assert_arr_eq(&kept, &end, sizeof end);
    cr_assert_eq(r.method->load(r.state, bytes, count, &error), RT_OK, "%s", error.message);
    for (r.step = 1; r.step < 4; r.step++) {
        cr_assert_eq(rt_tensor_item(rig_step(&r, &in)), values[r.step - 1], "step %d", (int)r.step);
        r.method->step_end(r.state, &in);
    }
    seen again = look();
    cr_assert_arr_eq(&again, &end, sizeof end);
    rt_free(bytes);
    rig_close(&r);
}

/* The whole driver: two epochs in one go, and with a checkpoint after the first one. */
Test(contrast_crd, a_training_goes_on) {
    fixture_data();
    rt_model *student[2], *net = fixture_teacher_net(1);
    rt_teacher *teacher = fixture_teacher(&net, 1, RT_COMBINE_LOGITS);
    static rt_params optimizer, options;
    fixture_optimizer(&optimizer, "lr=0.05 momentum=0.9");
    fixture_options(&options, "crd", "n_neg=16 embedding=8");
    rt_epoch_report last[2];
    for (int run = 0; run < 2; run++) {
        student[run] = fixture_model("hidden=[10]", 2);
        rt_distiller_config c = {.student = student[run],
                                 .teacher = teacher,
                                 .method = "crd",
                                 .options = &options,
                                 .transfer = &fixture_part,
                                 .batch = BATCH,
                                 .seed = 3,
                                 .epochs = 3,
                                 .training = &optimizer};
        rt_distiller *d = fixture_distiller(&c);
        cr_assert_eq(rt_distiller_extra_parameters(d), 8 * 10 + 8 + 8 * 16 + 8);
        fixture_epoch(d);
        if (run) {
            void *bytes;
            size_t count;
            cr_assert_eq(rt_distiller_save(d, &bytes, &count, NULL), RT_OK);
            rt_distiller_free(d);
            d = fixture_distiller(&c);
            cr_assert_eq(rt_distiller_restore(d, bytes, count, NULL), RT_OK);
            rt_free(bytes);
        }
        fixture_epoch(d), last[run] = fixture_epoch(d);
        rt_distiller_free(d);
    }
    cr_assert(fixture_same_weights(student[0], student[1]) && last[0].loss == last[1].loss);
    rt_teacher_free(teacher);
    rt_model_free(net), rt_model_free(student[0]), rt_model_free(student[1]);
}

Test(contrast_crd, extremes_and_refusals) {
    open_crd("n_neg=4 temperature=0.001"); /* exp(1/T) is infinite */
    rig_finite(&r);
    memset(r.s[0], 0, sizeof r.s[0]);
    rig_finite(&r);
    rig_close(&r);
    open_crd("n_neg=4"); /* batches of one are like others */
    r.N = 1;
    rig_finite(&r);
    rig_close(&r);
    static const int32_t one_class[3] = {2, 2, 2};
    static const rt_part alone = {.count = 3, .labels = one_class};
    static rt_error error;
    rig_prepare(&r, "crd", "", 1, shapes);
    r.config.transfer = &alone;
    cr_assert_eq(rig_init(&r, &error), RT_UNSUPPORTED);
    cr_assert(strstr(error.message, "another class") && strstr(error.message, "\"any\""), "%s",
              error.message);
    rig_close(&r);
    rig_prepare(&r, "crd", "", 1, shapes);
    r.config.transfer = &transfer, r.config.augment.mixup = 0.2;
    cr_assert_eq(rig_init(&r, &error), RT_UNSUPPORTED);
    cr_assert(strstr(error.message, "mixup"), "%s", error.message);
    rig_close(&r);
}

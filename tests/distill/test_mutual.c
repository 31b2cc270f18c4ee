/* dml: every term against plain loops in double over the logits of the cohort; who gets which gradient; mixed
 * labels; the peers are other networks than the student; what is refused. */
#include "distill/adapters.h"
#include "fixture.h"
#include "retort/ops.h"

enum { ROWS = 6, PEERS = 2 };
static const int32_t labels[ROWS] = {0, 3, 2, 1, 1, 3}, partners[ROWS] = {2, 3, 1, 0, 1, 2};

static double log_p(const rt_real *z, double T, int k) {
    double m = -INFINITY, s = 0;
    for (int j = 0; j < CLASSES; j++) m = fmax(m, (double)z[j]);
    for (int j = 0; j < CLASSES; j++) s += exp(((double)z[j] - m) / T);
    return ((double)z[k] - m) / T - log(s);
}

static double cross_entropy(const rt_real *z, double lambda) {
    double sum = 0;
    for (int n = 0; n < ROWS; n++)
        sum -= lambda * log_p(z + n * CLASSES, 1, labels[n]) +
               (1 - lambda) * log_p(z + n * CLASSES, 1, partners[n]);
    return sum / ROWS;
}

static double divergence(const rt_real *other, const rt_real *own, double T) {
    double sum = 0;
    for (int n = 0; n < ROWS; n++)
        for (int k = 0; k < CLASSES; k++) {
            const double p = log_p(other + n * CLASSES, T, k);
            sum += exp(p) * (p - log_p(own + n * CLASSES, T, k));
        }
    return sum / ROWS;
}

typedef struct cohort {
    rt_params options;
    rt_model *student;
    rti_adapters adapters;
    const rti_method *method;
    void *state;
    rt_graph *graph;
    rti_terms terms;
    rt_tensor *z;
    rt_real logits[1 + PEERS][ROWS * CLASSES];
} cohort;

static void open_cohort(cohort *c, const char *settings) {
    fixture_data();
    *c = (cohort){.method = rti_method_find("dml")};
    fixture_options(&c->options, "dml", settings);
    c->student = fixture_model("hidden=[10]", 3);
    c->graph = rt_graph_new(NULL);
    const rt_distiller_config config = {.student = c->student, .seed = 7, .options = &c->options};
    const rti_method_setup setup = {
        .config = &config, .options = &c->options, .classes = CLASSES, .adapters = &c->adapters};
    rt_error error = {0};
    cr_assert_eq(c->method->init(&c->state, &setup, &error), RT_OK, "%s", error.message);
}

static void close_cohort(cohort *c) {
    c->method->deinit(c->state);
    rti_adapters_deinit(&c->adapters);
    rt_model_free(c->student);
    rt_graph_free(c->graph);
}

/* The total of one step; c->logits holds what each network said. lambda 1: no mixup. */
static rt_tensor *total_of(cohort *c, double lambda) {
    static rt_real x[ROWS * PIXELS];
    rt_graph *g = c->graph;
    rt_graph_reset(g);
    for (int i = 0; i < ROWS * PIXELS; i++) x[i] = (rt_real)(fixture_pixels[i] / 255.0);
    rti_method_input in = {.graph = g,
                           .x = rt_graph_input(g, x, 4, (int64_t[]){ROWS, 1, SIDE, SIDE}),
                           .y = rt_graph_labels(g, labels, ROWS),
                           .lambda = lambda,
                           .epochs = 1};
    if (lambda < 1) in.y2 = rt_graph_labels(g, partners, ROWS);
    for (int i = 0; i <= c->adapters.count; i++) {
        rt_tensor *z = rt_model_forward(i ? c->adapters.model[i - 1] : c->student, g, in.x);
        cr_assert(z, "%s", rt_graph_error(g)->message);
        memcpy(c->logits[i], rt_real_data(z), sizeof c->logits[i]);
        if (i == 0) in.z = c->z = z;
    }
    c->terms.count = 0;
    c->method->loss(c->state, &c->options, &in, &c->terms);
    rt_tensor *total = rti_terms_total(g, &c->terms);
    cr_assert(total, "%s", rt_graph_error(g)->message);
    return total;
}

static void term_is(const cohort *c, const char *name, double expected) {
    const double tolerance = sizeof(rt_real) == 8 ? 1e-12 : 4e-6;
    for (int i = 0; i < c->terms.count; i++) {
        if (strcmp(c->terms.term[i].name, name)) continue;
        const double found = c->terms.term[i].weight * rt_tensor_item(c->terms.term[i].value);
        cr_assert(fabs(found - expected) <= tolerance * (1 + fabs(expected)), "%s: %.12g, expected %.12g",
                  name, found, expected);
        return;
    }
    cr_assert(false, "no term %s", name);
}

Test(mutual, terms_are_those_of_the_formula) {
    static const struct {
        const char *settings;
        double hard, weight, T;
        int peers;
        bool mean;
    } cases[] = {
        {"", 1, 1, 1, 1, false},
        {"peers=2", 1, 1, 1, 2, false},
        {"peers=2 average=mean weight=3 temperature=4 hard_weight=0.5", 0.5, 3, 4, 2, true},
        {"peers=1 average=mean weight=2 temperature=2", 1, 2, 2, 1, true},
    };
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++)
        for (int mixed = 0; mixed < 2; mixed++) {
            cohort c;
            open_cohort(&c, cases[i].settings);
            const double lambda = mixed ? 0.7 : 1, T = cases[i].T;
            const int count = 1 + cases[i].peers;
            cr_assert_eq(c.adapters.count, cases[i].peers);
            total_of(&c, lambda);
            const double weight = cases[i].weight * T * T / (cases[i].mean ? count - 1 : 1);
            double all[1 + PEERS] = {0}, peers = 0;
            for (int of = 0; of < count; of++) {
                for (int j = 0; j < count; j++)
                    if (j != of) all[of] += weight * divergence(c.logits[j], c.logits[of], T);
                if (of) peers += all[of] + cases[i].hard * cross_entropy(c.logits[of], lambda);
            }
            cr_assert(all[0] > 1e-4, "the networks say the same: %g", all[0]);
            term_is(&c, "ce", cases[i].hard * cross_entropy(c.logits[0], lambda));
            term_is(&c, "mutual", all[0]);
            term_is(&c, "peers", peers);
            close_cohort(&c);
        }
}

/* d/dz of the student: its own loss alone, (softmax(z) - onehot)/N + T (softmax(z/T) - mean of others)/N; the
 * peers' losses are constants to it, and each peer's parameters move. */
Test(mutual, each_student_learns_from_its_own_loss) {
    cohort c;
    open_cohort(&c, "peers=2 temperature=3");
    rt_tensor *total = total_of(&c, 1);
    cr_assert_eq(rt_backward(c.graph, total), RT_OK);
    const double tolerance = sizeof(rt_real) == 8 ? 1e-12 : 2e-6;
    for (int n = 0; n < ROWS; n++)
        for (int k = 0; k < CLASSES; k++) {
            const rt_real *own = c.logits[0] + n * CLASSES;
            double expected = exp(log_p(own, 1, k)) - (k == labels[n]);
            for (int j = 1; j <= PEERS; j++)
                expected += 3 * (exp(log_p(own, 3, k)) - exp(log_p(c.logits[j] + n * CLASSES, 3, k)));
            cr_assert(fabs((double)c.z->grad[n * CLASSES + k] - expected / ROWS) <= tolerance, "%d %d", n, k);
        }
    for (int j = 0; j < PEERS; j++)
        for (int i = 0; i < rt_model_parameters(c.adapters.model[j]); i++) {
            const rt_parameter *p = rt_model_parameter(c.adapters.model[j], i);
            double size = 0;
            for (int64_t e = 0; e < rt_tensor_count(&p->tensor); e++) size += fabs((double)p->tensor.grad[e]);
            cr_assert(size > 0, "peer %d: nothing pulls at %s", j, p->name);
        }
    close_cohort(&c);
}

/* Born-again in a peer shares one object between teacher and student: the divergence is 0 for ever. */
Test(mutual, peers_have_weights_of_their_own) {
    cohort c;
    open_cohort(&c, "peers=2");
    cr_assert(!fixture_same_weights(c.student, c.adapters.model[0]));
    cr_assert(!fixture_same_weights(c.student, c.adapters.model[1]));
    cr_assert(!fixture_same_weights(c.adapters.model[0], c.adapters.model[1]));
    close_cohort(&c);
}

Test(mutual, a_cohort_without_labels_is_refused) {
    rt_error error = {0};
    rt_params options;
    fixture_options(&options, "dml", "hard_weight=0");
    cr_assert_eq(rti_method_find("dml")->check(&options, CLASSES, &error), RT_SPEC);
    cr_assert(strstr(error.message, "hard_weight"), "%s", error.message);
}

/* teacher.c - one network or an ensemble that answers as one.          Floor 7 (distill)
 *
 * Members are frozen when the teacher is made, put into evaluation mode before every pass, and run
 * without a tape: nothing a student does can change them, and none of their answers depends on what
 * was asked before. */
#include "distill/teacher.h"

#include <math.h>
#include <string.h>

#include "graph/op.h"
#include "ops/softmax_row.h"
#include "retort/alloc.h"

struct rt_teacher {
    int count;
    rt_combine combine;
    int64_t classes;
    rt_model *member[RT_TEACHER_MEMBERS_MAX];
    rti_stored stored; /* no tables: it is made of networks; else count is 1 and the member NULL */
};

rt_teacher *rt_teacher_new(rt_model *const members[], int count, rt_combine combine, rt_error *error) {
    if (count < 1 || count > RT_TEACHER_MEMBERS_MAX) {
        rt_fail(error, RT_VALUE, "a teacher of %d networks: 1 to %d are possible", count,
                RT_TEACHER_MEMBERS_MAX);
        return NULL;
    }
    int64_t classes = rt_model_classes(members[0]);
    for (int i = 1; i < count; i++) {
        if (rt_model_classes(members[i]) == classes) continue;
        rt_fail(error, RT_SHAPE, "network %d of the teacher has %lld classes, the first one %lld", i + 1,
                (long long)rt_model_classes(members[i]), (long long)classes);
        return NULL;
    }
    rt_teacher *teacher = rt_alloc_zero(1, sizeof *teacher);
    if (!teacher) {
        rt_fail(error, RT_MEMORY, "no memory for a teacher");
        return NULL;
    }
    *teacher = (rt_teacher){.count = count, .combine = combine, .classes = classes};
    for (int i = 0; i < count; i++) {
        teacher->member[i] = members[i];
        rt_model_freeze(members[i]);
        rt_model_evaluate(members[i]);
    }
    return teacher;
}

rt_teacher *rt_teacher_open(const char *path, rt_answer_form form, const rt_examples *examples,
                            rt_error *error) {
    rt_teacher *teacher = rt_alloc_zero(1, sizeof *teacher);
    if (!teacher) {
        rt_fail(error, RT_MEMORY, "no memory for a teacher");
        return NULL;
    }
    teacher->count = 1;
    teacher->classes = examples->classes;
    if (rti_stored_read(&teacher->stored, path, form, examples, error) == RT_OK) return teacher;
    rt_teacher_free(teacher);
    return NULL;
}

rt_status rt_teacher_open_more(rt_teacher *teacher, const char *path, rt_answer_form form,
                               const rt_examples *examples, rt_error *error) {
    RT_ASSERT(rt_teacher_is_stored(teacher), "a teacher of networks needs no more answers");
    if (examples->classes != teacher->classes)
        return rt_fail(error, RT_SHAPE, "%s: answers of %d classes, the others have %lld", path,
                       examples->classes, (long long)teacher->classes);
    return rti_stored_read(&teacher->stored, path, form, examples, error);
}

bool rt_teacher_is_stored(const rt_teacher *teacher) { return teacher->stored.tables > 0; }

const rti_stored *rti_teacher_stored(const rt_teacher *teacher) {
    return teacher->stored.tables ? &teacher->stored : NULL;
}

bool rti_teacher_knows(const rt_teacher *teacher, const rt_examples *examples) {
    return !rt_teacher_is_stored(teacher) || rti_stored_logits(&teacher->stored, examples);
}

void rt_teacher_free(rt_teacher *teacher) {
    if (teacher) rti_stored_deinit(&teacher->stored);
    rt_free(teacher);
}

int64_t rt_teacher_classes(const rt_teacher *teacher) { return teacher->classes; }

int rt_teacher_members(const rt_teacher *teacher) { return teacher->count; }

rt_model *rt_teacher_member(const rt_teacher *teacher, int i) {
    RT_ASSERT(i >= 0 && i < teacher->count, "member %d of %d", i, teacher->count);
    RT_ASSERT(!rt_teacher_is_stored(teacher), "the teacher is the file %s, no network", teacher->stored.name);
    return teacher->member[i];
}

void rti_teacher_hash_members(const rt_teacher *teacher, rti_hash *hash) {
    if (rt_teacher_is_stored(teacher)) {
        rti_hash_add_text(hash, "stored");
        rti_stored_hash(&teacher->stored, hash);
        return;
    }
    for (int i = 0; i < teacher->count; i++) {
        char text[RTI_HASH_TEXT];
        rt_model_hash(teacher->member[i], text);
        rti_hash_add_text(hash, text);
    }
}

void rt_teacher_hash(const rt_teacher *teacher, char text[33]) {
    static const char *const names[] = {"logits", "probabilities", "geometric"};
    rti_hash hash;
    rti_hash_init(&hash, 0);
    rti_hash_add_text(&hash, teacher->count == 1 ? "single" : names[teacher->combine]);
    rti_teacher_hash_members(teacher, &hash);
    rti_hash_finish_text(&hash, text);
}

/* ---- combining ----
 *
 *   logits          v = mean_m v_m
 *   probabilities   v = T log( (1/M) sum_m softmax(v_m/T) )    by log-sum-exp over the members
 *   geometric       v = T mean_m log softmax(v_m/T)            differs from mean_m v_m by a constant
 *                                                              per row, so it is the same softmax */

static void combine_row(rt_combine how, const rt_real *const member[], int M, int64_t at, int64_t K, double T,
                        double *scratch, rt_real *v) {
    double *p = scratch, *log_p = scratch + K, *sum = scratch + 2 * K, *top = scratch + 3 * K;
    for (int64_t k = 0; k < K; k++) sum[k] = 0, top[k] = -INFINITY;
    for (int m = 0; m < M; m++) {
        const rt_real *row = member[m] + at;
        if (how == RT_COMBINE_LOGITS) {
            for (int64_t k = 0; k < K; k++) sum[k] += (double)row[k];
            continue;
        }
        rti_softmax_row(K, row, T, p, log_p);
        for (int64_t k = 0; k < K; k++) {
            if (how == RT_COMBINE_GEOMETRIC) {
                sum[k] += log_p[k];
            } else if (log_p[k] == -INFINITY) {
                continue;
            } else if (log_p[k] > top[k]) { /* sum stays relative to the largest seen */
                sum[k] = sum[k] * exp(top[k] - log_p[k]) + 1;
                top[k] = log_p[k];
            } else {
                sum[k] += exp(log_p[k] - top[k]);
            }
        }
    }
    for (int64_t k = 0; k < K; k++) {
        double value = how == RT_COMBINE_LOGITS      ? sum[k] / M
                       : how == RT_COMBINE_GEOMETRIC ? T * sum[k] / M
                                                     : T * (top[k] + log(sum[k] / M));
        v[at + k] = (rt_real)value;
    }
}

bool rti_teacher_combine(const rt_teacher *teacher, rt_graph *graph, const rt_real *const member[], int64_t N,
                         double T, rt_real *v) {
    int64_t K = teacher->classes;
    if (teacher->count == 1) {
        memcpy(v, member[0], (size_t)(N * K) * sizeof *v);
        return true;
    }
    double *scratch = rti_step_alloc(graph, (size_t)(4 * K) * sizeof *scratch);
    if (!scratch) return false;
    for (int64_t n = 0; n < N; n++)
        combine_row(teacher->combine, member, teacher->count, n * K, K, T, scratch, v);
    return true;
}

static rt_tensor *ask_with_noise(rt_model *member, rt_graph *graph, rt_tensor *x,
                                 const rti_teacher_noise *noise, int number) {
    const uint64_t own = UINT64_C(0x9E3779B97F4A7C15) * (uint64_t)(number + 1);
    rt_model_train(member, noise->seed ^ own, noise->epoch, noise->step);
    rt_tensor *z = rt_model_forward(member, graph, x);
    rt_model_evaluate(member);
    return z;
}

bool rti_teacher_member_logits(rt_teacher *teacher, rt_graph *graph, rt_tensor *x,
                               const rti_teacher_noise *noise, const rt_real *member[]) {
    rt_no_grad_begin(graph);
    bool good = true;
    for (int i = 0; i < teacher->count && good; i++) {
        rt_model *asked = teacher->member[i];
        rt_model_evaluate(asked);
        rt_tensor *z = noise ? ask_with_noise(asked, graph, x, noise, i) : rt_model_answer(asked, graph, x);
        member[i] = z ? rti_contiguous(graph, z) : NULL;
        good = member[i] != NULL;
    }
    rt_no_grad_end(graph);
    return good;
}

rt_tensor *rt_teacher_logits(rt_teacher *teacher, rt_graph *graph, rt_tensor *x, double T) {
    RT_ASSERT(rti_temperature_is_valid(T), "a temperature of %g", T);
    RT_ASSERT(!rt_teacher_is_stored(teacher), "the file %s answers by example", teacher->stored.name);
    const rt_real *member[RT_TEACHER_MEMBERS_MAX];
    if (!x || !rti_teacher_member_logits(teacher, graph, x, NULL, member)) return NULL;
    rt_tensor *v = rt_graph_tensor(graph, RT_DTYPE_REAL, 2, (int64_t[]){x->shape[0], teacher->classes});
    return v && rti_teacher_combine(teacher, graph, member, x->shape[0], T, rt_real_data(v)) ? v : NULL;
}

rt_tensor *rti_teacher_answers(rt_teacher *teacher, rt_graph *graph, const rt_part *part,
                               const rt_batch *batch, double T) {
    if (!rt_teacher_is_stored(teacher)) return rt_teacher_logits(teacher, graph, batch->x, T);
    const rt_real *logits = rti_stored_logits(&teacher->stored, part->examples);
    RT_ASSERT(logits, "the file %s knows nothing of these examples", teacher->stored.name);
    const int64_t K = teacher->classes;
    rt_tensor *v = rt_graph_tensor(graph, RT_DTYPE_REAL, 2, (int64_t[]){batch->count, K});
    for (int64_t n = 0; v && n < batch->count; n++)
        memcpy(rt_real_data(v) + n * K, logits + part->index[batch->index[n]] * K,
               (size_t)K * sizeof *logits);
    return v;
}

/* pooling.c - max and mean over windows, over the cells of a grid, over the image.  Floor 5 (ops)
 *
 * Images lie channels last, so the innermost loops run over the channels of a pixel, and images are shared
 * among threads: no two of them touch the same number. */
#include <string.h>

#include "core/pool.h"
#include "graph/op.h"
#include "kernels/kernels.h"
#include "retort/image.h"

/* Attributes: windows of size i[0] at stride i[1] with padding i[2], or with i[5] i[3] x i[4] cells. */

typedef struct window {
    int64_t begin, end; /* rows or columns of x */
} window;

static window window_of(const rti_attributes *a, int axis, int64_t number, int64_t extent) {
    if (a->i[5]) {
        const int64_t cells = a->i[3 + axis];
        return (window){number * extent / cells, ((number + 1) * extent + cells - 1) / cells};
    }
    const int64_t begin = number * a->i[1] - a->i[2], end = begin + a->i[0];
    return (window){begin < 0 ? 0 : begin, end > extent ? extent : end};
}

static bool pool_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    const int64_t *a = n->a.i;
    if (x->ndim != 4) return rti_op_fail(g, n, RT_SHAPE, "an image must be (N, H, W, C)");
    int64_t shape[4] = {x->shape[0], a[3], a[4], x->shape[3]};
    if (a[5]) {
        if (a[3] < 1 || a[4] < 1 || x->shape[1] < 1 || x->shape[2] < 1)
            return rti_op_fail(g, n, RT_VALUE, "%lld x %lld cells", (long long)a[3], (long long)a[4]);
        return rti_out(g, n, 4, shape);
    }
    if (a[0] < 1 || a[1] < 1 || a[2] < 0 || 2 * a[2] > a[0])
        return rti_op_fail(g, n, RT_VALUE,
                           "size %lld and stride %lld must be at least 1, padding %lld at most half the size",
                           (long long)a[0], (long long)a[1], (long long)a[2]);
    for (int i = 0; i < 2; i++) {
        const int64_t room = x->shape[1 + i] + 2 * a[2] - a[0];
        if (room < 0)
            return rti_op_fail(g, n, RT_SHAPE, "a window of %lld does not fit on %lld pixels",
                               (long long)a[0], (long long)x->shape[1 + i]);
        shape[1 + i] = room / a[1] + 1;
    }
    return rti_out(g, n, 4, shape);
}

typedef struct job {
    const rti_attributes *a;
    int64_t H, W, C, h, w; /* of x, of y */
    const rt_real *x, *dy;
    rt_real *y, *dx;
    bool accumulate;       /* into dx */
    int32_t *winner;       /* pixel of x, for each element of y */
} job;

static job job_of(const rti_node *n) {
    const rt_tensor *x = n->in[0], *y = n->out;
    return (job){.a = &n->a, .H = x->shape[1], .W = x->shape[2], .C = x->shape[3], .h = y->shape[1],
                 .w = y->shape[2], .y = rt_real_data(y), .dy = y->grad};
}

static void over_images(const rti_node *n, rti_task *image, job *j) {
    const int64_t images = n->in[0]->shape[0];
    if (rt_tensor_count(n->in[0]) > 32768) rti_parallel(images, image, j);
    else
        for (int64_t i = 0; i < images; i++) image(j, i);
}

/* ---- max: the first of equal winners; NaN wins and stays ---- */

static void max_image(void *context, int64_t image) {
    const job *j = context;
    const rt_real *x = j->x + image * j->H * j->W * j->C;
    for (int64_t r = 0; r < j->h * j->w; r++) {
        const window rows = window_of(j->a, 0, r / j->w, j->H), columns = window_of(j->a, 1, r % j->w, j->W);
        rt_real *y = j->y + (image * j->h * j->w + r) * j->C;
        int32_t *winner = j->winner ? j->winner + (image * j->h * j->w + r) * j->C : NULL;
        const int32_t first = (int32_t)(rows.begin * j->W + columns.begin);
        memcpy(y, x + first * j->C, (size_t)j->C * sizeof *y);
        for (int64_t c = 0; winner && c < j->C; c++) winner[c] = first;
        for (int64_t a = rows.begin; a < rows.end; a++)
            for (int64_t b = columns.begin; b < columns.end; b++) {
                const int32_t pixel = (int32_t)(a * j->W + b);
                const rt_real *v = x + pixel * j->C;
                if (winner)
                    for (int64_t c = 0; c < j->C; c++) {
                        const bool wins = v[c] > y[c] || (v[c] != v[c] && y[c] == y[c]);
                        winner[c] = wins ? pixel : winner[c];
                        y[c] = wins ? v[c] : y[c];
                    }
                else
                    for (int64_t c = 0; c < j->C; c++)
                        y[c] = v[c] > y[c] || (v[c] != v[c] && y[c] == y[c]) ? v[c] : y[c];
            }
    }
}

/* The usual 2 x 2 windows side by side go a row at a time, and the winner is found again on the way back. The
 * kernels want room behind a row: the next row is that, and an image's last one is copied to where there is
 * some. Rows of dx always are, since two of them are written at once. */
enum { ROW_MAX = 2048 };

typedef struct padded_row {
    rt_real at[ROW_MAX + RTI_ROW_SLACK];
} padded_row;

static bool is_halving(const rti_node *n) {
    const int64_t *a = n->a.i, *shape = n->in[0]->shape;
    return !a[5] && a[0] == 2 && a[1] == 2 && a[2] == 0 && shape[2] * shape[3] <= ROW_MAX;
}

static const rt_real *row_of(padded_row *copy, const rt_real *from, int64_t count, bool is_last) {
    if (!is_last) return from;
    memcpy(copy->at, from, (size_t)count * sizeof *from);
    memset(copy->at + count, 0, RTI_ROW_SLACK * sizeof *from);
    return copy->at;
}

static void halve_image(void *context, int64_t image) {
    const job *j = context;
    const int64_t wide = j->W * j->C, narrow = j->w * j->C;
    padded_row last, y;
    for (int64_t i = 0; i < j->h; i++) {
        const bool is_last = i == j->h - 1;
        const rt_real *top = j->x + (image * j->H + 2 * i) * wide;
        rt_real *to = j->y + (image * j->h + i) * narrow;
        rti_max_rows(j->w, j->C, top, row_of(&last, top + wide, wide, is_last), is_last ? y.at : to);
        if (is_last) memcpy(to, y.at, (size_t)narrow * sizeof *to);
    }
}

static void halve_image_backward(void *context, int64_t image) {
    const job *j = context;
    const int64_t wide = j->W * j->C, narrow = j->w * j->C, rest = (j->W - 2 * j->w) * j->C;
    padded_row last, last_y, last_dy, dx[2];
    for (int64_t i = 0; i < j->h; i++) {
        const bool is_last = i == j->h - 1;
        const int64_t at = (image * j->H + 2 * i) * wide, to = (image * j->h + i) * narrow;
        const rt_real *const x[] = {j->x + at, row_of(&last, j->x + at + wide, wide, is_last)};
        rti_max_rows_backward(j->w, j->C, x, row_of(&last_y, j->y + to, narrow, is_last),
                              row_of(&last_dy, j->dy + to, narrow, is_last),
                              (rt_real *const[]){dx[0].at, dx[1].at});
        for (int r = 0; r < 2; r++) {
            rt_real *out = j->dx + at + r * wide;
            memset(dx[r].at + wide - rest, 0, (size_t)rest * sizeof *out);
            if (j->accumulate) rti_add(wide, out, dx[r].at, out);
            else memcpy(out, dx[r].at, (size_t)wide * sizeof *out);
        }
    }
    for (int64_t row = 2 * j->h; row < j->H && !j->accumulate; row++)
        memset(j->dx + (image * j->H + row) * wide, 0, (size_t)wide * sizeof *j->dx);
}

static void max_forward(rt_graph *g, rti_node *n) {
    job j = job_of(n);
    j.x = rti_contiguous(g, n->in[0]);
    if (!j.x) return;
    if (is_halving(n)) {
        over_images(n, halve_image, &j);
        return;
    }
    if (rti_wants_grad(n, 0)) {
        n->saved = j.winner = rti_step_alloc(g, (size_t)rt_tensor_count(n->out) * sizeof *j.winner);
        if (!j.winner) return;
    }
    over_images(n, max_image, &j);
}

static void max_image_backward(void *context, int64_t image) {
    const job *j = context;
    rt_real *dx = j->dx + image * j->H * j->W * j->C;
    const int64_t at = image * j->h * j->w * j->C;
    for (int64_t r = 0; r < j->h * j->w; r++)
        for (int64_t c = 0; c < j->C; c++)
            dx[j->winner[at + r * j->C + c] * j->C + c] += j->dy[at + r * j->C + c];
}

static void max_backward(rt_graph *g, rti_node *n) {
    job j = job_of(n);
    if (is_halving(n)) {
        const rti_grad d = rti_grad_begin(g, n, 0);
        j.x = rti_contiguous(g, n->in[0]), j.dx = d.data, j.accumulate = d.accumulate;
        if (j.x && j.dx) over_images(n, halve_image_backward, &j);
        return;
    }
    j.winner = n->saved;
    j.dx = rti_grad_zeroed(g, n, 0);
    if (j.dx) over_images(n, max_image_backward, &j);
}

/* ---- mean: windows divide by their whole area, cells by the pixels in them ---- */

static rt_real share(const rti_attributes *a, window rows, window columns) {
    const int64_t pixels = (rows.end - rows.begin) * (columns.end - columns.begin);
    return (rt_real)(1.0 / (double)(a->i[5] ? pixels : a->i[0] * a->i[0]));
}

static void mean_image(void *context, int64_t image) {
    const job *j = context;
    const rt_real *x = j->x + image * j->H * j->W * j->C;
    for (int64_t r = 0; r < j->h * j->w; r++) {
        const window rows = window_of(j->a, 0, r / j->w, j->H), columns = window_of(j->a, 1, r % j->w, j->W);
        const rt_real factor = share(j->a, rows, columns);
        rt_real *y = j->y + (image * j->h * j->w + r) * j->C;
        memset(y, 0, (size_t)j->C * sizeof *y);
        for (int64_t a = rows.begin; a < rows.end; a++)
            for (int64_t b = columns.begin; b < columns.end; b++) {
                const rt_real *v = x + (a * j->W + b) * j->C;
                for (int64_t c = 0; c < j->C; c++) y[c] += v[c];
            }
        for (int64_t c = 0; c < j->C; c++) y[c] *= factor;
    }
}

static void mean_forward(rt_graph *g, rti_node *n) {
    job j = job_of(n);
    j.x = rti_contiguous(g, n->in[0]);
    if (j.x) over_images(n, mean_image, &j);
}

static void mean_image_backward(void *context, int64_t image) {
    const job *j = context;
    rt_real *dx = j->dx + image * j->H * j->W * j->C;
    for (int64_t r = 0; r < j->h * j->w; r++) {
        const window rows = window_of(j->a, 0, r / j->w, j->H), columns = window_of(j->a, 1, r % j->w, j->W);
        const rt_real factor = share(j->a, rows, columns);
        const rt_real *dy = j->dy + (image * j->h * j->w + r) * j->C;
        for (int64_t a = rows.begin; a < rows.end; a++)
            for (int64_t b = columns.begin; b < columns.end; b++) {
                rt_real *v = dx + (a * j->W + b) * j->C;
                for (int64_t c = 0; c < j->C; c++) v[c] += factor * dy[c];
            }
    }
}

static void mean_backward(rt_graph *g, rti_node *n) {
    job j = job_of(n);
    j.dx = rti_grad_zeroed(g, n, 0);
    if (j.dx) over_images(n, mean_image_backward, &j);
}

/* ---- the four ops ---- */

static rt_tensor *turned(rt_graph *g, rt_tensor *x) {
    return rt_transpose(g, rt_transpose(g, x, 1, 2), 0, 3);
}

/* x plus numbers that lie far apart, so that small changes of x make no other winner. */
static rt_tensor *apart(rt_graph *g, rt_tensor *x) {
    rt_tensor *far = x ? rt_graph_tensor(g, RT_DTYPE_REAL, x->ndim, x->shape) : NULL;
    if (!far) return NULL;
    const int64_t count = rt_tensor_count(far);
    for (int64_t i = 0; i < count; i++) rt_real_data(far)[i] = (rt_real)(3 * (i * 29 % 127) % 127);
    return rt_add(g, x, far);
}

#define CASE_FUNCTION(name, expression)                                                             \
    static rt_tensor *name(rt_graph *g, rt_tensor *const in[], const void *context) {               \
        rt_tensor *x = in[0];                                                                       \
        (void)context;                                                                              \
        return expression;                                                                          \
    }

CASE_FUNCTION(max_plain, rt_max_pool2d(g, apart(g, x), 2, 2, 0))
CASE_FUNCTION(max_overlapping, rt_max_pool2d(g, apart(g, x), 3, 2, 1))
CASE_FUNCTION(max_turned, rt_max_pool2d(g, turned(g, apart(g, x)), 2, 1, 0))
static const rt_gradcheck_case max_pool2d_cases[] = {
    {.name = "max_pool2d 2 stride 2", .function = max_plain, .inputs = 1, .input = {{4, {2, 4, 5, 3}}}},
    {.name = "max_pool2d 3 stride 2 padded", .function = max_overlapping, .inputs = 1,
     .input = {{4, {2, 5, 4, 2}}}},
    {.name = "max_pool2d of a view", .function = max_turned, .inputs = 1, .input = {{4, {2, 3, 4, 2}}}},
};
const rti_op rti_op_max_pool2d = {
    .name = "max_pool2d", .arity = 1, .differentiable = 1,
    .formula = "y[i,j] = max over the window of x", .source = "",
    .shape = pool_shape, .forward = max_forward, .backward = max_backward,
    .cases = max_pool2d_cases, .case_count = RTI_COUNT(max_pool2d_cases),
};
RTI_REGISTER(op, max_pool2d)

rt_tensor *rt_max_pool2d(rt_graph *g, rt_tensor *x, int size, int stride, int padding) {
    return rti_apply1(g, &rti_op_max_pool2d, x, &(rti_attributes){.i = {size, stride, padding}});
}

CASE_FUNCTION(avg_plain, rt_avg_pool2d(g, x, 2, 2, 0))
CASE_FUNCTION(avg_overlapping, rt_avg_pool2d(g, x, 3, 2, 1))
CASE_FUNCTION(avg_every_second, rt_avg_pool2d(g, turned(g, x), 1, 2, 0))
static const rt_gradcheck_case avg_pool2d_cases[] = {
    {.name = "avg_pool2d 2 stride 2", .function = avg_plain, .inputs = 1, .input = {{4, {2, 4, 5, 3}}}},
    {.name = "avg_pool2d 3 stride 2 padded", .function = avg_overlapping, .inputs = 1,
     .input = {{4, {2, 5, 4, 2}}}},
    {.name = "avg_pool2d of every second pixel of a view", .function = avg_every_second, .inputs = 1,
     .input = {{4, {2, 3, 4, 2}}}},
};
const rti_op rti_op_avg_pool2d = {
    .name = "avg_pool2d", .arity = 1, .differentiable = 1,
    .formula = "y[i,j] = sum over the window of x / size^2", .source = "",
    .shape = pool_shape, .forward = mean_forward, .backward = mean_backward,
    .cases = avg_pool2d_cases, .case_count = RTI_COUNT(avg_pool2d_cases),
};
RTI_REGISTER(op, avg_pool2d)

rt_tensor *rt_avg_pool2d(rt_graph *g, rt_tensor *x, int size, int stride, int padding) {
    return rti_apply1(g, &rti_op_avg_pool2d, x, &(rti_attributes){.i = {size, stride, padding}});
}

CASE_FUNCTION(adaptive_max, rt_adaptive_max_pool2d(g, apart(g, x), 2, 3))
CASE_FUNCTION(adaptive_max_turned, rt_adaptive_max_pool2d(g, turned(g, apart(g, x)), 1, 2))
static const rt_gradcheck_case adaptive_max_pool2d_cases[] = {
    {.name = "adaptive_max_pool2d", .function = adaptive_max, .inputs = 1, .input = {{4, {2, 5, 4, 2}}}},
    {.name = "adaptive_max_pool2d of a view", .function = adaptive_max_turned, .inputs = 1,
     .input = {{4, {2, 3, 3, 2}}}},
};
const rti_op rti_op_adaptive_max_pool2d = {
    .name = "adaptive_max_pool2d", .arity = 1, .differentiable = 1,
    .formula = "y[i,j] = max over cell i, j of x", .source = "",
    .shape = pool_shape, .forward = max_forward, .backward = max_backward,
    .cases = adaptive_max_pool2d_cases, .case_count = RTI_COUNT(adaptive_max_pool2d_cases),
};
RTI_REGISTER(op, adaptive_max_pool2d)

rt_tensor *rt_adaptive_max_pool2d(rt_graph *g, rt_tensor *x, int64_t height, int64_t width) {
    return rti_apply1(g, &rti_op_adaptive_max_pool2d, x, &(rti_attributes){.i = {0, 0, 0, height, width, 1}});
}

CASE_FUNCTION(adaptive_avg, rt_adaptive_avg_pool2d(g, x, 2, 3))
CASE_FUNCTION(adaptive_more, rt_adaptive_avg_pool2d(g, x, 4, 4))
static const rt_gradcheck_case adaptive_avg_pool2d_cases[] = {
    {.name = "adaptive_avg_pool2d", .function = adaptive_avg, .inputs = 1, .input = {{4, {2, 5, 4, 2}}}},
    {.name = "adaptive_avg_pool2d to more cells", .function = adaptive_more, .inputs = 1,
     .input = {{4, {2, 2, 3, 2}}}},
};
const rti_op rti_op_adaptive_avg_pool2d = {
    .name = "adaptive_avg_pool2d", .arity = 1, .differentiable = 1,
    .formula = "y[i,j] = mean over cell i, j of x", .source = "",
    .shape = pool_shape, .forward = mean_forward, .backward = mean_backward,
    .cases = adaptive_avg_pool2d_cases, .case_count = RTI_COUNT(adaptive_avg_pool2d_cases),
};
RTI_REGISTER(op, adaptive_avg_pool2d)

rt_tensor *rt_adaptive_avg_pool2d(rt_graph *g, rt_tensor *x, int64_t height, int64_t width) {
    return rti_apply1(g, &rti_op_adaptive_avg_pool2d, x, &(rti_attributes){.i = {0, 0, 0, height, width, 1}});
}

/* ---- the whole image, summed in double ---- */

static bool global_shape(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    if (x->ndim != 4 || x->shape[1] < 1 || x->shape[2] < 1)
        return rti_op_fail(g, n, RT_SHAPE, "an image must be (N, H, W, C)");
    return rti_out(g, n, 2, (const int64_t[]){x->shape[0], x->shape[3]});
}

static void global_image(void *context, int64_t image) {
    enum { STRIP = 64 };
    const job *j = context;
    const int64_t pixels = j->H * j->W;
    const rt_real *x = j->x + image * pixels * j->C;
    for (int64_t start = 0; start < j->C; start += STRIP) {
        const int64_t count = j->C - start < STRIP ? j->C - start : STRIP;
        double sum[STRIP] = {0};
        for (int64_t p = 0; p < pixels; p++)
            for (int64_t c = 0; c < count; c++) sum[c] += (double)x[p * j->C + start + c];
        for (int64_t c = 0; c < count; c++)
            j->y[image * j->C + start + c] = (rt_real)(sum[c] / (double)pixels);
    }
}

static void global_forward(rt_graph *g, rti_node *n) {
    const rt_tensor *x = n->in[0];
    job j = {.H = x->shape[1], .W = x->shape[2], .C = x->shape[3], .y = rt_real_data(n->out),
             .x = rti_contiguous(g, x)};
    if (j.x) over_images(n, global_image, &j);
}

static void global_backward(rt_graph *g, rti_node *n) {
    const rti_grad dx = rti_grad_begin(g, n, 0);
    if (!dx.data) return;
    const rt_tensor *x = n->in[0];
    const int64_t pixels = x->shape[1] * x->shape[2], C = x->shape[3];
    const rt_real factor = (rt_real)(1.0 / (double)pixels);
    for (int64_t i = 0; i < x->shape[0]; i++) {
        const rt_real *dy = n->out->grad + i * C;
        for (int64_t p = 0; p < pixels; p++) {
            rt_real *to = dx.data + (i * pixels + p) * C;
            if (dx.accumulate)
                for (int64_t c = 0; c < C; c++) to[c] += factor * dy[c];
            else
                for (int64_t c = 0; c < C; c++) to[c] = factor * dy[c];
        }
    }
}

CASE_FUNCTION(global_plain, rt_global_avg_pool(g, x))
CASE_FUNCTION(global_turned, rt_global_avg_pool(g, turned(g, x)))
static const rt_gradcheck_case global_avg_pool_cases[] = {
    {.name = "global_avg_pool", .function = global_plain, .inputs = 1, .input = {{4, {2, 3, 2, 3}}}},
    {.name = "global_avg_pool of a view", .function = global_turned, .inputs = 1,
     .input = {{4, {2, 3, 2, 3}}}},
};
const rti_op rti_op_global_avg_pool = {
    .name = "global_avg_pool", .arity = 1, .differentiable = 1,
    .formula = "y[n,c] = mean over h, w of x[n,h,w,c]", .source = "Lin, Chen, Yan 2013, arXiv 1312.4400",
    .shape = global_shape, .forward = global_forward, .backward = global_backward,
    .cases = global_avg_pool_cases, .case_count = RTI_COUNT(global_avg_pool_cases),
};
RTI_REGISTER(op, global_avg_pool)

rt_tensor *rt_global_avg_pool(rt_graph *g, rt_tensor *x) {
    return rti_apply1(g, &rti_op_global_avg_pool, x, NULL);
}

/* digits.c - draws handwritten digits from stroke models.              Floor 6 (data)
 *
 *     form and pose --> knots + writer's noise --> spline --> tremor, elastic and affine deformation
 *     --> fitted into the frame as MNIST does (20x20 box, centred by its ink) --> pen with pressure
 *     --> blur, ink, paper noise --> 28x28 bytes
 *
 * A pure function of (digit, seed, number), the same bits on every machine: all arithmetic is single
 * precision +, -, *, / and square root, which IEEE 754 defines to the bit; no function of libm whose
 * last digit differs between systems is called. */
#include <math.h>
#include <string.h>

#include "data/digits.h"
#include "retort/data.h"

#define SIDE 28
#define STEPS 6                              /* line segments per stretch of spline */
#define POINTS_MAX (RTI_KNOTS_MAX * STEPS + RTI_KNOTS_MAX)
#define GRID 4                               /* elastic deformation: displacements on GRID x GRID nodes */

typedef struct point {
    float x, y;
} point;

typedef struct drawing {
    rt_rng rng;
    float sloppiness;                        /* 1 is usual */
    point knots[RTI_KNOTS_MAX];
    point points[POINTS_MAX];
    bool pen_up[POINTS_MAX];                 /* no line from this point to the next */
    int count;
    float ink[SIDE * SIDE];                  /* 0 ... 1 */
} drawing;

/* ---- random numbers ---- */

static float uniform(rt_rng *rng, float low, float high) {
    return low + (high - low) * (float)(rt_rng_u32(rng) >> 8) * (1.0f / 16777216.0f);
}

/* Mean 0, deviation 1, within +-3.5: the sum of four uniforms out of two draws. Bounded on purpose. */
static float bell(rt_rng *rng) {
    uint32_t a = rt_rng_u32(rng), b = rt_rng_u32(rng);
    float sum = (float)(a & 0xffff) + (float)(a >> 16) + (float)(b & 0xffff) + (float)(b >> 16);
    return (sum - 131070.0f) * (1.7320508f / 65536.0f);
}

/* ---- the way of the pen ---- */

static const rti_form *form_choose(rt_rng *rng, int digit) {
    const rti_digit_forms *all = &rti_digits[digit];
    int total = 0, i = 0;
    for (int f = 0; f < all->count; f++) total += all->forms[f].weight;
    int at = (int)rt_rng_below(rng, (uint32_t)total);
    while (at >= all->forms[i].weight) at -= all->forms[i++].weight;
    return &all->forms[i];
}

static void knots_place(drawing *d, const rti_form *form) {
    float pose = uniform(&d->rng, -0.15f, 1.15f), wobble = 0.024f * d->sloppiness;
    for (int i = 0; i < form->count; i++) {
        const rti_knot *k = &form->knots[i];
        d->knots[i].x = 0.01f * ((float)k->ax + pose * (float)(k->bx - k->ax)) - 0.5f +
                        wobble * bell(&d->rng);
        d->knots[i].y = 0.01f * ((float)k->ay + pose * (float)(k->by - k->ay)) - 0.5f +
                        wobble * bell(&d->rng);
    }
}

/* Catmull-Rom: passes through p1 (t = 0) and p2 (t = 1). */
static float spline(float p0, float p1, float p2, float p3, float t) {
    float a = 2 * p1, b = p2 - p0, c = 2 * p0 - 5 * p1 + 4 * p2 - p3, e = 3 * (p1 - p2) + p3 - p0;
    return 0.5f * (a + t * (b + t * (c + t * e)));
}

/* Knots to points. At a corner or an end the missing neighbour is the reflected one. */
static void curve(drawing *d, const rti_form *form) {
    d->count = 0;
    for (int i = 0; i + 1 < form->count; i++) {
        if (form->knots[i].pen == RTI_PEN_UP) continue;
        bool starts = i == 0 || form->knots[i - 1].pen == RTI_PEN_UP;
        bool breaks_before = starts || form->knots[i].pen == RTI_PEN_CORNER;
        bool breaks_after = form->knots[i + 1].pen != RTI_PEN_SMOOTH;
        const point *k = d->knots;
        point p1 = k[i], p2 = k[i + 1];
        point p0 = breaks_before ? (point){2 * p1.x - p2.x, 2 * p1.y - p2.y} : k[i - 1];
        point p3 = breaks_after ? (point){2 * p2.x - p1.x, 2 * p2.y - p1.y} : k[i + 2];
        for (int s = starts ? 0 : 1; s <= STEPS; s++) {
            float t = (float)s / STEPS;
            d->points[d->count] = (point){spline(p0.x, p1.x, p2.x, p3.x, t),
                                          spline(p0.y, p1.y, p2.y, p3.y, t)};
            d->pen_up[d->count++] = s == STEPS && form->knots[i + 1].pen == RTI_PEN_UP;
        }
    }
}

/* ---- deformations ---- */

static float smooth(float t) { return t * t * (3 - 2 * t); }

/* A random displacement field, smooth between the nodes of a grid over [-0.7, 0.7]^2. */
static void elastic(drawing *d) {
    point node[GRID][GRID];
    float strength = 0.046f * d->sloppiness;
    for (int y = 0; y < GRID; y++)
        for (int x = 0; x < GRID; x++)
            node[y][x] = (point){strength * bell(&d->rng), strength * bell(&d->rng)};
    for (int i = 0; i < d->count; i++) {
        point *p = &d->points[i];
        float gx = (p->x + 0.7f) * ((GRID - 1) / 1.4f), gy = (p->y + 0.7f) * ((GRID - 1) / 1.4f);
        gx = gx < 0 ? 0 : gx > GRID - 1.001f ? GRID - 1.001f : gx;
        gy = gy < 0 ? 0 : gy > GRID - 1.001f ? GRID - 1.001f : gy;
        int x = (int)gx, y = (int)gy;
        float u = smooth(gx - (float)x), v = smooth(gy - (float)y);
        p->x += (1 - v) * ((1 - u) * node[y][x].x + u * node[y][x + 1].x)
              + v * ((1 - u) * node[y + 1][x].x + u * node[y + 1][x + 1].x);
        p->y += (1 - v) * ((1 - u) * node[y][x].y + u * node[y][x + 1].y)
              + v * ((1 - u) * node[y + 1][x].y + u * node[y + 1][x + 1].y);
    }
}

/* Aspect, slant and rotation. sine and cosine of a small angle from tan(angle / 2). */
static void affine(drawing *d) {
    float aspect = 1.04f + 0.17f * bell(&d->rng);
    float slant = 0.17f + 0.21f * bell(&d->rng);
    float half = 0.055f * bell(&d->rng), c = (1 - half * half) / (1 + half * half),
          s = 2 * half / (1 + half * half);
    if (aspect < 0.6f) aspect = 0.6f;
    for (int i = 0; i < d->count; i++) {
        point *p = &d->points[i];
        float x = aspect * p->x - slant * p->y, y = p->y;
        p->x = c * x - s * y;
        p->y = s * x + c * y;
    }
}

/* How far [low, high] has to move to leave two pixels free on both sides. */
static float inside(float low, float high) {
    return low < 2 ? 2 - low : high > SIDE - 2 ? SIDE - 2 - high : 0;
}

/* Into pixels: the longer side of the box around the drawing becomes about 20 with the pen's width,
 * and the middle of the ink goes near the middle of the frame. */
static void fit(drawing *d, float radius) {
    point low = d->points[0], high = d->points[0], mean = {0, 0};
    float length = 0;
    for (int i = 0; i < d->count; i++) {
        point p = d->points[i];
        if (p.x < low.x) low.x = p.x;
        if (p.y < low.y) low.y = p.y;
        if (p.x > high.x) high.x = p.x;
        if (p.y > high.y) high.y = p.y;
        if (i + 1 < d->count && !d->pen_up[i]) {
            point q = d->points[i + 1];
            float l = sqrtf((q.x - p.x) * (q.x - p.x) + (q.y - p.y) * (q.y - p.y));
            mean.x += l * 0.5f * (p.x + q.x);
            mean.y += l * 0.5f * (p.y + q.y);
            length += l;
        }
    }
    float side = high.x - low.x > high.y - low.y ? high.x - low.x : high.y - low.y;
    float scale = (20 + 0.9f * bell(&d->rng) - 2 * radius) / side;
    float cx = 14 + 0.55f * bell(&d->rng), cy = 14 + 0.55f * bell(&d->rng);
    point move = {cx - scale * mean.x / length, cy - scale * mean.y / length};
    move.x += inside(scale * low.x + move.x - radius, scale * high.x + move.x + radius);
    move.y += inside(scale * low.y + move.y - radius, scale * high.y + move.y + radius);
    for (int i = 0; i < d->count; i++) {
        d->points[i].x = d->points[i].x * scale + move.x;
        d->points[i].y = d->points[i].y * scale + move.y;
    }
}

/* ---- pen and paper ---- */

/* A line with round ends from p to q; what is there already stays where it is darker. */
static void line(drawing *d, point p, point q, float radius, float softness) {
    float reach = radius + softness;
    int x0 = (int)((p.x < q.x ? p.x : q.x) - reach), x1 = (int)((p.x > q.x ? p.x : q.x) + reach) + 1;
    int y0 = (int)((p.y < q.y ? p.y : q.y) - reach), y1 = (int)((p.y > q.y ? p.y : q.y) + reach) + 1;
    if (x0 < 0) x0 = 0;
    if (y0 < 0) y0 = 0;
    if (x1 > SIDE) x1 = SIDE;
    if (y1 > SIDE) y1 = SIDE;
    float dx = q.x - p.x, dy = q.y - p.y, square = dx * dx + dy * dy;
    float inverse = square > 1e-12f ? 1 / square : 0, slope = 0.5f / softness;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            float ex = (float)x + 0.5f - p.x, ey = (float)y + 0.5f - p.y;
            float t = (ex * dx + ey * dy) * inverse;
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            ex -= t * dx, ey -= t * dy;
            float far = ex * ex + ey * ey;
            if (far >= reach * reach) continue;
            float cover = (reach - sqrtf(far)) * slope;
            if (cover > 1) cover = 1;
            float *ink = &d->ink[y * SIDE + x];
            if (cover > *ink) *ink = cover;
        }
}

/* Pressure wanders along the way; strokes start and end a little lighter. */
static void pen(drawing *d, float radius) {
    float pressure[8], softness = uniform(&d->rng, 0.4f, 0.65f), change = 0.12f * d->sloppiness;
    for (int i = 0; i < 8; i++) pressure[i] = 1 + change * bell(&d->rng);
    float taper = uniform(&d->rng, 0.0f, 0.35f);
    for (int i = 0, first = 0; i + 1 < d->count; i++) {
        if (d->pen_up[i]) {
            first = i + 1;
            continue;
        }
        float at = 7 * (float)i / (float)d->count;
        int node = (int)at;
        float u = smooth(at - (float)node), r = radius * ((1 - u) * pressure[node] + u * pressure[node + 1]);
        bool end = i - first < 2 || i + 2 >= d->count || d->pen_up[i + 1];
        line(d, d->points[i], d->points[i + 1], end ? r * (1 - taper) : r, softness);
    }
}

/* (1, b, 1) / (2 + b) in both directions. */
static void blur(float *ink, float b) {
    float rows[SIDE * SIDE], norm = 1 / (2 + b);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const float *p = ink + y * SIDE + x;
            rows[y * SIDE + x] = norm * ((x > 0 ? p[-1] : 0) + b * p[0] + (x + 1 < SIDE ? p[1] : 0));
        }
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const float *p = rows + y * SIDE + x;
            ink[y * SIDE + x] = norm * ((y > 0 ? p[-SIDE] : 0) + b * p[0] + (y + 1 < SIDE ? p[SIDE] : 0));
        }
}

static void develop(drawing *d, uint8_t pixels[SIDE * SIDE]) {
    blur(d->ink, uniform(&d->rng, 4.0f, 14.0f));
    float most = 0.2f;
    for (int i = 0; i < SIDE * SIDE; i++)
        if (d->ink[i] > most) most = d->ink[i];
    float gain = uniform(&d->rng, 225.0f, 330.0f) / most, grain = uniform(&d->rng, 0.0f, 34.0f);
    uint32_t bits = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        if (d->ink[i] < 0.02f) {
            pixels[i] = 0;
            continue;
        }
        bits = bits ? bits : rt_rng_u32(&d->rng);
        float value = gain * d->ink[i] + grain * ((float)(bits & 0xff) * (1.0f / 128.0f) - 1) * d->ink[i];
        bits >>= 8;
        pixels[i] = value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
    }
}

void rt_digit_draw(int digit, uint64_t seed, uint64_t number, uint8_t pixels[SIDE * SIDE]) {
    RT_ASSERT(digit >= 0 && digit <= 9, "digit %d", digit);
    drawing d;
    d.rng = rt_rng_stream(seed, "digit", (uint64_t)digit, number);
    memset(d.ink, 0, sizeof d.ink);
    float mood = uniform(&d.rng, 0.0f, 1.0f);
    d.sloppiness = 0.6f + 0.6f * mood + 1.1f * mood * mood * mood * mood * mood * mood;
    const rti_form *form = form_choose(&d.rng, digit);
    float radius = 0.75f + 0.32f * (bell(&d.rng) + 1.2f);
    radius = radius < 0.6f ? 0.6f : radius > 2.1f ? 2.1f : radius;
    knots_place(&d, form);
    curve(&d, form);
    elastic(&d);
    affine(&d);
    fit(&d, radius);
    pen(&d, radius);
    develop(&d, pixels);
}

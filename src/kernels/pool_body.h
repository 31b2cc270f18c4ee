/* pool_body.h - 2 x 2 maxima of two rows of pixels, once for all instruction sets.  Floor 2 (kernels)
 *
 * Part of loops_body.h, with its strips. Channels are side by side and often fewer than a strip has lanes, so
 * every access is a whole strip: what it reads beyond its pixel is not looked at, what it writes beyond is
 * written again by the next pixel. All arrays have STRIP numbers of room at their end. */

#define WHOLE(name, from) \
    strip name;           \
    memcpy(&name, (from), sizeof name)
#define NAN_IN(v) ((v) != (v))

/* a = the larger; NaN wins, and of equals a */
#define LARGER(a, b)                                                                          \
    do {                                                                                      \
        const strip_mask stays_ = (a >= b) | NAN_IN(a);                                       \
        a = (strip)(((strip_mask)a & stays_) | ((strip_mask)b & ~stays_));                    \
    } while (0)

static void max_rows(int64_t w, int64_t C, const rt_real *top, const rt_real *bottom, rt_real *y) {
    for (int64_t j = 0; j < w; j++)
        for (int64_t c = 0; c < C; c += STRIP) {
            const int64_t at = 2 * j * C + c;
            WHOLE(a, top + at);
            WHOLE(b, top + at + C);
            WHOLE(d, bottom + at);
            WHOLE(e, bottom + at + C);
            LARGER(a, b);
            LARGER(d, e);
            LARGER(a, d);
            memcpy(y + j * C + c, &a, sizeof a);
        }
}

/* dy goes to the first of the four that is the maximum, 0 to the others. */
static void max_rows_backward(int64_t w, int64_t C, const rt_real *const x[2], const rt_real *y,
                              const rt_real *dy, rt_real *const dx[2]) {
    for (int64_t j = 0; j < w; j++)
        for (int place = 0; place < 2;
             place++) /* the left pixels first: the right ones overwrite what is beyond */
            for (int64_t c = 0; c < C; c += STRIP) {
                const int64_t left = 2 * j * C + c, right = left + C;
                WHOLE(m, y + j * C + c);
                WHOLE(slope, dy + j * C + c);
                WHOLE(a, x[0] + left);
                WHOLE(b, x[0] + right);
                WHOLE(d, x[1] + left);
                WHOLE(e, x[1] + right);
                const strip_mask at_a = (a == m) | NAN_IN(a), at_b = ~at_a & ((b == m) | NAN_IN(b));
                const strip_mask at_d = ~at_a & ~at_b & ((d == m) | NAN_IN(d));
                const strip_mask at_e = ~at_a & ~at_b & ~at_d & ((e == m) | NAN_IN(e));
                const strip upper = KEEP(slope, place ? at_b : at_a),
                            lower = KEEP(slope, place ? at_e : at_d);
                memcpy(dx[0] + (place ? right : left), &upper, sizeof upper);
                memcpy(dx[1] + (place ? right : left), &lower, sizeof lower);
            }
}

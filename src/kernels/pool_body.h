/* pool_body.h - 2 x 2 maxima of two rows of pixels, once for all instruction sets.  Floor 2 (kernels)
 *
 * Part of loops_body.h. Channels are side by side and often fewer than a register has lanes, so every
 * access is a whole register: what it reads beyond its pixel is not looked at, what it writes beyond is
 * written again by the next pixel. All arrays have RTI_ROW_SLACK numbers of room at their end.
 *
 * Measured, LeNet-5 at batch 128 with two threads: a step of 3.6 ms with a loop over windows and winners
 * kept, 2.4 ms so (AVX-512). With vectors of several registers AVX2 lost what it had gained: gcc takes
 * comparisons of such ones apart lane by lane. */

enum { POOL_LANES = REGISTER / sizeof(rt_real) };
typedef rt_real lanes __attribute__((vector_size(POOL_LANES * sizeof(rt_real))));
typedef __typeof__((lanes){0} > (lanes){0}) lanes_mask;

#define WHOLE(name, from) \
    lanes name;           \
    memcpy(&name, (from), sizeof name)
#define KEEP_WHERE(value, condition) ((lanes)((lanes_mask)(value) & (condition)))
#define NAN_IN(v) ((v) != (v))

/* a = the larger; NaN wins, and of equals a */
#define LARGER(a, b)                                                                          \
    do {                                                                                      \
        const lanes_mask stays_ = (a >= b) | NAN_IN(a);                                       \
        a = (lanes)(((lanes_mask)a & stays_) | ((lanes_mask)b & ~stays_));                    \
    } while (0)

static void max_rows(int64_t w, int64_t C, const rt_real *top, const rt_real *bottom, rt_real *y) {
    for (int64_t j = 0; j < w; j++)
        for (int64_t c = 0; c < C; c += POOL_LANES) {
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
        for (int place = 0; place < 2; place++) /* left ahead of right, which overwrites what is beyond */
            for (int64_t c = 0; c < C; c += POOL_LANES) {
                const int64_t left = 2 * j * C + c, right = left + C;
                WHOLE(m, y + j * C + c);
                WHOLE(slope, dy + j * C + c);
                WHOLE(a, x[0] + left);
                WHOLE(b, x[0] + right);
                WHOLE(d, x[1] + left);
                WHOLE(e, x[1] + right);
                const lanes_mask at_a = (a == m) | NAN_IN(a), at_b = ~at_a & ((b == m) | NAN_IN(b));
                const lanes_mask at_d = ~at_a & ~at_b & ((d == m) | NAN_IN(d));
                const lanes_mask at_e = ~at_a & ~at_b & ~at_d & ((e == m) | NAN_IN(e));
                const lanes upper = KEEP_WHERE(slope, place ? at_b : at_a),
                            lower = KEEP_WHERE(slope, place ? at_e : at_d);
                memcpy(dx[0] + (place ? right : left), &upper, sizeof upper);
                memcpy(dx[1] + (place ? right : left), &lower, sizeof lower);
            }
}

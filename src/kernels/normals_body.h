/* normals_body.h - normal numbers drawn in vectors, once for all instruction sets.   Floor 2 (kernels)
 *
 * out[i] = (float)(deviation * rt_rng_normal()) of block i of the stream, with the bits that the C library's
 * log, sqrt and cos give, so that initial weights depend on no instruction set. Philox, log and cos are
 * worked out in double for LANES blocks at a time with a relative error below 2^-42. That decides the float,
 * unless the double lies within 2^-37 of the middle between two floats: about one in 4000, and those are
 * drawn again with rt_rng_normal(). (No cosine is smaller than 2^-54, no radius but 0 than 2^-27.)
 *
 *     log x = e log 2 + 2 s P(s^2),  x = 2^e m,  m in [sqrt 1/2, sqrt 2),  s = (m - 1) / (m + 1)
 *     cos y = -(-1)^k r Q(r^2),      r = y - (k + 1/2) pi,  |r| <= pi / 2
 *
 * P and Q are minimax polynomials of the relative error (2^-45.1 and 2^-43.9).
 *
 * Included by normals_<isa>.c, which defines NORMALS (the function's name), the vectors of WIDTH doubles or
 * 64-bit integers, and those operations whose names the instruction sets do not share. Every operation takes
 * VECTORS vectors (with 32 lanes at most) in turn. A block is one long chain of operations that wait for one
 * another, and only beside others, step by step, are the units busy: the processor does not look far enough
 * ahead to find the next block.
 *
 * What was tried, 2.4 million numbers, one thread. AVX-512 on a Zen 4: the C library 96 ms; plain loops that
 * the compiler vectorises 16 ms; this, when only Philox took its vectors in turn, 8 ms (Philox 2.6).
 * Newton steps from the processor's estimates instead of its division and root are no faster. AVX2 on a Zen
 * 3: only Philox with two vectors in turn 19 ms, with fewer steps from bits to doubles 17; all with two 16,
 * with three 14.5, with four, which do not fit into the registers, 13. Philox's keys worked out ahead make no
 * difference then; its first two rounds, where most words are the same for all blocks, worked out ahead: 0.8
 * ms less, not worth the lines. */
#include <string.h>

#include "kernels/loops.h"
#include "kernels/unroll.h"

enum { LANES = WIDTH * VECTORS };

typedef struct {
    real_vector v[VECTORS];
} reals;

typedef struct {
    word_vector v[VECTORS];
} words;

#define IN_TURN(type, operation)                   \
    type all_of_them;                              \
    EACH(i, VECTORS) all_of_them.v[i] = operation; \
    return all_of_them

static inline reals all(double x) { IN_TURN(reals, VECTOR(set1_pd)(x)); }
static inline reals add(reals a, reals b) { IN_TURN(reals, VECTOR(add_pd)(a.v[i], b.v[i])); }
static inline reals subtract(reals a, reals b) { IN_TURN(reals, VECTOR(sub_pd)(a.v[i], b.v[i])); }
static inline reals multiply(reals a, reals b) { IN_TURN(reals, VECTOR(mul_pd)(a.v[i], b.v[i])); }
static inline reals divide(reals a, reals b) { IN_TURN(reals, VECTOR(div_pd)(a.v[i], b.v[i])); }
static inline reals root(reals x) { IN_TURN(reals, VECTOR(sqrt_pd)(x.v[i])); }
static inline reals multiply_add(reals a, reals b, reals c) {
    IN_TURN(reals, VECTOR(fmadd_pd)(a.v[i], b.v[i], c.v[i]));
}
static inline reals multiply_subtract_from(reals a, reals b, reals c) {
    IN_TURN(reals, VECTOR(fnmadd_pd)(a.v[i], b.v[i], c.v[i]));
}
static inline reals as_reals(words x) { IN_TURN(reals, AS_REALS(x.v[i])); }
static inline words as_words(reals x) { IN_TURN(words, AS_WORDS(x.v[i])); }

static inline words all_words(uint64_t x) { IN_TURN(words, ALL_WORDS((long long)x)); }
static inline words add_words(words a, words b) { IN_TURN(words, VECTOR(add_epi64)(a.v[i], b.v[i])); }
static inline words subtract_words(words a, words b) { IN_TURN(words, VECTOR(sub_epi64)(a.v[i], b.v[i])); }
static inline words and_words(words a, words b) { IN_TURN(words, BITWISE(and)(a.v[i], b.v[i])); }
static inline words or_words(words a, words b) { IN_TURN(words, BITWISE(or)(a.v[i], b.v[i])); }
static inline words xor_words(words a, words b) { IN_TURN(words, BITWISE(xor)(a.v[i], b.v[i])); }
static inline words xor3(words a, words b, words c) { IN_TURN(words, vector_xor3(a.v[i], b.v[i], c.v[i])); }
static inline words shift_left(words x, int bits) { IN_TURN(words, VECTOR(slli_epi64)(x.v[i], bits)); }
static inline words shift_right(words x, int bits) { IN_TURN(words, VECTOR(srli_epi64)(x.v[i], bits)); }
static inline words multiply_low(words a, words b) { IN_TURN(words, VECTOR(mul_epu32)(a.v[i], b.v[i])); }
static inline words shift_halves_right(words x, int bits) {
    IN_TURN(words, VECTOR(srli_epi32)(x.v[i], bits));
}
static inline words with_high_halves(words x, uint32_t high) {
    IN_TURN(words, vector_with_high_halves(x.v[i], high));
}
static inline words count_from(uint32_t first) {
    IN_TURN(words, vector_count_from(first + (uint32_t)(i * WIDTH)));
}

/* A bit for each lane that has none of `bits`. */
static inline unsigned lanes_without(words x, uint64_t bits) {
    unsigned lanes = 0;
    EACH(i, VECTORS) lanes |= vector_lanes_without(x.v[i], ALL_WORDS((long long)bits)) << WIDTH * i;
    return lanes;
}

static inline void store_floats(float *out, reals x) {
    EACH(i, VECTORS) vector_store(out + WIDTH * i, x.v[i]);
}

/* LANES blocks from the given one: c0 ... c3 in the low halves; what is in the high halves does not matter,
 * because the products look at low halves only. */
static inline void draw_blocks(const rt_rng *stream, uint32_t block, words c[4]) {
    words c0 = count_from(block), c1 = all_words(stream->counter[1]);
    words c2 = all_words(stream->counter[2]), c3 = all_words(stream->counter[3]);
    uint32_t k0 = stream->key[0], k1 = stream->key[1];
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        const words p0 = multiply_low(all_words(0xD2511F53u), c0);
        const words p1 = multiply_low(all_words(0xCD9E8D57u), c2);
        c0 = xor3(shift_right(p1, 32), c1, all_words(k0));
        c1 = p1;
        c2 = xor3(shift_right(p0, 32), c3, all_words(k1));
        c3 = p0;
    }
    c[0] = c0, c[1] = c1, c[2] = c2, c[3] = c3;
}

/* The two words of a uniform number u as in rt_rng_uniform(), 53 bits. Each is put behind the exponent that
 * makes its bits count what they are worth: u is upper - 2^20 + lower - 1/2. */
static inline reals upper(words high) { return as_reals(with_high_halves(high, 0x41300000)); }
static inline reals lower(words low) {
    return as_reals(with_high_halves(shift_halves_right(low, 11), 0x3FE00000));
}

/* sqrt(-2 log(1 - u)); 1 - u is exact. */
static inline reals radius(words low, words high) {
    const reals x = subtract(subtract(all(0x1p20 + 1.5), upper(high)), lower(low));
    const words root_half = all_words(0x3FE6A09E667F3BCDu);
    const words bits = add_words(as_words(x), subtract_words(all_words(UINT64_C(1024) << 52), root_half));
    const words e = shift_right(bits, 52); /* plus 1024 */
    const reals m = as_reals(add_words(and_words(bits, all_words(0x000FFFFFFFFFFFFFu)), root_half));
    const reals s = divide(subtract(m, all(1)), add(m, all(1))), z = multiply(s, s);
    reals p = all(-4 * 0.09804617062594343254);
    p = multiply_add(p, z, all(-4 * 0.11087083635067314086));
    p = multiply_add(p, z, all(-4 * 0.14286084122328056278));
    p = multiply_add(p, z, all(-4 * 0.19999997435043168494));
    p = multiply_add(p, z, all(-4 * 0.33333333339829030954));
    p = multiply_add(p, z, all(-4 * 0.99999999999997336577));
    const reals counted = as_reals(or_words(e, all_words(0x4330000000000000u))); /* 2^52 + e + 1024 */
    const reals exponent = subtract(counted, all(0x1p52 + 1024));
    return root(multiply_add(exponent, all(-2 * 0.6931471805599453094), multiply(s, p)));
}

/* factor * cos(2 pi u). 2 pi u is rounded as in rt_rng_normal(). */
static inline reals cosine(words low, words high, reals factor) {
    const reals u = add(subtract(upper(high), all(0x1p20 + 0.5)), lower(low));
    const reals y = multiply(u, all(6.283185307179586476925));
    const reals magic = all(0x1.8p52);
    const reals t = add(multiply_add(y, all(0.31830988618379067154), all(-0.5)), magic); /* k at its end */
    const reals h = add(subtract(t, magic), all(0.5));
    /* pi in two parts; h times the first, of 50 bits, is exact */
    reals r = multiply_subtract_from(h, all(0x1.921fb54442d18p+1), y);
    r = multiply_subtract_from(h, all(0x1.1a62633145c07p-53), r);
    const reals z = multiply(r, r);
    reals q = all(-1.540110484962961214e-10);
    q = multiply_add(q, z, all(2.502951433115225309e-8));
    q = multiply_add(q, z, all(-2.7556931809441326379e-6));
    q = multiply_add(q, z, all(0.00019841266410233924926));
    q = multiply_add(q, z, all(-0.008333333318758117947));
    q = multiply_add(q, z, all(0.16666666666432188147));
    q = multiply_add(q, z, all(-0.99999999999993751533));
    const reals value = multiply(multiply(r, q), factor);
    return as_reals(xor_words(as_words(value), shift_left(as_words(t), 63)));
}

/* A bit for each lane that does not decide its float: its last 29 bits are within 2^16 of 2^28. */
static inline unsigned undecided(reals x) {
    return lanes_without(add_words(as_words(x), all_words(0x10000 - 0x10000000)), 0x1FFE0000);
}

static float draw_again(const rt_rng *stream, uint32_t block, double deviation) {
    rt_rng one = *stream;
    one.counter[0] = block;
    return (float)(deviation * rt_rng_normal(&one));
}

void NORMALS(int64_t n, double deviation, const rt_rng *stream, float *out) {
    if (!(deviation > 0x1p-40)) { /* numbers smaller than a float's exponent may occur: no vectors */
        for (int64_t i = 0; i < n; i++)
            out[i] = draw_again(stream, stream->counter[0] + (uint32_t)i, deviation);
        return;
    }
    uint32_t block = stream->counter[0];
    for (int64_t start = 0; start < n; start += LANES, block += LANES) {
        float last[LANES];
        const int width = n - start < LANES ? (int)(n - start) : LANES;
        float *to = width == LANES ? out + start : last;
        words c[4];
        draw_blocks(stream, block, c);
        const reals x = cosine(c[2], c[3], multiply(radius(c[0], c[1]), all(deviation)));
        store_floats(to, x);
        for (unsigned again = undecided(x); again; again &= again - 1) {
            const int lane = __builtin_ctz(again);
            to[lane] = draw_again(stream, block + (uint32_t)lane, deviation);
        }
        if (width < LANES) memcpy(out + start, last, (size_t)width * sizeof *out);
    }
}

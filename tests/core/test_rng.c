/* Random streams: Philox against the known-answer vectors of its authors (Random123 kat_vectors),
 * independence of consumers, fairness of rt_rng_below, moments of the normal. */
#include <criterion/criterion.h>
#include <math.h>

#include "retort/rng.h"

Test(rng, philox_known_answers) {
    static const struct { uint32_t counter[4], key[2], out[4]; } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        rt_philox(known[i].counter, known[i].key, out);
        cr_assert_arr_eq(out, known[i].out, sizeof out);
    }
}

Test(rng, streams_differ_in_every_coordinate) {
    rt_rng a = rt_rng_stream(1, "x", 2, 3);
    rt_rng others[] = {rt_rng_stream(2, "x", 2, 3), rt_rng_stream(1, "y", 2, 3), rt_rng_stream(1, "x", 3, 3),
                       rt_rng_stream(1, "x", 2, 4)};
    uint64_t first = rt_rng_u64(&a);
    for (int i = 0; i < 4; i++) cr_assert_neq(first, rt_rng_u64(&others[i]));
    rt_rng again = rt_rng_stream(1, "x", 2, 3);
    cr_assert_eq(first, rt_rng_u64(&again));
}

Test(rng, below_is_fair_and_shuffle_permutes) {
    rt_rng r = rt_rng_stream(7, "fair", 0, 0);
    int seen[6] = {0};
    for (int i = 0; i < 60000; i++) seen[rt_rng_below(&r, 6)]++;
    double chi = 0;
    for (int i = 0; i < 6; i++) chi += (seen[i] - 10000.0) * (seen[i] - 10000.0) / 10000;
    cr_assert_lt(chi, 20.5, "chi square %g with 5 degrees of freedom", chi); /* p = 0.001 */

    int32_t items[100], count[100] = {0};
    for (int i = 0; i < 100; i++) items[i] = i;
    rt_rng_shuffle(&r, items, 100);
    int moved = 0;
    for (int i = 0; i < 100; i++) count[items[i]]++, moved += items[i] != i;
    for (int i = 0; i < 100; i++) cr_assert_eq(count[i], 1);
    cr_assert_gt(moved, 80);
}

Test(rng, normal_moments) {
    rt_rng r = rt_rng_stream(3, "normal", 0, 0);
    double sum = 0, squares = 0, fourth = 0;
    const int n = 200000;
    for (int i = 0; i < n; i++) {
        double x = rt_rng_normal(&r);
        sum += x, squares += x * x, fourth += x * x * x * x;
    }
    cr_assert_float_eq(sum / n, 0, 0.01);
    cr_assert_float_eq(squares / n, 1, 0.02);
    cr_assert_float_eq(fourth / n, 3, 0.15);
}

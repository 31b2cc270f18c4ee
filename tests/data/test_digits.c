/* The drawn digits: fixed sums of bits (an accidental change of the generator changes every result that
 * was ever published with it), purity, the frame, labels against a classifier that knows only class
 * means, the split of training and test numbers against rt_digit_draw itself. */
#include "core/hash.h"
#include "retort/threads.h"
#include "scratch.h"

#define PIXELS (28 * 28)

Test(digits, golden) {
    uint8_t image[PIXELS];
    char text[RTI_HASH_TEXT];
    rti_hash hash;
    rti_hash_init(&hash, 0);
    for (int i = 0; i < 200; i++) {
        rt_digit_draw(i % 10, 7, (uint64_t)i, image);
        rti_hash_add(&hash, image, PIXELS);
    }
    rti_hash_finish_text(&hash, text);
    cr_assert_str_eq(text, "574f170df7205d13844deabad2cd08db");
}

Test(digits, pure_function_of_digit_seed_and_number) {
    uint8_t a[PIXELS], b[PIXELS], c[PIXELS];
    for (int digit = 0; digit < 10; digit++) {
        rt_digit_draw(digit, 3, 5, a);
        rt_digit_draw((digit + 3) % 10, 8, 9, c);
        rt_digit_draw(digit, 3, 5, b);
        cr_assert_arr_eq(a, b, PIXELS);
        rt_digit_draw(digit, 4, 5, b);
        rt_digit_draw(digit, 3, 6, c);
        cr_assert(memcmp(a, b, PIXELS) != 0 && memcmp(a, c, PIXELS) != 0);
    }
}

/* Ink: some, not too much; the two outermost pixels are nearly always white. */
Test(digits, inside_the_frame) {
    uint8_t image[PIXELS];
    int at_the_edge = 0, black = 0;
    for (int i = 0; i < 5000; i++) {
        rt_digit_draw(i % 10, 11, (uint64_t)i, image);
        long ink = 0;
        int most = 0;
        bool edge = false;
        for (int p = 0; p < PIXELS; p++) {
            int y = p / 28, x = p % 28;
            ink += image[p];
            most = image[p] > most ? image[p] : most;
            edge = edge || (image[p] > 60 && (y == 0 || y == 27 || x == 0 || x == 27));
        }
        cr_assert(ink > 255 * 15 && ink < 255 * 360, "image %d: ink %ld", i, ink / 255);
        at_the_edge += edge;
        black += most >= 200;
    }
    cr_assert_lt(at_the_edge, 25, "%d of 5000 touch the edge", at_the_edge);
    cr_assert_gt(black, 4900, "%d of 5000 are dark", black);
}

/* Nearest class mean: it knows nothing of strokes, and finds most labels; if labels and images were
 * mixed up it would find a tenth, if images did not vary it would find all. */
Test(digits, labels_belong_to_images) {
    scratch_begin();
    rt_params *p = options_begin();
    option(p, "digits.train", "4000");
    option(p, "digits.test", "2000");
    rt_dataset *set = opens(p);
    const rt_examples *train = rt_dataset_train_examples(set), *test = rt_dataset_test_examples(set);
    static double mean[10][PIXELS];
    int seen[10] = {0}, right = 0;
    for (int i = 0; i < train->count; i++) {
        seen[train->labels[i]]++;
        for (int d = 0; d < PIXELS; d++) mean[train->labels[i]][d] += train->bytes[i * PIXELS + d];
    }
    for (int k = 0; k < 10; k++) {
        cr_assert(seen[k] > 300 && seen[k] < 500, "%d of class %d", seen[k], k);
        for (int d = 0; d < PIXELS; d++) mean[k][d] /= seen[k];
    }
    for (int i = 0; i < test->count; i++) {
        double best = 1e300;
        int nearest = -1;
        for (int k = 0; k < 10; k++) {
            double distance = 0;
            for (int d = 0; d < PIXELS; d++) {
                double difference = test->bytes[i * PIXELS + d] - mean[k][d];
                distance += difference * difference;
            }
            if (distance < best) best = distance, nearest = k;
        }
        right += nearest == test->labels[i];
    }
    cr_assert(right > 1300 && right < 1900, "%d of 2000", right);
    rt_dataset_free(set);
    scratch_end();
}

/* More images, more threads: the same ones. Test images are none of the training images. */
Test(digits, set_is_prefix_stable_and_thread_independent) {
    scratch_begin();
    rt_params *p = options_begin();
    option(p, "validation", "10");
    option(p, "digits.train", "100");
    option(p, "digits.test", "100");
    rt_dataset *small = opens(p);
    rt_threads_set(3);
    option(p, "digits.train", "300");
    rt_dataset *large = opens(p);
    rt_threads_set(1);
    const rt_examples *a = rt_dataset_train_examples(small), *b = rt_dataset_train_examples(large);
    cr_assert_arr_eq(a->bytes, b->bytes, 100 * PIXELS);
    cr_assert_arr_eq(a->labels, b->labels, 100 * sizeof(int32_t));
    const rt_examples *test = rt_dataset_test_examples(small);
    cr_assert_arr_eq(test->bytes, rt_dataset_test_examples(large)->bytes, 100 * PIXELS);
    for (int i = 0; i < 300; i++)
        for (int j = 0; j < 100; j++)
            cr_assert(memcmp(b->bytes + i * PIXELS, test->bytes + j * PIXELS, PIXELS) != 0);
    cr_assert_str_neq(rt_dataset_hash(small), rt_dataset_hash(large));
    rt_dataset_free(small);
    rt_dataset_free(large);
    scratch_end();
}

Test(digits, every_failing_allocation) {
    scratch_begin();
    rt_params *p = options_begin();
    option(p, "validation", "10");
    option(p, "digits.train", "50");
    option(p, "digits.test", "20");
    option(p, "label_noise", "0.2");
    option(p, "transfer.set", "digits");
    option(p, "transfer.digits.train", "30");
    option(p, "transfer.size", "20");
    opens_or_says_memory(p);
    scratch_end();
}

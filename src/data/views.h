/* views.h - augmented views of images.                                 Floor 6 (data)
 *
 * A view says where each pixel of the augmented image comes from. It is drawn from streams of (seed, epoch,
 * example), each augmentation from one of its own, so that a view can be drawn again at any time and
 * switching one augmentation on never changes the others. */
#ifndef RTI_VIEWS_H
#define RTI_VIEWS_H

#include "data/dataset.h"

typedef struct rti_view {
    int64_t dy, dx;              /* out[y][x] = image[y - dy][x - dx] */
    bool flip;                   /* x is counted from the right */
    bool reflect;                /* what lies outside is mirrored at the border, else the background */
    int64_t cut_y, cut_x, cut;   /* the square [cut_y, cut_y + cut) x [cut_x, ..) is blank; cut 0: none */
} rti_view;

/* RT_UNSUPPORTED: augmentation of what is no image of bytes, or more than the image has. */
rt_status rti_augment_check(const rt_augment *augment, const rt_examples *examples,
                            rt_error *error) RT_MUST_CHECK;
bool rti_augment_moves(const rt_augment *augment); /* anything that needs a view */
rti_view rti_view_draw(const rt_augment *augment, const rt_examples *examples, uint64_t seed, uint64_t epoch,
                       uint64_t example);
/* Writes the view of `image`, as numbers, to out (C, H, W). */
void rti_view_show(const rti_view *view, const rt_examples *examples, const uint8_t *image, rt_real *out);

/* out = the example as numbers, plain. */
void rti_example_show(const rt_examples *examples, int64_t example, rt_real *out);

/* Gamma and beta variates (Marsaglia, Tsang 2000), for mixup's lambda. */
double rti_draw_beta(rt_rng *rng, double a, double b);

#endif

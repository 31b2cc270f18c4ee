/* test_estimate.c - how long trials take, against times made up in proportion to their work. */
#include <criterion/criterion.h>
#include <math.h>

#include "experiment/scheduler.h"

Test(estimate, goes_with_the_work_of_the_most_similar_trial) {
    rti_estimator e = {0};
    cr_expect(isnan(rti_estimator_seconds(&e, 100)));
    rti_estimator_add(&e, 1000, 10);
    rti_estimator_add(&e, 1000, 14);
    rti_estimator_add(&e, 1000000, 3000);
    cr_expect_float_eq(rti_estimator_seconds(&e, 2000), 24, 0.1);
    cr_expect_float_eq(rti_estimator_seconds(&e, 500000), 1500, 1);
}

/* A teacher from a file is done in no time, and a thousandth of a second for nothing says nothing. */
Test(estimate, is_not_misled_by_what_did_not_train) {
    rti_estimator e = {0};
    rti_estimator_add(&e, 0, 0.001);
    cr_expect(isnan(rti_estimator_seconds(&e, 1000000)));
    rti_estimator_add(&e, 1000, 10);
    rti_estimator_add(&e, 1000, NAN);
    rti_estimator_add(&e, 1000, -1);
    cr_expect_float_eq(rti_estimator_seconds(&e, 1000), 10, 1e-9);
}

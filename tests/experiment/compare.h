/* compare.h - are two trials' results the same bits? */
#ifndef TEST_COMPARE_H
#define TEST_COMPARE_H

#include "experiment/experiment.h"

/* Asserts that every file of the trial that may not depend on time and place is in both directories
 * with the same bytes, and that nothing of an unfinished trial is left in the second. */
void test_compare_trial(const rti_plan *plan, int trial, const char *runs, const char *other_runs);
void test_compare_all(const rti_plan *plan, const char *runs, const char *other_runs);

/* The plan of a spec text. */
void test_plan(rti_plan *plan, const char *text, const char *const overrides[], int count, const char *runs);

#endif

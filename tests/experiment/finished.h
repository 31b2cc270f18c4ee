/* finished.h - a small plan of which every trial is trained, and its summary. */
#ifndef TEST_FINISHED_H
#define TEST_FINISHED_H

#include "experiment/findings.h"
#include "formats/csv.h"

/* Fails the test when something goes wrong. Below test_path(runs). */
void finished_make(rti_plan *plan, rti_summary *summary, const char *text, const char *const overrides[],
                   int count, const char *runs);
void finished_free(rti_plan *plan, rti_summary *summary);

/* All of the experiment's report without pictures; what the terminal shows. */
rti_text finished_report(const rti_plan *plan, bool plots);
/* A file of plan->directory, zero-terminated, to be released with free. */
char *finished_file(const rti_plan *plan, const char *name);
/* The same read as CSV, to be released with rti_csv_deinit. */
rti_csv finished_csv(const rti_plan *plan, const char *name);
/* Asserts that it holds the text. */
void finished_file_says(const rti_plan *plan, const char *name, const char *text);

#endif
